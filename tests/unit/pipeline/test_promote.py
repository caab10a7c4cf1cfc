"""Promotion by the gate, by force and back again: what is in service, what is kept, and what the log says of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ragraft.errors import ConfigError, WorkspaceError
from ragraft.pipeline import (
    in_service,
    open_session,
    promote,
    registry_of,
    registry_story,
    rollback,
)
from ragraft.workspace import Folder, Scorecard

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring

MakeSite = Callable[..., "Site"]
RUN = {
    "evaluate": {"models": ["base", "tuned"], "contexts": ["retrieved", "none"]},
    "promote": {"formats": None, "closed_book": 0.02},
}


def shows(site: Site, name: str = "lights", **figures: float) -> None:
    """Have a run's exam show this difference."""
    scores = Folder(site.folder / "runs" / name / "70-scores")
    card = scores.read_json("scorecard.json")
    for row in card["differences"]:
        if (row["metric"], row["a"]) == ("f1", "tuned"):
            row.update({"clusters": 9, **(figures if row["context"] == "retrieved" else {})})
    scores.write_json("scorecard.json", card)


@pytest.fixture
def site(make_site: MakeSite, bring: Bring) -> Site:
    """An evaluated run whose exam shows that tuning helped."""
    made = make_site(**RUN)
    bring(made)
    shows(made, value=0.2, low=0.1, high=0.3)
    return made


def log(site: Site) -> list[dict[str, Any]]:
    return registry_of(open_session(site.file)).log()


def test_a_model_that_passes_the_gate_is_put_into_service_and_kept(site: Site, bring: Bring) -> None:
    session = open_session(site.file)
    assert in_service(session) is None
    found = promote(session)
    assert (found.event, found.failed, found.before) == ("promoted", (), None)
    assert found.model.startswith("lights-")
    registry = registry_of(session)
    assert registry.path == site.folder / "registry"
    assert registry.state().current == found.model
    weights = Path(registry.checked(found.model)) / "adapter_model.safetensors"
    before = weights.read_bytes()
    bring(site, "train.seed=9", last="train")
    assert registry.checked(found.model)
    assert weights.read_bytes() == before
    assert (site.run / "60-checkpoint" / "01-raft" / "adapter_model.safetensors").read_bytes() != before
    facts = registry.facts(found.model)
    assert (facts["run"], facts["method"], facts["final"]) == ("lights", "raft", "01-raft")
    assert facts["manner"] == Scorecard(Folder(site.run / "70-scores")).manner()
    assert facts["verdict"].startswith("No verdict") or "tuned minus" in facts["verdict"]
    line = in_service(session)
    assert line is not None
    assert line.startswith(f"in service: {found.model}, promoted 20")


def test_a_model_that_shows_nothing_is_refused_and_the_log_says_why(site: Site) -> None:
    shows(site, value=0.02, low=-0.1, high=0.1)
    found = promote(open_session(site.file))
    assert found.refused
    assert found.failed == ("score",)
    assert [row[3] for row in found.table.rows] == ["FAILED", "passed"]
    registry = registry_of(open_session(site.file))
    assert registry.state().current is None
    assert not registry.has(found.model)
    (row,) = log(site)
    assert (row["event"], row["run"], row["before"]) == ("refused", "lights", None)
    assert [(check["name"], check["passed"]) for check in row["gate"]] == [
        ("score", False),
        ("score without documents", True),
    ]


def test_force_keeps_its_reason(site: Site) -> None:
    shows(site, value=0.02, low=-0.1, high=0.1)
    session = open_session(site.file)
    with pytest.raises(ConfigError, match=r"^--force keeps the reason; give one"):
        promote(session, force="  ")
    found = promote(session, force="the customer wants it today")
    assert (found.event, found.failed) == ("forced", ("score",))
    assert registry_of(session).state().current == found.model
    assert [(row["event"], row["reason"]) for row in log(site)] == [("forced", "the customer wants it today")]


