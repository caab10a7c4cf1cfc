"""The Reader contract over every built-in adapter."""

from __future__ import annotations

import json
from pathlib import Path

import docx
import pytest

from ragraft.backends.readers.docx import DocxReader
from ragraft.backends.readers.html import HtmlReader
from ragraft.backends.readers.jsonl import JsonlReader
from ragraft.backends.readers.markdown import MarkdownReader
from ragraft.backends.readers.pdf import PdfReader
from ragraft.backends.readers.plain import PlainReader
from ragraft.ports import Reader
from ragraft.testing.reader import ReaderContract

PDF = b"""%PDF-1.4
1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj
2 0 obj <</Type/Pages/Count 1/Kids[3 0 R]>> endobj
3 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Resources<</Font<</F 4 0 R>>>>/Contents 5 0 R>> endobj
4 0 obj <</Type/Font/Subtype/Type1/BaseFont/Helvetica>> endobj
5 0 obj <</Length 34>>stream
BT /F 12 Tf (Pumps need oil.) Tj ET
endstream endobj
trailer <</Root 1 0 R>>
startxref
0
%%EOF
"""
TEXT = b"\xef\xbb\xbfPumps\r\n=====\r\n\r\nThey need\x00 oil, and somebody who looks after them once a week.\x1b\r"


class TestMarkdown(ReaderContract):
    @pytest.fixture
    def reader(self) -> Reader:
        return MarkdownReader()

    @pytest.fixture
    def sample(self, tmp_path: Path) -> Path:
        return _file(tmp_path / "pump.md", TEXT)


class TestPlain(ReaderContract):
    @pytest.fixture
    def reader(self) -> Reader:
        return PlainReader()

    @pytest.fixture
    def sample(self, tmp_path: Path) -> Path:
        return _file(tmp_path / "pump.txt", TEXT)


class TestHtml(ReaderContract):
    @pytest.fixture
    def reader(self) -> Reader:
        return HtmlReader()

    @pytest.fixture
    def sample(self, tmp_path: Path) -> Path:
        return _file(tmp_path / "pump.html", b"<title>Pumps</title>\r\n<p>They need\x00 oil&#27;.\r\n<p>Often.")


class TestPdf(ReaderContract):
    @pytest.fixture
    def reader(self) -> Reader:
        return PdfReader()

    @pytest.fixture
    def sample(self, tmp_path: Path) -> Path:
        return _file(tmp_path / "pump.pdf", PDF)


class TestDocx(ReaderContract):
    @pytest.fixture
    def reader(self) -> Reader:
        return DocxReader()

    @pytest.fixture
    def sample(self, tmp_path: Path) -> Path:
        word = docx.Document()
        word.add_heading("Pumps", 1)
        word.add_paragraph("They need oil.")
        word.save(str(tmp_path / "pump.docx"))
        return tmp_path / "pump.docx"


class TestJsonl(ReaderContract):
    @pytest.fixture
    def reader(self) -> Reader:
        return JsonlReader()

    @pytest.fixture
    def sample(self, tmp_path: Path) -> Path:
        rows = [{"id": "a", "text": "They\r\nneed\x00 oil \ud800."}, {"id": "b", "title": "B\n", "text": "Often."}]
        return _file(tmp_path / "pumps.jsonl", "\n".join(map(json.dumps, rows)).encode())


def _file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
