"""The benchmark of adaptive retrieval: which runs it calibrates, what a row holds, what it prints and keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import adaptive
from ragraft.pipeline import Session
from ragraft.workspace import CALIBRATION, Folder
from tests.benchmarks.test_sets import make_data
from tests.unit.methods.test_routing_table import record


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Session]:
    """The sessions that are calibrated, instead of a model that answers."""
    seen: list[Session] = []

    def run_table(session: Session, tell: Callable[..., None], *, last: str) -> dict[str, Folder]:
        assert last == "calibrate"
        seen.append(session)
        folder = Folder(tmp_path / session.config.name)
        folder.write_json(CALIBRATION, record())
        return {last: folder}

    monkeypatch.setattr(adaptive, "run_table", run_table)
    return seen


def call(folder: Path, *more: str) -> int:
    return adaptive.main(["--data", str(folder), "--work", str(folder / "work"), *more])


def test_a_set_is_calibrated_on_a_raft_run_of_its_own(
    tmp_path: Path, asked: list[Session], capsys: pytest.CaptureFixture[str]
) -> None:
    make_data(tmp_path, "squad")
    assert call(tmp_path, "--only", "squad", "--set", "calibrate.max_questions=7") == 0
    (session,) = asked
    assert session.run.path == (tmp_path / "work" / "runs" / "squad.adaptive").resolve()
    assert session.config.train.method == ("raft",)
    assert session.config.calibrate.max_questions == 7
    said = capsys.readouterr().out.splitlines()
    figures = record()["exam"]["figures"]["skipped"]
    assert said[0] == "squad:"
    saved = next(line for line in said if line.startswith("exam") and "retrievals saved" in line)
    assert saved.split()[-4:] == [*(f"{100 * figures[key]:.1f}" for key in ("value", "low", "high")), "240"]
    assert any(line.startswith("On the exam the loss was ") for line in said), "whether the promise held"


def test_rows_of_other_sets_stay_in_the_file(
    tmp_path: Path, asked: list[Session], capsys: pytest.CaptureFixture[str]
) -> None:
    make_data(tmp_path, "squad", "nq")
    file = tmp_path / "rows.json"
    assert call(tmp_path, "--only", "squad", "--json", str(file)) == 0
    assert call(tmp_path, "--only", "nq", "--json", str(file)) == 0
    written: dict[str, Any] = json.loads(file.read_text("utf-8"))
    assert list(written["sets"]) == ["squad", "nq"]
    assert written["sets"]["nq"]["questions"] == {"calibration": 240, "exam": 240}
    assert {row["side"] for row in written["sets"]["nq"]["rows"]} == {"calibration", "exam"}
    assert call(tmp_path, "--only", "nq", "--json", str(file), "--set", "retrieve.k=2") == 1
    assert "holds rows made under other settings (none)" in capsys.readouterr().err
    assert len(asked) == 2
