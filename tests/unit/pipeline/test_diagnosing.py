"""Diagnose in a run: asked for, kept, shown beside the scores, and left out when it is of other settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ragraft.errors import ConfigError
from ragraft.pipeline import STAGES, open_session, show
from ragraft.pipeline.costing import TUNINGS, action_costs
from ragraft.pipeline.diagnosing import finders
from ragraft.workspace import Folder

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring, Fakes

MakeSite = Callable[..., "Site"]
UP_TO = ("ingest", "index", "examine", "diagnose")


def test_a_diagnosis_trains_nothing_and_reads_no_exam(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    site = make_site()
    assert bring(site, last="diagnose") == dict.fromkeys(UP_TO, "done")
    assert fakes.launcher.launched == []
    data = show(open_session(site.file), "diagnosis", 1)
    exam = {row["question"]["id"] for row in show(open_session(site.file), "exam", 99) if row["side"] == "exam"}
    answers = Folder(site.run / "40-diagnosis").read_jsonl("answers.jsonl")
    assert exam.isdisjoint(row["question_id"] for row in answers)
    assert data["verdict"][0]["action"] == data["decision"]["action"]
    assert bring(site, last="diagnose") == dict.fromkeys(UP_TO, "unchanged")


def test_a_run_waits_for_no_diagnosis(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    assert bring(site) == dict.fromkeys(STAGES, "done")
    assert show(open_session(site.file), "report", 1)["diagnosis"] == {}
    assert bring(site, last="diagnose") == dict.fromkeys(UP_TO, "unchanged") | {"diagnose": "done"}


def test_a_report_shows_the_diagnosis_of_its_own_settings(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="diagnose")
    states = bring(site)
    assert states == dict.fromkeys(STAGES, "done") | dict.fromkeys(UP_TO, "unchanged")
    report = show(open_session(site.file), "report", 1)
    assert report["diagnosis"]["decision"] == show(open_session(site.file), "diagnosis", 1)["decision"]
    other = bring(site, "train.epochs=3")
    assert (other["diagnose"], other["report"]) == ("unchanged", "done"), "how it is trained changes no diagnosis"
    deeper = bring(site, "retrieve.k=1")
    assert deeper["diagnose"] == "outdated"
    assert show(open_session(site.file), "report", 1)["diagnosis"] == {}


def test_a_killed_diagnosis_asks_only_what_is_left(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    site = make_site()
    fakes.dies_at = 3
    with pytest.raises(KeyboardInterrupt):
        bring(site, last="diagnose")
    fakes.dies_at = None
    bring(site, last="diagnose")
    whole = make_site("other")
    before = len(fakes.asked)
    bring(whole, last="diagnose")
    assert len(fakes.asked) - before == before
    ours, theirs = (Folder(one.run / "40-diagnosis").read_json("diagnosis.json") for one in (site, whole))
    assert ours["loss"] == theirs["loss"]


def test_search_is_tried_in_other_ways_but_not_a_retriever_of_the_users(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="examine")
    tried = {
        overrides: list(finders(open_session(site.file, overrides).at()))
        for overrides in ((), ("retrieve.dense_weight=0",), ("retrieve.dense_weight=3", "retrieve.reranker=overlap"))
    }
    assert list(tried.values()) == [
        ["as it is", "words alone", "vectors alone", "reranker overlap"],
        ["as it is", "vectors alone", "words and vectors alike", "reranker overlap"],
        ["as it is", "words alone", "vectors alone", "words and vectors alike"],
    ]
    own = open_session(site.file, ["retrieve.retriever=contexts"])
    assert list(finders(own.at())) == ["as it is"]


def test_each_way_to_tune_has_its_cost(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="examine")
    session = open_session(site.file)
    costs = action_costs(session.at(), session.run.runs)
    assert set(costs) == {"retrieval", *TUNINGS}
    assert all(cost.minutes > 0 for cost in costs.values())
    raft, hybrid = costs["raft"], costs["hybrid"]
    assert hybrid.tokens == pytest.approx(raft.tokens * 100 / 60, rel=0.01)
    parameters = session.backends.model_size().parameters
    for tuning, times in (("full", 6), ("lora", 4)):
        other = open_session(site.file, [f"train.tuning={tuning}"])
        cost = action_costs(other.at(), other.run.runs)["raft"]
        assert cost.flops == pytest.approx(times * parameters * raft.tokens, rel=0.01)
    assert costs["dap+hybrid"].flops > hybrid.flops


def test_a_wrong_list_of_machines_stops_before_anything_runs(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    with pytest.raises(ConfigError, match=r"^diagnose\.machines: no file .*mine\.yaml; check the path"):
        bring(site, "diagnose.machines=mine.yaml", last="diagnose")
    assert not Path(site.run / "10-corpus").exists()
