"""Whether answers are whole and steady, told without a judge. Knows graded answers; knows nothing of what is right.

- repeats itself: a run of four words stands in the reply three times, or a word five times in a row; what the documents
  shown or the question repeat themselves is no fault of the reply's;
- cut short: the answer's room ended before the answer did;
- another script: most letters of the answer are of a script in which neither the question nor the passages have any;
- agrees over orders: the mean token F1 between the answers to the same passages in three orders (as found, reversed,
  shuffled by the question's own hash); two abstentions agree, an abstention and an answer don't.
"""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from statistics import fmean

from ragraft.methods.containment import words
from ragraft.methods.grade import normalised, token_f1
from ragraft.methods.probing.asked import Desk
from ragraft.methods.probing.figures import Probed, Reading
from ragraft.records import Answer, ExamQuestion, Passage

RUN, TIMES = 4, 3
IN_A_ROW = 5
HALF = 0.5
ORDERS = ("reversed", "shuffled")
FEWEST = 2
"""Passages, that there be another order."""


def coherence(desk: Desk) -> Probed:
    """The retrieved arm's own answers looked at, and the same passages asked in two more orders."""
    found, rows, answers = desk.retrieved()
    readings: list[Reading] = []
    for arm in desk.arms:
        here = rows[arm.name]
        shown = {one.id: _shown(found[one.id], here[one.id]) for one in desk.questions}
        looked = {
            "repeats itself": {
                one.id: repeats(here[one.id].text, _beside(one, shown[one.id])) for one in desk.questions
            },
            "cut short": {one.id: here[one.id].finish_reason == "length" for one in desk.questions},
            "another script": {
                one.id: other_script(here[one.id].answer, _beside(one, shown[one.id])) for one in desk.questions
            },
        }
        readings += [
            Reading(name, arm.name, {key: float(value) for key, value in values.items()})
            for name, values in looked.items()
        ]
        several = [(one, shown[one.id]) for one in desk.questions if len(shown[one.id]) >= FEWEST]
        turned = [
            desk.ask_one(
                arm, f"coherence, {order}", [(one, _ordered(one, passages, order)) for one, passages in several]
            )
            for order in ORDERS
        ]
        agreed: dict[str, float | None] = {one.id: None for one in desk.questions}
        agreed |= {one.id: agreement([here[one.id], *(cell[one.id] for cell in turned)]) for one, _ in several}
        readings.append(Reading("agrees over orders", arm.name, agreed))
        answers += [row for cell in turned for row in cell.values()]
    return Probed(tuple(readings), tuple(answers))


def repeats(text: str, beside: str = "") -> bool:
    """Whether a reply says the same again and again, more often than what it was shown does."""
    own, shown = words(text), words(beside)
    known = _runs(shown, RUN)
    if any(times >= TIMES and times > known[run] for run, times in _runs(own, RUN).items()):
        return True
    stuck = {run for run in _runs(own, IN_A_ROW) if len(set(run)) == 1}
    return bool(stuck) and not stuck <= _runs(shown, IN_A_ROW).keys()


def _runs(tokens: Sequence[str], length: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[start : start + length]) for start in range(len(tokens) - length + 1))


def other_script(text: str, beside: str) -> bool:
    """Whether most of a text's letters are of scripts that stand nowhere beside it."""
    own, known = scripts(text), scripts(beside)
    strange = sum(number for name, number in own.items() if name not in known)
    return strange > HALF * own.total()


def scripts(text: str) -> Counter[str]:
    """How many letters are of which script, by the first word of their Unicode names."""
    return Counter(unicodedata.name(sign, "?").partition(" ")[0] for sign in text if sign.isalpha())


def agreement(rows: Sequence[Answer]) -> float:
    """How far answers say the same, pair by pair."""
    return fmean(_agree(a, b) for a, b in combinations(rows, 2))


def _agree(a: Answer, b: Answer) -> float:
    if a.abstained or b.abstained or normalised(a.answer) == normalised(b.answer):
        return float(a.abstained == b.abstained)
    return token_f1(a.answer, [b.answer])


def _shown(found: Sequence[Passage], row: Answer) -> tuple[Passage, ...]:
    """The passages that the answer was really shown, some may not have fitted in."""
    return tuple(passage for passage in found if passage.id in row.passages)


def _beside(question: ExamQuestion, passages: Sequence[Passage]) -> str:
    return "\n".join([question.question.question, *(f"{one.title}\n{one.text}" for one in passages)])


def _ordered(question: ExamQuestion, passages: Sequence[Passage], order: str) -> tuple[Passage, ...]:
    turned = list(reversed(passages))
    if order == "shuffled":
        random.Random(f"{question.id}|coherence").shuffle(turned)
    return tuple(turned)
