"""Word's DOCX: paragraphs, headings as `#` lines and tables as `a | b | c` rows, in document order.

Walks the XML itself, since python-docx passes over content controls and tracked insertions. Knows no layout.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragraft.backends.readers.decoding import one_document, read_bytes
from ragraft.errors import InputError
from ragraft.records import Document, Rejected

if TYPE_CHECKING:
    from docx.document import Document as Word

HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
SIGNS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
LEFT_OUT = {"footnoteReference": "footnotes", "endnoteReference": "endnotes", "txbx": "text_boxes"}


class DocxReader:
    """A DOCX as one document; its title is the core property, else the first heading, else the file's stem.

    Metadata count what the text leaves out, under `left_out`: footnotes, endnotes and text boxes.
    """

    suffixes = (".docx",)

    def read(self, path: Path) -> Iterator[Document | Rejected]:
        data = read_bytes(path)
        try:
            title, text, facts = _read(data)
        except Exception as error:  # zip, XML and python-docx's own errors, all of them about this one file
            raise InputError(f"not readable as DOCX (protected, damaged or an old .doc?): {error}") from error
        yield one_document(path, title, text, facts)


def _read(data: bytes) -> tuple[str | None, str, dict[str, Any]]:
    from docx import Document as open_word

    word = open_word(io.BytesIO(data))
    levels = _heading_levels(word)
    blocks = [block for block in _blocks(word.element.body, levels) if block.strip()]
    first = next((block.lstrip("#") for block in blocks if re.match("#+ ", block)), None)
    counts: dict[str, int] = {}
    for element in word.element.body.iter():
        name = LEFT_OUT.get(_name(element))
        if name:
            counts[name] = counts.get(name, 0) + 1
    return word.core_properties.title or first, "\n\n".join(blocks), {"left_out": counts} if counts else {}


def _heading_levels(word: Word) -> dict[str, int]:
    """Style id → heading level, also of styles that are derived from a heading."""
    levels = {}
    for style in word.styles:
        ancestor: Any = style
        while ancestor is not None:
            found = HEADING.fullmatch(ancestor.name or "")
            if found or ancestor.name == "Title":
                levels[style.style_id] = int(found[1]) if found else 1
                break
            ancestor = getattr(ancestor, "base_style", None)
    return levels


def _blocks(parent: Any, levels: dict[str, int]) -> Iterator[str]:
    for element in parent.iterchildren():
        name = _name(element)
        if name == "p":
            yield _paragraph(element, levels)
        elif name == "tbl":
            yield "\n".join(_rows(element))
        elif name in {"sdt", "sdtContent", "ins", "moveTo", "customXml"}:
            yield from _blocks(element, levels)


def _paragraph(element: Any, levels: dict[str, int]) -> str:
    text = _text(element)
    level = levels.get(element.style or "")
    # A heading with a line break in it is still one heading.
    return f"{'#' * level} {' '.join(text.split())}" if level and text.strip() else text


def _rows(table: Any) -> Iterator[str]:
    for row in table.iter("{*}tr"):
        if next(row.iterancestors("{*}tbl")) is table:
            cells = (cell for cell in row.iter("{*}tc") if next(cell.iterancestors("{*}tr")) is row)
            yield " | ".join(" ".join(" ".join(map(_text, cell.iter("{*}p"))).split()) for cell in cells)


def _text(paragraph: Any) -> str:
    parts = []
    for element in paragraph.iter():
        name = _name(element)
        # Tab stops are called `tab` too, and a text box lies, with its own paragraphs, in its anchor's.
        in_run = name in {"t", *SIGNS} and _name(element.getparent()) == "r"
        if in_run and next(element.iterancestors("{*}p", "{*}moveFrom")) is paragraph:
            parts.append(SIGNS.get(name) or element.text or "")
    return "".join(parts)


def _name(element: Any) -> str:
    """The tag without its namespace; comments and processing instructions have none."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
