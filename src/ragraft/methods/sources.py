"""Where question candidates come from, batch after batch, and the loop that lets them through the gates.

Knows chunks, patterns and a Generator; what a good question is stands in `candidates`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ragraft.methods.candidates import Candidate, Turned, Verdict, spread
from ragraft.methods.fill import Filler
from ragraft.methods.lots import lot
from ragraft.methods.mine import Miner
from ragraft.methods.propose import propose
from ragraft.ports import Generator
from ragraft.records import Chunk

BATCH = 64
"""Mined candidates judged at a time."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Candidates to be judged, and what was turned down on the way to them."""

    candidates: Sequence[Candidate]
    turned: Sequence[Turned] = ()


class Source(Protocol):
    """Gives candidates until it has no more."""

    def next(self, size: int) -> Batch | None:
        """The next candidates, at most `size` where that can be said; None at the end."""
        ...

    @property
    def untried(self) -> int:
        """Candidates made and not given yet."""
        ...

    @property
    def chunks(self) -> int:
        """Chunks looked at so far."""
        ...


@dataclass(slots=True)
class Mined:
    """Candidates made by patterns, all at once."""

    rest: list[Candidate]
    chunks: int

    @property
    def untried(self) -> int:
        return len(self.rest)

    def next(self, size: int) -> Batch | None:
        taken, self.rest = self.rest[:size], self.rest[size:]
        return Batch(taken) if taken else None


@dataclass(slots=True)
class Written:
    """Candidates that a generator writes, chunk after chunk; a batch is a resume point, for its answers are kept."""

    todo: list[Sequence[Chunk]]
    ask: Callable[[Sequence[Chunk]], Batch]
    chunks: int = 0
    untried: int = field(default=0, init=False)

    def next(self, size: int) -> Batch | None:
        if not self.todo:
            return None
        chunks, self.todo = self.todo[0], self.todo[1:]
        self.chunks += len(chunks)
        return self.ask(chunks)


def mined(chunks: Sequence[Chunk], miner: Miner, *, filler: Filler | None = None, seed: int) -> Mined:
    """What the patterns make of the chunks, in a varied order; with `filler` also questions for lessons alone."""
    return Mined(spread(_mine(chunks, miner, filler), seed=seed), len(chunks))


def _mine(chunks: Sequence[Chunk], miner: Miner, filler: Filler | None) -> Iterator[Candidate]:
    for chunk in chunks:
        found = miner.mine(chunk)
        yield from found
        if filler:
            yield from filler.fill(chunk, {quote for one in found for quote in one.evidence})


def written(
    chunks: Sequence[Chunk], generator: Generator, *, model: str, number: int, temperature: float, seed: int, batch: int
) -> Written:
    """What a model writes on the chunks, at most `number` questions on each, `batch` chunks at a time, seeded order."""

    def ask(part: Sequence[Chunk]) -> Batch:
        rows = propose(part, generator, number=number, made_by=f"model {model}", temperature=temperature, seed=seed)
        return Batch([one for row in rows for one in row.candidates], [one for row in rows for one in row.turned])

    order = sorted(chunks, key=lambda chunk: lot(f"{seed}:{chunk.id}"))
    return Written([order[start : start + batch] for start in range(0, len(order), batch)], ask)


@dataclass(slots=True)
class Gathered:
    """What passed, and what did not."""

    passed: list[Candidate] = field(default_factory=list)
    turned: list[Turned] = field(default_factory=list)


def gather(
    source: Source,
    limit: int,
    judge: Callable[[Sequence[Candidate]], Sequence[Verdict]],
    *,
    patience: int | None = None,
    tell: Callable[[int], None] = lambda passed: None,
) -> Gathered:
    """Judge the source's candidates until `limit` have passed.

    `patience`: chunks after which a source of whose candidates none has passed is asked no more.
    """
    found = Gathered()
    while len(found.passed) < limit and (batch := source.next(min(BATCH, limit - len(found.passed)))):
        found.turned += batch.turned
        for verdict in judge(batch.candidates):
            (found.passed if isinstance(verdict, Candidate) else found.turned).append(verdict)  # type: ignore[arg-type]
        tell(min(len(found.passed), limit))
        if patience is not None and not found.passed and source.chunks >= patience:
            break
    # A model's last batch may bring more than was asked for.
    over = found.passed[limit:]
    found.turned += [Turned(one, "beyond the limit", f"{limit} were wanted") for one in over]
    found.passed = found.passed[:limit]
    return found
