"""Files of questions: which form is read, and what is refused."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from ragraft.errors import ConfigError, InputError
from ragraft.methods.question_files import read_question_file, refuse_table


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("q.jsonl", '{"id": "q1", "question": "Größe?", "answers": ["5 m"]}\r\n'),
        ("q.csv", "question,answers\r\nGröße?,5 m\r\n"),
        ("q.TSV", "question\tanswers\nGröße?\t5 m\n"),
    ],
)
def test_the_name_tells_the_form_and_a_mark_of_windows_is_passed_over(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / name
    file.write_bytes(b"\xef\xbb\xbf" + text.encode("utf-8"))
    found = read_question_file(file)
    assert found.rejected == []
    assert [(one.id, one.question, one.answers) for one in found.questions] == [("q1", "Größe?", ("5 m",))]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is no table of questions: its first line names no column question; name columns such as"),
        (b"Why?,so\n", "is no table of questions: its first line names no column question"),
        (b"question,answers\n" + b"x" * (csv.field_size_limit() + 1) + b",so\n", "is no table of questions: field"),
        ("question,answers\nGröße?,5 m\n".encode("latin-1"), "is not UTF-8 .* save it as UTF-8"),
    ],
)
def test_a_table_that_is_none_is_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    file = tmp_path / "q.csv"
    file.write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        read_question_file(file)


def test_no_questions_are_written_under_a_tables_name() -> None:
    refuse_table(Path("candidates.jsonl"))
    with pytest.raises(ConfigError, match=r"csv: questions are written as JSON lines; name .* candidates.js"):
        refuse_table(Path("candidates.csv"))
