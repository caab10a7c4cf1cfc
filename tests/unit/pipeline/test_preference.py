"""The preference stage in the pipeline: what decides it, whom it asks, and what it needs to be installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ragraft.errors import BackendError
from ragraft.pipeline import checks, open_session
from ragraft.pipeline.estimates import Foresight
from ragraft.pipeline.preference import training_settings, tuned_answers
from ragraft.records import Message, Prompt
from tests.conftest import Site
from tests.unit.conftest import Bring, Fakes

MakeSite = Callable[..., Site]
DPO = ("train.preference=dpo",)


@pytest.fixture(autouse=True)
def with_trl(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training is faked here, so that whether TRL is really installed says nothing."""
    monkeypatch.setattr(checks, "find_spec", lambda name: name)


def test_how_the_model_is_asked_decides_the_weights_only_where_it_is(make_site: MakeSite) -> None:
    site = make_site()

    def settings(*overrides: str) -> list[object]:
        return training_settings(open_session(site.file, overrides).config)

    asked = "evaluate.batch=2"
    assert settings() == settings(asked) == settings("train.dpo.beta=0.3")
    assert settings(*DPO) != settings()
    assert settings(*DPO) != settings(*DPO, asked)
    assert settings(*DPO) != settings(*DPO, "train.dpo.beta=0.3")


def test_the_run_asks_the_tuned_model_its_lessons_once(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    site = make_site(evaluate={"models": ["base"]})
    assert bring(site, *DPO)["report"] == "done"
    assert [place.name for place in fakes.launcher.launched] == ["01-raft", "02-dpo"]
    tuned = [prompts for model, prompts in fakes.asked if model.endswith("01-raft")]
    assert tuned
    assert max(map(len, tuned)) == 4
    asked = len(fakes.asked)
    assert bring(site, *DPO, first="train")["train"] == "done"
    assert len(fakes.asked) == asked, "kept answers are not asked again"
    assert bring(site, *DPO)["train"] == "unchanged"


def test_the_model_is_let_go_before_training(make_site: MakeSite, fakes: Fakes, tiny_llama: Path) -> None:
    session = open_session(make_site().file)
    prompts = [Prompt((Message("user", "Where?"),))]
    assert len(tuned_answers(session.config, session.backends, tiny_llama, prompts)) == 1
    assert len(fakes.asked) == 1
    assert not any(kept.close() for kept in session.backends._opened.values())


def test_without_trl_the_run_ends_before_it_begins(
    make_site: MakeSite, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "find_spec", lambda name: None)
    site = make_site()
    with pytest.raises(
        BackendError, match=r"^train.preference: dpo needs TRL: pip install 'ragraft\[preference\]', or "
    ):
        bring(site, *DPO)
    assert not (site.run / "10-corpus").exists()
    assert bring(site, last="synthesize")["synthesize"] == "done"


def test_more_is_expected_of_it(make_site: MakeSite) -> None:
    site = make_site()
    plans = []
    for overrides in ((), DPO, (*DPO, "train.dpo.max_pairs=1")):
        session = open_session(site.file, overrides)
        plan = Foresight(session.at({}), session.run.runs).plan("train")
        assert plan is not None
        plans.append(plan.work)
    plain, whole, one = plans
    assert whole.tokens > one.tokens > plain.tokens
    assert whole.written > one.written > plain.written == 0
