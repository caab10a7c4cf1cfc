"""The artifacts: what each stage leaves behind, read back as typed rows. Knows formats; computes nothing."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ragraft.errors import WorkspaceError
from ragraft.records import (
    Answer,
    Chunk,
    Document,
    ExamQuestion,
    Lesson,
    Passage,
    Side,
    passage_from_json,
    prompt_from_json,
    question_from_json,
    to_json,
)
from ragraft.workspace.chunks import CHUNK_SCHEMA, Chunks
from ragraft.workspace.folder import Folder

RETRIEVED = "retrieved.jsonl"
CHANGES, RENAMED = "changes.jsonl", "renamed.json"
FORGETTING = "forgetting.json"
TIMING = "timing.json"
"""Apart from the scores: the same answers are the same on any machine, what they took is not."""
LINT = "lint.json"
DIAGNOSIS = "diagnosis.json"
CALIBRATION = "calibration.json"
CHUNKS = "chunks.parquet"
SERVICE, REFRESH = "service.jsonl", "refresh.json"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A finished stage's folder."""

    folder: Folder

    @property
    def path(self) -> Path:
        return self.folder.path


@dataclass(frozen=True, slots=True)
class Corpus(Artifact):
    """10-corpus: documents.jsonl, rejected.jsonl, same.json, facts.json."""

    def documents(self) -> Iterator[Document]:
        for row in self.folder.read_jsonl("documents.jsonl"):
            yield Document(**row)

    def bytes(self) -> int:
        """Size of the documents' rows."""
        return self.folder.existing("documents.jsonl").stat().st_size

    def same(self) -> dict[str, str]:
        """Dropped document id → id of the kept document that holds its text."""
        found: dict[str, str] = self.folder.read_json("same.json")
        return found


@dataclass(frozen=True, slots=True)
class Index(Artifact):
    """20-index: chunks.parquet and the store's own folder."""

    def chunks(self) -> Chunks:
        try:
            return Chunks(pq.read_table(self.folder.existing(CHUNKS), schema=CHUNK_SCHEMA))
        except pa.ArrowException as error:
            raise self.folder.damaged(CHUNKS, error) from None

    def passages(self) -> dict[str, Passage]:
        """All chunks by their ids, as passages that can be shown."""
        return {c.id: Passage(c.id, c.document_id, c.title, c.text) for c in self.chunks()}

    def chunk_batches(self, size: int) -> Iterator[list[Chunk]]:
        """The chunks in order, `size` at a time, the last batch perhaps fewer; never all in memory."""
        try:
            with pq.ParquetFile(self.folder.existing(CHUNKS)) as source:
                rows = (row for batch in source.iter_batches(batch_size=size) for row in batch.to_pylist())
                while batch := [Chunk(**row) for row in itertools.islice(rows, size)]:
                    yield batch
        except pa.ArrowException as error:
            raise self.folder.damaged(CHUNKS, error) from None

    def write_chunks(self, batches: Iterable[list[Chunk]]) -> int:
        """Write chunks.parquet, whole or not at all; returns the number of chunks."""
        part = self.folder.file(f".{CHUNKS}.part")
        count = 0
        with pq.ParquetWriter(part, CHUNK_SCHEMA) as writer:
            for batch in batches:
                writer.write_table(pa.Table.from_pylist([to_json(chunk) for chunk in batch], CHUNK_SCHEMA))
                count += len(batch)
        # On disk before it has its name: a killed stage goes on from it without looking inside.
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(self.folder.file(CHUNKS))
        return count

    @property
    def store(self) -> Path:
        return self.folder.file("store")


