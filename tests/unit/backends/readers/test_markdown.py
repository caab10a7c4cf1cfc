"""Markdown stays verbatim; only its title is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragraft.backends.readers.markdown import MarkdownReader
from ragraft.records import Document


def read(tmp_path: Path, text: str) -> Document:
    path = tmp_path / "stem.md"
    path.write_bytes(text.encode())
    (row,) = MarkdownReader().read(path)
    assert isinstance(row, Document)
    return row


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# Pumps\n\nText.", "Pumps"),
        ("Preface.\n\n## Pumps ##\n", "Pumps"),
        ("Pumps\nand fans\n===\n", "Pumps and fans"),
        ("```\n# no heading\n```\n# Pumps", "Pumps"),
        ("# The `pump` *set* [here](x)<a name=y></a>", "The pump set here"),
        ("#\n\n# Pumps", "Pumps"),
        ("---\ntitle: 'Pumps: all'\ndate: 2024\n---\n# Other", "Pumps: all"),
        ("---\r\ndate: 2024\r\n---\r\n# Pumps", "Pumps"),
        ("---\ntitle: 3\n---\n# Pumps", "Pumps"),
        ("---\n# Pumps\n---\n# Other", "Pumps"),
        ("---\na: [\n---\n# Pumps", "a: ["),
        ("---\nday: 2024-99-99\n---\n# Pumps", "day: 2024-99-99"),
        ("Only text.", "stem"),
    ],
)
def test_title(tmp_path: Path, text: str, title: str) -> None:
    assert read(tmp_path, text).title == title


def test_text_is_verbatim_but_for_line_ends(tmp_path: Path) -> None:
    text = "---\r\ntitle: P\r\n---\r\n# A  \r\n\r\n\t* b \u00a0| c\r\n"
    assert read(tmp_path, text).text == text.replace("\r\n", "\n")
