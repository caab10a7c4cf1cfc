"""Cut clusters of questions into train, validation, calibration and exam. Knows sizes and hashes; knows no texts.

Clusters are taken in the order of a salted hash. Each goes to the first of exam, calibration and validation that it
overshoots by at most half of its own size, else to train: very large clusters end there. Clusters that hold only
unanswerable questions are cut apart from the others by the same rule, so that each side gets its share of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from ragraft.methods.lots import lot
from ragraft.records import Side

_FILLED: tuple[Side, ...] = ("exam", "calibration", "validation")


def cut_sides(
    clusters: Mapping[str, str], answerable: Collection[str], shares: Mapping[Side, float], *, seed: int
) -> dict[str, Side]:
    """Question id → side.

    `clusters` maps question to cluster, `answerable` holds the ids of questions with answers, `shares` are shares
    of the questions that add up to 1. The order of the questions does not matter.
    """
    mixed = {cluster for question, cluster in clusters.items() if question in answerable}
    placed: dict[str, Side] = {}
    for stratum in (mixed, set(clusters.values()) - mixed):
        sizes = Counter(cluster for cluster in clusters.values() if cluster in stratum)
        placed |= _cut(sizes, shares, seed)
    return {question: placed[cluster] for question, cluster in clusters.items()}


def lesson_shares(shares: Mapping[Side, float]) -> dict[Side, float]:
    """The shares of a file that has no exam side: the others, made to add up to 1."""
    rest = 1 - shares["exam"]
    return {side: 0.0 if side == "exam" else share / rest for side, share in shares.items()}


def _cut(sizes: Mapping[str, int], shares: Mapping[Side, float], seed: int) -> dict[str, Side]:
    total = sum(sizes.values())
    filled = dict.fromkeys(_FILLED, 0)
    placed: dict[str, Side] = {}
    for cluster in sorted(sizes, key=lambda name: (lot(f"{seed}:{name}"), name)):
        size = sizes[cluster]
        placed[cluster] = "train"
        for side in _FILLED:
            if filled[side] + size / 2 <= shares[side] * total:
                filled[side] += size
                placed[cluster] = side
                break
    return placed
