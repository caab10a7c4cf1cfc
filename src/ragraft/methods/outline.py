"""Where headings, code, tables and paragraphs stand in a text, as offsets.

Knows the look of Markdown, reStructuredText and pydoc; knows no tokens and no chunks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ragraft.methods.sentences import trimmed

Kind = Literal["heading", "code", "literal", "table", "text"]

_ATX = re.compile(r" {0,3}#{1,6}[ \t]+(?P<name>\S.*?)(?:[ \t]+#+)?[ \t]*$")
_COMMENT = re.compile(r" {0,3}# ")
_SETTING = re.compile(r"\s*\[?[a-z_][\w.-]*(?::(?=\s|$)|\s*=\s*\S)")
_FRONT = re.compile(r"\s*(?:#|- |[\w.-]+:(?:\s|$))|\s+\S|$")
_RULE = re.compile(r"(?P<mark>[=*\-~^])(?P=mark){2,}$")
_FENCE = re.compile(r"\s*(?P<mark>`{3,}|~{3,})")
_GRID_ROW = re.compile(r"\s*(?:\||\+[-=+]+)")
_SIMPLE_TABLE = re.compile(r"\s*=+(?:[ \t]+=+)+\s*$")
_PROMPT = re.compile(r"\s*>>> ")
_NAMED = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of text that belongs together. Code and tables begin at the start of a line, indentation included."""

    kind: Kind
    start: int
    end: int
    name: str = ""
    """A heading's own words."""


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    text: str
    """Without the line end and what whitespace stands before it."""

    @property
    def indent(self) -> int:
        return len(self.text) - len(self.text.lstrip())


@dataclass(frozen=True, slots=True)
class _Found:
    kind: Kind
    past: int
    """The line after the block."""
    name: str = ""


def blocks(text: str) -> list[Block]:
    """The blocks of `text`, in order; only whitespace lies between them.

    Headings are Markdown's `#` lines and lines with a rule of `=`, `*`, `-`, `~` or `^` below of at least their length.
    `literal` is what stands indented below a line that ends in a colon (code in pydoc's and reStructuredText's hand),
    and settings with their comments: `#` lines one below the other, or straight above a setting, are no headings.
    """
    lines = _lines(text)
    found = []
    at = 0
    while at < len(lines):
        if not lines[at].text:
            at += 1
            continue
        block = _special(lines, at) or _literal(lines, at) or _paragraph(lines, at)
        last = lines[block.past - 1]
        start, end = trimmed(text, lines[at].start, last.start + len(last.text))
        whole_lines = block.kind in ("code", "literal", "table")
        found.append(Block(block.kind, lines[at].start if whole_lines else start, end, block.name))
        at = block.past
    return found


def _lines(text: str) -> list[_Line]:
    lines = []
    start = 0
    for line in text.splitlines(keepends=True):
        lines.append(_Line(start, line.rstrip()))
        start += len(line)
    return lines


def _special(lines: Sequence[_Line], at: int) -> _Found | None:
    """A block that also ends the paragraph above it."""
    return (
        _fenced(lines, at)
        or _front_matter(lines, at)
        or _settings(lines, at)
        or _heading(lines, at)
        or _table(lines, at)
    )


def _fenced(lines: Sequence[_Line], at: int) -> _Found | None:
    opening = _FENCE.match(lines[at].text)
    if opening is None or "`" in lines[at].text[opening.end() :]:
        return None
    for place in range(at + 1, len(lines)):
        closing = _FENCE.match(lines[place].text)
        if closing and closing["mark"].startswith(opening["mark"]) and closing.end() == len(lines[place].text):
            return _Found("code", place + 1)
    return _Found("code", _without_blank_end(lines, at, len(lines)))


def _front_matter(lines: Sequence[_Line], at: int) -> _Found | None:
    """YAML between rules at the very top, where a comment would look like a heading."""
    if at or lines[0].text != "---":
        return None
    end = next((p for p in range(1, len(lines)) if lines[p].text in ("---", "...")), 0)
    told = end and any(line.text for line in lines[1:end]) and all(_FRONT.match(line.text) for line in lines[1:end])
    return _Found("literal", end + 1) if told else None


def _settings(lines: Sequence[_Line], at: int) -> _Found | None:
    """Settings below their comment, down to a blank line."""
    if not _is_comment(lines, at):
        return None
    for past in range(at + 1, len(lines)):
        below = lines[past].text and not _fenced(lines, past)
        if not below or (_heading(lines, past) and not _is_comment(lines, past)):
            return _Found("literal", past)
    return _Found("literal", len(lines))


def _is_comment(lines: Sequence[_Line], at: int) -> bool:
    """Whether a `#` line goes on in the next one or comes from the one above, or says what the setting below means.

    Nobody writes two headings of the first level without a word between them.
    """
    if not _COMMENT.match(lines[at].text):
        return False
    beside = (lines[place].text for place in (at - 1, at + 1) if 0 <= place < len(lines))
    under = lines[at + 1].text if at + 1 < len(lines) else ""
    return any(map(_COMMENT.match, beside)) or bool(_SETTING.match(under))


def _heading(lines: Sequence[_Line], at: int) -> _Found | None:
    atx = _ATX.match(lines[at].text)
    if atx:
        return _Found("heading", at + 1, atx["name"])
    if _RULE.match(lines[at].text) and at + 1 < len(lines):
        framed = _underlined(lines, at + 1)
        return _Found("heading", at + 3, framed) if framed and lines[at + 2].text == lines[at].text else None
    name = _underlined(lines, at)
    return _Found("heading", at + 2, name) if name else None


def _underlined(lines: Sequence[_Line], at: int) -> str | None:
    name = lines[at].text
    if at + 1 == len(lines) or not _NAMED.search(name) or _GRID_ROW.match(name):
        return None
    rule = lines[at + 1].text
    return name.strip() if _RULE.match(rule) and len(rule) >= len(name.strip()) else None


def _table(lines: Sequence[_Line], at: int) -> _Found | None:
    if _SIMPLE_TABLE.match(lines[at].text):
        rows = (place for place in range(at, len(lines)) if not lines[place].text)
    elif _GRID_ROW.match(lines[at].text):
        rows = (place for place in range(at, len(lines)) if not _GRID_ROW.match(lines[place].text))
    else:
        return None
    return _Found("table", next(rows, len(lines)))


def _literal(lines: Sequence[_Line], at: int) -> _Found | None:
    if _PROMPT.match(lines[at].text):
        return _Found("literal", next((p for p in range(at, len(lines)) if not lines[p].text), len(lines)))
    above = next((lines[p] for p in range(at - 1, -1, -1) if lines[p].text), None)
    indent = lines[at].indent
    if above is None or not above.text.endswith(":") or indent < above.indent + 2 or lines[at - 1].text:
        return None
    past = next((p for p in range(at, len(lines)) if lines[p].text and lines[p].indent < indent), len(lines))
    return _Found("literal", _without_blank_end(lines, at, past))


def _paragraph(lines: Sequence[_Line], at: int) -> _Found:
    ends = (place for place in range(at + 1, len(lines)) if not lines[place].text or _special(lines, place))
    return _Found("text", next(ends, len(lines)))


def _without_blank_end(lines: Sequence[_Line], at: int, past: int) -> int:
    while past > at + 1 and not lines[past - 1].text:
        past -= 1
    return past
