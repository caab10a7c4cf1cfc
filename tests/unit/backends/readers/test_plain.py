"""Plain text stays verbatim; its title is an underlined line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragraft.backends.readers.plain import PlainReader
from ragraft.errors import InputError
from ragraft.records import Document


def read(tmp_path: Path, data: bytes) -> Document:
    path = tmp_path / "stem.rst"
    path.write_bytes(data)
    (row,) = PlainReader().read(path)
    assert isinstance(row, Document)
    return row


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Pumps\n*****\n\nText.", "Pumps"),
        (".. _label:\n\n=====\nPumps\n=====\n\nText.", "Pumps"),
        ("Pumps \r\n-----\r\n", "Pumps"),
        ("A long first line\n---\n\nPumps\n=====\n", "Pumps"),
        ("Name   Size\n=====  =====\npump   3\n", "stem"),
        ("-----\n-----\n", "stem"),
        ("Only text.\nAnd more.", "stem"),
    ],
)
def test_title(tmp_path: Path, text: str, title: str) -> None:
    assert read(tmp_path, text.encode()).title == title


def test_guessed_encoding_is_in_the_metadata(tmp_path: Path) -> None:
    row = read(tmp_path, "Die Größe häufig überschritten".encode("cp1252"))
    assert row.text == "Die Größe häufig überschritten"
    assert row.metadata == {"encoding_guess": "cp1252"}


def test_removed_controls_are_counted_in_the_metadata(tmp_path: Path) -> None:
    row = read(tmp_path, b"A log line with \x1b[31mcolour\x1b[0m and enough of other text around the two of them")
    assert row.metadata == {"control_characters_removed": 2}


def test_binary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^binary data"):
        read(tmp_path, b"\x7fELF\x02\x01\x01" + bytes(40))
