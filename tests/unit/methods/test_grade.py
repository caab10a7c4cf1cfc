"""Grading: against SQuAD's own script, and the rules that CONTRACTS.md adds to it."""

from __future__ import annotations

import collections
import re
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.answer import parse
from ragraft.methods.grade import exact_match, grade, label_of, label_set, measure_of, normalised, token_f1
from ragraft.records import ExamQuestion, Parsed, Passage, Question

PASSAGES = (
    Passage("c1", "d1", "Cats", "A cat sleeps\nsixteen hours a day."),
    Passage("c2", "d2", "Dogs", "A dog sleeps twelve."),
    Passage("c3", "d1", "Cats again", "A cat sleeps sixteen hours."),
)
SCORES = {
    "f1", "em", "f1_all", "em_all", "citation_precision", "citation_recall", "quoted", "quote_verbatim", "from_memory",
}  # fmt: skip


# --- SQuAD 2.0's evaluate-v2.0.py, its functions as they are there but for the types ---


def normalize_answer(s: str) -> str:
    def remove_articles(text: str) -> str:
        regex = re.compile(r"\b(a|an|the)\b", re.UNICODE)
        return re.sub(regex, " ", text)

    def white_space_fix(text: str) -> str:
        return " ".join(text.split())

    def remove_punc(text: str) -> str:
        exclude = set(string.punctuation)
        return "".join(ch for ch in text if ch not in exclude)

    def lower(text: str) -> str:
        return text.lower()

    return white_space_fix(remove_articles(remove_punc(lower(s))))


def get_tokens(s: str) -> list[str]:
    if not s:
        return []
    return normalize_answer(s).split()


def compute_exact(a_gold: str, a_pred: str) -> int:
    return int(normalize_answer(a_gold) == normalize_answer(a_pred))


def compute_f1(a_gold: str, a_pred: str) -> float:
    gold_toks = get_tokens(a_gold)
    pred_toks = get_tokens(a_pred)
    common = collections.Counter(gold_toks) & collections.Counter(pred_toks)
    num_same = sum(common.values())
    if len(gold_toks) == 0 or len(pred_toks) == 0:
        return int(gold_toks == pred_toks)
    if num_same == 0:
        return 0
    precision = 1.0 * num_same / len(pred_toks)
    recall = 1.0 * num_same / len(gold_toks)
    return (2 * precision * recall) / (precision + recall)


# --- here ends SQuAD's ---

words = st.sampled_from(
    ["the", "a", "cat", "Cat", "cats,", "dog", "sat.", "-", "42", "don't", "é", "\u00a0", "==", "\n"]
)
texts = st.one_of(st.lists(words, max_size=8).map(" ".join), st.text(max_size=20))
golds = st.lists(texts.filter(lambda text: normalize_answer(text) != ""), min_size=1, max_size=3)


def _question(*answers: str, oracle: tuple[str, ...] = ("c1", "c3"), **fields: Any) -> ExamQuestion:
    return ExamQuestion(Question("q", "How long?", answers=answers, **fields), "exam", "d1", oracle)


def _parsed(answer: str = "sixteen hours", *, abstained: bool = False, **fields: Any) -> Parsed:
    return Parsed(answer, fields.get("citations", ()), fields.get("quotes", ()), abstained)


def _grade(question: ExamQuestion, parsed: Parsed, *, shown: bool = True) -> dict[str, float | None]:
    return grade(question, parsed, passages=PASSAGES, evidence_shown=shown)


@given(texts)
def test_normalises_as_squad_does(text: str) -> None:
    assert normalised(text) == normalize_answer(text)
    assert normalised(normalised(text)) == normalised(text)


@given(texts, golds)
def test_scores_as_squad_does(prediction: str, answers: list[str]) -> None:
    assert exact_match(prediction, answers) == max(compute_exact(gold, prediction) for gold in answers)
    assert token_f1(prediction, answers) == pytest.approx(max(compute_f1(gold, prediction) for gold in answers))


