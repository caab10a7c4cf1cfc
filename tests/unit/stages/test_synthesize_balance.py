"""Sets of which nearly half has no answer: how many of those are learned, and where the rest is told."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from ragraft.errors import InputError
from ragraft.methods.answer import parse
from ragraft.ports import Tokenizer
from ragraft.records import ExamQuestion, Question, Side
from tests.unit.stages.test_synthesize import PROMPT, TOWNS, Site


def crowd_of_unanswerable(answerable: int, unanswerable: int, on: Side = "train") -> list[ExamQuestion]:
    """Questions of one side on the towns, one cluster a town."""
    rows = [
        ExamQuestion(
            Question(f"{on}a{row}", f"Who is mayor {row} of town number{town}?", (f"Mayorof{town} Smith",)),
            on,
            f"c{town}",
            (f"t{town}",),
        )
        for row in range(answerable)
        for town in [row % TOWNS]
    ]
    silent = [
        ExamQuestion(Question(f"{on}u{row}", f"Who bakes {row} in town number{row % TOWNS}?"), on, f"c{row % TOWNS}")
        for row in range(unanswerable)
    ]
    return [*rows, *silent]


@pytest.mark.parametrize(("most", "share"), [(None, 0.2), (40, 0.2), (40, 0.1), (None, 0.5), (None, 1.0)])
def test_unanswerable_questions_beyond_their_share_are_left_out_and_told(
    tmp_path: Path, word_tokenizer: Tokenizer, most: int | None, share: float
) -> None:
    """As in sets where nearly half of the questions have no answer."""
    questions = [*crowd_of_unanswerable(60, 50), *crowd_of_unanswerable(8, 7, "validation")]
    site = Site(tmp_path, word_tokenizer, questions)
    made = site.synthesize(copies=2, max_questions=most, max_unanswerable=share)
    rejected = {row["id"]: row["reason"] for row in site.rejected()}
    for lessons, of in ((made.train(), "train"), (made.validation(), "validation")):
        refusing = {lesson.question_id for lesson in lessons if lesson.kind == "unanswerable"}
        used = {lesson.question_id for lesson in lessons}
        assert len(refusing) <= share * len(used) + 1e-6
        asked_here = {question.id for question in questions if question.side == of}
        assert used | (set(rejected) & asked_here) == asked_here
        assert not used & set(rejected)
    over = sum(reason == "over synthesize.max_unanswerable" for reason in rejected.values())
    summary = site.lessons.read_json("summary.json")
    if over:
        assert summary["unanswerable left out"] == f"{over} of 57 (synthesize.max_unanswerable)"
        assert site.counts()["rejected: over synthesize.max_unanswerable"] == over
    else:
        assert "unanswerable left out" not in summary
    if most:
        assert len({lesson.question_id for lesson in made.train()}) >= 0.9 * most, "others take their room"
    if share == 0.2:
        abstaining = sum(parse(lesson.target, PROMPT.abstention).abstained for lesson in made.train())
        assert 0.15 * len(made.train()) < abstaining <= 0.2 * len(made.train()) + 1


def test_answerable_questions_that_make_no_lesson_carry_no_unanswerable_ones(
    tmp_path: Path, word_tokenizer: Tokenizer
) -> None:
    """As in a set of long answers: half of them are too long to be written."""
    plain = crowd_of_unanswerable(40, 10)
    long = " ".join(["very"] * 100)
    wordy = [replace(one, question=replace(one.question, answers=(long,))) for one in plain[:20]]
    site = Site(tmp_path, word_tokenizer, [*wordy, *plain[20:]])
    kinds = Counter(lesson.kind for lesson in site.synthesize(copies=1).train())
    assert kinds == {"oracle": 20, "unanswerable": 5}, "nor does one of them teach to abstain"
    reasons = Counter(row["reason"] for row in site.rejected())
    assert reasons == {
        "the wanted answer is longer than prompt.answer_tokens": 20,
        "over synthesize.max_unanswerable": 5,
    }


def test_nothing_but_unanswerable_questions_is_told(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    site = Site(tmp_path, word_tokenizer, crowd_of_unanswerable(0, 9))
    with pytest.raises(InputError) as caught:
        site.synthesize()
    assert str(caught.value).startswith(
        "No lesson could be made from 0 questions (commonest reason, 9 times: over synthesize.max_unanswerable)"
    )


def test_every_method_leaves_the_same_questions_out(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    site = Site(tmp_path, word_tokenizer, crowd_of_unanswerable(30, 30))
    made = site.by("sft", "rag-sft", "raft", copies=1)
    asked_by = [{lesson.question_id for lesson in one.train()} for one in made.steps().values()]
    assert asked_by[0] == asked_by[1] == asked_by[2]
    assert len(asked_by[0]) == 37
