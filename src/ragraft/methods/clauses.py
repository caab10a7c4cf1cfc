"""Turn an English-like clause into a question's order. Knows words and the collection's own verbs; asks nothing.

No tagger and no model: which words are verbs is learned from the collection, by the words that stand before them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ragraft.methods.pattern_data import Verbs, Words

LONGEST_SUBJECT = 12
"""Words; what looks like a longer subject mostly is none."""
SEEN = 2
"""A base form is believed when it was met this often."""

_TOKEN = re.compile(r"[\w'’/-]+|[.!?]")


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause taken apart: `the lamp` `was` `lit in March`; or `the lamp` `does` `burn oil`."""

    subject: str
    auxiliary: str
    rest: str

    @property
    def asked(self) -> str:
        """In a question's order."""
        return f"{self.auxiliary} {self.subject} {self.rest}".strip()


class Grammar:
    """What a collection shows of its words: which are verbs, and which begin with a capital only at a beginning."""

    def __init__(self, texts: Iterable[str], verbs: Verbs, words: Words) -> None:
        self._verbs, self._words = verbs, words
        self._lower: Counter[str] = Counter()
        self._capital: Counter[str] = Counter()
        self._bases: Counter[str] = Counter()
        for text in texts:
            self._learn(text)

    def _learn(self, text: str) -> None:
        before = "."
        for found in _TOKEN.finditer(text):
            word = found[0]
            if word.islower():
                self._lower[word] += 1
                if before in self._verbs.before_base:
                    self._bases[word] += 1
            elif word.istitle() and before not in ".!?":
                self._capital[word.lower()] += 1
            before = word

    def lowered(self, phrase: str) -> str:
        """The phrase without the capital that it has only because it began a sentence."""
        first, blank, rest = phrase.partition(" ")
        word = first.lower()
        named = rest[:1].isupper() and word not in self._words.determiners  # "Object Code" is a name
        if named or not (first[:1].isupper() and first[1:] == word[1:]):
            return phrase
        known = word in self._words.determiners or self._lower[word] > self._capital[word]
        return f"{word}{blank}{rest}" if known else phrase

    def base(self, verb: str) -> tuple[str, str] | None:
        """`contains` as (`does`, `contain`), `showed` as (`did`, `show`); None for what is no finite verb."""
        if verb in self._verbs.not_verbs:
            return None
        if verb in self._verbs.irregular:
            base = self._verbs.irregular[verb]
            return ("do" if verb == base else "does" if verb.endswith("s") else "did"), base
        for base in _bases_of(verb):
            if self._bases[base] >= SEEN:
                return ("does" if verb.endswith("s") else "did"), base
        return None

    def support(self, verb: str) -> tuple[str, str]:
        """Like `base`, for what a pattern knows to be a verb, with what follows it: `consists of`, `refer to`."""
        first, blank, rest = verb.partition(" ")
        found = self.base(first) or (("does", _bases_of(first)[-1]) if first.endswith("s") else ("do", first))
        return found[0], f"{found[1]}{blank}{rest}"

    def take_apart(self, clause: str) -> Clause | None:
        """Subject, auxiliary and rest; None where no finite verb is sure."""
        tokens = clause.split(" ")
        for place in range(1, min(len(tokens) - 1, LONGEST_SUBJECT)):
            if tokens[place] in self._words.stops or tokens[place - 1].endswith((",", ":")):
                return None
            if self._is_auxiliary(tokens[place]):
                return self._with_auxiliary(tokens, place)
        return self._with_verb(tokens)

    def subject_and_rest(self, clause: str) -> tuple[str, str] | None:
        """The clause in its own words, cut before its verb; None where no finite verb is sure."""
        found = self.take_apart(clause)
        if found is None:
            return None
        tokens, size = clause.split(" "), len(found.subject.split(" "))
        return " ".join(tokens[:size]), " ".join(self._skip_adverbs(tokens[size:]))

    def is_noun_phrase(self, phrase: Sequence[str]) -> bool:
        """Whether words can be one subject: no finite verb among them, no verb form alone before it."""
        verbs, words = self._verbs, self._words
        if any(self._is_auxiliary(word) or word in words.stops or word in words.adverbs for word in phrase):
            return False
        if any(word in ("A", "An", "The") for word in phrase[1:]) or any("n't" in word for word in phrase):
            return False
        inner = phrase[1:-1]
        if any(word.endswith("s") and (found := self.base(word)) and found[0] == "does" for word in inner):
            return False
        first = phrase[0].lower()
        alone = len(phrase) == 1 and first.endswith(("ed", "ing"))
        ordered = len(phrase) > 1 and self._bases[first] >= SEEN and phrase[1] in words.determiners
        return not (alone or ordered or phrase[-1] in verbs.before_base)

    def begins_thing(self, word: str) -> bool:
        """Whether a thing's name can begin with this word: no auxiliary does."""
        return not self._is_auxiliary(word)

    def agrees(self, subject: Sequence[str], verb: str) -> bool:
        """Whether a verb can be the subject's: `the lamp burns`, `lamps burn`; a name or a code can be either."""
        place = next((at for at, word in enumerate(subject) if at and word.lower() in self._words.not_first), None)
        last = subject[(place or len(subject)) - 1]
        if "and" in subject:
            return not verb.partition(" ")[0].endswith("s")
        if not (last.isalpha() and last.islower()):
            return True
        plural = last.endswith("s") and not last.endswith(("ss", "us", "is"))
        return plural != verb.partition(" ")[0].endswith("s")

    def _is_auxiliary(self, word: str) -> bool:
        verbs = self._verbs
        return word in verbs.be or word in verbs.modal or word in verbs.have or word in verbs.do

    def _with_auxiliary(self, tokens: Sequence[str], place: int) -> Clause | None:
        verbs, word, rest = self._verbs, tokens[place], list(tokens[place + 1 :])
        subject = self._subject(tokens[:place])
        after = self._skip_adverbs(rest)
        if subject is None or not after or after[-1].lower() in self._words.not_first:
            return None
        if self._goes_on(after):
            return None
        if word in verbs.have and not self._is_participle(after):
            return Clause(subject, {"has": "does", "have": "do"}.get(word, "did"), " ".join(["have", *after]))
        if word in verbs.do and after[0] != "not":
            return None
        if word == "cannot":
            word, after = "can", ["not", *after]
        return Clause(subject, word, " ".join(after))

    def _goes_on(self, rest: Sequence[str]) -> bool:
        """Whether another clause follows: `… and the lamp was lit`."""
        after_and = rest[rest.index("and") :] if "and" in rest else ()
        return any(word in self._verbs.be or word in self._verbs.modal for word in after_and)

    def _is_participle(self, rest: Sequence[str]) -> bool:
        word = next((word for word in rest if not word.endswith("ly")), "")
        return word.endswith("ed") or word in self._verbs.participles or word == "not"

    def _with_verb(self, tokens: Sequence[str]) -> Clause | None:
        for place in range(1, min(len(tokens), LONGEST_SUBJECT)):
            if tokens[place] in self._words.stops:
                return None
            found = self.base(tokens[place]) if tokens[place].endswith(("s", "ed")) else None
            if found is None or self._is_nominal(tokens, place):
                continue
            if any(map(self._is_auxiliary, tokens[place:])):
                return None
            subject = self._subject(tokens[:place])
            after = self._skip_adverbs(list(tokens[place + 1 :]))
            return Clause(subject, found[0], " ".join([found[1], *after])) if subject else None
        return None

    def _is_nominal(self, tokens: Sequence[str], place: int) -> bool:
        """Whether what looks like a verb is a noun or a participle: `the runs of`, `the used lamp`."""
        before, verb = tokens[place - 1].lower(), tokens[place]
        after = tokens[place + 1] if place + 1 < len(tokens) else ""
        if before in self._words.determiners or before in self._words.not_first:
            return True
        plural = before.endswith("s") and not before.endswith(("ss", "us", "is"))
        if verb.endswith("s"):
            return plural or after in ("of", "and", "or", "in") or self.base(after) is not None
        return after in ("by", "and", "or") or self._is_auxiliary(after)

    def _subject(self, tokens: Sequence[str]) -> str | None:
        kept = [*tokens]
        while kept and kept[-1] in self._words.adverbs:
            kept.pop()
        if not kept or kept[-1].lower() in self._words.not_first or kept[-1].endswith((",", ";")):
            return None
        return self.lowered(" ".join(kept))

    def _skip_adverbs(self, tokens: list[str]) -> list[str]:
        """Without the adverbs at both ends, and the commas and dashes that they leave."""
        while tokens and tokens[0].strip(",") in self._words.adverbs:
            tokens = tokens[1:]
        while tokens and tokens[-1].strip(",–—-") in (*self._words.adverbs, ""):
            tokens = tokens[:-1]
        return [*tokens[:-1], tokens[-1].rstrip(",")] if tokens else []


def _bases_of(verb: str) -> list[str]:
    """What a third person or past form may be made of, likeliest first."""
    if verb.endswith("ies"):
        return [f"{verb[:-3]}y"]
    if verb.endswith(("sses", "shes", "ches", "xes", "zes")):
        return [verb[:-1], verb[:-2]]
    if verb.endswith("s") and not verb.endswith("ss"):
        return [verb[:-1]]
    if verb.endswith("ied"):
        return [f"{verb[:-3]}y"]
    if verb.endswith("ed"):
        doubled = [verb[:-3]] if verb[-3:-2] == verb[-4:-3] else []
        return [verb[:-2], verb[:-1], *doubled]
    return []
