"""What lies in a workspace, for people who look around in it: runs, lessons, answers. Reads; writes nothing.

Rows come a page at a time, and those before it are not even parsed. Traffic is `browse_traffic`'s.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args

from ragraft.disk import disk_faults_told
from ragraft.errors import ConfigError, RagraftError, WorkspaceError, or_meant
from ragraft.methods.report_examples import Pair, example_data, pair_answers
from ragraft.pipeline.compare import runs_in
from ragraft.pipeline.runner import Session
from ragraft.pipeline.table import ROWS, TABLE
from ragraft.records import Answer, Chunk, ExamQuestion, Lesson, Rejected
from ragraft.workspace import Exam, Folder, Index, Lessons, Report, Run, Scorecard
from ragraft.workspace.artifacts import lesson_from_json

LONGEST = 120
"""Characters of a question that somebody may begin with."""
PAGE = 25
Part = Literal["lessons", "validation", "rejected"]
PARTS: tuple[Part, ...] = get_args(Part)
TUNED = "tuned"


@dataclass(frozen=True, slots=True)
class StageSeen:
    """A stage of a run, as it stands."""

    name: str
    asks: str
    created: str = ""
    """When it ended; empty where it has not."""
    seconds: float = 0.0
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RunSeen:
    """A run, as it stands."""

    name: str
    stages: tuple[StageSeen, ...]
    headline: Mapping[str, Any] | None = None
    """The report's."""
    against: str = ""
    """The model with which the report compares the tuned one."""
    fault: str = ""
    """Why it cannot be read."""

    @property
    def created(self) -> str:
        """When its last stage ended; empty where none has."""
        return max((stage.created for stage in self.stages), default="")

    @property
    def made(self) -> frozenset[str]:
        return frozenset(stage.name for stage in self.stages if stage.created)

    @property
    def following(self) -> str:
        """The stage that comes next; empty where all are done."""
        return next((one.name for one in self.stages if not one.created and not ROWS[one.name].apart), "")


@dataclass(frozen=True, slots=True)
class Rows:
    """A page of rows, each with its number in its file, counted from 0."""

    rows: Sequence[tuple[int, Any]]
    page: int
    more: bool


def begin_with(session: Session, number: int = 3) -> tuple[str, ...]:
    """Questions to begin with, each of another cluster; of the validation side, so that nobody asks the exam's."""
    folder = session.run.current(ROWS["examine"].place)
    if folder is None:
        return ()
    try:
        asked = [one for one in Exam(folder).questions("validation") if one.question.answerable]
    except RagraftError:  # the page of the run says what is damaged; nobody needs a beginning to ask
        return ()
    short = {one.cluster: one.question.question for one in reversed(asked) if len(one.question.question) <= LONGEST}
    return tuple(short.values())[-number:][::-1]


def look_around(runs: Path) -> list[RunSeen]:
    """All runs, the one whose last stage ended last first."""
    return sorted((_seen(runs, name) for name in runs_in(runs)), key=lambda run: run.created, reverse=True)


def look_at(runs: Path, name: str) -> RunSeen:
    """A run; raises ConfigError where there is none of this name."""
    known = runs_in(runs)
    if name not in known:
        raise ConfigError(f"There is no run {name} in this workspace{or_meant(name, known)}")
    return _seen(runs, name)


def report_page(runs: Path, name: str) -> str:
    """The report as it was written."""
    folder = _made(runs, name, "report")
    with disk_faults_told(folder.path):
        return folder.existing("report.html").read_text("utf-8")


def lesson_counts(runs: Path, name: str) -> dict[str, dict[str, Any]]:
    """The counts of each method's lessons, by its folder's name."""
    steps = Lessons(_made(runs, name, "synthesize")).steps()
    return {step: lessons.counts() for step, lessons in steps.items()}


def lesson_rows(runs: Path, name: str, step: str, part: Part, *, kind: str = "", page: int = 1) -> Rows:
    """A page of a method's lessons of this kind, or of its rejections for this reason; of all where none is given."""
    folder = _step(runs, name, step)
    if part == "rejected":
        found = _page(folder, "rejected.jsonl", page, key="reason", value=kind)
        return Rows([(number, Rejected(**row)) for number, row in found.rows], found.page, found.more)
    found = _page(folder, f"{part}.jsonl", page, key="kind", value=kind)
    return Rows([(number, _lesson(folder, part, row)) for number, row in found.rows], found.page, found.more)


def one_lesson(runs: Path, name: str, step: str, part: Part, *, number: int) -> Lesson:
    """A lesson by its number in its file."""
    folder = _step(runs, name, step)
    lines = _lines(folder.existing(f"{part}.jsonl")) if part != "rejected" else iter(())
    for line in islice(lines, number, number + 1):
        return _lesson(folder, part, _parsed(folder, f"{part}.jsonl", line))
    raise ConfigError(f"There is no lesson {number} in {part}.jsonl of {step}")


def question_texts(runs: Path, name: str, ids: Sequence[str]) -> dict[str, str]:
    """The questions of these ids, as far as the exam's file holds them."""
    folder, wanted = Run(runs, name).current(ROWS["examine"].place), set(ids)
    if folder is None:
        return {}
    rows = (row["question"] for row in folder.read_jsonl("questions.jsonl") if row["question"]["id"] in wanted)
    return {row["id"]: row["question"] for row in rows}


