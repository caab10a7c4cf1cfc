"""Laws of every method's lessons, whatever the settings: no exam, true citations, nothing cut and nothing lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ragraft.config import HybridConfig, PromptConfig
from ragraft.errors import InputError
from ragraft.methods.answer import parse
from ragraft.methods.lint import lint_lessons
from ragraft.methods.lint_row import Rendered
from ragraft.ports import Tokenizer
from ragraft.records import Lesson, Side
from ragraft.workspace import LessonSet
from tests.unit.methods.teaching.test_hybrid import Base, chats
from tests.unit.stages.test_synthesize import QUESTIONS, Site, side

METHODS = ("sft", "rag-sft", "raft", "hybrid")
BY_ID = {question.id: question for question in QUESTIONS}


@dataclass(frozen=True)
class Drawn:
    """Lessons made under drawn settings."""

    method: str
    lessons: LessonSet
    copies: int
    prompt: PromptConfig

    @property
    def asking(self) -> list[Lesson]:
        """Those that ask a question of the user's, both sides."""
        return [row for row in [*self.lessons.train(), *self.lessons.validation()] if row.question_id]


SETTINGS = st.fixed_dictionaries(
    {
        "copies": st.integers(1, 3),
        "group": st.integers(1, 5),
        "seed": st.integers(0, 9),
        "oracle_share": st.sampled_from([0.5, 0.8, 1.0]),
        "distractors": st.sampled_from([(0, 0), (1, 3), (2, 5)]),
    }
)
BUDGETS = st.integers(100, 300)
law = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def site(tmp_path: Path, word_tokenizer: Tokenizer) -> Site:
    return Site(tmp_path, word_tokenizer)


def made(site: Site, method: str, drawn: Mapping[str, Any], budget: int) -> Drawn | None:
    """The lessons; None where the budget holds none."""
    prompt = PromptConfig(max_tokens=budget, answer_tokens=20)
    own = {"hybrid": HybridConfig(with_documents=0).model_dump()}
    try:
        steps = site.by(method, prompt=prompt, own=own, instructions=chats(), base=Base(), **drawn).steps()
    except InputError:
        return None
    return Drawn(method, next(iter(steps.values())), drawn["copies"], prompt)


@pytest.mark.parametrize("method", METHODS)
@law
@given(drawn=SETTINGS)
def test_no_lesson_asks_an_exam_question_or_nearly(site: Site, method: str, drawn: Mapping[str, Any]) -> None:
    found = made(site, method, drawn, 400)
    assert found
    rows = found.asking
    exam = [question for question in QUESTIONS if question.side == "exam"]
    assert {BY_ID[row.question_id].side for row in rows} == {"train", "validation"}
    rendered = [Rendered(9, 2, 7) for _ in rows]
    lint = lint_lessons(rows, rendered, ends={7}, exam=exam, abstention=found.prompt.abstention)
    assert [finding.count for finding in lint.findings if finding.name == "exam question"] == [0]
    texts = [message.content for row in found.lessons.train() for message in row.prompt.messages]
    assert not any(question.question.question in text for question in exam for text in texts)


@pytest.mark.parametrize("method", METHODS)
@law
@given(drawn=SETTINGS)
def test_every_citation_points_at_the_document_that_it_quotes(
    site: Site, method: str, drawn: Mapping[str, Any]
) -> None:
    texts = {chunk.id: chunk.text for chunk in site.chunks}
    found = made(site, method, drawn, 400)
    assert found
    quoting = 0
    for row in found.asking:
        parsed = parse(row.target, found.prompt.abstention)
        shown = row.prompt.messages[-1].content
        for number, name in enumerate(row.passages, start=1):
            assert f"[{number}] " in shown
            assert shown.index(f"[{number}] ") < shown.index(texts[name]), "the numbers are those of the order shown"
        assert all(row.passages[number - 1] in BY_ID[row.question_id].oracle for number in parsed.citations)
        for quote, cited in parsed.quotes:
            quoting += 1
            assert cited is not None
            assert quote in texts[row.passages[cited - 1]]
    assert bool(quoting) == (method in ("raft", "hybrid"))


@pytest.mark.parametrize("method", METHODS)
@law
@given(drawn=SETTINGS, budget=BUDGETS)
def test_the_budget_cuts_neither_question_nor_oracle_nor_answer(
    site: Site, method: str, drawn: Mapping[str, Any], budget: int
) -> None:
    texts = {chunk.id: chunk.text for chunk in site.chunks}
    found = made(site, method, drawn, budget)
    assume(found is not None)
    assert found
    for row in found.asking:
        question = BY_ID[row.question_id].question
        turn = row.prompt.messages[-1].content
        assert turn[row.prompt.cut :] == f"Question: {question.question}"
        assert all(texts[name] in turn[: row.prompt.cut] for name in row.passages)
        if row.kind == "oracle":
            assert set(BY_ID[row.question_id].oracle) <= set(row.passages)
        parsed = parse(row.target, found.prompt.abstention)
        assert parsed.abstained == (row.kind in ("no-oracle", "unanswerable"))
        assert parsed.abstained or parsed.answer == question.answers[0]
        tokens = site.tokenizer.count_prompt(row.prompt) + found.prompt.answer_tokens
        assert tokens <= found.prompt.max_tokens
        assert site.tokenizer.count(row.target) < found.prompt.answer_tokens


@pytest.mark.parametrize("method", METHODS)
@law
@given(drawn=SETTINGS, budget=BUDGETS)
def test_what_is_made_and_what_is_rejected_are_all(
    site: Site, method: str, drawn: Mapping[str, Any], budget: int
) -> None:
    found = made(site, method, drawn, budget)
    assume(found is not None)
    assert found
    rejected = list(found.lessons.folder.read_jsonl("rejected.jsonl"))
    assert all(row["reason"] for row in rejected)
    context = [row for row in found.lessons.train() if not row.part]
    per_copy = Counter((row.copy, row.question_id) for row in context)
    assert set(per_copy.values()) == {1}, "a question is asked once a copy"
    taken = Counter(row.question_id for row in [*context, *found.lessons.validation()])
    turned = Counter(row["id"] for row in rejected)
    for name, copies in ((name, found.copies if name in ids("train") else 1) for name in ids("train", "validation")):
        left_out = (taken[name], turned[name]) == (0, 1)  # of all copies, before any was made
        assert left_out or taken[name] + turned[name] == copies, name
    assert set(taken) | set(turned) == set(ids("train", "validation"))


def ids(*sides: Side) -> list[str]:
    return [question.id for name in sides for question in side(name)]
