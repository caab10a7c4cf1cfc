"""Log-probabilities of given tokens: rows of like length together, long ones in windows. Knows tensors only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

MOST_TOKENS = {"cpu": 1024, "cuda": 4096}
"""In a forward pass of several rows; a row is never torn for it."""
WIDEST = 2048
"""Longest window in which a text is read: attention grows with its square."""
OLD = 4
"""A window after the first begins with a fourth of tokens that were scored before."""
COLUMNS = 256
"""Positions whose softmax is made at a time: a whole table of logits in float32 would be gigabytes."""


@dataclass(frozen=True, slots=True)
class Given:
    """Tokens to be read, of which those from `start` on (never the first) are scored."""

    ids: tuple[int, ...]
    start: int


def windows(row: Given, size: int) -> Iterator[Given]:
    """A text's row in windows of at most `size` tokens that together score each of its tokens once."""
    first, scored = 0, row.start
    while scored < len(row.ids):
        end = min(first + size, len(row.ids))
        yield Given(row.ids[first:end], scored - first)
        first, scored = end - size // OLD, end


def logprobs(network: Any, rows: Sequence[Given], *, common: int = 0) -> list[list[float]]:
    """Natural logarithms of the scored tokens of each row; its first `common` tokens are read already."""
    found: dict[int, list[float]] = {}
    most = MOST_TOKENS.get(network.device.type, MOST_TOKENS["cpu"])
    for places in _batches([len(row.ids) - common for row in rows], most):
        found |= dict(zip(places, _batch(network, [rows[place] for place in places], common), strict=True))
    return [found[place] for place in range(len(rows))]


def _batches(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Places of rows that are read together, the longest first: shorter ones fill less than a fourth with nothing."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lambda at: (-lengths[at], at)):
        longest = lengths[batch[0]] if batch else 0
        if batch and ((len(batch) + 1) * longest > most or lengths[place] * 4 < longest * 3):
            yield batch
            batch = []
        batch.append(place)
    yield batch


def _batch(network: Any, rows: Sequence[Given], common: int) -> list[list[float]]:
    """Rows side by side, filled up on the right: what comes later changes nothing before, so no mask is needed."""
    import torch

    longest = max(len(row.ids) for row in rows) - common
    filled = [[*row.ids[common:], *[0] * (longest + common - len(row.ids))] for row in rows]
    ids = torch.tensor(filled, device=network.device)
    places = torch.arange(common, common + longest, device=network.device).expand(len(rows), -1)
    # The token before each scored one predicts it.
    first = min(row.start for row in rows) - common - 1
    found = network(input_ids=ids, position_ids=places, use_cache=False, logits_to_keep=longest - first)
    logits, wanted = found.logits[:, :-1], ids[:, first + 1 :, None]  # the last position predicts nothing given
    pieces = [
        torch.log_softmax(logits[:, at : at + COLUMNS].float(), dim=-1).gather(2, wanted[:, at : at + COLUMNS])
        for at in range(0, wanted.shape[1], COLUMNS)
    ]
    values = torch.cat(pieces, dim=1)[:, :, 0].cpu()
    return [
        values[place, row.start - common - 1 - first : len(row.ids) - common - 1 - first].tolist()
        for place, row in enumerate(rows)
    ]
