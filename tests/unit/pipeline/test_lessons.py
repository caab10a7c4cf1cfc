"""Writing lessons: who is asked for them, through kept answers, and what decides them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from ragraft.errors import BackendError, SourceError
from ragraft.methods.estimate import Work
from ragraft.pipeline import open_session
from ragraft.pipeline.estimates import Foresight
from ragraft.workspace import Folder

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring, Fakes

MakeSite = Callable[..., "Site"]
FREE = "prompt.grounded_only=false"


def test_by_default_nobody_is_asked_what_it_knows(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    bring(make_site(), last="synthesize")
    assert fakes.asked == []


def test_a_killed_probe_asks_nothing_twice(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    whole, killed = make_site("whole"), make_site("killed")
    bring(whole, FREE, last="synthesize")
    batches = [batch for _, batch in fakes.asked]
    assert len(batches) > 1
    fakes.asked, fakes.dies_at = [], 1
    with pytest.raises(KeyboardInterrupt):
        bring(killed, FREE, last="synthesize")
    fakes.dies_at = None
    bring(killed, FREE, last="synthesize")
    assert [batch for _, batch in fakes.asked] == batches
    for name in ("probe.jsonl", "01-raft/lessons.jsonl"):
        files = [site.run / "50-lessons" / name for site in (whole, killed)]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_what_decides_who_knows_makes_lessons_anew(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="synthesize")
    assert bring(site, last="synthesize")["synthesize"] == "unchanged"
    for change in (FREE, "synthesize.probe=5", "synthesize.max_unanswerable=0.3"):
        assert bring(site, change, last="synthesize")["synthesize"] == "done"


def test_the_base_can_be_its_own_teacher_and_is_asked_through_kept_answers(
    make_site: MakeSite, bring: Bring, fakes: Fakes
) -> None:
    site = make_site()
    bring(site, "synthesize.reasoning=teacher", last="synthesize")
    lessons = Folder(site.run / "50-lessons" / "01-raft")
    rows = list(lessons.read_jsonl("reasonings.jsonl"))
    asked = [prompt for _, batch in fakes.asked for prompt in batch]
    assert len(asked) == len(rows) > 0
    assert all("\nRight answer: " in prompt.messages[-1].content for prompt in asked)
    assert {row["fault"] for row in rows} == {"it doesn't begin with a quote"}, "an echo is no teacher"
    summary = Folder(site.run / "50-lessons").read_json("summary.json")
    assert summary["warning"].startswith("only 0 of ")
    before = len(fakes.asked)
    bring(site, "synthesize.reasoning=teacher", first="synthesize", last="synthesize")
    assert len(fakes.asked) == before


def test_a_teacher_that_cannot_be_opened_is_told_before_anything_runs(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    teach = "synthesize.reasoning=teacher"
    with pytest.raises(SourceError, match=r"^synthesize\.teacher\.model: No model at gone: give hf:"):
        bring(site, teach, "synthesize.teacher.model=gone")
    with pytest.raises(BackendError, match=r"^openai:small needs endpoint\.url in the YAML; nothing is sent"):
        bring(site, teach, "synthesize.teacher.model=openai:small")
    assert not (site.run / "10-corpus").exists()
    bring(site, "synthesize.teacher.model=gone", last="synthesize")  # nobody is asked


def test_who_teaches_decides_the_lessons(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="synthesize")
    assert bring(site, "synthesize.reasoning=teacher", last="synthesize")["synthesize"] == "done"
    assert bring(site, "synthesize.reasoning=teacher", last="synthesize")["synthesize"] == "unchanged"
    assert bring(site, last="synthesize")["synthesize"] == "taken"


def test_reasoning_by_the_base_is_in_the_estimate_and_by_others_is_not(make_site: MakeSite) -> None:
    site = make_site()

    def work(*overrides: str) -> Work | None:
        session = open_session(site.file, overrides)
        plan = Foresight(session.at({}), session.run.runs).plan("synthesize")
        return plan.work if plan else None

    probed, taught = work("synthesize.probe=5"), work("synthesize.reasoning=teacher")
    both = work("synthesize.probe=5", "synthesize.reasoning=teacher")
    assert probed
    assert taught
    assert both
    assert both.tokens == probed.tokens + taught.tokens
    assert both.written == probed.written + taught.written
    assert taught.written > probed.written
    assert work("synthesize.reasoning=teacher", "synthesize.teacher.model=openai:small") is None
    assert work("synthesize.reasoning=teacher", "train.method=sft") is None