def test_a_reason_that_was_not_needed_is_a_promotion(site: Site) -> None:
    assert promote(open_session(site.file), force="to be sure").event == "promoted"


def test_rollback_goes_back_one_by_one(site: Site, bring: Bring) -> None:
    first = promote(open_session(site.file)).model
    models = [first]
    for seed in (1, 2):
        bring(site, f"train.seed={seed}", name=f"run{seed}")
        shows(site, f"run{seed}", value=0.2, low=0.1, high=0.3)
        found = promote(open_session(site.file, run=f"run{seed}"))
        assert found.before == models[-1]
        models.append(found.model)
    session = open_session(site.file)
    assert registry_of(session).state().models == tuple(models)
    assert rollback(session, "it shouts").current == models[1]
    assert rollback(session).current == models[0]
    assert rollback(session).current is None
    assert in_service(session) == "in service: none that was promoted"
    with pytest.raises(WorkspaceError, match=r"^Nothing is in service by .*registry, so there is nothing to go back"):
        rollback(session)
    assert [row["event"] for row in log(site)] == ["promoted"] * 3 + ["rolled back"] * 3
    assert promote(session).before is None, "and up again"
    head, *kept = registry_story(session)[:4]
    assert head == "models put into service:"
    assert [line.split()[0] for line in kept] == models
    assert [line.endswith("  <- in service") for line in kept] == [True, False, False]
    happened = registry_story(session)[5:]
    assert ["rolled back" in line for line in happened] == [False] * 3 + [True] * 3 + [False]
    assert happened[3].endswith(f"{models[1]} (before: {models[2]}): it shouts")


def test_a_rollback_to_what_is_spoilt_is_refused(site: Site, bring: Bring) -> None:
    first = promote(open_session(site.file)).model
    bring(site, "train.seed=1", name="other")
    shows(site, "other", value=0.2, low=0.1, high=0.3)
    second = promote(open_session(site.file, run="other")).model
    registry = registry_of(open_session(site.file))
    (registry.checkpoint(first) / "adapter_model.safetensors").unlink()
    with pytest.raises(WorkspaceError, match=r"is gone; promote its run again"):
        rollback(open_session(site.file))
    assert registry.state().current == second


def test_equal_weights_are_one_model_and_are_not_promoted_twice(site: Site) -> None:
    found = promote(open_session(site.file))
    with pytest.raises(WorkspaceError, match=rf"^{found.model} is in service already; train another, or go back"):
        promote(open_session(site.file))
    assert len(log(site)) == 1
    registry = registry_of(open_session(site.file))
    (registry.checkpoint(found.model) / "adapter_model.safetensors").unlink()
    rollback(open_session(site.file))
    assert promote(open_session(site.file)).model == found.model
    assert registry.checked(found.model), "what was damaged is kept anew"


def test_what_is_not_finished_or_not_its_own_is_refused(make_site: MakeSite, bring: Bring) -> None:
    site = make_site(**RUN)
    with pytest.raises(WorkspaceError, match=r"^No tuned model in .*lights\. Run: ragraft run$"):
        promote(open_session(site.file))
    bring(site, last="train")
    with pytest.raises(WorkspaceError, match=r"^The model in .*lights is not examined yet\. Run: ragraft run$"):
        promote(open_session(site.file))
    bring(site)
    bring(site, "train.seed=5", last="train")
    told = r"^The scores in .*lights are another model's \(of \w{8}, and the model is \w{8}\)\. Run: ragraft run$"
    with pytest.raises(WorkspaceError, match=told):
        promote(open_session(site.file), force="I want it")
    assert log(site) == []


def test_there_is_a_story_only_where_something_happened(make_site: MakeSite) -> None:
    site = make_site()
    with pytest.raises(WorkspaceError, match=r"^No registry in .*\. Run: ragraft promote$"):
        registry_story(open_session(site.file))
