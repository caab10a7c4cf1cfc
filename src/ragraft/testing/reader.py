"""The laws of a Reader. Subclass ReaderContract and give it the fixtures `reader` and `sample`."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import pytest

from ragraft.errors import InputError
from ragraft.ports import Reader
from ragraft.records import Document, to_json

CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f]")


class ReaderContract:
    """Every adapter's tests: `reader` is the adapter, `sample` the path of a good file with a document or more."""

    def test_suffixes_are_lower_case_with_a_dot_and_fit_the_sample(self, reader: Reader, sample: Path) -> None:
        assert reader.suffixes
        assert all(re.fullmatch(r"\.[a-z0-9.]+", suffix) for suffix in reader.suffixes)
        assert sample.name.endswith(reader.suffixes)

    def test_good_file_yields_documents_with_title_and_text(self, reader: Reader, sample: Path) -> None:
        rows = list(reader.read(sample))
        assert rows
        for row in rows:
            assert isinstance(row, Document), row
            assert row.title.strip()
            assert row.text.strip()

    def test_empty_id_only_for_a_file_that_is_one_document(self, reader: Reader, sample: Path) -> None:
        ids = [row.id for row in reader.read(sample)]
        assert ids == [""] or all(ids)

    def test_texts_hold_no_control_characters(self, reader: Reader, sample: Path) -> None:
        for row in reader.read(sample):
            assert isinstance(row, Document)
            assert not CONTROLS.search(row.text + row.title)

    def test_rows_can_be_written(self, reader: Reader, sample: Path) -> None:
        for row in reader.read(sample):
            json.dumps(to_json(row), ensure_ascii=False, allow_nan=False).encode("utf-8")

    def test_reading_twice_gives_the_same(self, reader: Reader, sample: Path) -> None:
        assert list(reader.read(sample)) == list(reader.read(sample))

    def test_file_keeps_its_bytes(self, reader: Reader, sample: Path) -> None:
        before = sample.read_bytes()
        list(reader.read(sample))
        assert sample.read_bytes() == before

    def test_missing_file_is_an_input_error_without_the_path(self, reader: Reader, tmp_path: Path) -> None:
        with pytest.raises(InputError) as caught:
            list(reader.read(tmp_path / f"missing{reader.suffixes[0]}"))
        assert str(tmp_path) not in str(caught.value)

    @pytest.mark.parametrize("content", [b"", b" \n\n\t\n"], ids=["empty", "blank"])
    def test_file_without_text_gives_no_document(self, reader: Reader, tmp_path: Path, content: bytes) -> None:
        assert not _documents(reader, tmp_path, content)

    def test_binary_junk_gives_no_document(self, reader: Reader, tmp_path: Path) -> None:
        assert not _documents(reader, tmp_path, bytes(range(256)) * 8)


def _documents(reader: Reader, folder: Path, content: bytes) -> list[Document]:
    """What is left as documents; InputError and Rejected are the two ways to say no."""
    path = folder / f"poor{reader.suffixes[0]}"
    path.write_bytes(content)
    found: list[Document] = []
    with contextlib.suppress(InputError):
        found.extend(row for row in reader.read(path) if isinstance(row, Document))
    return found
