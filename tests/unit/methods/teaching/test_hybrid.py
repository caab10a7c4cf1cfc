"""Lessons of hybrid: RAFT's as they are, and beside them two parts in a ratio of learned tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragraft.config import HybridConfig
from ragraft.methods.instructions import Instruction
from ragraft.methods.lint import lint_lessons
from ragraft.methods.lint_row import Rendered
from ragraft.methods.seeds import asks_held_out, seeds_for
from ragraft.ports import Tokenizer
from ragraft.records import Completion, Lesson, Message, Prompt, Sampling
from ragraft.training.packing import plan_epochs
from ragraft.training.trees import Branch, Tree
from ragraft.workspace import LessonSet
from tests.unit.stages.test_synthesize import PROMPT, Site, crowded

SEVERAL = 400


class Base:
    """Keeps every form, in a few words."""

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        return [Completion("GOOD" if "capitals" in prompt.messages[-1].content else "Well.") for prompt in prompts]


def chats(count: int = SEVERAL, words: int = 6) -> list[Instruction]:
    return [
        Instruction(f"i{n}", Prompt((Message("user", f"Say {n}."),)), " ".join([f"word{n}"] * (1 + n % words)))
        for n in range(count)
    ]


def hybrid(site: Site, given: Sequence[Instruction] = (), copies: int = 2, **own: Any) -> LessonSet:
    chosen = {"hybrid": HybridConfig(**own).model_dump()}
    return site.by("hybrid", copies=copies, own=chosen, instructions=given, base=Base()).steps()["01-hybrid"]


def by_part(lessons: Sequence[Lesson], copy: int | None = None) -> dict[str, list[Lesson]]:
    found: dict[str, list[Lesson]] = {"": [], "domain": [], "general": []}
    for lesson in lessons:
        if copy in (None, lesson.copy):
            found[lesson.part].append(lesson)
    return found


def learned(rows: Sequence[Lesson]) -> int:
    return sum(len(row.target.split()) + 1 for row in rows)


@pytest.fixture
def site(tmp_path: Path, word_tokenizer: Tokenizer) -> Site:
    return crowded(tmp_path, word_tokenizer)


def test_the_lessons_of_raft_stay_as_they_are(site: Site) -> None:
    made = hybrid(site, chats())
    rows, held = by_part(made.train())[""], made.validation()
    alone = site.by("raft").steps()["01-raft"]
    assert rows == alone.train()
    assert held == alone.validation()


def test_beside_them_stand_questions_without_documents_and_general_chats(site: Site) -> None:
    made = hybrid(site, chats(), with_documents=0)
    found = by_part(made.train())
    asked = {row.id: row for row in site.exam.questions("train")}
    for row in found["domain"]:
        question = asked[row.question_id].question
        assert row.prompt == site.builder().build(question.question, ())
        assert row.kind == ("closed-book" if question.answers else "unanswerable")
        assert (row.group, row.passages) == ("", ())
    assert {row.kind for row in found["general"]} == {"general"}
    assert len({row.id for row in made.train()}) == len(made.train())


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ratio=st.tuples(st.integers(50, 90), st.integers(0, 10), st.integers(0, 40)),
    with_documents=st.sampled_from([0.0, 0.3]),
)
def test_the_ratio_is_kept_by_learned_tokens(site: Site, ratio: tuple[int, int, int], with_documents: float) -> None:
    made = hybrid(site, chats(), ratio=ratio, with_documents=with_documents)
    wanted, brought = Counter[str](), Counter[str]()
    for copy in (0, 1):
        parts = by_part(made.train(), copy)
        context = learned(parts[""])
        for name, share in zip(("domain", "general"), ratio[1:], strict=True):
            assert abs(learned(parts[name]) - context * share / ratio[0]) <= 8, name
            wanted[name] += context * share
            brought[name] += ratio[0] * learned(parts[name])
        assert all(len({row.prompt for row in rows}) == len(rows) for rows in parts.values())
    # Half a row is a tenth of a share only where that wants next to nothing.
    assert ("warning" in made.counts()) == any(10 * brought[name] < 9 * wanted[name] for name in wanted)


def test_what_each_part_brings_is_counted_and_too_little_is_told(site: Site) -> None:
    made = hybrid(site, chats(2), with_documents=0)
    counts, parts = made.counts(), by_part(made.train())
    for name, key in (("", "context"), ("domain", "domain"), ("general", "general")):
        assert counts[f"{key}, rows"] == len(parts[name])
        assert counts[f"{key}, learned tokens"] == learned(parts[name])
    shares = [counts[f"{key}, share of learned tokens"] for key in ("context", "domain", "general")]
    assert sum(shares) == pytest.approx(1, abs=0.001)
    assert counts["general, rows"] == 4
    assert counts["warning"].startswith("hybrid mixes ")
    assert " and not 60/15/25: only " in counts["warning"]
    assert counts["warning"].endswith("are there for general (name more under instructions)")
    assert site.lessons.read_json("summary.json")["warning"] == counts["warning"]


def test_without_named_instructions_the_base_model_answers_and_no_probe_is_learned(site: Site) -> None:
    made = hybrid(site, ratio=(60, 15, 80))
    rows = by_part(made.train())["general"]
    replayed = [row for row in rows if row.id.startswith("replay-")]
    shown = [row for row in rows if row.id.startswith("documents-")]
    assert len(replayed) + len(shown) == len(rows)
    assert replayed
    assert shown
    assert all(row.prompt.messages[0].content.startswith("Documents:\n\n[1] ") for row in shown)
    assert not any(asks_held_out(row.prompt) for row in made.train())


def test_a_probe_among_the_users_instructions_is_left_out(site: Site) -> None:
    probe = seeds_for("probe")[0]
    made = hybrid(site, [Instruction("mine", probe.ask(), "No."), *chats()], with_documents=0)
    assert not any(asks_held_out(row.prompt) for row in made.train())
    reasons = {row["id"]: row["reason"] for row in made.folder.read_jsonl("rejected.jsonl")}
    assert reasons == {"mine": "forgetting is measured on this instruction, so that it is never learned"}


def test_lint_accepts_them(site: Site) -> None:
    rows = hybrid(site).train()
    rendered = [Rendered(100, len(row.target.split()), 7) for row in rows]
    lint = lint_lessons(rows, rendered, ends={7}, exam=site.exam.questions("exam"), abstention=PROMPT.abstention)
    assert [finding.name for finding in lint.findings if finding.state == "grave"] == []


def test_every_step_holds_the_mix_and_the_questions_of_raft(site: Site) -> None:
    rows = hybrid(site, chats(), copies=1).train()
    trees: dict[tuple[str, str], list[Lesson]] = {}
    for row in rows:
        trees.setdefault((row.part, row.group or row.id), []).append(row)
    grown = [
        Tree((), tuple(Branch((0,) * (learned([row]) + 1), 1, 1.0) for row in members), 0, part)
        for (part, _), members in trees.items()
    ]
    [steps] = plan_epochs(grown, batch=8, epochs=1, seed=0)
    assert len(steps) == len(plan_epochs([tree for tree in grown if not tree.part], batch=8, epochs=1, seed=0)[0]) > 2
    for step in steps:
        shares = Counter({tree.part: 0 for tree in grown})
        for tree in step:
            shares[tree.part] += tree.learned
        assert shares["domain"] / shares[""] == pytest.approx(15 / 60, abs=0.12)
        assert shares["general"] / shares[""] == pytest.approx(25 / 60, abs=0.12)
