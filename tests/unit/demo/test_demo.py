"""The demo: its questions are true of this Python's reference, and its exam is large enough to mean something."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.backends.embedders.hashing import HashingEmbedder
from ragraft.backends.readers.jsonl import JsonlReader
from ragraft.backends.stores.memory import MemoryStore
from ragraft.config import Config, load_config
from ragraft.demo import WIDTH, unwrap, write_demo, write_example
from ragraft.errors import ConfigError
from ragraft.methods.answer import is_abstention
from ragraft.methods.retrieve import open_retriever
from ragraft.ports import Backends
from ragraft.records import ExamQuestion, Prompt, Question, question_from_json
from ragraft.stages.examine import examine
from ragraft.stages.index import index
from ragraft.stages.ingest import ingest
from ragraft.workspace import Exam, Folder, Index

pydoc_topics = pytest.importorskip("pydoc_data.topics")
TOPICS: dict[str, str] = {str(name): str(text) for name, text in pydoc_topics.topics.items()}

# --- joining lines


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("name", sorted(TOPICS))
def test_unwrapping_changes_white_space_only(name: str) -> None:
    assert squeezed(unwrap(TOPICS[name])) == squeezed(TOPICS[name])
    assert unwrap(unwrap(TOPICS[name])) == unwrap(TOPICS[name])


@given(st.text())
def test_unwrapping_any_text_changes_white_space_only(text: str) -> None:
    assert squeezed(unwrap(text)) == squeezed(text)


@given(st.text(), st.text())
def test_paragraphs_are_never_joined(one: str, other: str) -> None:
    assert unwrap(f"a{one}\n\nb{other}").count("\n\n") >= 1


PARAGRAPH = (
    "Assert statements are a convenient way to insert debugging assertions\n"
    "into a program, whose hand-written form is the same as of the built-\n"
    "in one:"
)
HANGING = (
    "* If the target list is a single target with no trailing comma, and is\n"
    "  optionally in parentheses, the object is assigned to that target.\n"
    "\n"
    "[1] The exception is propagated to the invocation stack unless there\n"
    "    is a “finally” clause."
)


def test_paragraphs_and_hanging_indents_are_joined() -> None:
    assert unwrap(PARAGRAPH) == (
        "Assert statements are a convenient way to insert debugging assertions into a program, whose hand-written form "
        "is the same as of the built-in one:\n"
    )
    assert unwrap(HANGING) == (
        "* If the target list is a single target with no trailing comma, and is optionally in parentheses, the object "
        "is assigned to that target.\n\n"
        "[1] The exception is propagated to the invocation stack unless there is a “finally” clause.\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "A line that is short enough\nfor one more word.",
        'The "assert" statement has a heading that is nearly as wide as pages\n' + "*" * 68,
        "* one item of a list that is as wide as the page, to its last columns\n* another item",
        "   async def handle(self, request: Request, response: Body) -> None:\n       pass  # or not",
        "   async def handle(self, request: Request, response: Body) -> None:\n       return await request",
        "  **PEP 560** - Core Support for typing module and for generic types\n     Introducing a method",
        "   value = compute(first_argument, second)  # what it all comes to\n   print(value)",
        "   # A comment explains what is done in the line of code below it\n   print(value)",
        "   >>> print('a statement whose line is as long as a line can be')\n   something_else",
        '   positional_args ::= positional_item ("," positional_item)* [","]\n'
        '   positional_item ::= assignment_expression | "*" expression',
        "   star_expressions ::= star_named_expression ',' star_expressions?\n                      | another",
        '| "s"     | String format. This is the default type for strings    |\n'
        "|         | and may be omitted.                                      |",
        "   This line of code is wider than Sphinx would ever have left a line of text\n   and_its_follower",
    ],
)
def test_code_grammar_headings_and_lists_stay_as_they_are(text: str) -> None:
    assert unwrap(text) == f"{text.strip()}\n"


def test_grammar_and_doctests_of_the_reference_keep_their_lines() -> None:
    kept = re.compile(r"^ *(?:\w+ +::=.*|>>>.*)$", re.MULTILINE)
    found = 0
    for text in TOPICS.values():
        lines = [line.rstrip() for line in kept.findall(text.strip())]
        left = unwrap(text).splitlines()
        assert not set(lines) - set(left)
        found += len(lines)
    assert found > 300


def test_the_reference_is_mostly_joined() -> None:
    wrapped = sum(text.strip().count("\n") for text in TOPICS.values())
    assert sum(unwrap(text).strip().count("\n") for text in TOPICS.values()) < 0.85 * wrapped
    prose = [line for text in TOPICS.values() for line in unwrap(text).splitlines() if len(line) > WIDTH]
    assert len(prose) > 500


# --- what is written


@dataclass(frozen=True, slots=True)
class Written:
    folder: Path
    notes: tuple[str, ...]
    documents: dict[str, dict[str, Any]]
    questions: list[Question]


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def shipped() -> list[dict[str, Any]]:
    import ragraft.demo

    return rows(Path(ragraft.demo.__file__).with_name("questions.jsonl"))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("demo") / "new"
    made = write_demo(folder)
    assert made.file == folder / "ragraft.yaml"
    documents = {row["id"]: row for row in rows(folder / "documents.jsonl")}
    return Written(folder, made.notes, documents, list(map(question_from_json, rows(folder / "questions.jsonl"))))


def test_every_topic_is_a_document_under_its_heading(demo: Written) -> None:
    assert sorted(demo.documents) == sorted(TOPICS)
    for name, row in demo.documents.items():
        assert row["title"] == TOPICS[name].strip().splitlines()[0]
        assert row["text"] == unwrap(TOPICS[name])


def test_every_quote_stands_in_the_document_that_it_names(demo: Written) -> None:
    texts = {name: squeezed(row["text"]) for name, row in demo.documents.items()}
    for question in demo.questions:
        assert set(question.evidence_ids) <= set(texts)
        for quote in question.evidence:
            assert any(squeezed(quote) in texts[name] for name in question.evidence_ids), question.id


def test_what_this_python_lacks_is_left_out_with_a_note(demo: Written) -> None:
    everything = "\n".join(map(squeezed, TOPICS.values()))
    lost = [row["id"] for row in shipped() if not all(squeezed(quote) in everything for quote in row["evidence"])]
    assert {row["id"] for row in shipped()} - {question.id for question in demo.questions} == set(lost)
    assert bool(demo.notes) == bool(lost)


def test_a_reference_without_a_quote_loses_its_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = next(row for row in shipped() if row["evidence"])
    quote = squeezed(lacking["evidence"][0])
    topics = {name: text for name, text in TOPICS.items() if quote not in squeezed(text)}
    monkeypatch.setattr(pydoc_topics, "topics", topics)
    made = write_demo(tmp_path)
    kept = {row["id"] for row in rows(tmp_path / "questions.jsonl")}
    assert lacking["id"] not in kept
    [note] = made.notes
    assert re.match(
        rf"{len(shipped()) - len(kept)} of {len(shipped())} questions left out: Python 3\.\S+'s reference lacks their "
        r"quotes \(demo-",
        note,
    )
    assert lacking["id"] in note


def test_evidence_that_moved_to_another_topic_is_named_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = next(row for row in shipped() if len(row["evidence_ids"]) == 1)
    [old] = row["evidence_ids"]
    elsewhere = {name: text for name, text in TOPICS.items() if squeezed(row["evidence"][0]) not in squeezed(text)}
    moved = elsewhere | {old: "Moved", "moved-here": TOPICS[old]}
    monkeypatch.setattr(pydoc_topics, "topics", moved)
    write_demo(tmp_path)
    [found] = [one for one in rows(tmp_path / "questions.jsonl") if one["id"] == row["id"]]
    assert found["evidence_ids"] == ["moved-here"]


def test_a_python_without_its_reference_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pydoc_data.topics", None)
    with pytest.raises(ConfigError, match=r"run the demo with another Python, or begin with your own documents"):
        write_demo(tmp_path / "demo")
    assert not (tmp_path / "demo").exists()


def test_writing_again_keeps_changed_settings(tmp_path: Path) -> None:
    file = write_demo(tmp_path).file
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    file.write_text("name: mine\n", encoding="utf-8")
    assert write_demo(tmp_path).file == file
    assert file.read_text(encoding="utf-8") == "name: mine\n"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before | {"ragraft.yaml": b"name: mine\n"}


def test_the_example_is_a_config_and_is_written_once(tmp_path: Path) -> None:
    file = write_example(tmp_path / "new")
    config, _ = load_config(file)
    assert config.documents == (tmp_path / "new" / "documents",)
    with pytest.raises(ConfigError, match=r"ragraft\.yaml exists already; remove it or give another folder$"):
        write_example(tmp_path / "new")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    for write in (write_demo, write_example):
        with pytest.raises(ConfigError, match=r"^Cannot make the folder .* \(.+\); give another one$"):
            write(tmp_path / "file" / "demo")


# --- the questions


def test_there_are_enough_questions_of_both_kinds(demo: Written) -> None:
    assert len(demo.questions) >= 325
    unanswerable = sum(not question.answerable for question in demo.questions)
    assert 0.12 <= unanswerable / len(demo.questions) <= 0.18


CHECK = Path(__file__).parents[3] / "scripts" / "check_demo.py"


def check(script: Path) -> tuple[int, list[str]]:
    command = [sys.executable, "-I", "-X", "utf8", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    return done.returncode, done.stdout.splitlines()


def test_the_check_for_other_pythons_counts_what_is_kept_here(demo: Written) -> None:
    code, [said, *lost] = check(CHECK)
    assert code == 0
    assert f": {len(demo.questions)} of {len(shipped())} questions" in said
    assert {line.split(":")[0].strip() for line in lost} == {row["id"] for row in shipped()} - {
        question.id for question in demo.questions
    }


def test_the_check_for_other_pythons_fails_where_too_few_are_left(tmp_path: Path) -> None:
    kept, folder = next(row for row in shipped() if row["evidence"]), tmp_path / "src" / "ragraft" / "demo"
    folder.mkdir(parents=True)
    lines = [json.dumps(row) for row in (kept, {"id": "new", "evidence": [kept["evidence"][0], "In no reference."]})]
    (folder / "questions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "scripts").mkdir()
    code, said = check(Path(shutil.copy(CHECK, tmp_path / "scripts")))
    assert code == 1
    assert ": 1 of 2 questions" in said[0]
    assert said[1:2] == ["  new: In no reference."]


def test_questions_have_ids_and_words_of_their_own() -> None:
    ids = Counter(row["id"] for row in shipped())
    asked = Counter(" ".join(row["question"].lower().split()) for row in shipped())
    assert max(ids.values()) == max(asked.values()) == 1


def test_answers_are_short_and_say_something(demo: Written) -> None:
    for question in demo.questions:
        for answer in question.answers:
            assert answer.strip() == answer != "", question.id
            assert len(answer.split()) <= 12, question.id
            assert not is_abstention(answer, "not in the documents."), question.id
        assert bool(question.evidence) == question.answerable, question.id


# --- the exam


class Words:
    """1.3 tokens a word."""

    def count(self, text: str) -> int:
        return round(1.3 * len(text.split()))

    def count_prompt(self, prompt: Prompt) -> int:
        return sum(self.count(message.content) + 5 for message in prompt.messages)


class Fakes:
    tokenizer = Words()
    embedder = HashingEmbedder()
    store = MemoryStore()
    reranker = None

    def reader(self, path: Path) -> JsonlReader | None:
        return JsonlReader() if path.suffix == ".jsonl" else None


def settings(demo: Written) -> Config:
    fakes = ["index.store=memory", "embedder=hashing", "evaluate.generator=echo"]
    return load_config(demo.folder / "ragraft.yaml", fakes)[0]


@pytest.fixture(scope="module")
def exam(demo: Written, tmp_path_factory: pytest.TempPathFactory) -> Exam:
    """The demo's own settings down to the exam, without a model."""
    config, backends = settings(demo), cast(Backends, Fakes())
    root = Folder(tmp_path_factory.mktemp("run"))
    corpus = ingest(documents=config.documents, settings=config.ingest, backends=backends, out=root.folder("corpus"))
    made: Index = index(corpus, settings=config.index, backends=backends, out=root.folder("index"))
    retriever = open_retriever(
        made.chunks().by_id(),
        backends.store.open(made.store),
        embedder=backends.embedder,
        reranker=None,
        pool=config.retrieve.pool,
        rrf_k=config.retrieve.rrf_k,
        dense_weight=config.retrieve.dense_weight,
        lexical_weight=config.retrieve.lexical_weight,
    )
    assert isinstance(config.questions, Path)
    return examine(
        corpus,
        made,
        questions=config.questions,
        settings=config.examine,
        retrieve=config.retrieve,
        retriever=retriever,
        users=None,
        out=root.folder("exam"),
    )


