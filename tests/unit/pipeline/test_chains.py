"""Runs of several methods, through the pipeline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ragraft.pipeline import ask, export, open_session, show
from ragraft.pipeline.estimates import Foresight
from ragraft.pipeline.rates import RATES
from ragraft.workspace import Folder
from tests.conftest import Site
from tests.unit.conftest import Bring, Fakes

MakeSite = Callable[..., Site]
CHAIN = "train.method=[sft, rag-sft]"


def test_a_chain_takes_the_methods_that_a_sibling_has(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    site = make_site()
    bring(site, "train.method=sft", last="train", name="sft")
    bring(site, CHAIN, last="train", name="chain")
    runs = site.folder / "runs"
    first, *rest = fakes.launcher.launched
    assert first == runs / "sft" / "60-checkpoint" / "01-sft"
    assert rest == [runs / "chain" / "60-checkpoint" / "02-rag-sft"]
    summary = Folder(runs / "chain" / "60-checkpoint").read_json("summary.json")
    assert (summary["method"], summary["taken from an equal run"]) == ("sft+rag-sft", "01-sft")
    bring(site, CHAIN, "train.steps.rag-sft.epochs=1", last="train", name="chain")
    assert len(fakes.launcher.launched) == 3, "only the method that was changed is trained again"
    bring(site, CHAIN, first="train", last="train", name="chain")
    assert len(fakes.launcher.launched) == 5, "what is forced is trained anew, all of it"


def test_settings_of_methods_outside_the_chain_change_nothing(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="train")
    assert set(bring(site, "train.steps.sft={epochs: 1}", last="train").values()) == {"unchanged"}
    assert bring(site, "retrieve.k=3", last="synthesize")["synthesize"] == "unchanged", "RAFT shows no top k"
    assert bring(site, "train.method=rag-sft", last="synthesize")["synthesize"] == "done"
    assert bring(site, "train.method=rag-sft", "retrieve.k=3", last="synthesize")["synthesize"] == "done"


def test_everything_that_reads_a_run_knows_its_chain(
    make_site: MakeSite, bring: Bring, fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site(train={"method": ["sft", "rag-sft"]})
    bring(site)
    session = open_session(site.file)
    checkpoint = site.run / "60-checkpoint"
    assert {row["step"] for row in show(session, "lessons", 2)} == {"01-sft", "02-rag-sft"}
    assert len(show(session, "lessons", 2)) == 4
    assert list(show(session, "checkpoint", 1)) == ["01-sft", "02-rag-sft"]
    report = show(session, "report", 1)
    assert report["facts"]["method"] == "sft+rag-sft"
    assert list(report["lessons"]) == list(report["training"]) == ["01-sft", "02-rag-sft"]
    assert ask(session, "Who keeps the lamp of Holm?").model == "tuned"
    assert fakes.asked[-1][0] == str(checkpoint / "02-rag-sft")
    saved: list[str] = []
    monkeypatch.setattr("ragraft.models.load.save_merged", lambda model, target, **_: saved.append(model))
    export(session, "merged", site.folder / "out")
    assert saved == [str(checkpoint / "02-rag-sft")]


def test_the_estimate_counts_every_method(make_site: MakeSite, bring: Bring, private_cache: Path) -> None:
    site = make_site()
    both, sft, rag = (
        Foresight(open_session(site.file, [f"train.method={method}"]).at(), site.run.parent).workload.train_work()
        for method in ("[sft, rag-sft]", "sft", "rag-sft")
    )
    assert both.tokens == pytest.approx(sft.tokens + rag.tokens, abs=1)
    assert both.disk == sft.disk + rag.disk
    assert 0 < sft.tokens < rag.tokens
    bring(site, "train.method=sft", last="train", name="one")
    bring(site, CHAIN, last="train", name="two")
    session = open_session(site.file, [CHAIN], "two")
    found = Foresight(session.at(), site.run.parent)
    plan = found.plan("train")
    assert plan is not None
    (private_cache / RATES).unlink(missing_ok=True)
    found.learn(plan, session.at().made["train"], 25.0)
    assert not (private_cache / RATES).exists(), "what was taken took no time here, so the whole tells no pace"
