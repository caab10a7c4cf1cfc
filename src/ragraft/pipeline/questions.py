"""Propose questions from a run's index, gate them, and write those that pass beside those that did not.

Knows the run and its backends; what a good question is stands in `methods`.
"""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from ragraft.config import QuestionFiles
from ragraft.errors import ConfigError, InputError, WorkspaceError
from ragraft.methods.answerable import check_answerable
from ragraft.methods.candidates import Candidate, Gates, Turned, Verdict, spread
from ragraft.methods.mine import Miner
from ragraft.methods.pattern_data import load_patterns
from ragraft.methods.propose import propose
from ragraft.methods.questions import read_questions
from ragraft.methods.same_question import Wording
from ragraft.pipeline.runner import Session
from ragraft.pipeline.table import builder, retriever
from ragraft.records import Chunk, Question, question_to_row
from ragraft.workspace import Folder, Index

BATCH = 64
"""Mined candidates judged at a time."""
PATIENCE = 64
"""Chunks after which a model of whose questions none has passed is asked no more."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to propose, and how many."""

    by: str = "patterns"
    """patterns or model."""
    limit: int = 200
    model: str | None = None
    """A model's source; the run's own when left out."""
    per_chunk: int = 3
    """Questions that a model is asked for on a chunk."""
    temperature: float = 0.3
    seed: int = 0
    language: str = "en"
    check: bool = False
    """Also ask the model every question, with its chunk and without."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """What came of it."""

    questions: int
    chunks: int
    """Chunks that have a question now."""
    of_chunks: int
    reasons: dict[str, int]
    """Candidates turned down, by reason, the commonest first."""
    untried: int
    """Mined candidates that the limit left aside."""
    file: Path
    rejected: Path


@dataclass(slots=True)
class _Source:
    """Candidates, a batch at a time, each of at most the size asked for where that can be said."""

    mined: list[Candidate] | None = None
    asked: Iterator[tuple[list[Candidate], list[Turned]]] | None = None

    def next(self, size: int) -> tuple[list[Candidate], list[Turned]] | None:
        if self.asked is not None:
            return next(self.asked, None)
        taken, self.mined = (self.mined or [])[:size], (self.mined or [])[size:]
        return (taken, []) if taken else None


def propose_questions(session: Session, wanted: Wanted, out: Path) -> Proposed:
    """Write at most `wanted.limit` questions to `out`, and the rejected candidates with their reasons beside it."""
    if wanted.by not in ("patterns", "model"):
        raise ConfigError(f"--by {wanted.by}: give patterns or model")
    if out.exists():
        raise ConfigError(f"{out} exists already; look at it with --review, or give another --out")
    index = _index(session)
    chunks = index.chunks()
    by_id, texts = chunks.by_id(), (chunk.text for chunk in chunks)
    gates = Gates(by_id, texts, _existing(session), retriever=retriever(session.at()), k=session.config.retrieve.k)
    source = _source(session, wanted, chunks, by_id)
    passed: list[Candidate] = []
    turned: list[Turned] = []
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("proposing questions", total=wanted.limit)
        while len(passed) < wanted.limit and (batch := source.next(min(BATCH, wanted.limit - len(passed)))):
            turned += batch[1]
            verdicts = _checked(session, wanted, by_id, gates.judge(batch[0]))
            passed += [one for one in verdicts if isinstance(one, Candidate)]
            turned += [one for one in verdicts if isinstance(one, Turned)]
            progress.update(bar, completed=min(len(passed), wanted.limit))
            if wanted.by == "model" and not passed and len({one.candidate.chunk for one in turned}) >= PATIENCE:
                break
    return _write(passed, turned, out, chunks=len(chunks), untried=len(source.mined or []), limit=wanted.limit)


def _index(session: Session) -> Index:
    made = session.at().made
    if "index" not in made:
        raise WorkspaceError(f"No index in {session.run.path}. Run: ragraft index")
    return Index(made["index"])


def _existing(session: Session) -> list[Wording]:
    """The questions that the YAML names already."""
    named = session.config.questions
    files = [named.lessons, named.exam] if isinstance(named, QuestionFiles) else [named] if named else []
    found: list[Question] = []
    for file in files:
        if file.is_file():
            with file.open(encoding="utf-8-sig") as lines:
                rows = read_questions(lines, origin=file.name)
            if rows.rejected:
                first = rows.rejected[0]
                raise InputError(f"{file} has broken lines ({first.detail}: {first.reason}); correct or remove them")
            found += rows.questions
    return [Wording(one.id, one.question, frozenset(one.evidence_ids)) for one in found]


def _source(session: Session, wanted: Wanted, chunks: Sequence[Chunk], by_id: Mapping[str, Chunk]) -> _Source:
    if wanted.by == "model":
        return _Source(asked=_asked(session, wanted, by_id))
    miner = Miner(chunks, load_patterns(wanted.language))
    return _Source(mined=spread((one for chunk in chunks for one in miner.mine(chunk)), seed=wanted.seed))


def _asked(
    session: Session, wanted: Wanted, chunks: Mapping[str, Chunk]
) -> Iterator[tuple[list[Candidate], list[Turned]]]:
    """What a model proposes, chunk after chunk in seeded order; a batch is a resume point, for its answers are kept."""
    model = wanted.model or session.config.model
    generator = session.backends.generator(model)
    order = sorted(chunks, key=lambda name: _digest(f"{wanted.seed}:{name}"))
    size = session.config.evaluate.batch
    for batch in (order[start : start + size] for start in range(0, len(order), size)):
        proposals = propose(
            [chunks[name] for name in batch],
            generator,
            number=wanted.per_chunk,
            made_by=f"model {model}",
            temperature=wanted.temperature,
            seed=wanted.seed,
        )
        yield [one for row in proposals for one in row.candidates], [one for row in proposals for one in row.turned]


def _checked(
    session: Session, wanted: Wanted, chunks: Mapping[str, Chunk], verdicts: Sequence[Verdict]
) -> Sequence[Verdict]:
    if not wanted.check:
        return verdicts
    passed = [one for one in verdicts if isinstance(one, Candidate)]
    checked = check_answerable(
        passed,
        chunks,
        builder=builder(session.at()),
        generator=session.backends.generator(wanted.model or session.config.model),
    )
    found = {one.id: verdict for one, verdict in zip(passed, checked, strict=True)}
    return [found[one.id] if isinstance(one, Candidate) else one for one in verdicts]


def _write(
    passed: Sequence[Candidate], turned: Sequence[Turned], out: Path, *, chunks: int, untried: int, limit: int
) -> Proposed:
    # A model's last batch may bring more than was asked for.
    kept, over = passed[:limit], [Turned(one, "beyond the limit", f"--limit {limit}") for one in passed[limit:]]
    rejected = [*turned, *over]
    beside = out.with_name(f"{out.stem}.rejected.jsonl")
    folder = Folder(out.parent)
    folder.write_jsonl(beside.name, map(_rejected_row, rejected))
    if not kept:
        raise InputError(
            f"None of {len(rejected)} candidates passed; {beside} says why of each; see whether --by patterns or "
            "another --model does better"
        )
    folder.write_jsonl(out.name, (question_to_row(one.row()) for one in kept))
    return Proposed(
        questions=len(kept),
        chunks=len({one.chunk for one in kept}),
        of_chunks=chunks,
        reasons=dict(Counter(one.reason for one in rejected).most_common()),
        untried=untried,
        file=out,
        rejected=beside,
    )


def _rejected_row(turned: Turned) -> dict[str, Any]:
    row = question_to_row(turned.candidate.row())
    return {"id": row["id"], "reason": turned.reason, "detail": turned.detail, "candidate": row}


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8"), digest_size=16).digest()
