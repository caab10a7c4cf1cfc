"""A made-up corpus of any size with the habits of real ones: Zipf's words, several shapes, boilerplate, copies.

Knows words and files; knows nothing of ragraft.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

COMMON = (
    "the of and to in a is that for it as was with be by on not he his but at are this have from or had an they "
    "which one you were all her she there would their we him been has when who will no more if out so up said what "
    "its about than into them can only other time new some could these two may first then do any like my now over "
    "such our man me even most made after also did many must before back see through way where get much go well "
    "your know should down work year because come people just say each those take good how long little make world "
    "still own men here last between never"
)
SYLLABLES = "ba ce di fo gra hel in jor ka lum me no or pra qui ra sto ten ul ver wis yar zen tha sil mor"
TYPES = 60_000
RARE = 0.01
"""Share of words that are a number or a part's name, which stand nowhere else."""
BLOCK = 1_000_000
"""Words drawn at a time."""
KEPT = 400
"""Documents remembered for others to copy."""
BOILERPLATE = 0.3
"""Share of articles and manuals that close with one of the house's paragraphs."""
COPIES = (("exact", 0.02), ("near", 0.02), ("excerpt", 0.02), ("form", 0.05))
"""Kinds of repetition and the share of documents that are one; a form is a template with some of its words changed."""
SHARD = 1000
"""Rows of a JSONL file."""
ROWS_SHARE = 0.8
"""Share of documents that are rows; the rest are files of their own."""
CHARACTERS_PER_DOCUMENT = 1250
"""The mean of what the shapes below give."""
QUOTED = 0.5
"""Share of questions that quote their evidence; the others name its document."""
FEWEST = 6
"""Words of a sentence that is asked about."""


@dataclass(frozen=True, slots=True)
class Text:
    """A document of the corpus."""

    title: str
    suffix: str
    text: str


@dataclass(slots=True)
class Writer:
    """Draws words by Zipf's law, sentences and documents; the same seed draws the same."""

    rng: np.random.Generator
    words: Sequence[str]
    shares: np.ndarray[Any, np.dtype[np.float64]]
    drawn: list[str] = field(default_factory=list)
    kept: list[Text] = field(default_factory=list)
    boilerplate: list[str] = field(default_factory=list)
    forms: list[list[str]] = field(default_factory=list)

    def take(self, count: int) -> list[str]:
        """The next `count` words."""
        while len(self.drawn) < count:
            ranks = np.searchsorted(self.shares, self.rng.random(BLOCK)).tolist()
            fresh = [self.words[rank] for rank in ranks]
            for place in np.flatnonzero(self.rng.random(BLOCK) < RARE).tolist():
                fresh[place] = f"{fresh[place][:2].upper()}-{self.rng.integers(10**6)}"
            fresh.reverse()
            self.drawn = fresh + self.drawn
        taken = self.drawn[-count:]
        del self.drawn[-count:]
        taken.reverse()
        return taken

    def sentence(self) -> str:
        """A sentence of 5 to about 40 words."""
        text = " ".join(self.take(5 + int(self.rng.gamma(2.0, 6.0))))
        return f"{text[0].upper()}{text[1:]}."

    def paragraph(self, longest: int = 8) -> str:
        return " ".join(self.sentence() for _ in range(int(self.rng.integers(1, longest + 1))))

    def title(self) -> str:
        return " ".join(self.take(int(self.rng.integers(2, 6)))).title()


