"""Question rows: what is read, what is refused and why."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.questions import QuestionRows, read_questions, read_table
from ragraft.records import Question, Rejected, to_json

WORDING = st.text(min_size=1).filter(lambda text: bool(text.strip()))


def read(*rows: Any) -> QuestionRows:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    return read_questions(lines, origin="q.jsonl")


def row(**changes: Any) -> dict[str, Any]:
    return {"id": "a", "question": "Why?", "answers": ["so"], **changes}


def test_a_full_row_is_read_whole() -> None:
    found = read(
        row(
            evidence_ids=["d1", 2],
            evidence="It is so.",
            long_answer="It is so because.",
            type="span",
            options=["yes", "no"],
            contexts=["d1"],
            metadata={"level": 1},
        )
    )
    assert found.questions == [
        Question(
            "a", "Why?", ("so",), ("d1", "2"), ("It is so.",), "It is so because.", "span", ("yes", "no"), ("d1",),
            {"level": 1},
        )
    ]  # fmt: skip
    assert found.rejected == []
    assert found.unknown == {}


def test_strings_stand_for_lists_of_one_and_integers_for_ids() -> None:
    found = read(row(id=7, answers="so", evidence_ids=3, evidence="quote"))
    assert found.questions == [Question("7", "Why?", ("so",), ("3",), ("quote",))]


def test_no_answers_is_unanswerable_and_an_empty_answer_may_stand_beside_another() -> None:
    found = read(row(answers=[]), row(id="b", answers=['""', ""]))
    assert [question.answers for question in found.questions] == [(), ('""', "")]
    assert not found.questions[0].answerable


def test_blank_lines_are_no_rows_but_count_as_lines() -> None:
    assert read("", "  ", row(), "{").rejected[0].detail == "line 4"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("{", "broken JSON (Expecting property name enclosed in double quotes at column 2)"),
        ("[]", "not a JSON object"),
        (row(id=None), "no id"),
        (row(id=True), "id is not a string"),
        (row(id=" "), "id is empty"),
        (row(question=None), "no question"),
        (row(question=["Why?"]), "question is not a string"),
        (row(question=""), "question is empty"),
        ({"id": "a", "question": "Why?"}, "no answers (write [] where the documents hold none)"),
        (row(answers=[1]), "answers is not a string or a list of strings"),
        (row(answers={"text": "so"}), "answers is not a string or a list of strings"),
        (row(answers=["", " "]), "answers holds nothing but empty strings"),
        (row(evidence_ids=[1.5]), "evidence_ids is not a string or a list of strings"),
        (row(evidence=[""]), "evidence holds an empty string"),
        (row(options=[1]), "options is not a string or a list of strings"),
        (row(contexts=[{}]), "contexts is not a string or a list of strings"),
        (row(type=3), "type is not a string"),
        (row(long_answer=["so"]), "long_answer is not a string"),
        (row(metadata=["so"]), "metadata is not an object"),
    ],
)
def test_a_bad_line_is_rejected_with_its_reason_and_number(bad: Any, reason: str) -> None:
    found = read(row(id="good"), bad)
    assert [question.id for question in found.questions] == ["good"]
    assert found.rejected == [Rejected("q.jsonl, line 2", reason, "line 2")]


def test_a_second_row_of_an_id_is_rejected() -> None:
    found = read(row(), row(question="How?"))
    assert [question.question for question in found.questions] == ["Why?"]
    assert found.rejected == [Rejected("a", "id stands on line 1 already", "line 2")]


def test_unknown_keys_are_counted_and_kept_as_metadata() -> None:
    found = read(row(key="k1", metadata={"level": 1}), row(id="b", key="k2", drift=None))
    assert found.unknown == {"drift": 1, "key": 2}
    assert found.rejected == []
    assert [dict(question.metadata) for question in found.questions] == [
        {"key": "k1", "level": 1},
        {"key": "k2", "drift": None},
    ]


@given(
    st.builds(
        Question,
        id=WORDING,
        question=WORDING,
        answers=st.lists(WORDING).map(tuple),
        evidence_ids=st.lists(WORDING).map(tuple),
        evidence=st.lists(WORDING).map(tuple),
        long_answer=st.none() | st.text(),
        type=st.none() | st.text(),
        contexts=st.lists(WORDING).map(tuple),
    )
)
def test_what_is_written_is_read_back(question: Question) -> None:
    assert read(json.dumps(to_json(question))).questions == [question]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_is_read_like_rows_of_json(separator: str) -> None:
    lines = ["question|answers|evidence|team", "Why?|so|It is so.|desk", "|||", 'When?|"[""1747"", ""in 1747""]"||']
    found = read_table([line.replace("|", separator) for line in lines], origin="q.csv")
    assert found.rejected == []
    assert found.unknown == {"team": 1}
    assert found.questions == [
        Question("q1", "Why?", ("so",), evidence=("It is so.",), metadata={"team": "desk"}),
        Question("q2", "When?", ("1747", "in 1747")),
    ]


def test_a_cell_over_several_lines_is_counted_as_lines() -> None:
    found = read_table(["id,question,answers\n", 'a,"Why\n', 'now?",so\n', "b,,so\n"], origin="q.csv")
    assert [one.question for one in found.questions] == ["Why\nnow?"]
    assert found.rejected == [Rejected("q.csv, line 4", "no question", "line 4")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a,Why,so,and,more", "5 cells, and the first line names 3; put text into quotation marks"),
        ("a,Why?,", "no answers (write [] where the documents hold none)"),
        (",Why?,so", "no id"),
    ],
)
def test_a_row_of_a_table_that_is_no_question(line: str, reason: str) -> None:
    found = read_table(["id,question,answers", line, "b,Why?,[]"], origin="q.csv")
    assert [(one.id, one.answers) for one in found.questions] == [("b", ())]
    assert found.rejected == [Rejected("q.csv, line 2", reason, "line 2")]


def test_a_key_that_nearly_is_one_is_named() -> None:
    line = json.dumps({"id": "a", "question": "Why?", "answer": "so"})
    assert [one.reason for one in read(line).rejected] == ["no answers (rename answer to answers)"]


@given(
    st.lists(
        st.tuples(WORDING, WORDING).filter(lambda pair: not pair[1].lstrip().startswith("[")), min_size=1, max_size=4
    )
)
def test_what_a_spreadsheet_writes_is_read_back(pairs: list[tuple[str, str]]) -> None:
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(["question", "answers"])
    writer.writerows(pairs)
    found = read_table(io.StringIO(written.getvalue(), newline=""), origin="q.csv")
    assert found.rejected == []
    assert [(one.question, one.answers[0]) for one in found.questions] == pairs
