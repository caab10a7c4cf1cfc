"""HTML: the main text as Markdown, or the whole page."""

from __future__ import annotations

from pathlib import Path

import pytest
import trafilatura

from ragraft.backends.readers.html import HtmlReader
from ragraft.errors import InputError
from ragraft.records import Document

PAGE = """<!doctype html><html><head><title>Install - Acme</title><style>p {}</style></head><body>
<nav><a href="/">Home</a> <a href="/x">Products and services</a></nav>
<main><h1>Install</h1><p>Run the <b>installer</b> now. It takes two minutes on most machines, without an account.</p>
<h2>Options</h2><table><tr><th>Flag</th><th>Meaning</th></tr><tr><td>-v</td><td>verbose</td></tr></table>
<p>The second paragraph says what happens afterwards, and how to undo what the installer has done.</p></main>
<footer>Copyright Acme</footer><script>track()</script></body></html>"""


def read(tmp_path: Path, page: str | bytes) -> Document:
    path = tmp_path / "stem.html"
    path.write_bytes(page if isinstance(page, bytes) else page.encode())
    (row,) = HtmlReader().read(path)
    assert isinstance(row, Document)
    return row


def test_main_text_as_markdown_without_menus(tmp_path: Path) -> None:
    row = read(tmp_path, PAGE)
    assert row.title == "Install - Acme"
    assert row.text.startswith("# Install\n")
    assert "## Options" in row.text
    assert "| -v | verbose |" in row.text
    assert not any(word in row.text for word in ("Products", "Copyright", "track()"))
    assert row.metadata["extraction"] == "main text"
    assert 0.5 < row.metadata["share_of_page"] <= 1


def test_whole_page_where_no_main_text_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trafilatura, "extract", lambda *_, **__: None)
    page = (
        "<body><h1>Big\n pump</h1><p>It\nis <b>very</b>\n<i>big</i>.<!-- no --><ul><li>one<li>two</ul><pre>a\n  b</pre>"
    )
    row = read(tmp_path, page + "<script>no()</script>")
    assert row.title == "Big pump"
    assert row.text == "Big pump\nIt is very big.\none\ntwo\na\n  b"
    assert row.metadata == {"extraction": "whole page"}


def test_title_falls_back_to_the_stem(tmp_path: Path) -> None:
    assert read(tmp_path, "<title> </title><p>Pumps need oil.</p>").title == "stem"


@pytest.mark.parametrize("head", ['<meta charset="windows-1250">', '<?xml version="1.0" encoding="windows-1250"?>'])
def test_declared_encoding_is_used(tmp_path: Path, head: str) -> None:
    row = read(tmp_path, f"{head}<p>Zażółć gęślą jaźń, powiedział.</p>".encode("cp1250"))
    assert "Zażółć gęślą jaźń" in row.text
    assert row.metadata["encoding"] == "windows-1250"


def test_utf8_comes_before_a_wrong_declaration(tmp_path: Path) -> None:
    row = read(tmp_path, '<meta charset="latin-1"><p>Die Größe der Pumpe.</p>')
    assert "Größe" in row.text
    assert "encoding" not in row.metadata


def test_page_without_words_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^holds no text$"):
        read(tmp_path, "<html><head><title>Only a title</title></head><body><script>x()</script></body></html>")


def test_failing_parser_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> str:
        raise ValueError("too deep")

    monkeypatch.setattr(trafilatura, "extract", fail)
    with pytest.raises(InputError, match=r"^not readable as HTML: ValueError: too deep$"):
        read(tmp_path, PAGE)
