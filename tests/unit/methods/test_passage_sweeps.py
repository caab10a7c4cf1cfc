"""Sweeps over what is shown: what each point shows, and what its figures say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.asking import Arm, Room
from ragraft.methods.finders import Asking
from ragraft.methods.passage_sweeps import Layout, SweepName, ask_sweep, lay_out, sweep_figures, sweep_points
from ragraft.methods.prompt import PromptBuilder
from ragraft.records import Completion, ExamQuestion, Passage, Prompt, Question, Sampling
from tests.conftest import WordTokenizer

NUMBER = 12
CHUNKS = {
    f"c{n}": Passage(f"c{n}", f"d{n}", f"Town {n}", f"The mill of town {n} is called millname{n}.")
    for n in range(NUMBER)
}
ARM = "reader"


class Found:
    """Finds the chunks after the question's own, then its own; `short` questions find two alone."""

    def __init__(self, short: Sequence[str] = ()) -> None:
        self.short = short

    def retrieve(self, questions: Sequence[str], k: int) -> list[list[Passage]]:
        return [self._ranked(question)[:k] for question in questions]

    def _ranked(self, question: str) -> list[Passage]:
        own = int(re.findall(r"\d+", question)[0])
        ranked = [CHUNKS[f"c{(own + step) % NUMBER}"] for step in range(1, NUMBER + 1)]
        return ranked[:2] if question in self.short else ranked


@dataclass
class Reader:
    """Finds the mill in the first `reach` passages, and in the last one."""

    reach: int

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        return [Completion(self._answer(prompt.messages[-1].content), (1,)) for prompt in prompts]

    def _answer(self, turn: str) -> str:
        wanted = re.findall(r"What is the mill of town (\d+)", turn)[0]
        titles = re.findall(r"\[\d+\] Town (\d+)\n", turn)
        return (
            f"Answer: millname{wanted}" if wanted in [*titles[: self.reach], *titles[-1:]] else "Answer: no idea of it"
        )


def question(n: int) -> ExamQuestion:
    asked = Question(f"q{n}", f"What is the mill of town {n}?", (f"millname{n}",))
    return ExamQuestion(asked, "exam", f"k{n}", (f"c{n}",), parts=((f"c{n}",),))


QUESTIONS = [question(n) for n in range(NUMBER)]


def room(k: int = 4, *, short: Sequence[str] = (), max_tokens: int = 2048) -> Room:
    builder = PromptBuilder(WordTokenizer(), "not in the documents.", max_tokens, 16)
    return Room(Asking(Found(short)), builder, CHUNKS, k=k, batch=4)


def ids(layout: Layout, value: int) -> dict[str, list[str]]:
    return {one.id: [passage.id for passage in shown] for one, shown in layout.points[value]}


def test_distractors_stand_around_the_oracle_and_tell_nothing() -> None:
    layout = lay_out("distractors", QUESTIONS, room())
    assert list(layout.points) == [0, 1, 2, 4, 8]
    for value in layout.points:
        shown = ids(layout, value)
        assert list(shown) == [one.id for one in QUESTIONS]
        for name, passages in shown.items():
            assert len(set(passages)) == len(passages) == value + 1
            assert f"c{name[1:]}" in passages
    # One more is added, none is exchanged.
    assert all(set(ids(layout, 2)[one.id]) < set(ids(layout, 4)[one.id]) for one in QUESTIONS)


def test_the_oracle_moves_through_passages_that_stay_as_they_are() -> None:
    layout = lay_out("position", QUESTIONS, room(k=4))
    assert list(layout.points) == [1, 2, 3, 4]
    others = {place: [name for name in ids(layout, place)["q3"] if name != "c3"] for place in layout.points}
    assert all(found == ["c4", "c5", "c6"] for found in others.values())
    assert [ids(layout, place)["q3"].index("c3") + 1 for place in layout.points] == [1, 2, 3, 4]


