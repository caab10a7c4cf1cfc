"""Reading-comprehension texts: a passage of a document, word for word, and a few tasks on it. Knows passages only.

Training on these teaches a small model the field without costing it the ability to be asked, which raw text does
(AdaptLLM, 2309.09530, table 5).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ragraft.methods.chunk import chunk_document
from ragraft.methods.domain_words import DomainWords
from ragraft.methods.reading_data import ReadingData
from ragraft.methods.reading_tasks import Task, mine_tasks
from ragraft.records import Chunk, Document

A_SUBTYPE = 2
"""Most tasks of one sub-type a text."""
FEWEST, A_TASK = 2, 300
"""Tasks of a text: one for every so many tokens of the passage, and at least so few where they can be mined."""
PASSAGE = 0.75
"""Share of a text's room that its passage may take."""
GAP = "\n\n"
# Rare kinds that teach most are drawn first (AdaptLLM's ablation: words to text and relations help most).
WEIGHTS = {"nli": 3.0, "cause": 3.0, "paraphrase": 3.0, "words": 2.0, "title": 0.5, "completion": 0.5}

Count = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class ReadingText:
    """A text to be learned whole."""

    passage: Chunk
    text: str
    kinds: tuple[str, ...]
    """Kinds of its tasks."""


@dataclass(frozen=True, slots=True)
class ReadingMaker:
    """Makes the texts of documents."""

    data: ReadingData
    terms: DomainWords
    count: Count
    room: int
    """Tokens of the longest text."""

    def texts(self, document: Document, *, seed: str) -> Iterator[ReadingText]:
        """A text a passage, in the document's order; equal seeds give equal texts."""
        for passage in passages(document, self.count, round(self.room * PASSAGE)):
            yield self._text(passage, random.Random(f"{seed}|{passage.id}"))

    def _text(self, passage: Chunk, draw: random.Random) -> ReadingText:
        mined = mine_tasks(passage.text, passage.title, data=self.data, terms=self.terms, draw=draw)
        tasks = _drawn(mined, max(FEWEST, passage.tokens // A_TASK), draw)
        opening, bridge = (draw.choice(("", draw.choice(some))) for some in (self.data.openings, self.data.bridges))
        while True:
            text = _composed(passage, tasks, opening=opening, bridge=bridge, told=self._told(tasks, draw.random()))
            if self.count(text) <= self.room:
                return ReadingText(passage, text, tuple(task.kind for task in tasks))
            if not tasks:  # the title and what was drawn to stand around it don't fit: the passage alone does
                return ReadingText(passage, passage.text, ())
            tasks = tasks[:-1]

    def _told(self, tasks: Sequence[Task], seed: float) -> list[str]:
        draw = random.Random(seed)
        return [task.told(self.data, draw) for task in tasks]


def passages(document: Document, count: Count, size: int) -> list[Chunk]:
    """The document in parts of at most `size` tokens, cut where it pauses, with nothing but whitespace left out."""
    return chunk_document(document, count=count, size=size)


def titled(passage: Chunk) -> str:
    """The passage under its title, where it does not begin with it."""
    title = " ".join(passage.title.split())
    begins = " ".join(passage.text[: 2 * len(passage.title)].split()).lstrip("# ").startswith(title)
    return passage.text if not title or begins else f"{title}{GAP}{passage.text}"


def _drawn(mined: Sequence[Task], most: int, draw: random.Random) -> list[Task]:
    """At most `most` tasks, few of one sub-type; those of a kind stand together."""
    left = list(mined)
    chosen: list[Task] = []
    while left and len(chosen) < most:
        # First the kind, then the task: many words to text leave the one relation its chance.
        kinds = sorted({task.kind for task in left})
        kind = draw.choices(kinds, [WEIGHTS[name] for name in kinds])[0]
        task = draw.choice([task for task in left if task.kind == kind])
        left.remove(task)
        chosen.append(task)
        same = sum(one.subtype == task.subtype for one in chosen)
        if same == A_SUBTYPE or kind == "title":
            left = [one for one in left if one.subtype != task.subtype]
    order = list(dict.fromkeys(task.kind for task in chosen))
    return sorted(chosen, key=lambda task: order.index(task.kind))


def _composed(passage: Chunk, tasks: Sequence[Task], *, opening: str, bridge: str, told: Sequence[str]) -> str:
    subtypes = [task.subtype for task in tasks]
    below = [one for one, subtype in zip(told, subtypes, strict=True) if subtype != "title-before"]
    before = [one for one, subtype in zip(told, subtypes, strict=True) if subtype == "title-before"]
    body = passage.text if {"title-after", "title-before"} & set(subtypes) else titled(passage)
    above = before or ([opening] if opening and below else [])
    return GAP.join([*above, body, *([bridge] if bridge and below else []), *below])
