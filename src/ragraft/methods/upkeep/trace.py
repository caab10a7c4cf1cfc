"""What became of a fact whose document changed, and its value now: read from the sentence in the place of its evidence.

The sentence that took a sentence's place is the new one that shares most with it, the words weighing by how few
sentences have them, if it is in turn nearest to that one of all old sentences that are gone, and if it names what the
question named in that one. A value that is not in it any more has given way to what stands where it stood, word by
word. Where that can't be read, nothing is said. A fact that rests on several sentences, such as which of them is the
newest, is not seen to change while its own sentence stands.

Knows two texts; knows no corpus and no model.
"""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from ragraft.methods.target import places, sentence_units, word_set

ALIKE = 0.35
"""Share of their words' weight that two sentences have in common where one took the other's place."""
_TOKEN = re.compile(r"\w+(?:[./:@+-]\w+)*|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Traced:
    """A fact in the newer text."""

    became: Literal["unchanged", "changed", "gone", "unclear"]
    """Gone: nothing in this text is like the sentence any more; it may have moved to another."""
    sentence: str = ""
    """The one that says it now, where that is known."""
    value: str = ""
    """What took the value's place; empty where that can't be read."""


@dataclass(frozen=True)
class Pair:
    """A text before and now."""

    before: str
    now: str

    def trace(self, question: str, sentence: str, values: Sequence[str]) -> Traced:
        """What became of a question's fact: a sentence of the text before, of which a value was the answer."""
        if places(sentence, self.now):
            return Traced("unchanged", sentence)
        own = frozenset(word_set(sentence))
        near = _nearest(own, self._came, self._weights)
        if not near or near[1] < ALIKE:
            return Traced("gone")
        there = near[0]
        # What the question names and the sentence named must still be named: else it is another fact.
        if not there or not word_set(question) & own <= word_set(there) or not self._mutual(sentence, there):
            return Traced("unclear")
        if any(places(value, there) for value in values):
            return Traced("unchanged", there)
        value = next((found for value in values if (found := replaced(sentence, there, value))), "")
        return Traced("changed", there, value)

    def _mutual(self, sentence: str, there: str) -> bool:
        """Whether of all old sentences that are gone this one is the nearest to the new one, or says the same."""
        back = _nearest(self._came[there], self._went, self._weights)
        return back is not None and (back[0] == sentence or self._went.get(back[0]) == frozenset(word_set(sentence)))

    @cached_property
    def _units(self) -> tuple[list[str], list[str]]:
        before, now = (
            list(dict.fromkeys(text[slice(*span)] for span in sentence_units(text))) for text in (self.before, self.now)
        )
        return before, now

    @cached_property
    def _went(self) -> dict[str, frozenset[str]]:
        now = set(self._units[1])
        return {unit: frozenset(word_set(unit)) for unit in self._units[0] if unit not in now}

    @cached_property
    def _came(self) -> dict[str, frozenset[str]]:
        before = set(self._units[0])
        return {unit: frozenset(word_set(unit)) for unit in self._units[1] if unit not in before}

    @cached_property
    def _weights(self) -> Mapping[str, float]:
        """Of every word: the fewer sentences have it, the more it tells."""
        units = [*self._units[0], *self._units[1]]
        seen = Counter(word for unit in units for word in word_set(unit))
        return {word: math.log(1 + len(units) / number) for word, number in seen.items()}


def replaced(before: str, now: str, value: str) -> str:
    """What stands in `now` where `value` stood in `before`; empty where that can't be told."""
    was, becomes = ([found.span() for found in _TOKEN.finditer(text)] for text in (before, now))
    old, new = ([text[slice(*span)] for span in spans] for text, spans in ((before, was), (now, becomes)))
    for start, end in places(value, before):
        inside = [place for place, (a, b) in enumerate(was) if start < b and a < end]
        if not inside or (was[inside[0]][0], was[inside[-1]][1]) != (start, end):
            continue  # it begins or ends within a word
        found = _opposite(old, new, (inside[0], inside[-1] + 1))
        if found:
            text = now[becomes[found[0]][0] : becomes[found[1] - 1][1]]
            if _shape(text) == _shape(value):
                return text
    return ""


def _opposite(old: Sequence[str], new: Sequence[str], part: tuple[int, int]) -> tuple[int, int] | None:
    """The tokens of `new` in the place of this part of `old`."""
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind != "replace" or part[0] < a or part[1] > b:
            continue
        if b - a == d - c:
            return c + part[0] - a, c + part[1] - a
        if (a, b) == part:
            return c, d
    return None


def _shape(text: str) -> tuple[bool, bool]:
    """Whether there are digits, and whether there is a sentence's punctuation: a date gives way to no word."""
    return any(map(str.isdigit, text)), any(sign in text for sign in ";:()\n")


def _nearest(
    own: frozenset[str], others: Mapping[str, frozenset[str]], weights: Mapping[str, float]
) -> tuple[str, float] | None:
    """The sentence that shares most of the words' weight, and which share; no name where two share as much."""

    def alike(other: frozenset[str]) -> float:
        whole = sum(weights[word] for word in own | other if word in weights)
        return sum(weights[word] for word in own & other if word in weights) / whole if whole else 0.0

    ranked = sorted(((alike(other), name) for name, other in others.items()), reverse=True)
    if not ranked:
        return None
    tied = len(ranked) > 1 and ranked[0][0] == ranked[1][0]
    return ("" if tied else ranked[0][1]), ranked[0][0]
