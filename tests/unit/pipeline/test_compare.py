from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ragraft.errors import ConfigError, WorkspaceError
from ragraft.pipeline import compare, open_session
from tests.conftest import Site
from tests.unit.conftest import Bring

MakeSite = Callable[..., Site]


@pytest.fixture
def sites(make_site: MakeSite, bring: Bring) -> Site:
    """Three runs: raft, a chain, and one that is not evaluated."""
    site = make_site(evaluate={"models": ["base", "tuned"], "contexts": ["retrieved"]})
    bring(site)
    bring(site, "train.method=[sft, rag-sft]", "evaluate.max_questions=6", name="chain")
    bring(site, last="examine", name="begun")
    return site


def test_runs_of_a_workspace_in_one_table(sites: Site, tmp_path: Path, bring: Bring) -> None:
    session = open_session(sites.file)
    found = compare(session, ["chain", "lights"])
    assert found.data["grid"]["models"] == ["base", "sft+rag-sft", "raft"]
    assert found.data["questions"] == 6
    assert found.folder == sites.folder / "runs" / ".compared" / "chain+lights"
    assert json.loads((found.folder / "compare.json").read_text("utf-8")) == json.loads(json.dumps(found.data))
    assert (found.folder / "compare.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    bring(sites, "train.method=sft", last="train")  # another model now; the scores are still of the old one
    assert compare(session, ["lights", "chain"], tmp_path / "out").data["grid"]["models"][1] == "raft"
    assert (tmp_path / "out" / "compare.json").exists()


FAULTS = {
    ("lights", "chian"): (ConfigError, r"No run chian in .*runs; did you mean chain\?"),
    ("lights", "zzz"): (ConfigError, r"No run zzz in .*runs; known: begun, chain, lights"),
    ("lights", ".answers"): (ConfigError, r"No run .answers in .*; known: begun, chain, lights"),
    ("lights",): (ConfigError, r"ragraft compare RUN RUN…: name at least 2 runs; runs here: begun, chain, lights"),
    ("chain", "lights", "chain"): (ConfigError, r"ragraft compare RUN RUN…: chain is named twice; runs here: .*"),
    ("lights", "begun"): (
        WorkspaceError,
        r"begun is not evaluated yet. Run: ragraft run --run begun, .*",
    ),
}


def test_what_cannot_be_compared_is_told(sites: Site) -> None:
    session = open_session(sites.file)
    for names, (kind, sentence) in FAULTS.items():
        with pytest.raises(kind, match=f"^{sentence}$"):
            compare(session, names)
