"""Lessons with a teacher's reasoning: where it stands, who has none, and that nothing is lost or told twice."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ragraft.methods.answer import parse
from ragraft.methods.reasoning import INVENTED, Teacher
from ragraft.ports import Tokenizer
from ragraft.records import Completion, Lesson, Prompt, Sampling
from tests.unit.stages.test_synthesize import PROMPT, QUESTIONS, Site, crowded, side

BY_ID = {question.id: question for question in QUESTIONS}


@dataclass
class Scholar:
    """Reasons about mayors; of towns whose number ends in 2 it quotes what nobody wrote."""

    asked: list[str] = field(default_factory=list)

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        return [Completion(self._reason(prompt.messages[-1].content), (1, 2), prompt_tokens=9) for prompt in prompts]

    def _reason(self, turn: str) -> str:
        self.asked.append(turn)
        answer = turn.rpartition("Right answer: ")[2]
        shown = re.findall(r"Its mayor is called Mayorof\d+ Smith\.", turn)
        assert len(shown) == turn.count("\n[") == 1, "the oracle alone is shown"
        quote = f"I know that {answer}" if answer.split()[0].endswith("2") else shown[0]
        return f'"{quote}" [1] The mayor is asked for, who is {answer}.'


@pytest.fixture
def site(tmp_path: Path, word_tokenizer: Tokenizer) -> Site:
    return Site(tmp_path, word_tokenizer)


def reasoned(lesson: Lesson) -> bool:
    return "The mayor is asked for" in lesson.target


def test_reasonings_stand_below_the_answer_of_lessons_that_show_their_oracle(site: Site) -> None:
    scholar = Scholar()
    made = site.by("raft", teacher=Teacher(scholar, 40, 30), copies=2).steps()["01-raft"]
    texts = {chunk.id: chunk.text for chunk in site.chunks}
    lessons = made.train() + made.validation()
    for lesson in lessons:
        question = BY_ID[lesson.question_id]
        town = question.id[1:]
        assert reasoned(lesson) == (lesson.kind == "oracle" and not town.endswith("2"))
        if reasoned(lesson):
            found = parse(lesson.target, PROMPT.abstention)
            [(quote, number)] = found.quotes
            assert number is not None
            assert quote in texts[lesson.passages[number - 1]]
            assert (found.answer, found.abstained) == (question.question.answers[0], False)
            assert lesson.target.split("\n")[0] == f"Answer: {question.question.answers[0]}"
    plain = site.by("raft", copies=2).steps()["01-raft"]
    assert [(one.id, one.prompt, one.passages) for one in plain.train()] == [
        (one.id, one.prompt, one.passages) for one in made.train()
    ], "only targets differ"
    same = [one for one in plain.train() if one in made.train()]
    assert same == [one for one, other in zip(plain.train(), made.train(), strict=True) if not reasoned(other)]


def test_each_question_is_asked_once_and_what_does_not_hold_is_counted(site: Site) -> None:
    scholar = Scholar()
    made = site.by("raft", teacher=Teacher(scholar, 40, 30), copies=3).steps()["01-raft"]
    assert len(scholar.asked) == len(set(scholar.asked))
    shown = {one.question_id for one in made.train() + made.validation() if one.oracle}
    rows = [json.loads(line) for line in site.out.file("reasonings.jsonl").read_text("utf-8").splitlines()]
    assert Counter(row["question_id"] for row in rows) == Counter(shown)
    bad = {name for name in shown if name.endswith("2")}
    assert {row["question_id"]: row["fault"] for row in rows if row["fault"]} == dict.fromkeys(bad, INVENTED)
    counts = site.counts()
    of = {name: {one.question_id for one in getattr(made, name)() if one.oracle} for name in ("train", "validation")}
    for name, key in (("train", "reasonings"), ("validation", "validation reasonings")):
        asked = len(of[name])
        assert counts[key] == {
            "asked": asked,
            "kept": asked - len(of[name] & bad),
            "prompt tokens": 9 * asked,
            "answer tokens": 2 * asked,
        }
    assert counts[f"no reasoning: {INVENTED}"] == len(of["train"] & bad)
    assert counts["rejected"] == 0, "they are lessons all the same"
    assert "warning" not in counts


def test_hybrid_has_them_too_and_other_methods_ask_nobody(site: Site) -> None:
    scholar = Scholar()
    one = Teacher(scholar, 40, 30)
    site.by("sft", "rag-sft", teacher=one)
    assert scholar.asked == []
    own = {"hybrid": {"ratio": (60, 15, 0), "with_documents": 0.0, "seed": 0}}
    made = site.by("hybrid", teacher=one, own=own).steps()["01-hybrid"]
    assert any(reasoned(lesson) for lesson in made.train())
    assert made.folder.has("reasonings.jsonl")
    assert made.counts()["reasonings"]["kept"] > 0


def test_a_group_shares_its_documents_and_each_has_its_own_reasoning(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    site = crowded(tmp_path, word_tokenizer)
    made = site.by("raft", teacher=Teacher(Scholar(), 40, 30), group=5).steps()["01-raft"]
    taught = [lesson for lesson in made.train() if reasoned(lesson)]
    assert any(lesson.group for lesson in taught)
    for lesson in taught:
        [(_, number)] = parse(lesson.target, PROMPT.abstention).quotes
        assert number is not None
        assert lesson.passages[number - 1] in lesson.oracle


def test_a_teacher_that_cannot_do_it_leaves_plain_lessons_and_a_warning(site: Site) -> None:
    class Silent:
        def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
            return [Completion("I can't.") for _ in prompts]

    made = site.by("raft", teacher=Teacher(Silent(), 40, 30)).steps()["01-raft"]
    assert made.train() == site.by("raft").steps()["01-raft"].train()
    assert made.validation()
    site.by("raft", teacher=Teacher(Silent(), 40, 30))
    warning = site.lessons.read_json("summary.json")["warning"]
    asked = site.counts()["reasonings"]["asked"]
    assert warning.startswith(f"only 0 of {asked} reasonings of the teacher hold (commonest fault: it doesn't begin")
    assert len(side("train")) >= asked > 0
