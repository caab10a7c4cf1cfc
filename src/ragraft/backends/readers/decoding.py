"""Bytes to clean text, alike for all readers. Knows encodings; knows no file format."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ragraft.errors import InputError
from ragraft.records import Document

# UTF-32 stands first: its little-endian mark begins with UTF-16's.
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# The Web's own list: outside of it charset-normalizer guesses EBCDIC and Urdu for a short German text.
GUESSABLE = (
    "cp1252",
    "cp1250",
    "cp1251",
    "cp1253",
    "cp1254",
    "cp1255",
    "cp1256",
    "cp1257",
    "cp1258",
    "cp866",
    "cp874",
    "cp932",
    "cp949",
    "big5",
    "euc_jp",
    "gb18030",
    "iso2022_jp",
    "iso8859_2",
    "iso8859_5",
    "iso8859_6",
    "iso8859_7",
    "iso8859_8",
    "koi8_r",
    "koi8_u",
    "utf_16",
    "utf_16_le",
    "utf_16_be",
)
LINE_ENDS = re.compile(r"\r\n|[\r\v\f]")
CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f]")
SURROGATES = re.compile(r"[\ud800-\udfff]")
BINARY = 0.05
"""A text with a larger share of control characters is none. Logs with coloured lines have 2 or 3 %."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text, and what had to be done to it."""

    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def read_bytes(path: Path) -> bytes:
    """The file's bytes; InputError with the system's reason."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be opened: {error.strerror or type(error).__name__}") from None


def text_of(data: bytes, declared: str | None = None) -> Text:
    """The bytes decoded and cleaned."""
    decoded = decode(data, declared)
    cleaned = clean(decoded.text)
    return Text(cleaned.text, {**decoded.facts, **cleaned.facts})


def decode(data: bytes, declared: str | None = None) -> Text:
    """Decode by byte-order mark, else UTF-8, else the `declared` encoding, else a guess, which the facts name.

    Raises InputError when the bytes are no text.
    """
    for encoding, facts in _candidates(data, declared):
        text = _attempt(data, encoding)
        if text is not None and len(CONTROLS.findall(text)) <= BINARY * len(text):
            return Text(text, facts)
    raise InputError("binary data, not text in any known encoding")


def clean(text: str) -> Text:
    """Line ends as newlines, other control characters removed, lone surrogates replaced; the facts count the latter."""
    text, removed = CONTROLS.subn("", LINE_ENDS.sub("\n", text))
    text, replaced = SURROGATES.subn("\ufffd", text)
    counts = {"control_characters_removed": removed, "surrogates_replaced": replaced}
    return Text(text, {name: count for name, count in counts.items() if count})


def one_document(path: Path, title: str | None, text: str, facts: Mapping[str, Any]) -> Document:
    """The whole file as one document: cleaned, with its title or the file's stem. InputError when it holds no text."""
    cleaned = clean(text)
    if not cleaned.text.strip():
        raise InputError("holds no text")
    name = " ".join(clean(title or "").text.split()) or clean(path.stem).text
    return Document("", name, cleaned.text, {**facts, **cleaned.facts})


def _candidates(data: bytes, declared: str | None) -> Iterator[tuple[str, dict[str, str]]]:
    yield next((name for mark, name in MARKS if data.startswith(mark)), "utf-8"), {}
    if declared:
        yield declared, {"encoding": declared}
    guess = _guess(data)
    if guess:
        yield guess, {"encoding_guess": guess}


def _attempt(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (ValueError, LookupError):  # wrong bytes, or a declared encoding that is none
        return None


def _guess(data: bytes) -> str | None:
    from charset_normalizer import from_bytes

    matches = from_bytes(data, cp_isolation=list(GUESSABLE))
    best = matches.best()
    if best is None:
        return None
    # Western texts often fit several code pages equally well; the commonest is then the likeliest.
    equals = [m for m in matches if (m.chaos, m.coherence) == (best.chaos, best.coherence)]
    return "cp1252" if any("cp1252" in m.could_be_from_charset for m in equals) else best.encoding
