"""Mine tasks of reading comprehension from a passage's own sentences: no teacher, no model. Knows sentences only.

The six kinds of AdaptLLM (Cheng et al. 2024, 2309.09530, table 2 and LMOps' adaptllm/utils/read.py): whether one
sentence follows from another, cause and effect, paraphrase, words to text, title, completion.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ragraft.methods.abbreviations import abbreviations
from ragraft.methods.chunk import TITLE_JOINT
from ragraft.methods.domain_words import DomainWords
from ragraft.methods.prose import Sentence, is_closed, prose_sentences
from ragraft.methods.reading_data import ReadingData

LONGEST, SHORTEST = 400, 40
"""Characters of a sentence that a task shows."""
CLASSIFIED = 0.8
"""Share of tasks on two linked sentences that ask for their relation; the others ask for the second sentence."""
REVERSED = 0.25
"""Share of tasks that ask for the first part of what was mined."""
FEWEST_TERMS, MOST_TERMS = 3, 5
FEWEST_TITLE = 3
"""Words of a title that says something."""

_REFERENCE = re.compile(r"\s*\[[#\d][^\]]*\]_?")
_LINK = re.compile(r"!?\[([^\]]+)\]\([^)]*\)")
_EMPHASIS = re.compile(r"\*{1,2}([^*\s](?:[^*]*[^*\s])?)\*{1,2}|(?<!\w)_([^_\s](?:[^_]*[^_\s])?)_(?!\w)")
_SLOT = re.compile(r"<([A-Z]+)>")
_NAME = re.compile(r"[^\W\d_]{2,}")

Slots = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Task:
    """What a passage can be asked, before it is put into words."""

    kind: str
    subtype: str
    """The list of templates that it is put into words with."""
    slots: Slots

    def told(self, data: ReadingData, draw: random.Random) -> str:
        """The question with its answer, in words that are drawn."""
        return fill(draw.choice(data.tasks[self.subtype]), self.slots)


def fill(template: str, slots: Slots) -> str:
    """The template with what was mined."""
    return _SLOT.sub(lambda slot: slots[slot[1]], template)


def mine_tasks(text: str, title: str, *, data: ReadingData, terms: DomainWords, draw: random.Random) -> list[Task]:
    """All tasks that a passage's sentences give; `draw` settles which way round each is asked."""
    sentences = [told for sentence in prose_sentences(text) if (told := _Told.of(sentence, text)).usable]
    tasks = [
        *(task for first, second in _neighbours(sentences, text) for task in _pair(first, second, data, draw)),
        *(task for one in sentences for task in _single(one, data, terms, draw)),
        *_written_out(text),
        *_titled(text, title, draw),
    ]
    return tasks


@dataclass(frozen=True, slots=True)
class _Told:
    """A sentence as a task shows it: one line, without references and markup."""

    text: str
    end: str
    """Its full stop, where it has one outside of quotation marks."""
    span: tuple[int, int]

    @classmethod
    def of(cls, sentence: Sentence, text: str) -> _Told:
        plain = _EMPHASIS.sub(lambda found: found[1] or found[2], _LINK.sub(r"\1", _REFERENCE.sub("", sentence.text)))
        plain = re.sub(r"\s+([,;:.)])", r"\1", plain).rstrip(" .")
        return cls(plain, "." if text[: sentence.span[1]].endswith(".") else "", sentence.span)

    @property
    def usable(self) -> bool:
        # A number at the beginning is mostly a reference's, left over from the sentence before.
        return SHORTEST <= len(self.text) <= LONGEST and not self.text[0].isdigit() and is_closed(self.text)

    @property
    def whole(self) -> str:
        return self.text + self.end

    def stands_alone(self, data: ReadingData) -> bool:
        first = re.split(r"\W", self.text, maxsplit=1)[0]
        return first.casefold() not in data.pointing and not data.linked.match(self.text)


def _neighbours(sentences: Sequence[_Told], text: str) -> Iterator[tuple[_Told, _Told]]:
    """Sentences that follow each other in one paragraph."""
    for first, second in itertools.pairwise(sentences):
        between = text[first.span[1] : second.span[0]]
        if not between.strip() and "\n" not in between.replace("\n", "", 1):
            yield first, second


