from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragraft.errors import WorkspaceError
from ragraft.records import (
    SIDES,
    Answer,
    Chunk,
    Document,
    ExamQuestion,
    Lesson,
    Message,
    Prompt,
    Question,
    to_json,
)
from ragraft.workspace import (
    CALIBRATION,
    Calibration,
    Checkpoint,
    Corpus,
    Exam,
    Folder,
    Index,
    Lessons,
    LessonSet,
    Report,
    Scorecard,
)

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
METADATA = st.dictionaries(TEXT, TEXT | st.integers() | st.none() | st.lists(TEXT, max_size=2), max_size=2)
QUESTIONS = st.builds(
    Question,
    id=TEXT,
    question=TEXT,
    answers=TEXTS,
    evidence_ids=TEXTS,
    evidence=TEXTS,
    long_answer=st.none() | TEXT,
    type=st.none() | TEXT,
    options=TEXTS,
    contexts=TEXTS,
    metadata=METADATA,
)
PLACED = st.builds(
    ExamQuestion,
    question=QUESTIONS,
    side=st.sampled_from(SIDES),
    cluster=TEXT,
    oracle=TEXTS,
    weak=st.booleans(),
    located=st.booleans(),
    parts=st.lists(TEXTS, max_size=2).map(tuple),
)
PROMPTS = st.builds(
    Prompt,
    messages=st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), TEXT), max_size=3).map(
        tuple
    ),
    cut=st.integers(0, 9),
)
LESSONS = st.builds(
    Lesson,
    id=TEXT,
    question_id=TEXT,
    kind=st.sampled_from(["oracle", "no-oracle", "unanswerable"]),
    prompt=PROMPTS,
    target=TEXT,
    passages=TEXTS,
    oracle=TEXTS,
)
ANSWERS = st.builds(
    Answer,
    question_id=TEXT,
    model=TEXT,
    context=TEXT,
    answer=TEXT,
    text=TEXT,
    citations=TEXTS,
    quotes=TEXTS,
    abstained=st.booleans(),
    passages=TEXTS,
    evidence_shown=st.booleans(),
    prompt_tokens=st.integers(0, 9999),
    answer_tokens=st.integers(0, 9999),
    scores=st.dictionaries(TEXT, st.none() | st.floats(0, 1), max_size=2),
    finish_reason=st.sampled_from(["stop", "length"]),
)
DOCUMENTS = st.builds(Document, id=TEXT, title=TEXT, text=TEXT, metadata=METADATA)
CHUNKS = st.builds(
    Chunk,
    id=TEXT,
    document_id=TEXT,
    title=TEXT,
    text=TEXT,
    start=st.integers(0, 2**40),
    end=st.integers(0, 2**40),
    tokens=st.integers(0, 2**31 - 1),
)


@pytest.mark.parametrize(
    ("rows", "name", "read"),
    [
        (DOCUMENTS, "documents.jsonl", lambda folder: list(Corpus(folder).documents())),
        (PLACED, "questions.jsonl", lambda folder: Exam(folder).questions()),
        (LESSONS, "lessons.jsonl", lambda folder: LessonSet(folder).train()),
        (LESSONS, "validation.jsonl", lambda folder: LessonSet(folder).validation()),
        (ANSWERS, "answers.jsonl", lambda folder: list(Scorecard(folder).answers())),
    ],
    ids=["corpus", "exam", "lessons", "validation", "scores"],
)
def test_rows_come_back_as_they_were(
    tmp_path: Path, rows: st.SearchStrategy[Any], name: str, read: Callable[[Folder], list[Any]]
) -> None:
    @settings(max_examples=40, deadline=None)
    @given(written=st.lists(rows, max_size=3))
    def law(written: list[Any]) -> None:
        folder = Folder(tmp_path)
        folder.write_jsonl(name, map(to_json, written))
        found = read(folder)
        assert found == written
        assert [hash_of(row) for row in found] == [hash_of(row) for row in written]

    law()


def hash_of(row: Any) -> str:
    """Equal rows may still differ in kind (a list for a tuple); their reprs don't."""
    return repr(row)