@given(texts, st.lists(texts, min_size=1, max_size=3))
def test_scores_lie_between_em_and_one_and_more_golds_never_hurt(prediction: str, answers: list[str]) -> None:
    em, f1 = exact_match(prediction, answers), token_f1(prediction, answers)
    assert 0 <= em <= f1 <= 1
    assert token_f1(prediction, [*answers, "cat"]) >= f1
    assert token_f1(prediction, answers[::-1]) == f1


@given(texts.filter(bool))
def test_an_answer_equals_itself(text: str) -> None:
    assert exact_match(text, [text]) == token_f1(text, [text]) == 1


@pytest.mark.parametrize(
    ("prediction", "gold", "expected"),
    [("==", "==", 1), ("!=", "==", 0), ("", "==", 0), ("the", "The", 0), ("", "", 0), ("", "cat", 0), ("!", "cat", 0)],
)
def test_gold_that_normalises_to_nothing_is_compared_as_it_stands(prediction: str, gold: str, expected: int) -> None:
    assert exact_match(prediction, [gold]) == token_f1(prediction, [gold]) == expected


def test_no_answers_is_an_error() -> None:
    with pytest.raises(ValueError, match="no right answers"):
        token_f1("cat", [])


def test_an_answerable_question() -> None:
    scores = _grade(_question("sixteen hours a day"), _parsed())
    assert set(scores) == SCORES
    assert scores["f1"] == scores["f1_all"] == pytest.approx(2 * 1 * (2 / 3) / (1 + 2 / 3))
    assert scores["em"] == scores["em_all"] == 0


def test_abstaining_scores_nothing_where_there_is_an_answer() -> None:
    scores = _grade(_question("not in the documents"), _parsed("not in the documents", abstained=True))
    assert [scores[name] for name in ("f1", "em", "f1_all", "em_all")] == [0, 0, 0, 0]


@pytest.mark.parametrize(("abstained", "expected"), [(True, 1), (False, 0)])
def test_an_unanswerable_question_is_scored_in_all_only(abstained: bool, expected: int) -> None:
    scores = _grade(_question(), _parsed(abstained=abstained, citations=(1,)))
    assert scores["f1"] is scores["em"] is None
    assert scores["f1_all"] == scores["em_all"] == expected
    assert scores["citation_precision"] is scores["citation_recall"] is None


@pytest.mark.parametrize(
    ("citations", "precision", "recall"),
    [
        ((1,), 1, 1),
        ((3,), 1, 1),
        ((2,), 0, 0),
        ((1, 2), 1 / 2, 1),
        ((1, 1, 1, 2), 1 / 2, 1),
        ((1, 4), 1 / 2, 1),
        ((0,), 0, 0),
        ((-1,), 0, 0),
        ((), None, 0),
    ],
)
def test_citations(citations: tuple[int, ...], precision: float | None, recall: float) -> None:
    scores = _grade(_question("cat"), _parsed(citations=citations))
    assert (scores["citation_precision"], scores["citation_recall"]) == (precision, recall)


def test_citations_where_the_evidence_is_not_shown_or_not_known() -> None:
    hidden = _grade(_question("cat", oracle=("c9",)), _parsed(citations=(1,)), shown=False)
    assert (hidden["citation_precision"], hidden["citation_recall"]) == (0, None)
    unknown = _grade(_question("cat", oracle=()), _parsed(citations=(1,)))
    assert (unknown["citation_precision"], unknown["citation_recall"]) == (None, None)


def test_a_passage_from_elsewhere_is_right_to_cite_where_it_shows_the_evidence() -> None:
    passages = (Passage("x1", "", "", "Noise."), Passage("x2", "", "", "A cat sleeps.", shows=("c9",)))
    question = _question("cat", oracle=("c9",))
    for citation, score in ((1, 0), (2, 1)):
        scores = grade(question, _parsed(citations=(citation,)), passages=passages, evidence_shown=True)
        assert (scores["citation_precision"], scores["citation_recall"]) == (score, score)


def test_an_answer_from_memory_is_graded_like_any_other_and_flagged() -> None:
    said = parse("Answer (from memory): sixteen hours", "not in the documents.")
    scores = _grade(_question("sixteen hours"), said)
    assert (scores["from_memory"], scores["f1"], scores["quoted"], scores["citation_precision"]) == (1, 1, 0, None)
    assert _grade(_question("sixteen hours"), _parsed("sixteen hours"))["from_memory"] == 0
    guessed = grade(_question(), said, passages=PASSAGES, evidence_shown=False)
    assert (guessed["f1"], guessed["f1_all"]) == (None, 0), "where nothing is right, a guess is wrong"


