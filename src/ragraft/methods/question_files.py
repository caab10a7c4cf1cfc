"""A user's file of questions, JSON lines or a table: read, or refused in one sentence. Knows no run and no setting."""

from __future__ import annotations

import csv
from pathlib import Path

from ragraft.errors import ConfigError, InputError
from ragraft.methods.questions import QuestionRows, read_questions, read_table

TABLES = (".csv", ".tsv")


def existing(path: Path) -> Path:
    """The path; raises InputError where no file is there."""
    if not path.is_file():
        raise InputError(f"No questions file {path}; correct questions: in the YAML")
    return path


def read_question_file(path: Path) -> QuestionRows:
    """The file's rows, broken ones apart. Raises InputError for a file that cannot be read at all."""
    read = read_table if path.suffix.lower() in TABLES else read_questions
    try:
        # Editors on Windows like to put a byte-order mark first.
        with existing(path).open(encoding="utf-8-sig") as lines:
            return read(lines, origin=path.name)
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from None
    except (ValueError, csv.Error) as error:
        raise InputError(f"{path} is no table of questions: {error}; name columns such as question, answers") from None


def refuse_table(path: Path) -> None:
    """Raise ConfigError for a table's name: questions are written as JSON lines."""
    if path.suffix.lower() in TABLES:
        raise ConfigError(f"{path}: questions are written as JSON lines; name the file {path.stem}.jsonl")