def _pair(first: _Told, second: _Told, data: ReadingData, draw: random.Random) -> Iterator[Task]:
    back = draw.random() < REVERSED
    restated = data.restated.match(second.text)
    if restated:
        slots = {"FIRST": first.whole, "SECOND": _capital(restated["rest"]) + second.end}
        yield Task("paraphrase", "paraphrase-similar", slots)
        return
    linked = data.linked.match(second.text)
    if not linked:
        if first.stands_alone(data) and second.stands_alone(data):
            order = "previous" if back else "next"
            yield Task("completion", f"completion-{order}", {"FIRST": first.whole, "SECOND": second.whole})
        return
    relation = data.relations[linked["word"]]
    rest = linked["rest"] + second.end
    slots = {
        "PREMISE": first.whole,
        "HYPOTHESIS": _capital(rest),
        "REST": rest,
        "WORD": linked["word"],
        "HOLDS": relation.holds,
        "LINK": relation.link,
        "NAME": relation.name,
    }
    yield Task("nli", "nli-classify" if draw.random() < CLASSIFIED else f"nli-{relation.subtype}", slots)
    if relation.subtype == "contrasts":
        yield Task("paraphrase", "paraphrase-different", {"FIRST": first.whole, "SECOND": _capital(rest)})
    if relation.subtype == "follows":
        yield _caused(first.whole, _capital(rest), back=back)


def _single(one: _Told, data: ReadingData, terms: DomainWords, draw: random.Random) -> Iterator[Task]:
    found = terms.of(one.text)
    if len(found) >= FEWEST_TERMS and one.stands_alone(data):
        shown = found if len(found) <= MOST_TERMS else sorted(draw.sample(found, MOST_TERMS), key=found.index)
        back = draw.random() < REVERSED
        if not back:
            shown = draw.sample(shown, len(shown))  # their order would tell half of the sentence
        slots = {"WORDS": ", ".join(shown), "SENTENCE": one.whole}
        yield Task("words", "sentence-words" if back else "words-sentence", slots)
    for pattern in data.causes:
        cause = pattern.fullmatch(one.text)
        if cause and _is_whole(cause["effect"], data) and one.stands_alone(data):
            yield _caused(_capital(cause["cause"]) + one.end, f"{cause['effect']}.", back=draw.random() >= REVERSED)
            break
    for pattern in data.definitions:
        defined = pattern.fullmatch(one.text)
        if defined and one.stands_alone(data):
            slots = {"TERM": defined["word"].strip("\"“”'’`* "), "MEANING": _capital(defined["meaning"]) + one.end}
            yield Task("words", "word-meaning", slots)
            break


def _caused(cause: str, effect: str, *, back: bool) -> Task:
    return Task("cause", "effect-cause" if back else "cause-effect", {"CAUSE": cause, "EFFECT": effect})


def _is_whole(effect: str, data: ReadingData) -> bool:
    """Whether what stands before the cause is a clause of its own."""
    return effect.split()[-1].strip("(").casefold() not in data.dangling and is_closed(effect)


def _written_out(text: str) -> Iterator[Task]:
    for short, (start, end) in abbreviations(text):
        yield Task("words", "abbreviation", {"TERM": short, "MEANING": " ".join(text[start:end].split())})


def _titled(text: str, title: str, draw: random.Random) -> Iterator[Task]:
    """What a passage is about, where it does not say it itself: its heading and title, else the title alone."""
    whole, *headings = title.split(TITLE_JOINT)
    shown = " ".join(text.split()).casefold()
    for name in (f"{whole}: {headings[-1]}" if headings else whole, whole):
        line = " ".join(name.split())
        told = (headings[-1] if headings and name != whole else whole).strip().casefold()
        if len(_NAME.findall(line)) >= FEWEST_TITLE and told not in shown:
            yield Task("title", "title-before" if draw.random() < REVERSED else "title-after", {"TITLE": line})
            return


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