def test_the_demo_says_what_it_is(demo: Written) -> None:
    config = settings(demo)
    assert config.name == "python-reference"
    assert config.documents == (demo.folder / "documents.jsonl",)
    assert config.questions == demo.folder / "questions.jsonl"


def test_the_exam_is_large_enough(exam: Exam) -> None:
    asked: list[ExamQuestion] = exam.questions("exam")
    assert len(asked) >= 112
    assert len({question.cluster for question in asked}) >= 30
    assert sum(not question.question.answerable for question in asked) >= 12


def test_the_exam_rests_on_many_documents_and_on_none_too_much(exam: Exam) -> None:
    asked = [question for question in exam.questions("exam") if question.question.answerable]
    clusters = Counter(question.cluster for question in asked)
    assert len(clusters) >= 25
    assert max(clusters.values()) <= 0.2 * len(asked)


def test_every_side_is_there_and_no_question_is_lost(exam: Exam, demo: Written) -> None:
    placed = Counter(question.side for question in exam.questions())
    assert placed["train"] >= 150
    assert placed["validation"] >= 30
    assert placed["calibration"] >= 15
    assert sum(placed.values()) == len(demo.questions)
    assert list(exam.folder.read_jsonl("rejected.jsonl")) == []
    assert list(exam.folder.read_jsonl("faults.jsonl")) == []


def test_every_answerable_question_has_its_quote_in_a_chunk(exam: Exam) -> None:
    found = [question for question in exam.questions() if question.question.answerable]
    assert not [question.id for question in found if question.weak or question.located or not question.oracle]


def test_no_side_shares_a_cluster_with_another(exam: Exam) -> None:
    sides = {(question.cluster, question.side) for question in exam.questions()}
    assert len(sides) == len({cluster for cluster, _ in sides})
