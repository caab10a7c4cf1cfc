"""Markdown, verbatim. Knows where the title stands; leaves headings to those who cut chunks."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ragraft.backends.readers.decoding import one_document, read_bytes, text_of
from ragraft.records import Document, Rejected

FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?P<yaml>.*?)^(?:---|\.\.\.)[ \t]*$", re.MULTILINE | re.DOTALL)
BREAKS = ("softbreak", "hardbreak")


class MarkdownReader:
    """A Markdown file as one document; its title is the front matter's, else the first heading, else the stem."""

    suffixes = (".md", ".markdown")

    def read(self, path: Path) -> Iterator[Document | Rejected]:
        found = text_of(read_bytes(path))
        yield one_document(path, _title(found.text), found.text, found.facts)


def _title(text: str) -> str | None:
    found = FRONT_MATTER.match(text)
    front = _front_matter(found["yaml"]) if found else None
    if found is None or front is None:
        return _first_heading(text)
    declared = front.get("title")
    # Read as Markdown, the front matter's last line would itself be a heading.
    return declared if declared and isinstance(declared, str) else _first_heading(text[found.end() :])


def _front_matter(text: str) -> dict[Any, Any] | None:
    """The mapping between the rules; None when they are rules and no front matter."""
    import yaml

    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):  # an impossible date is a bare ValueError
        return None
    return data if isinstance(data, dict) else None


def _first_heading(text: str) -> str | None:
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").parse(text)
    for opening, inline in itertools.pairwise(tokens):
        if opening.type == "heading_open":
            parts = [part for part in inline.children or [] if part.type != "html_inline"]
            words = "".join(" " if part.type in BREAKS else part.content for part in parts)
            if words.strip():
                return words
    return None
