"""Decisions on proposed questions, and what a kill leaves of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ragraft.errors import ConfigError, InputError, WorkspaceError
from ragraft.pipeline import open_review
from ragraft.records import Chunk

CHUNK = Chunk("a#0", "a", "Arlen", "The tower is made of\nred granite. Nobody knows why.", 0, 50, 10)


def row(name: str, **metadata: Any) -> dict[str, Any]:
    return {
        "id": name,
        "question": f"What is {name}?",
        "answers": ["of\nred granite"],
        "evidence_ids": ["a"],
        "evidence": ["The tower is made of\nred granite."],
        "metadata": {"made_by": "ragraft patterns", "reviewed": False, "chunk": "a#0"} | metadata,
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    target = tmp_path / "candidates.jsonl"
    write(target, [row(name) for name in "abc"])
    return target


def write(target: Path, rows: list[dict[str, Any]]) -> None:
    target.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")


def read(target: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in target.read_text("utf-8").splitlines()]


def states(file: Path) -> list[tuple[str, str]]:
    with open_review(file, {CHUNK.id: CHUNK}) as review:
        return [(item.question.id, item.state) for item in review.items]


def test_every_decision_is_in_the_file_and_in_the_log_at_once(file: Path) -> None:
    log = file.with_name("candidates.decisions.jsonl")
    with open_review(file, {CHUNK.id: CHUNK}) as review:
        assert review.decide(0, "accept").state == "accepted"
        assert [one["metadata"]["reviewed"] for one in read(file)] == [True, False, False]
        review.decide(1, "drop")
        assert [one["id"] for one in read(file)] == ["a", "c"]
        mended = review.decide(2, "mend", text=" What is\nC? ", answers=["of red granite", "", " stone "])
        assert (mended.state, mended.question.answers) == ("mended", ("of\nred granite", "stone"))
        assert review.next_open(0) is None
    assert read(file)[1]["question"] == "What is C?"
    assert read(file)[1]["metadata"] | {"chunk": ""} == {
        "made_by": "ragraft patterns", "reviewed": True, "chunk": "", "mended": True,
    }  # fmt: skip
    assert [(one["id"], one["decision"]) for one in read(log)] == [("a", "accept"), ("b", "drop"), ("c", "mend")]
    assert read(log)[1]["before"] == row("b")
    assert states(file) == [("a", "accepted"), ("c", "mended"), ("b", "dropped")]


def test_a_dropped_question_can_come_back_in_this_review_and_in_the_next(file: Path) -> None:
    with open_review(file, {CHUNK.id: CHUNK}) as review:
        review.decide(0, "drop")
        review.decide(0, "accept")
        review.decide(1, "drop")
    assert [one["id"] for one in read(file)] == ["a", "c"]
    with open_review(file, {CHUNK.id: CHUNK}) as review:
        review.decide(2, "accept")
    assert sorted(one["id"] for one in read(file)) == ["a", "b", "c"]
    assert dict(states(file)) == {"a": "accepted", "b": "accepted", "c": "open"}


@pytest.mark.parametrize(("decision", "left"), [("accept", 3), ("drop", 2)])
def test_a_kill_between_the_log_and_the_file_loses_nothing(file: Path, decision: Any, left: int) -> None:
    before = file.read_bytes()
    with open_review(file, {CHUNK.id: CHUNK}) as review:
        review.decide(1, decision)
    after = file.read_bytes()
    file.write_bytes(before)
    states(file)
    assert file.read_bytes() == after
    assert len(read(file)) == left


def test_a_line_cut_short_was_never_answered_for(file: Path) -> None:
    log = file.with_name("candidates.decisions.jsonl")
    with open_review(file, {CHUNK.id: CHUNK}) as review:
        review.decide(0, "accept")
    whole = log.read_bytes()
    log.write_bytes(whole + b'{"id": "b", "deci')
    with open_review(file, {CHUNK.id: CHUNK}) as review:
        assert log.read_bytes() == whole
        review.decide(1, "accept")
    assert [one["id"] for one in read(log)] == ["a", "b"]


def test_hand_edits_between_two_reviews_stay(file: Path) -> None:
    with open_review(file, {CHUNK.id: CHUNK}) as review:
        review.decide(0, "accept")
    rows = read(file)
    rows[0]["question"] = "Mine?"
    write(file, rows)
    states(file)
    assert read(file)[0]["question"] == "Mine?"


def test_a_file_changed_meanwhile_is_not_overwritten(file: Path) -> None:
    with open_review(file, {CHUNK.id: CHUNK}) as review:
        write(file, [row("z")])
        with pytest.raises(WorkspaceError, match="was changed by another program meanwhile; start the review again"):
            review.decide(0, "accept")
    assert [one["id"] for one in read(file)] == ["z"]
    assert not file.with_name("candidates.decisions.jsonl").exists()


def test_two_reviews_of_one_file_are_refused(file: Path) -> None:
    with (
        open_review(file, {CHUNK.id: CHUNK}),
        pytest.raises(WorkspaceError, match="is being reviewed by another ragraft"),
    ):
        states(file)


def test_a_question_needs_text_and_an_answer(file: Path) -> None:
    with open_review(file, {CHUNK.id: CHUNK}) as review:
        for text, answers in ((" ", ["x"]), ("Why?", [" "])):
            with pytest.raises(InputError, match=r"^A mended question needs its text and at least one answer$"):
                review.decide(0, "mend", text=text, answers=answers)
        assert review.items[0].state == "open"


def test_the_chunk_is_the_one_named_or_one_that_holds_the_evidence(file: Path) -> None:
    lost = row("c", chunk="gone") | {"evidence": ["Not there."]}
    bare = row("d", chunk="gone") | {"evidence": []}
    write(file, [row("a"), row("b", chunk="gone"), lost, bare])
    with open_review(file, {CHUNK.id: CHUNK}) as review:
        assert [review.chunk_of(item.question) for item in review.items] == [CHUNK, CHUNK, None, None]


def test_a_persons_questions_are_accepted_as_they_are(file: Path) -> None:
    write(file, [row("a", made_by=None), row("b")])
    assert states(file) == [("a", "accepted"), ("b", "open")]


def test_files_that_cannot_be_reviewed_are_one_sentence(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"^No .*none.jsonl to review; propose questions first: ragraft questions$"):
        states(file.with_name("none.jsonl"))
    file.write_text("{\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 1: broken JSON"):
        states(file)
    file.write_text("\n", encoding="utf-8")
    with pytest.raises(InputError, match="holds no questions to look at"):
        states(file)


def test_the_next_open_one_is_looked_for_all_around(file: Path) -> None:
    with open_review(file, {CHUNK.id: CHUNK}) as review:
        assert [review.next_open(place) for place in range(3)] == [0, 1, 2]
        review.decide(2, "accept")
        assert review.next_open(2) == 0


def test_an_uncommon_end_of_a_line_inside_a_question_breaks_no_log(file: Path) -> None:
    write(file, [row(name) | {"evidence": ["The tower\u2028is made of\x85red granite."]} for name in "ab"])
    with open_review(file, {CHUNK.id: CHUNK}) as review:
        review.decide(0, "drop")
    assert states(file) == [("b", "open"), ("a", "dropped")]
