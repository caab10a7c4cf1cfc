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
_APART: tuple[Side, ...] = (*_FILLED, "train")
"""The side that is kept furthest from training first."""


def cut_sides(
    clusters: Mapping[str, str],
    answerable: Collection[str],
    shares: Mapping[Side, float],
    *,
    seed: int,
    fixed: Mapping[str, Side] | None = None,
) -> dict[str, Side]:
    """Question id → side.

    `clusters` maps question to cluster, `answerable` holds the ids of questions with answers, `shares` are shares
    of the questions that add up to 1. The order of the questions does not matter. `fixed` are sides from before: these
    stay, others of their clusters join them (of several sides the one that is kept furthest from training), and the
    rest fills up what is missing.
    """
    fixed = {question: side for question, side in (fixed or {}).items() if question in clusters}
    mixed = {cluster for question, cluster in clusters.items() if question in answerable}
    placed: dict[str, Side] = {}
    for question in sorted(fixed, key=lambda one: _APART.index(fixed[one]), reverse=True):
        placed[clusters[question]] = fixed[question]
    before = {
        question: fixed.get(question, placed[clusters[question]])
        for question in clusters
        if clusters[question] in placed
    }
    for stratum in (mixed, set(clusters.values()) - mixed):
        sizes = Counter(cluster for cluster in clusters.values() if cluster in stratum)
        filled = Counter(side for question, side in before.items() if clusters[question] in stratum)
        placed |= _cut(
            {name: size for name, size in sizes.items() if name not in placed},
            shares,
            seed,
            filled=filled,
            total=sizes.total(),
        )
    return {question: before.get(question, placed[cluster]) for question, cluster in clusters.items()}


def lesson_shares(shares: Mapping[Side, float]) -> dict[Side, float]:
    """The shares of a file that has no exam side: the others, made to add up to 1."""
    rest = 1 - shares["exam"]
    return {side: 0.0 if side == "exam" else share / rest for side, share in shares.items()}


def _cut(
    sizes: Mapping[str, int], shares: Mapping[Side, float], seed: int, *, filled: Counter[Side], total: int
) -> dict[str, Side]:
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
