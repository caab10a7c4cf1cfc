"""Label figures, against sklearn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from ragraft.methods.labels import label_scores, macro_f1, rests_on_silence
from ragraft.records import Answer, ExamQuestion, Question

LABELS = ["maybe", "no", "yes"]


def _question(number: int, gold: str, kind: str | None = "yes/no/maybe") -> ExamQuestion:
    return ExamQuestion(Question(f"q{number}", "?", (gold,), type=kind), "exam", f"d{number}")


def _answer(number: int, text: str, *, abstained: bool = False) -> Answer:
    return Answer(f"q{number}", "base", "none", text, text, (), (), abstained, (), False, 1, 1)


def _scores(golds: list[str], answers: list[Answer]) -> dict[str, Any]:
    questions = [_question(number, gold) for number, gold in enumerate(golds)]
    rows = list(zip(questions, answers, strict=True))
    return label_scores({("base", "none"): rows}, resamples=100, seed=0)


rows_of_labels = st.lists(
    st.tuples(st.sampled_from(LABELS), st.sampled_from([*LABELS, None]), st.integers(0, 3)), min_size=1, max_size=30
)


@given(rows_of_labels.filter(lambda rows: any(weight for *_, weight in rows)))
def test_macro_f1_agrees_with_sklearn(rows: list[tuple[str, str | None, int]]) -> None:
    truth, predicted = [row[0] for row in rows], [row[1] for row in rows]
    weights = np.array([row[2] for row in rows], float)
    given_labels = [label or "none" for label in predicted]
    expected = f1_score(truth, given_labels, labels=LABELS, average="macro", sample_weight=weights, zero_division=0)
    assert macro_f1(truth, predicted, LABELS, weights=weights) == pytest.approx(expected)


def test_label_figures() -> None:
    answers = [_answer(0, "Yes, it does"), _answer(1, "no"), _answer(2, "No."), _answer(3, "yes", abstained=True)]
    found = _scores(["yes", "yes", "no", "yes"], answers)
    assert found["labels"] == ["no", "yes"]
    assert found["n_questions"] == 4
    (row,) = found["conditions"]
    assert (row["model"], row["context"]) == ("base", "none")
    assert row["metrics"]["accuracy"]["value"] == 2 / 4
    assert row["metrics"]["macro_f1"]["value"] == pytest.approx((2 / 3 + 2 / 4) / 2)
    assert row["given"] == {"no": 2, "yes": 1}
    over = row["metrics"]["over_majority"]
    assert (over["value"], over["n"], over["clusters"]) == (2 / 4 - 3 / 4, 4, 4)
    majority = found["majority"]
    assert majority["label"] == "yes"
    assert majority["metrics"]["accuracy"]["value"] == 3 / 4
    assert majority["metrics"]["macro_f1"]["value"] == pytest.approx((6 / 7 + 0) / 2)


def test_equal_counts_take_the_first_label() -> None:
    found = _scores(["yes", "no"], [_answer(0, "yes"), _answer(1, "yes")])
    assert found["majority"]["label"] == "no"


def test_other_questions_take_no_part() -> None:
    texts = [_question(0, "yes", kind="comparison"), _question(1, "a cat", kind=None)]
    rows = [(question, _answer(number, "yes")) for number, question in enumerate(texts)]
    assert label_scores({("base", "none"): rows}, resamples=100, seed=0) == {}
    mixed = label_scores(
        {("base", "none"): [*rows, (_question(2, "no"), _answer(2, "no"))], ("tuned", "none"): rows},
        resamples=100,
        seed=0,
    )
    assert mixed["n_questions"] == 1
    assert [row["model"] for row in mixed["conditions"]] == ["base"]


@pytest.mark.parametrize(
    ("fields", "answers", "silent"),
    [
        ({"options": ("yes", "no")}, ("no",), True),
        ({"type": "yes/no/maybe"}, ("maybe",), True),
        ({"options": ("yes", "no"), "evidence_ids": ("gone",)}, ("no",), False),
        ({"options": ("yes", "no"), "evidence": ("lost",)}, ("no",), False),
        ({"options": ("yes", "no")}, (), False),
        ({}, ("no",), False),
    ],
)
def test_what_rests_on_silence(fields: dict[str, Any], answers: tuple[str, ...], silent: bool) -> None:
    assert rests_on_silence(Question("q", "?", answers=answers, **fields)) is silent
