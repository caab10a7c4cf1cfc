"""Lessons of other methods than RAFT, and of several: what each asks and wants, and that they are met alike."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ragraft.config import PromptConfig
from ragraft.methods.teaching import table
from ragraft.methods.teaching.materials import Lot, Materials, plain_text
from ragraft.ports import Tokenizer
from ragraft.records import ExamQuestion, Lesson, Question
from ragraft.training.packing import plan_epochs
from ragraft.training.trees import Branch, Tree
from tests.unit.stages.test_synthesize import PROMPT, QUESTIONS, RETRIEVE, Site, crowded, side

BY_ID = {question.id: question for question in QUESTIONS}


@pytest.fixture
def site(tmp_path: Path, word_tokenizer: Tokenizer) -> Site:
    return Site(tmp_path, word_tokenizer)


def wanted(question: ExamQuestion) -> str:
    return f"Answer: {question.question.answers[0]}" if question.question.answers else f"Answer: {PROMPT.abstention}"


def test_sft_asks_without_documents(site: Site) -> None:
    lessons = site.by("sft", copies=2).steps()["01-sft"]
    rows = lessons.train() + lessons.validation()
    assert Counter(row.question_id for row in lessons.train()) == {q.id: 2 for q in side("train")}
    for row in rows:
        question = BY_ID[row.question_id]
        assert row.target == wanted(question)
        assert row.prompt == site.builder().build(question.question.question, ())
        assert (row.passages, row.oracle) == ((), ())
        assert row.kind == ("closed-book" if question.question.answers else "unanswerable")
    assert lessons.counts()["document sets"] == 0


def test_rag_sft_shows_what_the_exam_shows(site: Site) -> None:
    """The shown finder's first k, whether they hold the answer or not."""
    lessons = site.by("rag-sft").steps()["01-rag-sft"]
    rows = lessons.train()
    seen = site.finder().find([BY_ID[row.question_id] for row in rows], RETRIEVE.k)
    missed = 0
    for row, passages in zip(rows, seen, strict=True):
        question = BY_ID[row.question_id]
        assert row.prompt == site.builder().build(question.question.question, passages)
        assert row.passages == tuple(passage.id for passage in passages)
        assert row.target == wanted(question)
        assert row.oracle == tuple(name for name in row.passages if name in question.oracle)
        missed += bool(question.oracle) and not row.oracle
    assert missed > 0, "the answer is wanted even where it isn't shown"
    assert lessons.counts()["passages dropped for the budget"] == 0
    assert {name for name in lessons.counts() if name.startswith("distractors")} == set()


def test_passages_that_do_not_fit_go_from_the_end(site: Site) -> None:
    narrow = PromptConfig(max_tokens=180, answer_tokens=40)
    lessons = site.by("rag-sft", prompt=narrow, copies=1).steps()["01-rag-sft"]
    dropped = lessons.counts()["passages dropped for the budget"]
    assert dropped == sum(RETRIEVE.k - len(row.passages) for row in lessons.train()) > 0


@pytest.mark.parametrize("method", ["sft", "rag-sft"])
def test_what_cannot_be_taught_is_kept_with_its_reason(tmp_path: Path, word_tokenizer: Tokenizer, method: str) -> None:
    odd = {
        "long": (Question("long", "How?", (" ".join(["very"] * 100),)), "the wanted answer is longer than"),
        "form": (Question("form", "Which?", ("see Answer: 3",)), "the wanted answer could not be told from the form"),
        "wide": (Question("wide", "why " * 3000, ("so",)), "the question doesn't fit into prompt.max_tokens"),
    }
    more = [ExamQuestion(question, "train", name, ("t0",)) for name, (question, _) in odd.items()]
    site = Site(tmp_path, word_tokenizer, [*QUESTIONS, *more])
    lessons = site.by(method, copies=1).steps()[f"01-{method}"]
    rejected = {row["id"]: row["reason"] for row in lessons.folder.read_jsonl("rejected.jsonl")}
    assert set(rejected) == set(odd)
    assert all(rejected[name].startswith(reason) for name, (_, reason) in odd.items())
    assert Counter(row.question_id for row in lessons.train()) == {q.id: 1 for q in side("train")}


def steps(lessons: list[Lesson], batch: int) -> list[list[str]]:
    """The questions of each optimizer step of two epochs, as training plans them."""
    trees: dict[tuple[int, str], list[Lesson]] = {}
    for lesson in lessons:
        trees.setdefault((lesson.copy, lesson.group or lesson.id), []).append(lesson)
    grown = {
        id(tree): (tree, members)
        for (copy, _), members in trees.items()
        for tree in [Tree((), tuple(Branch((1, 2), 1, 1.0) for _ in members), copy)]
    }
    epochs = plan_epochs([tree for tree, _ in grown.values()], batch=batch, epochs=2, seed=0)
    return [
        sorted(one.question_id for tree in step for one in grown[id(tree)][1]) for epoch in epochs for step in epoch
    ]


@pytest.mark.parametrize("group", [1, 5])
def test_every_method_takes_the_same_questions_in_the_same_steps(
    tmp_path: Path, word_tokenizer: Tokenizer, group: int
) -> None:
    site = crowded(tmp_path, word_tokenizer)
    made = site.by("sft", "rag-sft", "raft", group=group, max_questions=24)
    sft, rag, raft = (steps(one.train(), batch=4) for one in made.steps().values())
    assert sft == rag == raft
    assert len(raft) > 8


def test_a_chain_has_a_folder_a_method(site: Site) -> None:
    made = site.by("sft", "raft", copies=1)
    assert list(made.steps()) == ["01-sft", "02-raft"]
    assert site.lessons.read_json("summary.json")["method"] == "sft+raft"
    assert site.lessons.read_json("summary.json")["lessons"] == 2 * len(side("train"))
    alone = {file.name: file.read_bytes() for file in made.steps()["02-raft"].path.iterdir()}
    again = site.by("raft", copies=1).steps()["01-raft"]
    assert {file.name: file.read_bytes() for file in again.path.iterdir()} == alone, "the chain changes no lesson"


def test_a_method_may_hand_over_plain_texts(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(materials: Materials, questions: object, *, side: str, copies: int) -> Lot:
        texts = list(materials.documents())[:3] if side == "train" else []
        made = [plain_text(f"{one.id}.{copy}", one.text, copy=copy) for copy in range(copies) for one in texts]
        return Lot(made, facts={"words": materials.own["sft"]["words"]})

    monkeypatch.setitem(table.METHODS, "sft", table.Method(make, from_questions=False))
    lessons = site.by("sft", copies=2, max_questions=1, own={"sft": {"words": 7}}).steps()["01-sft"]
    assert [(row.id, row.kind, row.copy) for row in lessons.train()][2:4] == [("d2.0", "text", 0), ("d0.1", "text", 1)]
    counts = lessons.counts()
    assert (counts["lessons, text"], counts["words"], counts["rejected"], counts["copies"]) == (6, 7, 0, 2)
    assert counts["tokens"] == sum(site.tokenizer.count(row.target) for row in lessons.train())
    assert counts["tokens to compute"] == counts["tokens"]
