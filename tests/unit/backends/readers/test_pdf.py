"""PDF: a text a page, and where each begins."""

from __future__ import annotations

import io
from pathlib import Path

import pypdf
import pytest

from ragraft.backends.readers.pdf import PdfReader
from ragraft.errors import InputError
from ragraft.records import Document


def make_pdf(*pages: str, title: str = "") -> bytes:
    kids = " ".join(f"{10 + number} 0 R" for number in range(len(pages)))
    objects = {
        1: "<</Type/Catalog/Pages 2 0 R>>",
        2: f"<</Type/Pages/Count {len(pages)}/Kids[{kids}]>>",
        3: "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        4: f"<</Title({title})>>",
    }
    for number, text in enumerate(pages):
        stream = f"BT /F 12 Tf 72 700 Td ({text}) Tj ET"
        fonts = "/MediaBox[0 0 612 792]/Resources<</Font<</F 3 0 R>>>>"
        objects[10 + number] = f"<</Type/Page/Parent 2 0 R{fonts}/Contents {50 + number} 0 R>>"
        objects[50 + number] = f"<</Length {len(stream)}>>stream\n{stream}\nendstream"
    body = "".join(f"{number} 0 obj\n{content}\nendobj\n" for number, content in objects.items())
    return f"%PDF-1.4\n{body}trailer\n<</Size 99/Root 1 0 R/Info 4 0 R>>\nstartxref\n0\n%%EOF\n".encode("latin-1")


def encrypt(pdf: bytes, password: str) -> bytes:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf))
    writer.encrypt(password, "owner", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def read(tmp_path: Path, data: bytes) -> Document:
    path = tmp_path / "stem.pdf"
    path.write_bytes(data)
    (row,) = PdfReader().read(path)
    assert isinstance(row, Document)
    return row


def test_pages_are_joined_and_their_starts_are_offsets(tmp_path: Path) -> None:
    row = read(tmp_path, make_pdf("First page.", "", "Third page.", title="The Pump"))
    assert row.title == "The Pump"
    assert row.metadata["pages"] == 3
    assert row.metadata["pages_without_text"] == [2]
    first, _, third = row.metadata["page_starts"]
    assert row.text[first:].startswith("First page.")
    assert row.text[third:] == "Third page."


def test_offsets_hold_after_cleaning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pypdf.PageObject, "extract_text", lambda _: "a\r\nb\x00\ud800")
    row = read(tmp_path, make_pdf("x", "x"))
    assert row.text == "a\nb\ufffd\n\na\nb\ufffd"
    assert row.metadata == {
        "pages": 2,
        "page_starts": [0, 6],
        "control_characters_removed": 2,
        "surrogates_replaced": 2,
    }


def test_title_falls_back_to_the_stem(tmp_path: Path) -> None:
    assert read(tmp_path, make_pdf("Text.")).title == "stem"


def test_scanned_pages_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^no text on any of its 2 pages \(scanned\?\): run OCR on it first$"):
        read(tmp_path, make_pdf("", " "))


def test_password_is_asked_to_be_taken_off(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^encrypted: save it without a password$"):
        read(tmp_path, encrypt(make_pdf("Secret."), "pass"))


def test_empty_password_is_no_obstacle(tmp_path: Path) -> None:
    assert "Open." in read(tmp_path, encrypt(make_pdf("Open."), "")).text


def test_damaged_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^not readable as PDF: PdfReadError: "):
        read(tmp_path, b"%PDF-1.4\nnothing\n%%EOF")