@pytest.mark.parametrize(
    ("quotes", "quoted", "verbatim"),
    [
        ((), 0, None),
        ((("A cat sleeps sixteen hours", 1),), 1, 1),
        ((("a cat sleeps", 1),), 1, 0),
        ((("A dog sleeps", 1),), 1, 0),
        ((("A dog sleeps", None),), 1, 1),
        ((("A dog sleeps", 2), ("A dog barks", 2)), 1, 1 / 2),
        ((("A dog sleeps", 4), ("A dog sleeps", 0), ("A cat sleeps", -1)), 1, 0),
        (((" ", 1),), 1, 0),
        ((("sleeps sixteen  hours. A dog", None),), 1, 0),
    ],
)
def test_quotes(quotes: tuple[tuple[str, int | None], ...], quoted: int, verbatim: float | None) -> None:
    scores = _grade(_question("cat"), _parsed(quotes=quotes))
    assert (scores["quoted"], scores["quote_verbatim"]) == (quoted, verbatim)


@pytest.mark.parametrize(
    ("fields", "answers", "expected"),
    [
        ({"type": "yes/no/maybe"}, ("no",), ("maybe", "no", "yes")),
        ({"type": "Yes/No"}, ("Yes.",), ("no", "yes")),
        ({"type": "clause present", "options": ("yes", "no")}, ("yes",), ("no", "yes")),
        ({"type": "comparison"}, ("yes",), ()),
        ({}, ("yes",), ()),
        ({"type": "yes/no"}, ("in some cases",), ()),
        ({"type": "yes/no"}, (), ()),
        ({"type": "multiple choice", "options": ("red", "no")}, ("no",), ()),
    ],
)
def test_label_set(fields: dict[str, Any], answers: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert label_set(_question(*answers, **fields).question) == expected


@pytest.mark.parametrize(
    ("answer", "label", "score"),
    [("No, it is not; yes?", "no", 1), ("Yes.", "yes", 0), ("It may", None, 0), ("Nothing", None, 0)],
)
def test_label_questions_are_graded_by_the_first_label_word(answer: str, label: str | None, score: int) -> None:
    question = _question("no", type="yes/no/maybe")
    assert label_of(answer, label_set(question.question)) == label
    scores = _grade(question, _parsed(answer))
    assert [scores[name] for name in ("f1", "em", "f1_all", "em_all")] == [score] * 4
    assert _grade(question, _parsed(answer, abstained=True))["f1"] == 0


CALL = "hub.load('https://tfhub.dev/google/elmo/3')"


@pytest.mark.parametrize(
    ("fields", "answers", "measure"),
    [
        ({}, (CALL,), "call"),
        ({"type": "Text embedding"}, (CALL, CALL + "."), "call"),
        ({}, (CALL, "elmo"), "text"),
        ({"type": "API call"}, ("load()",), "call"),
        ({}, ("load()",), "text"),
        ({"type": "yes/no"}, ("yes",), "label"),
        ({"options": ("yes", "no"), "type": "no such clause"}, ("no",), "label"),
        ({}, ("yes",), "text"),
    ],
)
def test_type_and_form_pick_the_measure(fields: dict[str, Any], answers: tuple[str, ...], measure: str) -> None:
    assert measure_of(Question("q", "?", answers=answers, **fields)) == measure


@pytest.mark.parametrize(
    ("reply", "score"), [('hub.load("https://tfhub.dev/google/elmo/3")', 1), (CALL.replace("3", "2"), 0), ("elmo", 0)]
)
def test_api_calls_are_graded_by_the_very_call(reply: str, score: int) -> None:
    question = ExamQuestion(Question("q", "?", answers=(CALL,)), "exam", "c", oracle=("c1",))
    scores = grade(question, Parsed(reply, (), (), False), passages=PASSAGES, evidence_shown=True)
    assert (scores["f1"], scores["em"], scores["f1_all"]) == (score, score, score)
