"""DOCX: headings, tables and paragraphs, in document order, with what Word hides in wrappers."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import docx
import pytest
from docx.document import Document as Word
from docx.enum.style import WD_STYLE_TYPE
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from ragraft.backends.readers.docx import DocxReader
from ragraft.errors import InputError
from ragraft.records import Document


def read(tmp_path: Path, word: Word | bytes) -> Document:
    path = tmp_path / "stem.docx"
    if isinstance(word, bytes):
        path.write_bytes(word)
    else:
        word.save(str(path))
    (row,) = DocxReader().read(path)
    assert isinstance(row, Document)
    return row


def new() -> Word:
    word = docx.Document()
    word.core_properties.title = ""
    return word


def put(word: Word, xml: str) -> None:
    """Append an element to the body, before the section's properties."""
    body: Any = word.element.body
    body.insert(len(body) - 1, parse_xml(xml.replace(">", f" {nsdecls('w')}>", 1)))


def test_document_order_with_headings_and_tables(tmp_path: Path) -> None:
    word = new()
    word.add_heading("Pumps", 1)
    word.add_paragraph("Before.")
    table = word.add_table(2, 3)
    for place, text in enumerate(["a", "b\nb", "c", "d", "e", "f"]):
        table.cell(place // 3, place % 3).text = text
    word.add_heading("Care", 2)
    word.add_paragraph("After.\tEnd\nof it.")
    row = read(tmp_path, word)
    assert row.text == "# Pumps\n\nBefore.\n\na | b b | c\nd | e | f\n\n## Care\n\nAfter.\tEnd\nof it."
    assert row.title == "Pumps"
    assert row.metadata == {}


def test_core_property_is_the_title(tmp_path: Path) -> None:
    word = new()
    word.core_properties.title = "The Pump"
    word.add_heading("Other", 1)
    assert read(tmp_path, word).title == "The Pump"


def test_title_style_and_styles_derived_from_headings_are_headings(tmp_path: Path) -> None:
    word = new()
    style: Any = word.styles.add_style("Chapter", WD_STYLE_TYPE.PARAGRAPH)
    style.base_style = word.styles["Heading 3"]
    word.add_heading("Top", 0)
    word.add_paragraph("Derived", style="Chapter")
    word.add_paragraph("", style="Chapter")
    assert read(tmp_path, word).text == "# Top\n\n### Derived"


def test_stem_without_any_title(tmp_path: Path) -> None:
    word = new()
    word.add_paragraph("Text.")
    assert read(tmp_path, word).title == "stem"


def test_merged_and_nested_cells_are_said_once(tmp_path: Path) -> None:
    word = new()
    table = word.add_table(1, 3)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "wide"
    inner = table.cell(0, 2).add_table(1, 2)
    inner.cell(0, 0).text, inner.cell(0, 1).text = "x", "y"
    assert read(tmp_path, word).text == "wide | x y"


def test_content_controls_insertions_and_moves(tmp_path: Path) -> None:
    word = new()
    put(word, "<w:sdt><w:sdtContent><w:p><w:r><w:t>Controlled.</w:t></w:r></w:p></w:sdtContent></w:sdt>")
    put(word, "<w:p><w:pPr><w:tabs><w:tab w:val='left' w:pos='9'/></w:tabs></w:pPr><w:r><w:t>Now </w:t></w:r>"
        "<w:del w:id='1'><w:r><w:delText>old</w:delText></w:r></w:del>"
        "<w:ins w:id='2'><w:r><w:t>new</w:t></w:r></w:ins>"
        "<w:moveFrom w:id='3'><w:r><w:t>gone</w:t></w:r></w:moveFrom>"
        "<w:hyperlink><w:r><w:t>, linked</w:t></w:r></w:hyperlink></w:p>")  # fmt: skip
    assert read(tmp_path, word).text == "Controlled.\n\nNow new, linked"


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    word = new()
    put(
        word,
        "<w:p><w:r><w:t>Text.</w:t><w:footnoteReference w:id='1'/><w:footnoteReference w:id='2'/></w:r></w:p>",
    )
    row = read(tmp_path, word)
    assert row.text == "Text."
    assert row.metadata == {"left_out": {"footnotes": 2}}


def test_empty_document_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^holds no text$"):
        read(tmp_path, new())


def test_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^not readable as DOCX \(protected, damaged or an old .doc\?\): "):
        read(tmp_path, io.BytesIO(b"\xd0\xcf\x11\xe0 an old .doc").getvalue())
