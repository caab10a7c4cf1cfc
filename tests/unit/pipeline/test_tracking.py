"""A finished report's figures go to the tracker that the YAML names, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from ragraft.errors import BackendError
from ragraft.pipeline import checks, open_session, tracking
from ragraft.ports import Tracked

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring

MakeSite = Callable[..., "Site"]


def test_nothing_is_tracked_by_default(make_site: MakeSite, bring: Bring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "load", lambda port, name: pytest.fail("no tracker was named"))
    site = make_site()
    bring(site)
    assert not (site.run.parent / ".tracked").exists()
    assert "tracked" not in json.loads((site.run / "80-report" / "summary.json").read_text("utf-8"))


def test_the_named_tracker_gets_figures_and_settings(
    make_site: MakeSite, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tracked] = []

    class Tracker:
        def track(self, run: Tracked) -> str:
            seen.append(run)
            return "a drawer"

    monkeypatch.setattr(tracking, "load", lambda port, name: {("trackers", "mlflow"): Tracker}[port, name])
    monkeypatch.setattr(checks, "find_spec", lambda name: True)
    site = make_site(report={"track": "mlflow"})
    bring(site)
    assert json.loads((site.run / "80-report" / "summary.json").read_text("utf-8"))["tracked"] == "a drawer"
    assert bring(site)["report"] == "unchanged"
    (run,) = seen
    assert (run.project, run.name, run.folder) == ("ragraft", "lights", site.run.parent / ".tracked")
    assert run.settings["retrieve.k"] == "2"
    assert "retrieved/tuned/f1" in run.figures


def test_a_library_that_is_missing_is_told_before_anything_runs(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "find_spec", lambda name: None)
    session = open_session(make_site(report={"track": "trackio"}).file)
    with pytest.raises(
        BackendError, match=r"^report.track: trackio is not installed: pip install 'ragraft\[trackio\]'"
    ):
        checks.check_stage_inputs(session.config, session.backends, ("report",), fetch=False)
