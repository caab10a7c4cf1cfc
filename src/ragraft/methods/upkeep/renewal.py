"""What becomes of an exam's questions when documents or questions have changed: which stay, are new, or go.

Knows placed questions, chunks and the words of documents; knows no folder, no index and no model.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ragraft.methods.limit import limit_questions
from ragraft.methods.target import find_quotes, places, sentence_units, word_set
from ragraft.methods.upkeep.evidence import Now, fate_of_chunk
from ragraft.records import Chunk, ExamQuestion, Passage, Question, Rejected

Part = Literal["unchanged", "changed", "added"]
PARTS: tuple[Part, ...] = ("unchanged", "changed", "added")
Standing = Literal["kept", "reworded", "changed", "gone"]
"""Reworded: the words around have changed, and the sentence, or the one in its place, still holds the answer."""
ALIKE = 0.5
"""Share of two sentences' words that they have in common where one has taken the other's place."""
_ORDER: tuple[Standing, ...] = ("kept", "reworded", "changed", "gone")
_LONG = 10_000


@dataclass(frozen=True, slots=True)
class Renewed:
    """A question that is asked again, or for the first time."""

    id: str
    part: Part
    """Changed: it has another answer, or other words, than before."""
    fresh: bool
    """Whether a lesson on it would show other words than before."""
    was: tuple[str, ...] = ()
    """Answers that were right before and are no more."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """What became of all questions."""

    renewed: Mapping[str, Renewed]
    retired: tuple[Rejected, ...]
    """Questions of before that nobody can be asked any more, by name."""


def renew(earlier: Sequence[ExamQuestion], asked: Sequence[Question], before: Mapping[str, Chunk], now: Now) -> Renewal:
    """Compare the questions that are asked now with those placed before, on the documents of then and of now.

    Whoever gave a question another answer, other evidence or other words has looked at it. One that is as it was stays
    where its answer still stands, and is retired where it does not.
    """
    placed = {one.id: one for one in earlier}
    renewed: dict[str, Renewed] = {}
    retired: list[Rejected] = []
    for question in asked:
        old = placed.get(question.id)
        if old is None:
            renewed[question.id] = Renewed(question.id, "added", fresh=True)
        elif not _asks_the_same(old.question, question):
            gone = tuple(one for one in old.question.answers if _plain(one) not in map(_plain, question.answers))
            renewed[question.id] = Renewed(question.id, "changed", fresh=True, was=gone)
        else:
            stands = standing(old, before, now)
            if stands in ("kept", "reworded") or question != old.question:
                renewed[question.id] = Renewed(question.id, "unchanged", fresh=stands != "kept")
            else:
                retired.append(Rejected(question.id, f"its evidence {_TOLD[stands]}", _REMEDY))
    known = {question.id for question in asked}
    retired += [Rejected(one.id, "no longer among the questions") for one in earlier if one.id not in known]
    return Renewal(renewed, tuple(retired))


_TOLD: Mapping[Standing, str] = {"changed": "says something else now", "gone": "is gone"}
_REMEDY = "give it its new answer or evidence, or take it out of the questions"


def standing(asked: ExamQuestion, before: Mapping[str, Chunk], now: Now) -> Standing:
    """Whether a question's answer still stands where it stood; what rests on nothing stands.

    Where nobody knows which words of its chunk answer a question, all of them must be kept.
    """
    parts = asked.parts or ((asked.oracle,) if asked.oracle else ())
    found = [
        min((_chunk_stands(asked.question, before.get(chunk), now) for chunk in part), key=_ORDER.index)
        for part in parts
    ]
    worst = max(found, key=_ORDER.index, default=_ORDER[0])
    return "changed" if asked.weak and worst == "reworded" else worst


def choose_lessons(
    questions: Sequence[ExamQuestion], fresh: Collection[str], *, share: float, most: int | None, seed: int
) -> set[str]:
    """Ids of the questions to learn from: all fresh ones, and this share of the others, by cluster and seed.

    `most` bounds both together, and the fresh ones come first.
    """
    touched = [one for one in questions if one.id in fresh]
    others = [one for one in questions if one.id not in fresh]
    touched, _ = limit_questions(touched, most, seed=seed)
    wanted = round(share * len(others))
    room = wanted if most is None else min(wanted, most - len(touched))
    replayed, _ = limit_questions(others, room, seed=seed)
    return {one.id for one in (*touched, *replayed)}


def _asks_the_same(old: Question, new: Question) -> bool:
    same = _plain(old.question) == _plain(new.question)
    return same and {*map(_plain, old.answers)} == {*map(_plain, new.answers)}


def _plain(text: str) -> str:
    return " ".join(text.split())


def _chunk_stands(question: Question, chunk: Chunk | None, now: Now) -> Standing:
    fate = fate_of_chunk(chunk, now)
    if chunk is None or fate != "changed":
        return fate
    text = now.text(chunk.document_id) or ""
    passage = Passage(chunk.id, chunk.document_id, chunk.title, chunk.text)
    quotes = [quote.text for quote in find_quotes(question, [passage], _LONG)]
    return "reworded" if quotes and all(_quote_stands(quote, question, text) for quote in quotes) else "changed"


def _quote_stands(quote: str, question: Question, text: str) -> bool:
    """Whether the quote stands in the text, or the sentence most like it there holds the same answer.

    What the question names of the quote must be named there, too: the next row of a table has much the same words.
    """
    if places(quote, text):
        return True
    held = [answer for answer in question.answers if places(answer, quote)]
    own = word_set(quote)
    sentences = [text[slice(*span)] for span in sentence_units(text)]
    best = max(sentences, key=lambda sentence: _alike(own, word_set(sentence)), default="")
    found = word_set(best)
    named = own & word_set(question.question)
    return named <= found and _alike(own, found) >= ALIKE and any(places(answer, best) for answer in held)


def _alike(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(len(one | other), 1)