@dataclass(frozen=True, slots=True)
class Examined:
    """A run's exam with the answers given in it."""

    questions: tuple[ExamQuestion, ...]
    answers: Mapping[tuple[str, str], tuple[Answer, ...]]
    """By model and context."""

    @property
    def contexts(self) -> list[str]:
        """In which the tuned model was asked."""
        return list(dict.fromkeys(context for model, context in self.answers if model == TUNED))

    def others(self, context: str) -> list[str]:
        """The models beside the tuned one that were asked in this context."""
        return [model for model, where in self.answers if where == context and model != TUNED]

    def pairs(self, context: str, against: str) -> list[Pair]:
        """Every question with the answers of `against` and of the tuned model, in the exam's order."""
        before, after = (self.answers.get((model, context), ()) for model in (against, TUNED))
        return pair_answers(self.questions, before, after)


def examined(runs: Path, name: str) -> Examined:
    """The exam of a run; raises WorkspaceError where it was not examined."""
    scores, exam = _made(runs, name, "evaluate"), _made(runs, name, "examine")
    manifest = scores.manifest()
    return _examined(scores.path, exam.path, manifest.fingerprint if manifest else "")


def one_example(runs: Path, name: str, pair: Pair) -> dict[str, Any]:
    """A question with both answers and the passages that they were shown, as the report's examples are."""
    index, exam = _made(runs, name, "index"), Exam(_made(runs, name, "examine"))
    passages: dict[str, dict[str, Any]] = {}
    for passage in exam.retrieved().get(pair.question.id, ()):
        shown = [pair.question.id] if passage.shows else []
        passages[passage.id] = {"title": passage.title, "text": passage.text, "evidence_of": shown}
    chunks = chunks_of(index.path)
    for place in (*pair.before.passages, *pair.after.passages):
        if place in chunks and place not in passages:
            passages[place] = {"title": chunks[place].title, "text": chunks[place].text}
    return example_data(pair, passages)


@functools.lru_cache(maxsize=2)
def chunks_of(index: Path) -> Mapping[str, Chunk]:
    """The chunks of one version of an index, which never changes, by their ids."""
    return Index(Folder(index)).chunks().by_id()


@functools.lru_cache(maxsize=512)
def _headline(report: Path, created: str) -> Mapping[str, Any]:
    """A report holds examples with their passages, and a list of runs needs a sentence of each."""
    headline: Mapping[str, Any] = Report(Folder(report)).data()["headline"]
    return headline


@functools.lru_cache(maxsize=2)
def _examined(scores: Path, exam: Path, fingerprint: str) -> Examined:
    answers: dict[tuple[str, str], list[Answer]] = {}
    for answer in Scorecard(Folder(scores)).answers():
        answers.setdefault((answer.model, answer.context), []).append(answer)
    questions = tuple(Exam(Folder(exam)).questions("exam"))
    return Examined(questions, {arm: tuple(rows) for arm, rows in answers.items()})


def _seen(runs: Path, name: str) -> RunSeen:
    run = Run(runs, name)
    stages: list[StageSeen] = []
    try:
        with disk_faults_told(run.path):
            for stage in TABLE:
                folder = run.current(stage.place)
                manifest = folder.manifest() if folder else None
                stages.append(
                    StageSeen(
                        stage.name,
                        stage.asks,
                        manifest.created,
                        manifest.seconds,
                        tuple((key, str(value)) for key, value in manifest.summary.items()),
                    )
                    if manifest
                    else StageSeen(stage.name, stage.asks)
                )
            folder = run.current(ROWS["report"].place)
            headline = _headline(folder.path, stages[-1].created) if folder else None
    except (RagraftError, KeyError) as error:
        return RunSeen(name, tuple(stages), fault=str(error))
    return RunSeen(name, tuple(stages), headline, against=str((headline or {}).get("opponent") or "base"))


def _made(runs: Path, name: str, stage: str) -> Folder:
    """What a stage has left in this run; raises WorkspaceError with what to do where it has not run."""
    look_at(runs, name)
    folder = Run(runs, name).current(ROWS[stage].place)
    if folder is None:
        raise WorkspaceError(f"{name} has come to no {stage} yet. Run: ragraft run --run {name}, with its settings")
    return folder


def _step(runs: Path, name: str, step: str) -> Folder:
    steps = Lessons(_made(runs, name, "synthesize")).steps()
    if step not in steps:
        raise ConfigError(f"There are no lessons {step} in {name}{or_meant(step, steps)}")
    return steps[step].folder


def _lesson(folder: Folder, part: Part, row: dict[str, Any]) -> Lesson:
    """Lessons may have been edited by hand."""
    try:
        return lesson_from_json(row)
    except (KeyError, TypeError, AttributeError) as error:
        raise folder.damaged(f"{part}.jsonl", error) from None


def _page(folder: Folder, name: str, page: int, *, key: str, value: str) -> Rows:
    window = slice((page - 1) * PAGE, page * PAGE + 1)
    if value:
        found = list(islice(_where(folder, name, key, value), window.start, window.stop))
    else:
        lines = islice(enumerate(_lines(folder.existing(name))), window.start, window.stop)
        found = [(number, _parsed(folder, name, line)) for number, line in lines]
    return Rows(found[:PAGE], page, len(found) > PAGE)


def _where(folder: Folder, name: str, key: str, value: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows with this value under this key; lines in which it doesn't stand are not parsed."""
    needle = json.dumps(value, ensure_ascii=False).encode()
    for number, line in enumerate(_lines(folder.existing(name))):
        if needle in line and (row := _parsed(folder, name, line)).get(key) == value:
            yield number, row


def _lines(file: Path) -> Iterator[bytes]:
    with file.open("rb") as lines:
        yield from lines


def _parsed(folder: Folder, name: str, line: bytes) -> dict[str, Any]:
    try:
        row: dict[str, Any] = json.loads(line)
    except ValueError as error:
        raise folder.damaged(name, error) from None
    return row
