"""Runs side by side: the base once, each tuned model by its method, on what all of them were asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from ragraft.errors import InputError
from ragraft.methods.comparison import Scored, compare_runs
from ragraft.methods.comparison_page import comparison_notes, comparison_tables, render_comparison
from ragraft.methods.grade import grade
from ragraft.records import Answer, ExamQuestion, Parsed, Question

QUESTIONS = [ExamQuestion(Question(f"q{n}", f"What {n}?", (f"word {n}",)), "exam", f"c{n // 2}") for n in range(24)]


def answer(question: ExamQuestion, model: str, right: bool, context: str = "retrieved") -> Answer:
    text = question.question.answers[0] if right else "nothing"
    parsed = Parsed(text, (), (), False)
    scores = grade(question, parsed, passages=(), evidence_shown=False)
    return Answer(question.id, model, context, text, text, (), (), False, ("p",), False, 9, 3, scores)


def scored(
    run: str, method: str, tuned: int, questions: Sequence[ExamQuestion] = QUESTIONS, *, base: int = 3
) -> Scored:
    """A run whose models get the first so many questions right."""
    rows = [answer(question, "base", place < base) for place, question in enumerate(questions)]
    rows += [answer(question, "tuned", place < tuned) for place, question in enumerate(questions)]
    return Scored(run, method, questions, rows)


def compare(*runs: Scored) -> dict[str, Any]:
    return compare_runs(runs, resamples=100, seed=0)


def values(data: dict[str, Any]) -> dict[str, float]:
    return {cell["model"]: round(cell["metrics"]["f1"]["value"] * 24, 6) for cell in data["grid"]["cells"]}


def test_the_base_stands_once_and_each_run_by_its_method() -> None:
    data = compare(scored("one", "sft", 6), scored("two", "dap+hybrid", 12))
    assert data["grid"]["models"] == ["base", "sft", "dap+hybrid"]
    assert values(data) == {"base": 3, "sft": 6, "dap+hybrid": 12}
    pairs = {(row["a"], row["b"]): row for row in data["differences"] if row["metric"] == "f1"}
    assert list(pairs) == [("sft", "base"), ("dap+hybrid", "base"), ("dap+hybrid", "sft")]
    difference = pairs["dap+hybrid", "sft"]
    assert (difference["value"], difference["n"], difference["clusters"]) == (0.25, 24, 12)
    assert difference["low"] <= 0.25 <= difference["high"]
    assert data["notes"] == []


def test_runs_of_one_method_are_told_apart_by_their_names() -> None:
    data = compare(scored("seed0", "raft", 6), scored("seed1", "raft", 7), scored("plain", "sft", 5))
    assert data["grid"]["models"] == ["base", "raft (seed0)", "raft (seed1)", "sft"]


def test_only_common_questions_are_compared() -> None:
    """The second run asked 10 of them, one of these with other answers."""
    changed = replace(QUESTIONS[9], question=replace(QUESTIONS[9].question, answers=("other",)))
    data = compare(scored("one", "sft", 24), scored("two", "raft", 4, [*QUESTIONS[:9], changed]))
    assert (data["questions"], data["clusters"]) == (9, 5)
    assert data["notes"] == ["compared on the 9 questions that all runs asked (one: 24, two: 10)"]
    assert {cell["metrics"]["f1"]["n"] for cell in data["grid"]["cells"]} == {9}
    assert [run["asked"] for run in data["runs"]] == [24, 10]


def test_no_common_question_is_told() -> None:
    with pytest.raises(InputError, match=r"^one and two have no question in common, so nothing is paired$"):
        compare(scored("one", "sft", 1, QUESTIONS[:8]), scored("two", "raft", 1, QUESTIONS[8:]))


def test_a_base_that_answered_otherwise_stands_apart() -> None:
    data = compare(scored("one", "sft", 6), scored("two", "raft", 6, base=5), scored("three", "dap", 6, base=5))
    assert data["grid"]["models"] == ["base", "base (two)", "sft", "raft", "dap"]
    assert values(data)["base (two)"] == 5
    [note] = data["notes"]
    assert note.startswith("base answered otherwise in two, ")


def test_contexts_of_several_runs_complete_each_other() -> None:
    more = scored("two", "raft", 6)
    closed = [answer(question, model, False, "none") for question in QUESTIONS for model in ("base", "tuned")]
    data = compare(scored("one", "sft", 6), replace(more, answers=[*more.answers, *closed]))
    assert data["grid"]["contexts"] == ["none", "retrieved"]
    cells = {(cell["model"], cell["context"]) for cell in data["grid"]["cells"]}
    assert ("base", "none") in cells
    assert ("sft", "none") not in cells


def test_a_run_without_its_tuned_model_is_told() -> None:
    base_alone = scored("two", "raft", 6)
    base_alone = replace(base_alone, answers=[one for one in base_alone.answers if one.model == "base"])
    data = compare(scored("one", "sft", 6), base_alone)
    assert data["grid"]["models"] == ["base", "sft"]
    assert data["notes"] == ["two did not examine its tuned model"]


def test_the_tables_and_the_page_say_the_same() -> None:
    data = compare(scored("one", "sft", 6), scored("two", "<b>raft", 12))
    scores, pairs = comparison_tables(data)
    assert [row[0] for row in scores.rows] == ["Base", "sft", "<b>raft"]
    assert scores.rows[1][1].startswith("25.0 [")
    assert [row[0] for row in pairs.rows] == ["sft minus base", "<b>raft minus base", "<b>raft minus sft"]
    assert pairs.rows[2][1].startswith("+25.0 [")
    assert comparison_notes(data)[0] == "24 questions in 12 clusters; sft: run one, <b>raft: run two."
    page = render_comparison(data)
    assert "&lt;b&gt;raft minus sft" in page
    assert "<b>raft" not in page
    assert "http" not in page.split("</style>")[1], "nothing is fetched"
    assert "+25.0" in page