def test_k_cuts_what_is_found() -> None:
    layout = lay_out("k", QUESTIONS, room(k=3))
    assert list(layout.points) == [1, 2, 3, 4, 8]
    assert ids(layout, 3)["q0"] == ["c1", "c2", "c3"]


@given(st.integers(1, 60))
def test_places_run_from_the_first_to_the_last(k: int) -> None:
    places = sweep_points("position", k)
    assert places[0] == 1
    assert places[-1] == max(k, 3)
    assert 3 <= len(places) <= 5
    assert list(places) == sorted(set(places))


def test_questions_that_cannot_be_shown_at_every_point_are_left_out_of_all() -> None:
    short = [QUESTIONS[place].question.question for place in (0, 1)]
    layout = lay_out("distractors", QUESTIONS, room(short=short))
    assert layout.left_out == 2
    assert all(list(ids(layout, value)) == [f"q{n}" for n in range(2, NUMBER)] for value in layout.points)


def test_a_point_that_few_can_have_ends_the_sweep_before() -> None:
    short = [question.question.question for question in QUESTIONS[:9]]
    layout = lay_out("distractors", QUESTIONS, room(short=short))
    assert list(layout.points) == [0, 1, 2]
    assert (layout.left_out, layout.not_shown) == (0, (4, 8))
    nowhere = lay_out("position", QUESTIONS, room(k=6, short=short))
    assert (dict(nowhere.points), nowhere.left_out) == ({}, NUMBER)
    assert figures("position", nowhere)["points"] == []


def test_prompts_that_are_too_long_are_left_out_and_not_cut() -> None:
    whole = [passages for _, passages in lay_out("distractors", QUESTIONS, room()).points[8]]
    needed = min(room().builder.tokenizer.count_prompt(room().builder.build("What?", shown)) for shown in whole)
    layout = lay_out("distractors", QUESTIONS, room(max_tokens=needed))  # no room for the answer
    assert list(layout.points) == [0, 1, 2, 4]
    rows = ask_sweep("distractors", layout, room(max_tokens=needed), [Arm(ARM, Reader(99))])
    assert all(len(row.passages) == value + 1 for (_, value), cell in rows.items() for row in cell.values())


def test_questions_without_an_answer_are_not_asked() -> None:
    silent = ExamQuestion(Question("q99", "What is the mill of town 99?"), "exam", "k99")
    for name in ("distractors", "position", "k"):
        layout = lay_out(name, [*QUESTIONS, silent], room())
        assert all("q99" not in ids(layout, value) for value in layout.points)


def figures(name: SweepName, layout: Layout, arms: Sequence[Arm] = (Arm(ARM, Reader(1)),)) -> dict[str, Any]:
    rows = ask_sweep(name, layout, room(), arms)
    return sweep_figures(name, layout, rows, pairs=[("tuned", "base")], resamples=100, seed=0)


def test_a_reader_that_overlooks_the_middle_dips_there() -> None:
    found = figures("position", lay_out("position", QUESTIONS, room(k=4)))
    assert [point["f1"]["value"] for point in found["points"]] == [1.0, 0.0, 0.0, 1.0]
    assert found["contrasts"] == [
        {"model": ARM, "value": -1.0, "low": -1.0, "high": -1.0, "n": 12, "unscored": 0, "clusters": 12}
    ]
    assert [point["passages"] for point in found["points"]] == [4, 4, 4, 4]


def test_contrasts_of_two_models_are_paired() -> None:
    arms = [Arm("base", Reader(1)), Arm("tuned", Reader(99))]
    found = figures("distractors", lay_out("distractors", QUESTIONS, room()), arms)
    contrasts = {row["model"]: row["value"] for row in found["contrasts"]}
    assert contrasts["tuned"] == 0.0
    assert contrasts["base"] < -0.3
    (row,) = found["differences"]
    assert row["value"] == pytest.approx(-contrasts["base"])
    assert (row["a"], row["b"], row["n"]) == ("tuned", "base", NUMBER)
