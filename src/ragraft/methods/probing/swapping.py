"""Passages in which the right answer gives way to another of its kind, taken from another question of the exam.

Knows questions and passages; knows no model. An answer's kind is told by its form alone (a number, a date, something
with a figure in it, a name, other words), so that the changed sentence still reads as one.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ragraft.methods.containment import content_words, holds, words
from ragraft.methods.grade import measure_of
from ragraft.methods.lots import lot
from ragraft.records import ExamQuestion, Passage

Kind = Literal["number", "date", "figure", "name", "words"]
LONGEST = 8
"""Words of an answer that is exchanged; a longer one is a clause, which others don't fit into."""
_MONTHS = frozenset(month.lower() for month in calendar.month_name[1:])
_YEAR = re.compile(r"\b(1\d{3}|20\d{2})\b")
_NUMBER = re.compile(r"\W*\d[\d.,\s]*\W*")


@dataclass(frozen=True, slots=True)
class Swapped:
    """A question's passages with another answer in the place of the right one."""

    fake: str
    passages: tuple[Passage, ...]


def kind_of(answer: str) -> Kind:
    """The kind by which answers are exchanged.

    >>> [kind_of(one) for one in ("1,024", "May 1747", "7 years", "Ada Lovelace", "on foot")]
    ['number', 'date', 'figure', 'name', 'words']
    """
    if not _MONTHS.isdisjoint(words(answer)) or _YEAR.fullmatch(answer.strip()):
        return "date"
    if _NUMBER.fullmatch(answer):
        return "number"
    if any(sign.isdigit() for sign in answer):
        return "figure"
    named = [word for word in answer.split() if word[:1].isalpha() and content_words(word)]
    return "name" if named and all(word[0].isupper() for word in named) else "words"


def swap_answers(
    questions: Sequence[ExamQuestion],
    shown: Mapping[str, Sequence[Passage]],
    *,
    seed: int,
    others: Sequence[ExamQuestion] = (),
) -> dict[str, Swapped]:
    """By question id; those are left out that have no short answer word for word in `shown`, or no other of its kind.

    The other answer is one of about the same length that stands in none of the question's passages, drawn by seed from
    the answers to these questions and `others`.
    """
    pool = sorted({answer for one in (*questions, *others) for answer in one.question.answers if _short(answer)})
    found = {}
    for question in questions:
        passages = shown.get(question.id, ())
        if measure_of(question.question) == "text" and (swapped := _swap(question, passages, pool, seed)):
            found[question.id] = swapped
    return found


def _swap(question: ExamQuestion, passages: Sequence[Passage], pool: Sequence[str], seed: int) -> Swapped | None:
    right = [answer for answer in question.question.answers if any(holds(one.text, answer) for one in passages)]
    if not right or not all(map(_short, right)):
        return None
    told = max(right, key=len)
    beside = [*(passage.text for passage in passages), *(passage.title for passage in passages)]
    others = [
        other
        for other in pool
        if kind_of(other) == kind_of(told)
        and not any(holds(text, other) for text in beside)
        and not any(holds(other, answer) or holds(answer, other) for answer in question.question.answers)
    ]
    if not others:
        return None
    length = len(told.split())
    fake = min(others, key=lambda other: (abs(len(other.split()) - length), lot(f"{seed}:{question.id}:{other}")))
    changed = tuple(
        replace(one, title=_put(one.title, right, fake), text=_put(one.text, right, fake)) for one in passages
    )
    if any(holds(one.text, answer) for one in changed for answer in right):  # written otherwise, as with other quotes
        return None
    return Swapped(fake, changed)


def _put(text: str, right: Sequence[str], fake: str) -> str:
    """The text with `fake` wherever one of the right answers stood as whole words; longer ones go first."""
    ordered = sorted(right, key=lambda answer: (-len(answer), answer))
    forms = (r"\s+".join(re.escape(word) for word in answer.split()) for answer in ordered)
    return re.sub(rf"(?<!\w)(?:{'|'.join(forms)})(?!\w)", lambda _: fake, text, flags=re.IGNORECASE)


def _short(answer: str) -> bool:
    return 0 < len(answer.split()) <= LONGEST and bool(words(answer))
