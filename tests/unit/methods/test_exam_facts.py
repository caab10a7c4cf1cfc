"""What is said of an exam: every sentence."""

from __future__ import annotations

from ragraft.methods.exam_facts import (
    count,
    evidence_warnings,
    known_documents,
    known_warnings,
    made_by,
    making,
    making_sentence,
    same_warnings,
    side_facts,
    size_warnings,
    some,
)
from ragraft.records import ExamQuestion, Question, Rejected, Side


def placed(name: str, side: Side, cluster: str = "c", answers: tuple[str, ...] = ("x",)) -> ExamQuestion:
    return ExamQuestion(Question(name, "Why?", answers), side, cluster)


def test_numbers_and_names() -> None:
    assert [count("", "row"), count("a", "row"), count("ab", "row")] == ["0 rows", "1 row", "2 rows"]
    assert some("abcde") == "a, b, c, d, e"
    assert some("abcdefg", "; ") == "a; b; c; d; e; and 2 more"


def test_side_facts() -> None:
    rows = [placed("a", "train"), placed("b", "train", answers=()), placed("c", "exam", "d")]
    assert side_facts(rows) == {
        "train": {"questions": 2, "clusters": 1, "unanswerable": 1},
        "validation": {"questions": 0, "clusters": 0, "unanswerable": 0},
        "calibration": {"questions": 0, "clusters": 0, "unanswerable": 0},
        "exam": {"questions": 1, "clusters": 1, "unanswerable": 0},
    }


def test_known_documents_are_those_of_the_train_side() -> None:
    rows = [
        placed("a", "train"),
        placed("v", "validation", "e"),
        placed("x", "exam"),
        placed("y", "exam", "d"),
        placed("z", "exam"),
    ]
    evidence = {"a": ["d1"], "v": ["d2"], "x": ["d1", "d3"], "y": ["d2"], "z": ["d4"]}
    known = known_documents(rows, evidence)
    assert known == {"exam_questions": 1, "exam_questions_in_known_clusters": 2, "of": 3}
    assert known_warnings(known) == [
        "1 of 3 exam questions rest on documents that train-side questions rest on too: the exam asks new questions "
        "on known documents"
    ]
    assert known_warnings({"exam_questions": 0, "of": 3}) == []


def test_evidence_warnings() -> None:
    rows = [
        ExamQuestion(Question("w", "Why?"), "exam", "c", weak=True),
        ExamQuestion(Question("l", "Why?"), "exam", "c", located=True),
    ]
    lost = [Rejected("r", "no evidence found", "no hint")]
    assert evidence_warnings(rows, lost, [("f", "evidence id x is no document")]) == [
        "1 question without evidence in the documents, rejected: r (no hint)",
        "1 piece of evidence not found: f: evidence id x is no document; all are in faults.jsonl",
        "1 question without evidence, located by the answer: l",
        "1 question whose evidence document shows neither quote nor telling answer: its best-ranked chunk is taken: w",
    ]
    assert evidence_warnings([], [], []) == []


def test_same_warnings() -> None:
    row = {"kept": "a", "side": "exam", "other": "b", "other_side": "train"}
    assert same_warnings([{**row, "rejected": True}]) == [
        "1 question asked on two sides, the one farther from the exam is rejected: a (exam) = b (train)"
    ]
    assert same_warnings([{**row, "rejected": False}]) == [
        "1 question asked on two sides, so many that the set looks templated: none is rejected: a (exam) = b (train)"
    ]
    assert same_warnings([]) == []


def test_size_warnings() -> None:
    rows = [placed(str(row), "exam", str(row // 2)) for row in range(10)]
    assert size_warnings(rows, ["exam"]) == []
    assert size_warnings(rows[:9], ["exam", "validation"]) == [
        "the validation side is empty",
        "the exam has 9 questions in 5 clusters: its intervals will be wide; have at least 10 questions in 5 clusters",
    ]
    assert len(size_warnings([placed(str(row), "exam", str(row % 4)) for row in range(10)], [])) == 1


def test_who_made_an_exam() -> None:
    def question(name: str, **metadata: object) -> Question:
        return Question(name, "Why?", ("x",), metadata=metadata)

    rows = [
        question("a", made_by="ragraft patterns", reviewed=True),
        question("b", made_by="model m", reviewed=False),
        question("c", made_by="model m"),
        question("d", reviewed=True),
    ]
    found = making(rows)
    assert found == {"questions": 4, "made": 3, "reviewed": 1, "by": {"model m": 2, "ragraft patterns": 1}}
    assert making_sentence(found) == (
        "exam: 3 of 4 questions made by a machine (model m, ragraft patterns), 1 reviewed by a person"
    )
    assert [made_by(row) for row in rows] == ["ragraft patterns", "model m", "model m", ""]
    assert making_sentence(making(rows[3:])) is None
    assert making_sentence(None) is None