@dataclass(frozen=True, slots=True)
class Exam(Artifact):
    """30-exam: questions.jsonl (placed), rejected.jsonl, duplicates.jsonl, faults.jsonl, retrieval.json, facts.json.

    With the user's own retriever also retrieved.jsonl; a refreshed one also changes.jsonl and renamed.json.
    """

    def questions(self, side: Side | None = None) -> list[ExamQuestion]:
        return [
            exam_question_from_json(row)
            for row in self.folder.read_jsonl("questions.jsonl")
            if side is None or row["side"] == side
        ]

    def retrieved(self) -> dict[str, list[Passage]]:
        """Question id → passages of the user's own retriever, best first; nothing where ragraft's index retrieves."""
        return _retrieved(self.folder)

    def changes(self) -> dict[str, dict[str, Any]]:
        """Of a refreshed exam: question id → what became of it since the one before; nothing in any other."""
        if not self.folder.has(CHANGES):
            return {}
        return {row["id"]: row for row in self.folder.read_jsonl(CHANGES)}

    def renamed(self) -> dict[str, str]:
        """Of a refreshed exam: ids of documents as questions know them → as they are called now."""
        found: dict[str, str] = self.folder.read_json(RENAMED) if self.folder.has(RENAMED) else {}
        return found


@dataclass(frozen=True, slots=True)
class Diagnosis(Artifact):
    """40-diagnosis: diagnosis.json, answers.jsonl, fewshot.json."""

    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = self.folder.read_json(DIAGNOSIS)
        return found


@dataclass(frozen=True, slots=True)
class MadeQuestions(Artifact):
    """50-lessons/made: questions.jsonl (placed), rejected.jsonl, counts.json.

    The questions that a machine made for lessons, none where all are given; with the user's own retriever also
    retrieved.jsonl.
    """

    def questions(self, side: Side | None = None) -> list[ExamQuestion]:
        if not self.folder.has("questions.jsonl"):
            return []
        rows = map(exam_question_from_json, self.folder.read_jsonl("questions.jsonl"))
        return [one for one in rows if side is None or one.side == side]

    def retrieved(self) -> dict[str, list[Passage]]:
        """As in the exam: question id → passages of the user's own retriever."""
        return _retrieved(self.folder)

    def counts(self) -> dict[str, Any]:
        found: dict[str, Any] = self.folder.read_json("counts.json")
        return found


def step_folder(number: int, method: str) -> str:
    """The folder of the chain's `number`th method, counted from 1: `01-raft`."""
    return f"{number:02d}-{method}"


@dataclass(frozen=True, slots=True)
class LessonSet(Artifact):
    """One method's lessons: lessons.jsonl, validation.jsonl, rejected.jsonl, counts.json."""

    def train(self) -> list[Lesson]:
        return list(self._read("lessons.jsonl"))

    def validation(self) -> list[Lesson]:
        return list(self._read("validation.jsonl"))

    def _read(self, name: str) -> Iterator[Lesson]:
        """Lessons may have been edited by hand: raises WorkspaceError for a row that is none."""
        with self.folder.existing(name).open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    lesson = lesson_from_json(json.loads(line))
                except (KeyError, TypeError, AttributeError, ValueError) as error:
                    raise WorkspaceError(
                        f"{self.folder.file(name)}, row {number}, is no lesson ({error}); mend or remove it, or make "
                        "the lessons anew: ragraft run --from synthesize"
                    ) from None
                yield lesson

    def counts(self) -> dict[str, Any]:
        found: dict[str, Any] = self.folder.read_json("counts.json")
        return found


@dataclass(frozen=True, slots=True)
class Lessons(Artifact):
    """50-lessons: a folder a method, in the order in which they are learned."""

    def steps(self) -> dict[str, LessonSet]:
        """Folder name, as in `01-raft`, → the method's lessons."""
        return {place.name: LessonSet(Folder(place)) for place in _numbered(self.folder, "lessons.jsonl")}

    def counts(self) -> dict[str, Any]:
        """The counts of the one method; of several, each under its folder's name."""
        return _one_or_each({name: lessons.counts() for name, lessons in self.steps().items()})


