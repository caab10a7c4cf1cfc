"""Trackers with their libraries' own calls: made-up libraries, and the real ones where they are installed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ragraft.backends.trackers.mlflow import MlflowTracker
from ragraft.backends.trackers.trackio import TrackioTracker
from ragraft.errors import BackendError
from ragraft.ports import Tracked

FIGURES = {"retrieved/tuned/f1": 0.5, "oracle+N/tuned/f1/low": 0.25, "rgb/base/noise robustness, 50 % noise": 1.0}


def tracked(folder: Path, **values: Any) -> Tracked:
    settings = {"train.rank": "8", "documents": "x" * 700}
    return Tracked(
        **{"project": "ragraft", "name": "lights", "settings": settings, "figures": FIGURES, "folder": folder, **values}
    )


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What trackers set is gone after each test."""
    for name in ("MLFLOW_TRACKING_URI", "TRACKIO_DIR", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK",
                 "GRADIO_ANALYTICS_ENABLED", "HF_HUB_DISABLE_TELEMETRY"):  # fmt: skip
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


class FakeClient:
    """MLflow's client, as far as it is used."""

    seen: list[tuple[Any, ...]] = []  # noqa: RUF012
    refuse: Exception | None = None

    def __init__(self, tracking_uri: str) -> None:
        self.seen.append(("client", tracking_uri))

    def get_experiment_by_name(self, name: str) -> None:
        if self.refuse:
            raise self.refuse

    def create_experiment(self, name: str, **options: str) -> str:
        self.seen.append(("experiment", name, options))
        return "7"

    def create_run(self, experiment: str, run_name: str) -> Any:
        self.seen.append(("run", experiment, run_name))
        return SimpleNamespace(info=SimpleNamespace(run_id="r1"))

    def log_batch(self, run: str, metrics: list[Any], params: list[Any]) -> None:
        self.seen.append(("batch", run, metrics, params))

    def set_terminated(self, run: str) -> None:
        self.seen.append(("end", run))


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> type[FakeClient]:
    class Client(FakeClient):
        seen: list[tuple[Any, ...]] = []  # noqa: RUF012

    parts: dict[str, dict[str, Any]] = {
        "mlflow": {"MlflowClient": Client},
        "mlflow.entities": {
            "Metric": lambda key, value, timestamp, step: (key, value),
            "Param": lambda key, value: (key, value),
        },
        "mlflow.exceptions": {"MlflowException": type("MlflowException", (Exception,), {})},
    }
    for name, values in parts.items():
        module = ModuleType(name)
        module.__dict__.update(values)
        monkeypatch.setitem(sys.modules, name, module)
    return Client


def test_mlflow_keeps_a_run_beside_the_runs(mlflow: type[FakeClient], tmp_path: Path) -> None:
    told = MlflowTracker().track(tracked(tmp_path / "tracked"))
    uri = f"sqlite:///{tmp_path.resolve()}/tracked/mlflow.db"
    assert told == f"mlflow run r1 in {uri}"
    assert mlflow.seen[0] == ("client", uri)
    _, _, metrics, params = next(row for row in mlflow.seen if row[0] == "batch")
    assert dict(metrics) == {
        "retrieved/tuned/f1": 0.5,
        "oracle_N/tuned/f1/low": 0.25,
        "rgb/base/noise robustness_ 50 _ noise": 1.0,
    }
    assert dict(params)["train.rank"] == "8"
    assert len(dict(params)["documents"]) == 500
    assert mlflow.seen[-1] == ("end", "r1")
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_mlflow_logs_many_figures_in_batches(mlflow: type[FakeClient], tmp_path: Path) -> None:
    MlflowTracker().track(tracked(tmp_path, figures={f"f{n}": float(n) for n in range(250)}))
    batches = [row for row in mlflow.seen if row[0] == "batch"]
    assert [len(metrics) for _, _, metrics, _ in batches] == [100, 100, 50]
    assert [len(params) for _, _, _, params in batches] == [2, 0, 0]


def test_the_users_own_server_is_used_and_its_password_not_told(
    mlflow: type[FakeClient], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@tracking.test")
    assert MlflowTracker().track(tracked(tmp_path)) == "mlflow run r1 in http://tracking.test"
    assert ("experiment", "ragraft", {}) in mlflow.seen
    mlflow.refuse = OSError("no route to http://me:secret@tracking.test")
    with pytest.raises(BackendError) as raised:
        MlflowTracker().track(tracked(tmp_path))
    assert str(raised.value) == (
        "report.track: mlflow could not write to http://tracking.test (no route to http://tracking.test); start or "
        "correct that server, or leave report.track out"
    )


@pytest.fixture
def trackio(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    seen: dict[str, Any] = {}

    def init(**options: Any) -> Any:
        print("* Trackio project initialized")
        seen.update(options)
        return SimpleNamespace(name=options["name"])

    module = ModuleType("trackio")
    module.__dict__.update(
        init=init, log=lambda figures: seen.update(logged=figures), finish=lambda: seen.update(end=True)
    )
    monkeypatch.setitem(sys.modules, "trackio", module)
    return seen


def test_trackio_keeps_a_run_beside_the_runs(
    trackio: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert TrackioTracker().track(tracked(tmp_path)) == f"trackio run lights in {tmp_path.resolve()}"
    assert trackio["logged"] == FIGURES
    assert trackio["end"]
    assert "space_id" not in trackio
    assert os.environ["TRACKIO_DIR"] == str(tmp_path.resolve())
    assert capsys.readouterr().out == ""


def test_a_library_that_fails_is_one_sentence(
    trackio: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def log(figures: object) -> None:
        raise RuntimeError("database is\nlocked")

    monkeypatch.setattr(sys.modules["trackio"], "log", log)
    with pytest.raises(
        BackendError, match=r"^report.track: trackio could not write to .+ \(database is locked\); corr"
    ):
        TrackioTracker().track(tracked(tmp_path))


def test_the_real_mlflow_reads_back_what_was_kept(tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    told = MlflowTracker().track(tracked(tmp_path))
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    found = client.get_run(told.split()[2])
    assert found.data.metrics["retrieved/tuned/f1"] == 0.5
    assert found.data.params["train.rank"] == "8"
    assert found.info.status == "FINISHED"


def test_the_real_trackio_reads_back_what_was_kept(tmp_path: Path) -> None:
    os.environ["TRACKIO_DIR"] = str(tmp_path)
    pytest.importorskip("trackio")
    TrackioTracker().track(tracked(tmp_path))
    assert list(tmp_path.glob("*.db"))
