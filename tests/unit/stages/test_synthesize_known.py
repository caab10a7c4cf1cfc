"""Lessons by what the base model knows: who is asked, who abstains, and who answers from memory."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ragraft.config import PromptConfig
from ragraft.methods.answer import parse
from ragraft.ports import Tokenizer
from ragraft.records import Completion, ExamQuestion, Lesson, Prompt, Sampling
from tests.unit.stages.test_synthesize import PROMPT, QUESTIONS, Site, side

FREE = PromptConfig(grounded_only=False)
ANSWERABLE = [question for question in QUESTIONS if question.question.answerable]


@dataclass
class Mind:
    """Knows the mayors of some towns by heart."""

    known: Sequence[ExamQuestion] = ()
    asked: list[str] = field(default_factory=list)

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        knows = {one.question.question: one.question.answers[0] for one in self.known}
        turns = [prompt.messages[-1].content.removeprefix("Question: ") for prompt in prompts]
        self.asked += turns
        return [Completion(f"Answer: {knows.get(turn, 'nobody')}") for turn in turns]


@pytest.fixture
def site(tmp_path: Path, word_tokenizer: Tokenizer) -> Site:
    return Site(tmp_path, word_tokenizer)


def lessons_of(site: Site, base: Mind, prompt: PromptConfig = FREE, **settings: Any) -> list[Lesson]:
    made = site.by("raft", prompt=prompt, base=base, **settings).steps()["01-raft"]
    return made.train()


def test_what_the_model_knows_is_answered_from_memory_and_says_so(site: Site) -> None:
    known = ANSWERABLE[::2]
    lessons = lessons_of(site, Mind(known), copies=8, memory_share=0.25)
    by_id = {question.id: question for question in QUESTIONS}
    kinds = Counter(lesson.kind for lesson in lessons)
    assert kinds["from-memory"] == 8 * round(0.25 * len(side("train")))
    for lesson in lessons:
        asked = by_id[lesson.question_id].question
        found = parse(lesson.target, PROMPT.abstention)
        assert found.from_memory == (lesson.kind == "from-memory")
        if lesson.kind == "from-memory":
            assert lesson.question_id in {one.id for one in known}
            assert lesson.target == f"Answer (from memory): {asked.answers[0]}"
            assert (found.answer, found.abstained, found.citations) == (asked.answers[0], False, ())
            assert set(lesson.passages).isdisjoint(by_id[lesson.question_id].oracle)
            assert lesson.oracle == ()
        if lesson.kind == "no-oracle":
            assert found.abstained
            assert lesson.question_id not in {one.id for one in known}
    assert {lesson.prompt.messages[0].content.rpartition(". If ")[2] for lesson in lessons} == {
        'they do not hold it but you know it, write instead, in one line: "Answer (from memory): " and the shortest '
        "right answer."
    }


def test_the_quadrants_are_counted_and_add_up(site: Site) -> None:
    lessons = lessons_of(site, Mind(ANSWERABLE[::2]), copies=2, memory_share=0.25)
    counts = site.counts()
    train = [one for one in ANSWERABLE if one.side == "train"]
    validation = [one for one in ANSWERABLE if one.side == "validation"]
    right = sum(one in ANSWERABLE[::2] for one in (*train, *validation))
    asked = len(train) + len(validation)
    assert counts["knows"] == {"asked": asked, "answered right": right, "counted as known": right}
    quadrants = {key: n for key, n in counts.items() if key.startswith("quadrant: ")}
    assert sum(quadrants.values()) == len(lessons)
    assert quadrants["quadrant: known, evidence not shown"] == counts["lessons, from-memory"] > 0
    summary = site.lessons.read_json("summary.json")
    assert summary["knows"] == f"{right} of {asked} asked without documents"
    rows = [json.loads(line) for line in site.lessons.file("probe.jsonl").read_text("utf-8").splitlines()]
    assert {row["question_id"] for row in rows} == {one.id for one in (*train, *validation)}
    assert {row["question_id"] for row in rows if row["known"]} == {
        one.id for one in ANSWERABLE[::2] if one.side in ("train", "validation")
    }


def test_a_model_that_knows_nothing_teaches_abstaining_as_ever(site: Site) -> None:
    lessons = lessons_of(site, Mind(), copies=2)
    kinds = Counter(lesson.kind for lesson in lessons)
    assert set(kinds) == {"oracle", "no-oracle", "unanswerable"}
    assert site.counts()["knows"]["counted as known"] == 0
    train = sum(one.side == "train" for one in ANSWERABLE)
    assert site.lessons.read_json("summary.json")["knows"] == f"0 of {train} asked without documents"
    again = [(one.question_id, one.kind, one.target) for one in site.synthesize(copies=2).train()]
    assert [(one.question_id, one.kind, one.target) for one in lessons] == again


def test_grounded_only_always_abstains_whatever_is_known(site: Site) -> None:
    """By default nobody is asked; who wants to know asks for the probe, and gets the same lessons."""
    base = Mind(ANSWERABLE)
    plain = lessons_of(site, base, PROMPT)
    assert base.asked == []
    assert not site.lessons.has("probe.jsonl")
    assert "knows" not in site.counts()
    assert "knows" not in site.lessons.read_json("summary.json")
    assert lessons_of(site, base, PROMPT, probe=200, memory_share=0.5) == plain
    assert base.asked
    assert site.counts()["knows"]["counted as known"] > 0
    assert not any(parse(lesson.target, PROMPT.abstention).from_memory for lesson in plain)
    assert {one.kind for one in plain} == {"oracle", "no-oracle", "unanswerable"}


def test_only_methods_that_sort_by_knowledge_have_it_asked(site: Site) -> None:
    base = Mind(ANSWERABLE)
    site.by("sft", "rag-sft", prompt=FREE, base=base)
    assert base.asked == []
    site.by("sft", "raft", prompt=FREE, base=base, copies=1)
    assert len(base.asked) == len(set(base.asked)) > 0, "once for all methods"
    steps = site.by("sft", "raft", prompt=FREE, base=base).steps()
    assert ["knows" in steps[name].counts() for name in ("01-sft", "02-raft")] == [False, True]


def test_probing_can_be_left_out(site: Site) -> None:
    base = Mind(ANSWERABLE)
    lessons = lessons_of(site, base, probe=0)
    assert base.asked == []
    assert not any(lesson.kind == "from-memory" for lesson in lessons)
