"""JSONL: rows are documents; a broken line spoils no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.backends.readers.jsonl import JsonlReader
from ragraft.records import Document, Rejected, to_json

GOOD = '{"id": "good", "text": "Pumps need oil."}'


def read(tmp_path: Path, data: bytes) -> list[Document | Rejected]:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(data)
    return list(JsonlReader().read(path))


def read_row(tmp_path: Path, row: Any) -> Document | Rejected:
    (found,) = read(tmp_path, json.dumps(row).encode())
    return found


def test_full_row(tmp_path: Path) -> None:
    row = {"id": "a", "title": "T", "text": "Text.", "metadata": {"n": 1}}
    found = read_row(tmp_path, row)
    assert isinstance(found, Document)
    assert to_json(found) == row


def test_missing_title_is_the_id_and_other_keys_are_metadata(tmp_path: Path) -> None:
    found = read_row(tmp_path, {"id": 7, "title": None, "text": "A\r\nB\x00", "url": "u", "metadata": {"n": 1}})
    assert found == Document("7", "7", "A\nB", {"url": "u", "n": 1, "control_characters_removed": 1})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (b'{"id": "a", "text": "t", "metadata": {"x": NaN}}', "not JSON: NaN is no JSON number"),
        (b"[" * 100_000, "not JSON: nested too deep"),
        (b'{"id": "a", "text": "\xff"}', "not UTF-8"),
        (b'["a"]', "not an object with id and text"),
        (b'{"text": "t"}', "no id"),
        (b'{"id": "a"}', "no text"),
        (b'{"id": 1.5, "text": "t"}', "id is not a string"),
        (b'{"id": true, "text": "t"}', "id is not a string"),
        (b'{"id": " ", "text": "t"}', "id is empty"),
        (b'{"id": "a", "text": null}', "text is not a string"),
        (b'{"id": "a", "text": " \\n"}', "text is empty"),
        (b'{"id": "a", "text": "t", "title": 3}', "title is not a string"),
        (b'{"id": "a", "text": "t", "metadata": []}', "metadata is not an object"),
        (b'{"id": "\\ud800", "text": "t"}', "id or metadata hold half a surrogate pair, which no file can store"),
    ],
)
def test_bad_line_is_rejected_with_its_number_and_reason(tmp_path: Path, line: bytes, reason: str) -> None:
    found = read(tmp_path, b"\xef\xbb\xbf" + GOOD.encode() + b"\r\n\n" + line + b"\n" + GOOD.encode())
    good = Document("good", "good", "Pumps need oil.")
    assert found == [good, Rejected("line 3", reason), good]


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), max_size=5))
def test_every_row_is_a_document_or_rejected(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    lines = "\n".join(json.dumps({"id": name, "text": text}, ensure_ascii=True) for name, text in rows)
    assert len(read(tmp_path_factory.mktemp("rows"), lines.encode())) == len(rows)
