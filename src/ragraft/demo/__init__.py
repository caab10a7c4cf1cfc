"""The demo: questions about Python's language reference, whose text every CPython carries. Knows files only."""

from __future__ import annotations

import itertools
import json
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from ragraft.errors import ConfigError

# The reference is wrapped by Sphinx's text writer at this width.
WIDTH = 70
_WORD = re.compile(r"\s*([^\s-]+-?)")
_RULE = re.compile(r"\s*[^\w\s]+\s*$")
_ITEM = re.compile(r"\s*\*\s")
_HANG = re.compile(r"\s*(?:(?:\*|\d+\.|\[\d+\])\s+)?")
# Grammar, doctests, tables, comments: their lines are meant.
_LITERAL = re.compile(r"\s*(?:\w+\s+::=|>>>|\||\+-)|.*(?:^|\s)#\s")


@dataclass(frozen=True, slots=True)
class Demo:
    """A written demo."""

    file: Path
    """Its ragraft.yaml."""
    notes: tuple[str, ...]
    """What this Python's reference lacks."""


def write_demo(folder: Path) -> Demo:
    """Write documents, questions and YAML; an existing YAML is kept, so that its settings can be changed."""
    topics = _topics()
    _make_folder(folder)
    _write_rows(folder / "documents.jsonl", _documents(topics))
    kept, dropped = _questions(topics)
    _write_rows(folder / "questions.jsonl", kept)
    file = folder / "ragraft.yaml"
    if not file.exists():
        file.write_text(_text("demo.yaml"), encoding="utf-8")
    notes = []
    if dropped:
        names, number = ", ".join(dropped), len(kept) + len(dropped)
        lacks = f"Python {platform.python_version()}'s reference lacks their quotes"
        notes.append(f"{len(dropped)} of {number} questions left out: {lacks} ({names})")
    return Demo(file, tuple(notes))


def write_example(folder: Path) -> Path:
    """Write a commented ragraft.yaml for the user's own documents. Raises ConfigError where one exists."""
    file = folder / "ragraft.yaml"
    if file.exists():
        raise ConfigError(f"{file} exists already; remove it or give another folder")
    _make_folder(folder)
    file.write_text(_text("example.yaml"), encoding="utf-8")
    return file


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"Cannot make the folder {folder} ({error.strerror}); give another one") from None


def unwrap(text: str) -> str:
    """Join lines that were only broken to fit the width: the next line's first word would not have fitted."""
    joined: list[str] = []
    for _, block in itertools.groupby(map(str.rstrip, text.splitlines()), key=bool):
        joined += _unwrap_block(list(block))
    return "\n".join(joined).strip() + "\n"


def _unwrap_block(lines: Sequence[str]) -> list[str]:
    if any(_LITERAL.match(line) or (len(line) > WIDTH and " " in line.strip()) for line in lines):
        return list(lines)
    joined = [lines[0]]
    for above, line in itertools.pairwise(lines):
        if _was_wrapped(above, line):
            # Sphinx breaks after hyphens too; what it broke there was one word.
            joined[-1] += ("" if re.search(r"\w-$", above) else " ") + line.strip()
        else:
            joined.append(line)
    return joined


def _was_wrapped(above: str, below: str) -> bool:
    word, text = _WORD.match(below), _HANG.match(above)
    if not word or not text or not above or _RULE.match(above) or _RULE.match(below) or _ITEM.match(below):
        return False
    # The text of a list item goes on below itself, all other text at its own margin.
    margins = (len(above) - len(above.lstrip()), text.end())
    return len(below) - len(below.lstrip()) in margins and len(above) + 1 + len(word[1]) > WIDTH


def _topics() -> dict[str, str]:
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise ConfigError(
            "This Python carries no pydoc_data.topics (some distributions split it off); "
            "run the demo with another Python, or begin with your own documents: ragraft new DIR"
        ) from None
    return {str(name): str(text) for name, text in topics.items()}


def _documents(topics: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for name, text in sorted(topics.items()):
        yield {"id": name, "title": text.strip().splitlines()[0], "text": unwrap(text), "metadata": {}}


def _questions(topics: Mapping[str, str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Questions whose quotes all stand in this Python's topics, and the ids of the others."""
    squeezed = {name: "".join(text.split()) for name, text in sorted(topics.items())}
    kept, dropped = [], []
    for line in _text("questions.jsonl").splitlines():
        row = json.loads(line)
        quotes = ["".join(quote.split()) for quote in row["evidence"]]
        if all(any(quote in text for text in squeezed.values()) for quote in quotes):
            # Python 3.13 moved passages to other topics.
            holding = [name for name, text in squeezed.items() if any(quote in text for quote in quotes)]
            row["evidence_ids"] = [name for name in row["evidence_ids"] if name in holding] or holding
            kept.append(row)
        else:
            dropped.append(row["id"])
    return kept, dropped


def _write_rows(path: Path, rows: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def _text(name: str) -> str:
    return resources.files("ragraft.demo").joinpath(name).read_text(encoding="utf-8")
