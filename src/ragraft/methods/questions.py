"""Read question rows, of JSON lines or of a table. Knows the row's form; knows neither files on disk nor documents."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from itertools import chain
from typing import Any, Never

from ragraft.records import Question, Rejected

_KNOWN = tuple(field.name for field in fields(Question))
_IDS = frozenset({"evidence_ids", "contexts"})
_LISTS = ("answers", "evidence_ids", "evidence", "options", "contexts")
NONE_HELD = "write [] where the documents hold none"
_SEPARATORS = ",;\t"


@dataclass(frozen=True, slots=True)
class QuestionRows:
    """What a file of questions held."""

    questions: list[Question]
    rejected: list[Rejected]
    """Lines that are no question, each with its reason and line number."""
    unknown: dict[str, int]
    """Keys that ragraft does not know and the number of rows that have them; kept in those rows' metadata."""


def read_questions(lines: Iterable[str], *, origin: str) -> QuestionRows:
    """Parse one question a line (blank lines apart); a bad line is a Rejected whose detail is its line number.

    `answers` must be there (an empty list says that the documents hold no answer); `answers`, `evidence`,
    `evidence_ids`, `options` and `contexts` may be a string or a list; ids may be integers. `origin`, the file's
    name, stands for the id of a row that has none.
    """
    rows = ((number, partial(_object, line)) for number, line in enumerate(lines, start=1) if line.strip())
    return _gathered(rows, origin)


def read_table(lines: Iterable[str], *, origin: str) -> QuestionRows:
    """Parse a table whose first line names its columns, like the keys of `read_questions`, in any order.

    The separator is the comma, semicolon or tab that the first line has most of. An empty cell is a key left out; a
    list is written as JSON. Without a column `id` rows are `q1`, `q2` … Raises ValueError without a column `question`.
    """
    lines = iter(lines)
    first = next(lines, "")
    cells = csv.reader(chain([first], lines), delimiter=max(_SEPARATORS, key=first.count))
    names = [name.strip() for name in next(cells, [])]
    if "question" not in names:
        raise ValueError("its first line names no column question")
    rows = ((cells.line_num, partial(_row, names, row, number)) for number, row in _filled(cells))
    return _gathered(rows, origin)


def _filled(rows: Iterable[list[str]]) -> Iterator[tuple[int, list[str]]]:
    return enumerate((row for row in rows if any(cell.strip() for cell in row)), start=1)


def _row(names: Sequence[str], cells: Sequence[str], number: int) -> dict[str, Any]:
    if any(cell.strip() for cell in cells[len(names) :]):
        raise ValueError(f"{len(cells)} cells, and the first line names {len(names)}; put text into quotation marks")
    row: dict[str, Any] = {} if "id" in names else {"id": f"q{number}"}
    pairs = [(name, _cell(cell)) for name, cell in zip(names, cells, strict=False) if name and cell.strip()]
    return row | _each_once(pairs)


def _cell(text: str) -> Any:
    """A JSON list where it is one, else the text."""
    if not text.lstrip().startswith("["):
        return text
    try:
        return json.loads(text, parse_constant=_refuse)
    except ValueError:
        return text


def _gathered(rows: Iterable[tuple[int, Callable[[], dict[str, Any]]]], origin: str) -> QuestionRows:
    """The rows that can be parsed and are questions; each comes with its line's number."""
    questions: list[Question] = []
    rejected: list[Rejected] = []
    unknown: Counter[str] = Counter()
    first: dict[str, int] = {}
    for number, parse in rows:
        where = f"line {number}"
        try:
            row = parse()
            question = _question(row)
        except ValueError as error:
            rejected.append(Rejected(f"{origin}, {where}", str(error), where))
            continue
        if question.id in first:
            rejected.append(Rejected(question.id, f"id stands on line {first[question.id]} already", where))
            continue
        first[question.id] = number
        unknown.update(key for key in row if key not in _KNOWN)
        questions.append(question)
    return QuestionRows(questions, rejected, dict(sorted(unknown.items())))


def _object(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line.rstrip(), parse_constant=_refuse, object_pairs_hook=_each_once)
    except json.JSONDecodeError as error:
        raise ValueError(f"broken JSON ({error.msg} at column {error.colno})") from None
    except RecursionError:
        raise ValueError("JSON nested too deep") from None
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    try:
        json.dumps(row, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("half a surrogate pair, which no file can store") from None
    return row


def _refuse(constant: str) -> Never:
    raise ValueError(f"{constant} is no JSON number")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise ValueError(f"{twice} stands twice")
    return found


def _question(row: Mapping[str, Any]) -> Question:
    metadata = row.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise ValueError("metadata is not an object")
    if row.get("answers") is None:
        raise ValueError(f"no answers ({'rename answer to answers' if 'answer' in row else NONE_HELD})")
    lists = {key: _strings(row, key) for key in _LISTS}
    # The default of an option can be nothing at all: an empty string may stand beside another way to write it.
    if lists["answers"] and not any(answer.strip() for answer in lists["answers"]):
        raise ValueError("answers holds nothing but empty strings")
    extra = {key: value for key, value in row.items() if key not in _KNOWN}
    return Question(
        id=_required(row, "id"),
        question=_required(row, "question"),
        metadata={**extra, **metadata},
        long_answer=_text(row, "long_answer"),
        type=_text(row, "type"),
        answers=lists["answers"],
        evidence_ids=lists["evidence_ids"],
        evidence=lists["evidence"],
        options=lists["options"],
        contexts=lists["contexts"],
    )


def _required(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if value is None:
        raise ValueError(f"no {key}")
    if key == "id" and _is_integer(value):
        return str(value)
    if not isinstance(value, str):
        raise ValueError(f"{key} is not a string")
    if not value.strip():
        raise ValueError(f"{key} is empty")
    return value


def _text(row: Mapping[str, Any], key: str) -> str | None:
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{key} is not a string")
    return value


def _strings(row: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = row.get(key)
    if value is None:
        return ()
    values = value if isinstance(value, list) else [value]
    found = [str(item) if key in _IDS and _is_integer(item) else item for item in values]
    if not all(isinstance(item, str) for item in found):
        raise ValueError(f"{key} is not a string or a list of strings")
    if key != "answers" and not all(item.strip() for item in found):
        raise ValueError(f"{key} holds an empty string")
    return tuple(found)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
