"""Propose questions from a run's index, gate them, and write those that pass beside those that did not.

Knows the run and its backends; what a good question is stands in `methods`.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from ragraft.config import QuestionFiles
from ragraft.errors import ConfigError, InputError, WorkspaceError
from ragraft.methods.answerable import check_answerable
from ragraft.methods.candidates import Candidate, Gates, Turned, Verdict, rejected_row
from ragraft.methods.mine import Miner
from ragraft.methods.pattern_data import load_patterns
from ragraft.methods.question_files import read_question_file, refuse_table
from ragraft.methods.same_question import Wording
from ragraft.methods.sources import Gathered, Source, gather, mined, written
from ragraft.pipeline.runner import Session
from ragraft.pipeline.wiring import builder, retriever
from ragraft.records import Chunk, Question, question_to_row
from ragraft.workspace import Folder, Index

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


def propose_questions(session: Session, wanted: Wanted, out: Path) -> Proposed:
    """Write at most `wanted.limit` questions to `out`, and the rejected candidates with their reasons beside it."""
    check_wanted(wanted, out)
    index = _index(session)
    chunks = index.chunks()
    by_id, texts = chunks.by_id(), (chunk.text for chunk in chunks)
    gates = Gates(by_id, texts, _existing(session), retriever=retriever(session.at()), k=session.config.retrieve.k)
    source = _source(session, wanted, chunks)
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("proposing questions", total=wanted.limit)
        found = gather(
            source,
            wanted.limit,
            lambda candidates: _checked(session, wanted, by_id, gates.judge(candidates)),
            patience=PATIENCE if wanted.by == "model" else None,
            tell=lambda passed: progress.update(bar, completed=passed),
        )
    return _write(found, out, chunks=len(chunks), untried=source.untried)


def check_wanted(wanted: Wanted, out: Path) -> None:
    """Raise ConfigError for what could not be written: known before there is an index."""
    if wanted.by not in ("patterns", "model"):
        raise ConfigError(f"--by {wanted.by}: give patterns or model")
    refuse_table(out)
    if out.exists():
        raise ConfigError(f"{out} exists already; look at it with --review, or give another --out")
    if wanted.by == "patterns" and wanted.model is not None:
        raise ConfigError("--model proposes nothing without --by model")
    if wanted.by == "patterns":
        load_patterns(wanted.language)


def _index(session: Session) -> Index:
    made = session.at().made
    if "index" not in made:
        raise WorkspaceError(f"No index in {session.run.path}. Run: ragraft index")
    return Index(made["index"])


def _existing(session: Session) -> list[Wording]:
    """The questions that the YAML names already."""
    named = session.config.questions
    files = [named.lessons, named.exam] if isinstance(named, QuestionFiles) else [named]
    found: list[Question] = []
    for file in files:
        if file and file.is_file():
            rows = read_question_file(file)
            if rows.rejected:
                first = rows.rejected[0]
                raise InputError(f"{file} has broken lines ({first.detail}: {first.reason}); correct or remove them")
            found += rows.questions
    return [Wording(one.id, one.question, frozenset(one.evidence_ids)) for one in found]


def _source(session: Session, wanted: Wanted, chunks: Sequence[Chunk]) -> Source:
    if wanted.by == "patterns":
        return mined(chunks, Miner(chunks, load_patterns(wanted.language)), seed=wanted.seed)
    model = wanted.model or session.config.model
    return written(
        chunks,
        session.backends.writer(model),
        model=model,
        number=wanted.per_chunk,
        temperature=wanted.temperature,
        seed=wanted.seed,
        batch=session.config.evaluate.batch,
    )


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
        generator=session.backends.writer(wanted.model or session.config.model),
    )
    found = {one.id: verdict for one, verdict in zip(passed, checked, strict=True)}
    return [found[one.id] if isinstance(one, Candidate) else one for one in verdicts]


def _write(found: Gathered, out: Path, *, chunks: int, untried: int) -> Proposed:
    kept, rejected = found.passed, found.turned
    beside = out.with_name(f"{out.stem}.rejected.jsonl")
    folder = Folder(out.parent)
    folder.write_jsonl(beside.name, map(rejected_row, rejected))
    if not kept:
        raise InputError(
            f"None of {len(rejected)} candidates passed{_commonest(rejected)}; {beside} says why of each; see whether "
            "--by patterns, --by model or another --model does better"
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


def _commonest(rejected: Sequence[Turned]) -> str:
    found = Counter(one.reason for one in rejected).most_common(1)
    return "".join(f" (commonest reason, {number} times: {reason})" for reason, number in found)
