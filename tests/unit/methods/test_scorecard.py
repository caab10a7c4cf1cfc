"""The scorecard: each metric against a plain count, and the laws that hold for any set of answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

from ragraft.methods.asking import ABSTENTION_PROBABILITY
from ragraft.methods.grade import grade
from ragraft.methods.judging import SUPPORTED
from ragraft.methods.scorecard import COMPARED, METRICS, better_base, build_scorecard
from ragraft.records import Answer, ExamQuestion, Parsed, Passage, Question

NAMES = {
    "f1",
    "em",
    "f1_evidence_shown",
    "f1_evidence_not_shown",
    "em_evidence_shown",
    "em_evidence_not_shown",
    "f1_all",
    "em_all",
    "abstention_precision",
    "abstention_recall",
    "abstention_f1",
    "over_refusal",
    "refusal_without_evidence",
    "citation_precision",
    "citation_recall",
    "quoting_share",
    "quote_verbatim",
    "from_memory",
    "answer_tokens",
    "prompt_tokens",
    "truncated",
}
PASSAGES = (Passage("c1", "d", "T", "right words here"), Passage("c2", "d", "T", "other words"))
FIGURE = {"value", "low", "high", "n", "unscored", "clusters"}


def _question(number: int, answerable: bool, cluster: int) -> ExamQuestion:
    answers = ("right words",) if answerable else ()
    return ExamQuestion(Question(f"q{number}", "?", answers), "exam", f"d{cluster}", ("c1",) if answerable else ())


def _answer(
    question: ExamQuestion, parsed: Parsed, condition: tuple[str, str], *, shown: bool, tokens: int = 5
) -> Answer:
    model, context = condition
    passages = () if context == "none" else PASSAGES if shown else PASSAGES[1:]
    return Answer(
        question_id=question.id,
        model=model,
        context=context,
        answer=parsed.answer,
        text=parsed.answer,
        citations=tuple(passages[n - 1].id for n in parsed.citations if 1 <= n <= len(passages)),
        quotes=tuple(quote for quote, _ in parsed.quotes),
        abstained=parsed.abstained,
        passages=tuple(passage.id for passage in passages),
        evidence_shown=shown,
        prompt_tokens=10 * tokens,
        answer_tokens=tokens,
        scores=grade(question, parsed, passages=passages, evidence_shown=shown),
        finish_reason="length" if tokens > 7 else "stop",
    )


def _build(answers: Sequence[Answer], questions: Sequence[ExamQuestion], seed: int = 0) -> dict[str, Any]:
    return build_scorecard(answers, questions, resamples=100, seed=seed)


def _metrics(card: dict[str, Any], model: str, context: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [
        row["metrics"] for row in card["conditions"] if (row["model"], row["context"]) == (model, context)
    ]
    assert len(found) == 1
    return found[0]


parsed_answers = st.builds(
    Parsed,
    answer=st.sampled_from(["right words", "right", "wrong", ""]),
    citations=st.sampled_from([(), (1,), (2,), (1, 2), (9,)]),
    quotes=st.sampled_from([(), (("right words", 1),), (("no such words", None),)]),
    abstained=st.booleans(),
)


@st.composite
def exams(draw: st.DrawFn) -> tuple[list[Answer], list[ExamQuestion]]:
    flags = draw(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.booleans()), min_size=1, max_size=8))
    questions = [_question(number, answerable, cluster) for number, (answerable, cluster, _) in enumerate(flags)]
    answers = [
        _answer(
            question,
            draw(parsed_answers),
            (model, context),
            shown=question.question.answerable and (context == "oracle" or (context == "retrieved" and hit)),
            tokens=draw(st.integers(1, 9)),
        )
        for model in ("tuned", "base", "base-fewshot")
        for context in ("none", "oracle", "retrieved")
        for question, (_, _, hit) in zip(questions, flags, strict=True)
        if context != "oracle" or question.question.answerable
    ]
    return answers, questions


@settings(max_examples=25, deadline=None)
@given(exams(), st.data())
def test_order_changes_no_byte(exam: tuple[list[Answer], list[ExamQuestion]], data: st.DataObject) -> None:
    answers, questions = exam
    card = _build(answers, questions)
    again = _build(data.draw(st.permutations(answers)), questions[::-1])
    assert json.dumps(card, allow_nan=False) == json.dumps(again, allow_nan=False)


@settings(max_examples=25, deadline=None)
@given(exams())
def test_every_figure_is_a_figure(exam: tuple[list[Answer], list[ExamQuestion]]) -> None:
    answers, questions = exam
    card = _build(answers, questions)
    assert card["n_questions"] == len(questions)
    assert card["n_clusters"] == len({question.cluster for question in questions})
    for row in card["conditions"]:
        assert set(row["metrics"]) <= NAMES
        for name, figure in row["metrics"].items():
            assert set(figure) == FIGURE
            assert figure["n"] > 0
            assert (figure["low"] is None) == (figure["clusters"] == 1)
            if figure["low"] is not None:
                assert figure["low"] <= figure["value"] <= figure["high"]
            if name not in ("answer_tokens", "prompt_tokens"):
                assert 0 <= figure["value"] <= 1


@settings(max_examples=25, deadline=None)
@given(exams())
def test_f1_is_made_of_its_parts(exam: tuple[list[Answer], list[ExamQuestion]]) -> None:
    """Evidence shown and not shown make up f1; answerable and unanswerable make up f1_all."""
    for row in _build(*exam)["conditions"]:
        metrics = row["metrics"]
        for name in ("f1", "em"):
            parts = [metrics[f"{name}_{part}"] for part in ("evidence_shown", "evidence_not_shown") if
                     f"{name}_{part}" in metrics]  # fmt: skip
            if parts:
                assert sum(part["n"] for part in parts) == metrics[name]["n"]
                total = sum(part["n"] * part["value"] for part in parts)
                assert total == pytest.approx(metrics[name]["n"] * metrics[name]["value"])
        if row["context"] != "none" and "abstention_recall" in metrics:
            refused, answered = metrics["abstention_recall"], metrics.get("f1", {"n": 0, "value": 0})
            total = refused["n"] * refused["value"] + answered["n"] * answered["value"]
            assert total == pytest.approx(metrics["f1_all"]["n"] * metrics["f1_all"]["value"])


@settings(max_examples=25, deadline=None)
@given(exams())
def test_abstention_agrees_with_sklearn(exam: tuple[list[Answer], list[ExamQuestion]]) -> None:
    answers, questions = exam
    answerable = {question.id: question.question.answerable for question in questions}
    card = _build(answers, questions)
    for model in ("base", "tuned"):
        metrics = _metrics(card, model, "retrieved")
        rows = [
            (not answerable[answer.question_id], answer.abstained)
            for answer in answers
            if (answer.model, answer.context) == (model, "retrieved")
            and (answer.evidence_shown or not answerable[answer.question_id])
        ]
        if not any(should for should, _ in rows):
            assert not {"abstention_recall", "abstention_f1"} & set(metrics)
            continue
        precision, recall, f1, _ = precision_recall_fscore_support(
            [should for should, _ in rows], [did for _, did in rows], average="binary", zero_division=0
        )
        assert metrics["abstention_recall"]["value"] == pytest.approx(recall)
        assert metrics["abstention_f1"]["value"] == pytest.approx(f1)
        assert metrics.get("abstention_precision", {"value": 0})["value"] == pytest.approx(precision)
        assert not {"abstention_recall", "over_refusal", "abstention_f1"} & set(_metrics(card, model, "none"))


@settings(max_examples=25, deadline=None)
@given(exams())
def test_differences_are_paired_and_add_up(exam: tuple[list[Answer], list[ExamQuestion]]) -> None:
    card = _build(*exam)
    rows = {(row["metric"], row["context"], row["a"], row["b"]): row for row in card["differences"]}
    assert len(rows) == len(card["differences"])
    for (metric, context, a, b), row in rows.items():
        assert metric in COMPARED
        values = [_metrics(card, model, context)[metric]["value"] for model in (a, b)]
        assert row["value"] == pytest.approx(values[0] - values[1])
        assert row["headline"] == (a == "tuned" and b == better_base(card, context))
        if (a, b) == ("tuned", "base"):
            by_way = rows[metric, context, "tuned", "base-fewshot"], rows[metric, context, "base-fewshot", "base"]
            assert row["value"] == pytest.approx(sum(part["value"] for part in by_way))


@settings(max_examples=25, deadline=None)
@given(exams())
def test_a_model_does_not_differ_from_its_twin(exam: tuple[list[Answer], list[ExamQuestion]]) -> None:
    answers, questions = exam
    base = [answer for answer in answers if answer.model == "base"]
    twins = [replace(answer, model="tuned") for answer in base]
    for row in _build([*base, *twins], questions)["differences"]:
        assert row["value"] == 0
        assert (row["low"], row["high"]) in ((0, 0), (None, None))


def _fixed() -> tuple[list[Answer], list[ExamQuestion]]:
    questions = [_question(n, answerable=n < 4, cluster=n // 2) for n in range(6)]
    right = Parsed("right words", (1,), (("right words", 1),), abstained=False)
    half = Parsed("right", (2, 7), (("right words", 2),), abstained=False)
    refusal = Parsed("not in the documents", (), (), abstained=True)
    given_answers = [
        (right, True, 8),
        (half, True, 4),
        (refusal, True, 3),
        (refusal, False, 3),
        (refusal, False, 3),
        (right, False, 9),
    ]
    answers = [
        _answer(question, parsed, ("tuned", "retrieved"), shown=shown, tokens=tokens)
        for question, (parsed, shown, tokens) in zip(questions, given_answers, strict=True)
    ]
    return answers, questions


def test_every_metric_by_hand() -> None:
    metrics = _metrics(_build(*_fixed()), "tuned", "retrieved")
    found = {name: (figure["value"], figure["n"], figure["unscored"]) for name, figure in metrics.items()}
    f1 = (1 + 2 / 3) / 4
    assert found == {
        "f1": (pytest.approx(f1), 4, 0),
        "em": (1 / 4, 4, 0),
        "f1_evidence_shown": (pytest.approx(4 * f1 / 3), 3, 0),
        "f1_evidence_not_shown": (0, 1, 0),
        "em_evidence_shown": (pytest.approx(1 / 3), 3, 0),
        "em_evidence_not_shown": (0, 1, 0),
        "f1_all": (pytest.approx((4 * f1 + 1) / 6), 6, 0),
        "em_all": (pytest.approx(2 / 6), 6, 0),
        "abstention_precision": (1 / 2, 2, 0),
        "abstention_recall": (1 / 2, 2, 0),
        "abstention_f1": (1 / 2, 3, 0),
        "over_refusal": (pytest.approx(1 / 3), 3, 0),
        "refusal_without_evidence": (1, 1, 0),
        "citation_precision": (1 / 2, 2, 2),
        "citation_recall": (pytest.approx(1 / 3), 3, 0),
        "quoting_share": (1 / 2, 6, 0),
        "quote_verbatim": (pytest.approx(1 / 3), 3, 3),
        "from_memory": (0, 6, 0),
        "answer_tokens": (5, 6, 0),
        "prompt_tokens": (50, 6, 0),
        "truncated": (pytest.approx(2 / 6), 6, 0),
    }
    assert set(found) == NAMES == {*METRICS, "abstention_f1"} - {SUPPORTED}, "nobody judged these answers"


def test_the_abstentions_probability_is_compared_where_refusing_is_right_or_wrong() -> None:
    answers, questions = _fixed()
    told = dict(zip((question.id for question in questions), (0.2, 0.6, 0.9, 0.3, 0.4, None), strict=True))
    rows = [replace(one, scores={**one.scores, ABSTENTION_PROBABILITY: told[one.question_id]}) for one in answers]
    figure = _metrics(_build(rows, questions), "tuned", "retrieved")["abstention_auroc"]
    answerable = {question.id: question.question.answerable for question in questions}
    judged = [one for one in answers if one.evidence_shown or not answerable[one.question_id]]
    scored = [one.question_id for one in judged if told[one.question_id] is not None]
    expected = roc_auc_score([not answerable[one] for one in scored], [told[one] for one in scored])
    assert figure["value"] == pytest.approx(expected)
    assert (figure["n"], figure["unscored"]) == (len(scored), len(judged) - len(scored))


def test_metrics_without_rows_are_left_out() -> None:
    answers, questions = _fixed()
    lost = [replace(answer, context="none") for answer in answers if answer.question_id in ("q4", "q5")]
    assert set(_metrics(_build(lost, questions), "tuned", "none")) == {
        "f1_all", "em_all", "quoting_share", "quote_verbatim", "answer_tokens", "prompt_tokens", "truncated",
    }  # fmt: skip


def test_a_question_asked_of_one_model_only_is_unscored() -> None:
    answers, questions = _fixed()
    base = [replace(answer, model="base") for answer in answers[1:]]
    rows = {row["metric"]: row for row in _build([*answers, *base], questions)["differences"]}
    assert (rows["f1"]["n"], rows["f1"]["unscored"], rows["f1"]["clusters"]) == (3, 1, 2)
    assert (rows["f1_all"]["n"], rows["f1_all"]["unscored"]) == (5, 1)
    assert not [row for row in _build([*answers[:1], *base], questions)["differences"] if row["metric"] == "em"]


def test_conditions_stand_in_their_order() -> None:
    answers, questions = _fixed()
    many = [
        replace(answer, model=model, context=context)
        for model in ("zeta", "tuned", "dap", "base-fewshot", "base")
        for context in ("oracle+4", "oracle", "retrieved", "none")
        for answer in answers
    ]
    card = _build(many, questions)
    models, contexts = zip(*((row["model"], row["context"]) for row in card["conditions"]), strict=True)
    assert list(dict.fromkeys(models)) == ["base", "base-fewshot", "tuned", "dap", "zeta"]
    assert list(dict.fromkeys(contexts)) == ["none", "retrieved", "oracle", "oracle+4"]


def test_better_base() -> None:
    def card(**f1: float) -> dict[str, Any]:
        conditions = [
            {"model": model, "context": "retrieved", "metrics": {"f1": {"value": value}}}
            for model, value in [("tuned", 0.9), *((name.replace("_", "-"), value) for name, value in f1.items())]
        ]
        return {"conditions": conditions}

    assert better_base(card(base=0.4, base_fewshot=0.3), "retrieved") == "base"
    assert better_base(card(base=0.4, base_fewshot=0.5), "retrieved") == "base-fewshot"
    assert better_base(card(base=0.4, base_fewshot=0.4), "retrieved") == "base-fewshot"
    assert better_base(card(base=0.4), "retrieved") == "base"
    assert better_base(card(base=0.4), "retrieved", metric="em") is None
    assert better_base(card(), "retrieved") is None


def test_an_answer_without_question_or_given_twice_is_an_error() -> None:
    answers, questions = _fixed()
    with pytest.raises(ValueError, match="an answer to q0, which is not among the questions"):
        _build(answers, questions[1:])
    with pytest.raises(ValueError, match="q0 answered twice by tuned in context retrieved"):
        _build([*answers, answers[0]], questions)


def test_no_answers_make_an_empty_card() -> None:
    assert _build([], []) == {
        "conditions": [],
        "differences": [],
        "n_questions": 0,
        "n_clusters": 0,
        "measures": {},
        "labels": {},
    }


def test_questions_are_counted_by_their_measure() -> None:
    texts = [("1,5",), ("yes",), ("f('a')",), ()]
    questions = [
        ExamQuestion(Question(f"q{n}", "?", answers, type="yes/no" if n == 1 else None), "exam", f"c{n}")
        for n, answers in enumerate(texts)
    ]
    answers = [_answer(question, Parsed("x", (), (), False), ("base", "none"), shown=False) for question in questions]
    assert _build(answers, questions)["measures"] == {"text": 1, "label": 1, "call": 1}
