"""A person's look at proposed questions: every decision is on disk before it is shown. Knows files; knows no page.

The questions file is the truth of what stands in the exam; `STEM.decisions.jsonl` beside it only grows, and holds each
decision with the row before and after, so that a killed review loses nothing and a dropped question can come back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from ragraft.errors import ConfigError, InputError, WorkspaceError
from ragraft.methods.question_files import read_question_file, refuse_table
from ragraft.records import Chunk, Question, question_from_json, question_to_row
from ragraft.workspace import Folder, hash_file
from ragraft.workspace.lines import append_line, cut_torn_line, read_lines

Decision = Literal["accept", "mend", "drop"]
State = Literal["open", "accepted", "mended", "dropped"]
DECISIONS: tuple[Decision, ...] = ("accept", "mend", "drop")


@dataclass(frozen=True, slots=True)
class Item:
    """A question under review."""

    question: Question
    state: State


class Review:
    """A questions file being looked at by one person; made by `open_review`."""

    def __init__(self, file: Path, items: Sequence[Item], chunks: Mapping[str, Chunk]) -> None:
        self.file = file
        self._items, self._chunks = list(items), chunks
        self._digest = hash_file(file)

    @property
    def items(self) -> tuple[Item, ...]:
        return tuple(self._items)

    def next_open(self, place: int) -> int | None:
        """The first undecided question from `place` on, or else from the beginning."""
        size = len(self._items)
        return next((at % size for at in range(place, place + size) if self._items[at % size].state == "open"), None)

    def chunk_of(self, question: Question) -> Chunk | None:
        """The chunk that the question was made of; of another's question, one that holds its evidence."""
        named = self._chunks.get(str(question.metadata.get("chunk")))
        if named is not None or not question.evidence:
            return named
        held = (chunk for chunk in self._chunks.values() if all(quote in chunk.text for quote in question.evidence))
        return next(held, None)

    def decide(self, place: int, decision: Decision, *, text: str = "", answers: Sequence[str] = ()) -> Item:
        """Write the decision, then the questions file. Raises InputError for a mended row that is no question."""
        if hash_file(self.file) != self._digest:
            raise WorkspaceError(f"{self.file} was changed by another program meanwhile; start the review again")
        before = self._items[place]
        after = _decided(before.question, decision, text=text, answers=answers)
        rows = {"before": question_to_row(before.question), "after": question_to_row(after.question)}
        when = datetime.now(UTC).isoformat(timespec="seconds")
        append_line(_log(self.file), {"id": after.question.id, "decision": decision, "at": when, **rows})
        self._items[place] = after
        self._write()
        return after

    def _write(self) -> None:
        kept = (item.question for item in self._items if item.state != "dropped")
        Folder(self.file.parent).write_jsonl(self.file.name, map(question_to_row, kept))
        self._digest = hash_file(self.file)


@contextmanager
def open_review(file: Path, chunks: Mapping[str, Chunk]) -> Iterator[Review]:
    """The review of a questions file, held by this process; dropped questions stand at the end."""
    refuse_table(file)
    lock = FileLock(file.with_name(f".{file.name}.lock"), timeout=0)
    try:
        with lock:
            decisions = _read_log(_log(file))
            _carry_out_last(file, decisions)
            yield Review(file, _items(file, decisions), chunks)
    except Timeout:
        raise WorkspaceError(f"{file} is being reviewed by another ragraft; end that one first") from None


def _decided(question: Question, decision: Decision, *, text: str, answers: Sequence[str]) -> Item:
    if decision == "drop":
        return Item(replace(question, metadata={**question.metadata, "reviewed": False}), "dropped")
    reviewed = {**question.metadata, "reviewed": True}
    if decision == "accept":
        return Item(replace(question, metadata=reviewed), "mended" if reviewed.get("mended") else "accepted")
    # An answer that was not touched stays the exact span that it was, line breaks and all.
    exact = {" ".join(answer.split()): answer for answer in question.answers}
    lines = [" ".join(answer.split()) for answer in answers]
    text, given = " ".join(text.split()), tuple(exact.get(line, line) for line in lines if line)
    if not text or not given:
        raise InputError("A mended question needs its text and at least one answer")
    return Item(replace(question, question=text, answers=given, metadata={**reviewed, "mended": True}), "mended")


def _items(file: Path, decisions: Sequence[Mapping[str, Any]]) -> list[Item]:
    questions = _read(file)
    last = {row["id"]: row for row in decisions}
    items = [Item(one, _state_of(one)) for one in questions]
    there = {one.id for one in questions}
    items += [Item(question_from_json(row["after"]), "dropped") for row in last.values() if row["id"] not in there]
    if not items:
        raise InputError(f"{file} holds no questions to look at")
    return items


def _state_of(question: Question) -> State:
    if not question.metadata.get("reviewed"):
        # What a person wrote needs no review; only what a machine made is open.
        return "open" if question.metadata.get("made_by") else "accepted"
    return "mended" if question.metadata.get("mended") else "accepted"


def _read(file: Path) -> list[Question]:
    if not file.is_file():
        raise ConfigError(f"No {file} to review; propose questions first: ragraft questions")
    found = read_question_file(file)
    if found.rejected:
        row = found.rejected[0]
        raise InputError(f"{file}, {row.detail}: {row.reason}; correct or remove the line")
    return found.questions


def _carry_out_last(file: Path, decisions: Sequence[Mapping[str, Any]]) -> None:
    """A review killed between the decision and the questions file is brought to its end."""
    if not decisions or not file.is_file():
        return
    last = decisions[-1]
    # As JSON has them: lists, where a Question has tuples.
    rows = [json.loads(json.dumps(question_to_row(one))) for one in _read(file)]
    if last["before"] not in rows:
        return
    place = rows.index(last["before"])
    rows[place : place + 1] = [] if last["decision"] == "drop" else [last["after"]]
    Folder(file.parent).write_jsonl(file.name, rows)


def _log(file: Path) -> Path:
    return file.with_name(f"{file.stem}.decisions.jsonl")


def _read_log(log: Path) -> list[dict[str, Any]]:
    """All decisions; a last line that a kill cut short was never answered for, and goes."""
    cut_torn_line(log)
    return list(read_lines(log)) if log.exists() else []
