"""The nouns: as JSON and back they are the same, and a question knows when its evidence is shown."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.records import (
    Answer,
    Chunk,
    Document,
    ExamQuestion,
    Lesson,
    Message,
    Passage,
    Prompt,
    Question,
    passage_from_json,
    prompt_from_json,
    question_from_json,
    to_json,
)
from ragraft.workspace.artifacts import exam_question_from_json, lesson_from_json

texts = st.text(max_size=20)
many = st.lists(texts, max_size=3).map(tuple)
metadata = st.dictionaries(texts, st.none() | texts | st.integers() | st.lists(texts, max_size=2), max_size=3)
numbers = st.integers(0, 9)

documents = st.builds(Document, texts, texts, texts, metadata)
chunks = st.builds(Chunk, texts, texts, texts, texts, numbers, numbers, numbers)
questions = st.builds(
    Question,
    id=texts,
    question=texts,
    answers=many,
    evidence_ids=many,
    evidence=many,
    long_answer=st.none() | texts,
    type=st.none() | texts,
    options=many,
    contexts=many,
    metadata=metadata,
)
exam_questions = st.builds(
    ExamQuestion,
    question=questions,
    side=st.sampled_from(["train", "exam"]),
    cluster=texts,
    oracle=many,
    weak=st.booleans(),
    located=st.booleans(),
    parts=st.lists(many, max_size=2).map(tuple),
)
messages = st.builds(Message, st.sampled_from(["system", "user", "assistant"]), texts)
prompts = st.builds(Prompt, st.lists(messages, max_size=3).map(tuple), numbers)
lessons = st.builds(
    Lesson, texts, texts, st.sampled_from(["oracle", "no-oracle", "unanswerable"]), prompts, texts, many, many
)


def through_json(row: Any) -> Any:
    return json.loads(json.dumps(to_json(row), ensure_ascii=False, allow_nan=False))


@given(documents)
def test_documents_come_back(document: Document) -> None:
    assert Document(**through_json(document)) == document


@given(chunks)
def test_chunks_come_back(chunk: Chunk) -> None:
    assert Chunk(**through_json(chunk)) == chunk


@given(questions)
def test_questions_come_back(question: Question) -> None:
    assert question_from_json(through_json(question)) == question


@given(exam_questions)
def test_placed_questions_come_back(question: ExamQuestion) -> None:
    assert exam_question_from_json(through_json(question)) == question


@given(prompts)
def test_prompts_come_back(prompt: Prompt) -> None:
    assert prompt_from_json(through_json(prompt)) == prompt


@given(lessons)
def test_lessons_come_back(lesson: Lesson) -> None:
    assert lesson_from_json(through_json(lesson)) == lesson


def test_a_question_needs_an_id_and_a_text_only() -> None:
    row = {"id": "q", "question": "Why?", "answers": None, "note": "unknown"}
    assert question_from_json(row) == Question("q", "Why?")


def test_lists_become_tuples_for_good() -> None:
    question = question_from_json({"id": "q", "question": "Why?", "answers": ["a"], "evidence": ["b"]})
    assert (question.answers, question.evidence) == (("a",), ("b",))


@pytest.mark.parametrize("noun", [Answer, Chunk, Document, ExamQuestion, Lesson, Message, Prompt, Question])
def test_nouns_are_frozen_and_slotted(noun: Any) -> None:
    assert noun.__dataclass_params__.frozen
    assert noun.__slots__ == tuple(field.name for field in dataclasses.fields(noun))


# --- whether the evidence is shown

ids = st.sampled_from("abcdef")


@given(st.lists(st.sets(ids, min_size=1).map(lambda found: tuple(sorted(found))), min_size=1, max_size=3), st.sets(ids))
def test_evidence_is_shown_when_a_chunk_of_each_part_is(parts: list[tuple[str, ...]], shown: set[str]) -> None:
    oracle = tuple(sorted({name for part in parts for name in part}))
    question = ExamQuestion(Question("q", "?"), "exam", "c", oracle, parts=tuple(parts))
    assert question.shown_by(shown) == all(shown & set(part) for part in parts)
    assert question.shown_by(oracle)
    assert not question.shown_by(())


def test_without_parts_any_oracle_chunk_shows_it() -> None:
    question = ExamQuestion(Question("q", "?"), "exam", "c", ("a", "b"))
    assert question.shown_by(["x", "b"])
    assert not question.shown_by(["x"])


def test_what_has_no_oracle_is_never_shown() -> None:
    assert not ExamQuestion(Question("q", "?"), "exam", "c").shown_by(["a"])


def test_a_passage_stands_for_itself_and_for_what_it_shows() -> None:
    found = Passage("p", "d", "title", "text", 0.5, ("a", "b"))
    assert found.chunks == ("p", "a", "b")
    assert Passage("p", "d", "", "").chunks == ("p",)
    assert passage_from_json(json.loads(json.dumps(to_json(found)))) == found


def test_no_answers_no_answer() -> None:
    assert not Question("q", "?").answerable
    assert Question("q", "?", ("",)).answerable
