"""Bytes to text: nothing is lost but what the facts name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.backends.readers.decoding import clean, decode, one_document, read_bytes
from ragraft.errors import InputError

FRENCH = "Voilà une très légère forêt où l'été s'achève."


@given(st.text(st.characters(exclude_categories=("Cs", "Cc"))))
def test_utf8_comes_back_as_it_was(text: str) -> None:
    assert decode(text.encode()).text == text.removeprefix("\ufeff")
    assert clean(text).text == text
    assert not clean(text).facts


@given(st.text(st.characters()))
def test_cleaning_is_idempotent_and_counts_what_it_removes(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned.text).text == cleaned.text
    assert not clean(cleaned.text).facts
    lines = text.replace("\r\n", "\n")
    assert len(cleaned.text) == len(lines) - cleaned.facts.get("control_characters_removed", 0)
    cleaned.text.encode("utf-8")


def test_cleaning_by_example() -> None:
    cleaned = clean("a\r\nb\rc\fd\te\x00\x1bf\ud800")
    assert cleaned.text == "a\nb\nc\nd\tef\ufffd"
    assert cleaned.facts == {"control_characters_removed": 2, "surrogates_replaced": 1}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_mark_decides_and_needs_no_mention(encoding: str) -> None:
    decoded = decode(FRENCH.encode(encoding))
    assert (decoded.text, decoded.facts) == (FRENCH, {})


@pytest.mark.parametrize("text", [FRENCH, "Größe", "naïve café", "señor año", "“quoted” and more"])
def test_western_text_is_guessed_right_and_the_guess_is_said(text: str) -> None:
    decoded = decode(text.encode("cp1252"))
    assert decoded.text == text
    assert "encoding_guess" in decoded.facts


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Привет, это обычный текст на русском языке.", "cp1251"),
        ("日本語の文章をここに書きます。これはテストです。", "cp932"),
        ("안녕하세요 이것은 평범한 한국어 문장입니다", "cp949"),
        ("plain ascii without a mark", "utf_16_le"),
    ],
)
def test_other_encodings_are_guessed(text: str, encoding: str) -> None:
    decoded = decode(text.encode(encoding))
    assert (decoded.text, decoded.facts) == (text, {"encoding_guess": encoding})


def test_declared_encoding_comes_before_a_guess() -> None:
    decoded = decode("Größe".encode("cp1250"), "cp1250")
    assert (decoded.text, decoded.facts) == ("Größe", {"encoding": "cp1250"})


def test_unknown_declared_encoding_is_passed_over() -> None:
    assert decode("Größe".encode("cp1252"), "no-such-encoding").text == "Größe"


@pytest.mark.parametrize(
    "data", [bytes(range(256)) * 4, b"\x00\x01\x02\x03" * 50, b"text\x00\x00\x00\x00\x00\x01\x02\x03"]
)
def test_binary_data_is_no_text(data: bytes) -> None:
    with pytest.raises(InputError, match=r"^binary data, not text in any known encoding$"):
        decode(data)


def test_one_document_takes_the_stem_when_there_is_no_title() -> None:
    assert one_document(Path("x/pump manual.txt"), " \n", "Text.", {}).title == "pump manual"


def test_one_document_puts_a_title_on_one_line() -> None:
    assert one_document(Path("x.txt"), "Pump\r\n  manual\x00", "Text.", {}).title == "Pump manual"


def test_one_document_refuses_blank_text() -> None:
    with pytest.raises(InputError, match=r"^holds no text$"):
        one_document(Path("x.txt"), "Title", " \n\x00", {})


def test_unopenable_file_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^cannot be opened: "):
        read_bytes(tmp_path)