@dataclass(frozen=True, slots=True)
class Checkpoint(Artifact):
    """60-checkpoint: lint.json, a folder a method (the last is final) with weights, checkpoint.json, metrics.jsonl."""

    def steps(self) -> dict[str, Folder]:
        """Folder name, as in `01-raft`, → what that method made."""
        return {place.name: Folder(place) for place in _numbered(self.folder, "checkpoint.json")}

    def final(self) -> Path:
        """The folder of the last method's weights."""
        return list(self.steps().values())[-1].path

    def card(self) -> dict[str, Any]:
        """The last method's card."""
        return list(self.cards().values())[-1]

    def cards(self) -> dict[str, dict[str, Any]]:
        """Each method's card, by its folder's name."""
        return {name: folder.read_json("checkpoint.json") for name, folder in self.steps().items()}

    def told(self) -> dict[str, Any]:
        """The card of the one method; of several, each under its folder's name."""
        return _one_or_each(self.cards())

    def metrics(self) -> dict[str, list[dict[str, Any]]]:
        """Each method's metrics, by its folder's name."""
        return {name: list(folder.read_jsonl("metrics.jsonl")) for name, folder in self.steps().items()}


def _numbered(folder: Folder, inside: str) -> list[Path]:
    """The folders of a chain's methods, in order; raises WorkspaceError where there is none."""
    places = [place for place in folder.path.iterdir() if place.is_dir() and place.name[:2].isdigit()]
    if not places:
        raise WorkspaceError(f"No {folder.path / '01-METHOD' / inside}; remove {folder.path} and run again")
    return sorted(places)


def _one_or_each(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return next(iter(found.values())) if len(found) == 1 else dict(found)


@dataclass(frozen=True, slots=True)
class Calibration(Artifact):
    """65-calibration: calibration.json, answers.jsonl."""

    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = self.folder.read_json(CALIBRATION)
        return found

    def manner(self) -> dict[str, Any] | None:
        """As a Scorecard's; None in a calibration of an earlier version."""
        found: dict[str, Any] | None = self.data().get("manner")
        return found


@dataclass(frozen=True, slots=True)
class Scorecard(Artifact):
    """70-scores: answers.jsonl, scorecard.json, fewshot.json, timing.json, forgetting.json and forgetting.jsonl; rows
    of sweeps, probes and judgements where they were asked for."""

    def answers(self) -> Iterator[Answer]:
        return map(answer_from_json, self.folder.read_jsonl("answers.jsonl"))

    def card(self) -> dict[str, Any]:
        found: dict[str, Any] = self.folder.read_json("scorecard.json")
        return found

    def manner(self) -> dict[str, Any] | None:
        """How the tuned model is asked: `above` which probability it abstains, whether it `rereads` its quotes; None
        where none was."""
        found: dict[str, Any] | None = self.card().get("manner", {}).get("manner")
        return found


@dataclass(frozen=True, slots=True)
class Succession(Artifact):
    """96-refresh: service.jsonl, the exam as the model in service answers it; refresh.json, how the new one does beside
    it and what came of that."""

    def service(self) -> list[Answer]:
        return list(map(answer_from_json, self.folder.read_jsonl(SERVICE)))

    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = self.folder.read_json(REFRESH)
        return found


@dataclass(frozen=True, slots=True)
class Report(Artifact):
    """80-report: report.json and report.html."""

    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = self.folder.read_json("report.json")
        return found


def _retrieved(folder: Folder) -> dict[str, list[Passage]]:
    if not folder.has(RETRIEVED):
        return {}
    rows = folder.read_jsonl(RETRIEVED)
    return {row["question_id"]: [passage_from_json(passage) for passage in row["passages"]] for row in rows}


def exam_question_from_json(row: dict[str, Any]) -> ExamQuestion:
    return ExamQuestion(
        question_from_json(row["question"]),
        row["side"],
        row["cluster"],
        tuple(row["oracle"]),
        row["weak"],
        row["located"],
        tuple(tuple(part) for part in row["parts"]),
    )


def answer_from_json(row: dict[str, Any]) -> Answer:
    tuples = {"citations", "quotes", "passages"}
    values: dict[str, Any] = {key: tuple(value) if key in tuples else value for key, value in row.items()}
    return Answer(**values)


def lesson_from_json(row: dict[str, Any]) -> Lesson:
    tuples = {"passages", "oracle"}
    values: dict[str, Any] = {key: tuple(value) if key in tuples else value for key, value in row.items()}
    values["prompt"] = prompt_from_json(row["prompt"])
    return Lesson(**values)