def make_corpus(folder: Path, *, characters: int, questions: int, seed: int) -> dict[str, int]:
    """Write documents of so many characters in all, and about so many questions; returns what was written."""
    writer = _writer(seed)
    counts = dict.fromkeys(("documents", "characters", "questions", *(kind for kind, _ in COPIES)), 0)
    rows: list[str] = []
    every = max(1, characters // (CHARACTERS_PER_DOCUMENT * questions))
    with (folder / "questions.jsonl").open("w", encoding="utf-8", newline="\n") as asked:
        while counts["characters"] < characters:
            kind, made = _document(writer)
            number = counts["documents"]
            if writer.rng.random() < ROWS_SHARE:
                name = f"row-{number:06d}"
                rows.append(json.dumps({"id": name, "title": made.title, "text": made.text}))
            else:
                name = f"{made.suffix[1:]}/{number // SHARD:03d}/{number:06d}{made.suffix}"
                _write(folder / "documents" / name, _dressed(made))
            if len(rows) == SHARD:
                _write(folder / "documents" / f"rows-{number:06d}.jsonl", "\n".join(rows) + "\n")
                rows.clear()
            if kind == "new" and number % every == 0:
                asked.write(json.dumps(_question(writer, name, made)) + "\n")
                counts["questions"] += 1
            counts["documents"] += 1
            counts["characters"] += len(made.text)
            counts[kind] = counts.get(kind, 0) + 1
    if rows:
        _write(folder / "documents" / "rows-last.jsonl", "\n".join(rows) + "\n")
    return counts


def _writer(seed: int) -> Writer:
    rng = np.random.default_rng(seed)
    words, syllables = COMMON.split(), SYLLABLES.split()
    known = set(words)
    while len(words) < TYPES:
        word = "".join(syllables[at] for at in rng.integers(len(syllables), size=rng.integers(1, 5)).tolist())
        if word not in known:
            known.add(word)
            words.append(word)
    # Zipf's law with Mandelbrot's offset: the commonest word is one in about twenty.
    weights = 1.0 / (np.arange(TYPES) + 2.7) ** 1.07
    writer = Writer(rng, words, np.cumsum(weights / weights.sum()))
    writer.boilerplate = [writer.paragraph() for _ in range(20)]
    writer.forms = [writer.take(200) for _ in range(10)]
    return writer


def _document(writer: Writer) -> tuple[str, Text]:
    draw = float(writer.rng.random())
    for kind, share in COPIES:
        if draw < share and writer.kept:
            return kind, _copy(writer, kind, writer.kept[int(writer.rng.integers(len(writer.kept)))])
        draw -= share
    made = SHAPES[list(SHAPES)[int(np.searchsorted(np.cumsum(SHAPE_SHARES), writer.rng.random()))]](writer)
    if len(writer.kept) < KEPT:
        writer.kept.append(made)
    else:
        writer.kept[int(writer.rng.integers(KEPT))] = made
    return "new", made


def _copy(writer: Writer, kind: str, original: Text) -> Text:
    if kind == "form":
        words = list(writer.forms[int(writer.rng.integers(len(writer.forms)))])
        for place in writer.rng.integers(len(words), size=12).tolist():
            words[place] = writer.take(1)[0]
        return Text(writer.title(), ".txt", " ".join(words) + ".")
    if kind == "exact":
        return original
    parts = original.text.split("\n\n")
    if kind == "excerpt":
        begin = int(writer.rng.integers((len(parts) + 1) // 2))
        return Text(original.title, original.suffix, "\n\n".join(parts[begin : begin + max(1, len(parts) // 2)]))
    return Text(original.title, original.suffix, "\n\n".join([*parts, writer.sentence()]))


def _note(writer: Writer) -> Text:
    """A message or a ticket: a paragraph or two."""
    return Text(writer.title(), ".txt", "\n\n".join(writer.paragraph(5) for _ in range(int(writer.rng.integers(1, 3)))))


def _article(writer: Writer, sections: float = 1.0) -> Text:
    """Headed sections of paragraphs."""
    title = writer.title()
    parts = [f"# {title}"]
    for _ in range(1 + int(writer.rng.gamma(sections, 2.0))):
        parts += [f"## {writer.title()}", *(writer.paragraph() for _ in range(int(writer.rng.integers(1, 4))))]
    if writer.rng.random() < BOILERPLATE:
        parts.append(writer.boilerplate[int(writer.rng.integers(len(writer.boilerplate)))])
    return Text(title, ".md", "\n\n".join(parts))


def _manual(writer: Writer) -> Text:
    """A long article with lists, tables and code."""
    article = _article(writer, sections=8.0)
    parts = article.text.split("\n\n")
    for _ in range(len(parts) // 6):
        rows = [writer.take(3) for _ in range(int(writer.rng.integers(3, 9)))]
        table = "\n".join(["| a | b | c |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)])
        code = "\n".join(["```", *(f"{'_'.join(writer.take(2))} = {writer.take(1)[0]}()" for _ in rows), "```"])
        points = "\n".join(f"- {writer.sentence()}" for _ in rows)
        block = (table, code, points)[int(writer.rng.integers(3))]
        parts.insert(int(writer.rng.integers(2, len(parts) + 1)), block)
    return Text(article.title, article.suffix, "\n\n".join(parts))


def _record(writer: Writer) -> Text:
    """Fields and values, as exported from a database."""
    fields = [f"{writer.words[100 + at].title()}: {' '.join(writer.take(4))}" for at in range(12)]
    return Text(writer.title(), ".txt", "\n".join([*fields, f"Remarks: {writer.paragraph(3)}"]))


def _page(writer: Writer) -> Text:
    return Text(writer.title(), ".html", "\n\n".join(writer.paragraph() for _ in range(int(writer.rng.integers(2, 6)))))


SHAPES: Mapping[str, Callable[[Writer], Text]] = {
    "note": _note,
    "article": partial(_article, sections=1.0),
    "manual": _manual,
    "record": _record,
    "page": _page,
}
SHAPE_SHARES = (0.55, 0.225, 0.015, 0.17, 0.04)


def _dressed(made: Text) -> str:
    if made.suffix != ".html":
        return made.text
    body = "".join(f"<p>{part}</p>\n" for part in made.text.split("\n\n"))
    return f"<html><head><title>{made.title}</title></head><body>\n<h1>{made.title}</h1>\n{body}</body></html>\n"


def _question(writer: Writer, name: str, made: Text) -> Mapping[str, Any]:
    """A question on one sentence of a document, which it quotes or only names."""
    sentences = list(_sentences(made.text))
    sentence = sentences[int(writer.rng.integers(len(sentences)))]
    words = sentence.rstrip(".").split()
    begin = int(writer.rng.integers(max(1, len(words) - 4)))
    answer = " ".join(words[begin : begin + 4])
    asked = " ".join(word for word in words if word not in answer.split())
    row = {"id": f"ask-{name}", "question": f"What about {asked}?", "answers": [answer], "evidence_ids": [name]}
    return {**row, "evidence": [sentence]} if writer.rng.random() < QUOTED else row


def _sentences(text: str) -> Iterator[str]:
    for part in text.split("\n\n"):
        yield from (f"{found}." for found in part.removesuffix(".").split(". ") if len(found.split()) >= FEWEST)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8", newline="\n")
