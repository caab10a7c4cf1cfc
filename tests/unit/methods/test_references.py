"""Whole exams against the references: SQuAD 2's figures, ir-measures over many questions, RGB's rate."""

from __future__ import annotations

import random
from statistics import fmean

import ir_measures
import pytest

from ragraft.methods.answer import parse
from ragraft.methods.finders import Kept
from ragraft.methods.grade import grade
from ragraft.methods.probing.rgb import says_right
from ragraft.methods.scorecard import build_scorecard
from ragraft.methods.search_trial import by_depth
from ragraft.records import Answer, ExamQuestion, Passage, Question
from tests.unit.methods.test_grade import compute_exact, compute_f1

ABSTENTION = "not in the documents."
WORDS = ("the", "lamp", "of", "Arlen", "was", "lit", "in", "1747,", "May", "17th", "a", "keeper", "-", "Ada's")
NUMBER = 60


def said(draw: random.Random, longest: int = 6) -> str:
    """Some words, of which one at least is more than an article or a stroke."""
    return " ".join([*draw.choices(WORDS, k=draw.randint(0, longest - 1)), draw.choice(WORDS[1:2] + WORDS[3:10])])


def sat(seed: int) -> list[tuple[ExamQuestion, Answer, str]]:
    """An exam that was sat: questions, graded answers, and what was answered in words (none where it abstained)."""
    draw = random.Random(seed)
    rows = []
    for number in range(NUMBER):
        golds = tuple(said(draw, 4) for _ in range(draw.randint(0, 3)))
        one = ExamQuestion(Question(f"q{number}", "What?", golds), "exam", f"c{number // 2}", ("c1",) if golds else ())
        words = "" if draw.random() < 0.25 else draw.choice([*golds, said(draw)])
        parsed = parse(f"Answer: {words or ABSTENTION}", abstention=ABSTENTION)
        scores = grade(one, parsed, passages=(), evidence_shown=True)
        row = Answer(one.id, "base", "retrieved", words, "", (), (), parsed.abstained, (), True, 1, 1, scores)
        rows.append((one, row, words))
    return rows


@pytest.mark.parametrize("seed", range(5))
def test_an_exams_f1_and_em_are_squads(seed: int) -> None:
    exam = sat(seed)
    exact, f1 = [], []
    for one, _, words in exam:
        golds = one.question.answers or ("",)  # as SQuAD 2 has it: a question without answers wants nothing said
        exact.append(max(compute_exact(gold, words) for gold in golds))
        f1.append(max(compute_f1(gold, words) for gold in golds))
    card = build_scorecard([row for _, row, _ in exam], [one for one, _, _ in exam], resamples=100, seed=0)
    (condition,) = card["conditions"]
    figures = {name: condition["metrics"][name]["value"] for name in ("f1", "em", "f1_all")}
    has_answer = [place for place, (one, _, _) in enumerate(exam) if one.question.answerable]
    assert figures == {
        "f1": pytest.approx(fmean(f1[place] for place in has_answer)),
        "em": pytest.approx(fmean(exact[place] for place in has_answer)),
        "f1_all": pytest.approx(fmean(f1)),
    }
    assert fmean(row.scores["em_all"] or 0 for _, row, _ in exam) == pytest.approx(fmean(exact))


def test_recall_by_depth_is_that_of_ir_measures() -> None:
    draw = random.Random(0)
    chunks = [f"c{number}" for number in range(20)]
    questions, found, qrels, run = [], {}, [], []
    for number in range(40):
        name, ranked = f"q{number}", draw.sample(chunks, 16)
        oracle = tuple(draw.sample(chunks, draw.randint(1, 3)))
        asked = Question(name, "What?", ("an answer that no passage holds",))
        questions.append(ExamQuestion(asked, "exam", f"k{number}", oracle, parts=tuple((part,) for part in oracle)))
        found[name] = [Passage(one, one, "", "nothing") for one in ranked]
        qrels += [ir_measures.Qrel(name, one, 1) for one in oracle]
        run += [ir_measures.ScoredDoc(name, one, float(-rank)) for rank, one in enumerate(ranked)]
    rows = by_depth(questions, Kept(found), pool=16, k=4, resamples=100, seed=0)
    assert [row["k"] for row in rows] == [1, 2, 4, 8, 16]
    for row in rows:
        success, share = ir_measures.Success @ row["k"], ir_measures.R @ row["k"]
        whole = [one.value == 1 for one in ir_measures.iter_calc([share], qrels, run)]
        assert row["recall"]["value"] == pytest.approx(ir_measures.calc_aggregate([success], qrels, run)[success])
        assert row["full recall"]["value"] == row["sufficient"]["value"] == pytest.approx(fmean(whole))


@pytest.mark.parametrize("seed", range(3))
def test_the_share_of_right_answers_is_rgbs_rate(seed: int) -> None:
    """RGB counts a reply without "insufficient information" that holds, lower-cased, one of each answer's forms."""
    exam = [one for one in sat(seed) if one[0].question.answerable]
    rate = sum(any(gold.lower() in words.lower() for gold in one.question.answers) for one, _, words in exam if words)
    assert sum(says_right(row, one) for one, row, _ in exam) == rate > 0