@settings(max_examples=40, deadline=None)
@given(chunks=st.lists(CHUNKS, max_size=7), size=st.integers(1, 4))
def test_chunks_come_back_whole_and_in_batches(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[Chunk], size: int
) -> None:
    made = Index(Folder(tmp_path_factory.mktemp("index")))
    batches = [chunks[start : start + size] for start in range(0, len(chunks), size)]
    assert made.write_chunks(batches) == len(chunks)
    assert list(made.chunks()) == chunks
    assert list(made.chunk_batches(size)) == batches
    assert [place.name for place in made.path.iterdir()] == ["chunks.parquet"]


def test_half_written_chunks_are_not_there(tmp_path: Path) -> None:
    made = Index(Folder(tmp_path))

    def batches() -> Any:
        yield [Chunk("a#0", "a", "A", "text", 0, 4, 1)]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made.write_chunks(batches())
    assert not made.folder.has("chunks.parquet")
    assert made.store == tmp_path / "store"


def test_questions_of_one_side(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    placed = [ExamQuestion(Question(f"q{n}", "?"), SIDES[n % 4], "c") for n in range(8)]
    folder.write_jsonl("questions.jsonl", map(to_json, placed))
    assert [question.id for question in Exam(folder).questions("exam")] == ["q3", "q7"]
    assert Exam(folder).questions() == placed


def test_the_last_method_is_final(tmp_path: Path) -> None:
    made = Checkpoint(Folder(tmp_path))
    for name in ("02-hybrid", "01-raft", "10-last", "steps"):
        made.folder.folder(name)
    final = Folder(made.final())
    assert final.path.name == "10-last"
    assert list(made.steps()) == ["01-raft", "02-hybrid", "10-last"]
    for folder in list(made.steps().values())[:-1]:
        folder.write_json("checkpoint.json", {"steps": 1})
        folder.write_jsonl("metrics.jsonl", [{"step": 9}])
    final.write_json("checkpoint.json", {"steps": 3})
    final.write_jsonl("metrics.jsonl", [{"step": 1}])
    assert (made.card(), made.metrics()) == (
        {"steps": 3},
        {"01-raft": [{"step": 9}], "02-hybrid": [{"step": 9}], "10-last": [{"step": 1}]},
    )


@pytest.mark.parametrize("artifact", [Lessons(Folder(Path("nowhere"))), Checkpoint(Folder(Path("nowhere")))])
def test_a_folder_without_any_method_is_told(tmp_path: Path, artifact: Lessons | Checkpoint) -> None:
    empty = type(artifact)(Folder(tmp_path))
    with pytest.raises(WorkspaceError, match=r"^No .*01-METHOD.*; remove .* and run again$"):
        empty.steps()


def test_counts_of_several_methods_stand_under_their_folders(tmp_path: Path) -> None:
    lessons = Lessons(Folder(tmp_path))
    lessons.folder.folder("01-sft").write_json("counts.json", {"lessons": 3})
    assert lessons.counts() == {"lessons": 3}
    lessons.folder.folder("02-raft").write_json("counts.json", {"lessons": 4})
    assert lessons.counts() == {"01-sft": {"lessons": 3}, "02-raft": {"lessons": 4}}


def test_single_cards_come_back(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    for name in ("same.json", "scorecard.json", "report.json"):
        folder.write_json(name, {"name": name})
    assert Corpus(folder).same() == {"name": "same.json"}
    assert Scorecard(folder).card() == {"name": "scorecard.json"}
    assert Report(folder).data() == {"name": "report.json"}
    assert Report(folder).path == tmp_path


def test_a_lost_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"^No .*scorecard.json; remove .* and run again$"):
        Scorecard(Folder(tmp_path)).card()


def test_a_calibration_of_an_earlier_version_says_nothing_of_how_to_ask(tmp_path: Path) -> None:
    made = Calibration(Folder(tmp_path))
    made.folder.write_json(CALIBRATION, {"abstain_above": 0.7})
    assert made.manner() is None
    made.folder.write_json(CALIBRATION, {"manner": {"above": 0.7, "rereads": True}})
    assert made.manner() == {"above": 0.7, "rereads": True}
