"""Grade one answer against its question: SQuAD's measures, labels, citations, quotes.

Knows questions, parsed answers and passages; knows nothing of models, prompts or averages (see `scorecard`).
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

from ragraft.methods.calls import is_call, same_call
from ragraft.records import ExamQuestion, Parsed, Passage, Question

Measure = Literal["text", "label", "call"]
"""What `f1` and `em` are for a question: SQuAD's, label accuracy, or whether the very call was made."""
LABEL_WORDS = frozenset({"yes", "no", "maybe"})
CALL_TYPE = "api call"
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(text: str) -> str:
    """Lower case without ASCII punctuation, articles and surplus blanks (SQuAD's `normalize_answer`).

    >>> normalised("The  answer, of course: 42.")
    'answer of course 42'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def token_f1(prediction: str, answers: Sequence[str]) -> float:
    """The best token F1 over `answers` (Rajpurkar et al. 2016, 1606.05250; SQuAD's evaluation script).

    An answer that normalises to nothing, such as `==`, counts only when the prediction is that very string;
    an empty prediction scores 0. Raises ValueError without answers.
    """
    return _best(_pair_f1, prediction, answers)


def exact_match(prediction: str, answers: Sequence[str]) -> float:
    """1 if the prediction, normalised, is one of `answers`, else 0; the exceptions are those of `token_f1`."""
    return _best(lambda tokens, gold: float(tokens == gold), prediction, answers)


def label_set(question: Question) -> tuple[str, ...]:
    """The question's labels if it is a yes/no/maybe question, sorted; else nothing.

    The options say so, or else the type (`yes/no`, `yes/no/maybe`), and every right answer must be a label. A
    question of another type that happens to be answered by "yes" is graded as text.
    """
    labels = {normalised(option) for option in question.options}
    if not labels:
        labels = set(re.split(r"[^a-z]+", (question.type or "").lower().strip()))
    golds = {normalised(answer) for answer in question.answers}
    return tuple(sorted(labels)) if golds and golds <= labels <= LABEL_WORDS else ()


def measure_of(question: Question) -> Measure:
    """What picks the measure: the type (`yes/no`, `yes/no/maybe`, `api call`), or the form of all right answers."""
    if label_set(question):
        return "label"
    typed = (question.type or "").strip().lower() == CALL_TYPE
    return "call" if typed or (question.answers and all(map(is_call, question.answers))) else "text"


def label_of(text: str, labels: Sequence[str]) -> str | None:
    """The first of the text's words that is a label; None if it has none.

    >>> label_of("Probably no, but maybe later.", ("maybe", "no", "yes"))
    'no'
    """
    return next((word for word in normalised(text).split() if word in labels), None)


def grade(
    question: ExamQuestion, parsed: Parsed, *, passages: Sequence[Passage], evidence_shown: bool
) -> dict[str, float | None]:
    """All scores of one answer, each in 0..1, None where the score is not defined for this row.

    - `f1`, `em`: SQuAD's; 0 for abstaining; None for unanswerable questions. For yes/no/maybe questions both
      are the accuracy of the answer's first label word; for API calls, both are 1 for the very call, else 0.
    - `f1_all`, `em_all`: SQuAD 2's; on an unanswerable question 1 for abstaining and 0 for answering.
    - `citation_precision`: share of the distinct passages cited that hold the evidence; a number that no passage
      bears is a wrong one. None without citations, and where no chunk is known to hold the answer.
    - `citation_recall`: 1 if a shown passage that holds the evidence is cited, else 0; None where none was shown.
    - `quoted`: 1 if the answer quotes; `quote_verbatim`: share of the quotes that stand, blanks collapsed, in
      the passage they name (in any shown one, when they name none); None without quotes.
    - `from_memory`: 1 if the answer says that it is no document's, else 0.

    `passages` are those shown, in the order of their numbers; `evidence_shown` is the caller's finding whether
    the evidence was among them.
    """
    f1, em = _answer_scores(question.question, parsed)
    refused = float(parsed.abstained)
    precision, recall = _citation_scores(question, parsed, passages, evidence_shown)
    return {
        "f1": f1,
        "em": em,
        "f1_all": refused if f1 is None else f1,
        "em_all": refused if em is None else em,
        "citation_precision": precision,
        "citation_recall": recall,
        "quoted": float(bool(parsed.quotes)),
        "quote_verbatim": _verbatim_share(parsed, passages),
        "from_memory": float(parsed.from_memory),
    }


def _best(measure: Callable[[list[str], list[str]], float], prediction: str, answers: Sequence[str]) -> float:
    if not answers:
        raise ValueError("no right answers to compare with")
    tokens = normalised(prediction).split()

    def score(answer: str) -> float:
        gold = normalised(answer).split()
        if gold:
            return measure(tokens, gold)
        return float(prediction != "" and prediction == answer)

    return max(score(answer) for answer in answers)


def _pair_f1(tokens: list[str], gold: list[str]) -> float:
    same = sum((Counter(tokens) & Counter(gold)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(tokens), same / len(gold)
    return 2 * precision * recall / (precision + recall)


def _answer_scores(question: Question, parsed: Parsed) -> tuple[float | None, float | None]:
    if not question.answerable:
        return None, None
    if parsed.abstained:
        return 0.0, 0.0
    measure = measure_of(question)
    if measure == "label":
        golds = {normalised(answer) for answer in question.answers}
        right = float(label_of(parsed.answer, label_set(question)) in golds)
        return right, right
    if measure == "call":
        made = float(any(same_call(parsed.answer, answer) for answer in question.answers))
        return made, made
    return token_f1(parsed.answer, question.answers), exact_match(parsed.answer, question.answers)


def _citation_scores(
    question: ExamQuestion, parsed: Parsed, passages: Sequence[Passage], evidence_shown: bool
) -> tuple[float | None, float | None]:
    # The chunks noted for an unanswerable question hold no answer, so there is nothing right to cite.
    oracle = set(question.oracle) if question.question.answerable else set()
    numbers = sorted(set(parsed.citations))
    holding = [not oracle.isdisjoint(passage.chunks) for passage in passages]
    right = [number for number in numbers if 1 <= number <= len(passages) and holding[number - 1]]
    shown = evidence_shown and any(holding)
    precision = len(right) / len(numbers) if oracle and numbers else None
    recall = float(bool(right)) if shown else None
    return precision, recall


def _verbatim_share(parsed: Parsed, passages: Sequence[Passage]) -> float | None:
    if not parsed.quotes:
        return None
    texts = [_collapsed(passage.text) for passage in passages]

    def verbatim(quote: str, number: int | None) -> bool:
        wanted = _collapsed(quote)
        places = texts if number is None else texts[number - 1 : number] if number >= 1 else []
        return wanted != "" and any(wanted in text for text in places)

    return sum(verbatim(quote, number) for quote, number in parsed.quotes) / len(parsed.quotes)


def _collapsed(text: str) -> str:
    return " ".join(text.split())
