"""JSONL, a document a line: {"id", "title", "text", "metadata"}. A broken line is that line's matter alone."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Never

from ragraft.backends.readers.decoding import clean
from ragraft.errors import InputError
from ragraft.records import Document, Rejected

FIELDS = ("id", "title", "text", "metadata")


class JsonlReader:
    """Rows as documents. Without a title a row is called by its id; keys beyond the four are kept in the metadata."""

    suffixes = (".jsonl", ".ndjson")

    def read(self, path: Path) -> Iterator[Document | Rejected]:
        try:
            with path.open("rb") as lines:
                for number, line in enumerate(lines, 1):
                    if line.strip():
                        yield _row(line.removeprefix(codecs.BOM_UTF8).strip(), number)
        except OSError as error:
            raise InputError(f"cannot be opened: {error.strerror or type(error).__name__}") from None


def _row(line: bytes, number: int) -> Document | Rejected:
    try:
        return _document(_object(line))
    except InputError as error:
        return Rejected(f"line {number}", str(error))


def _document(row: dict[str, Any]) -> Document:
    cleaned = clean(_string(row, "text"))
    if not cleaned.text.strip():
        raise InputError("text is empty")
    name = str(row["id"]) if type(row.get("id")) is int else _string(row, "id")
    if not name.strip():
        raise InputError("id is empty")
    title = _string(row, "title") if row.get("title") is not None else ""
    metadata = row.get("metadata")
    if not isinstance(metadata, dict | None):
        raise InputError("metadata is not an object")
    others = {key: value for key, value in row.items() if key not in FIELDS}
    title = " ".join(clean(title).text.split()) or name
    return Document(name, title, cleaned.text, {**others, **(metadata or {}), **cleaned.facts})


def _object(line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8"), parse_constant=_refuse)
    except UnicodeDecodeError:
        raise InputError("not UTF-8") from None
    except RecursionError:
        raise InputError("not JSON: nested too deep") from None
    except ValueError as error:
        raise InputError(f"not JSON: {error}") from None
    if not isinstance(row, dict):
        raise InputError("not an object with id and text")
    # Texts are cleaned, but ids and metadata must stay as they are, or be refused.
    try:
        rest = {key: value for key, value in row.items() if key not in {"text", "title"}}
        json.dumps(rest, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise InputError("id or metadata hold half a surrogate pair, which no file can store") from None
    return row


def _refuse(constant: str) -> Never:
    raise ValueError(f"{constant} is no JSON number")


def _string(row: dict[str, Any], key: str) -> str:
    if key not in row:
        raise InputError(f"no {key}")
    if not isinstance(row[key], str):
        raise InputError(f"{key} is not a string")
    return row[key]  # type: ignore[no-any-return]
