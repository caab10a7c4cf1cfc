"""Documents change; a refresh with a real (tiny) model and training process is killed in training, and goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from ragraft.pipeline import open_session, run_table, sync
from tests.e2e import test_killed as killed

if TYPE_CHECKING:
    from tests.conftest import Site

MakeSite = Callable[..., "Site"]
SETTINGS = {
    **killed.SETTINGS,
    "train": {"rank": 4, "batch": 1, "epochs": 4, "save_every": 2},
    "evaluate": {
        "generator": "transformers",
        "batch": 1,
        "max_questions": 3,
        "models": ["base", "tuned"],
        "contexts": ["retrieved"],
    },
    "promote": {"formats": None},
}


@pytest.mark.slow
def test_a_refresh_killed_in_training_goes_on(make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    site = make_site(**SETTINGS)
    run_table(open_session(site.file), lambda event: None)
    for file in (site.folder / "docs").glob("*.md"):
        file.write_text(file.read_text("utf-8").replace("lamp", "lantern"), encoding="utf-8")
    sync(open_session(site.file), lambda event: None)
    monkeypatch.setattr(killed, "COMMAND", [*killed.COMMAND[:3], "refresh"])
    new = site.folder / "runs" / "lights-refresh-1"
    work = new / "60-checkpoint" / "01-raft"
    killed.kill_when(killed.start(site), lambda: any((work / "steps").glob("checkpoint-*/complete")))
    assert not (work / "checkpoint.json").exists(), "the kill came too late to prove anything"
    again = killed.start(site)
    out, err = again.communicate(timeout=killed.PATIENCE)
    assert "train       goes on where it was stopped" in out
    assert "examine     unchanged" in out
    assert again.returncode == 4, err  # twelve questions show nothing
    known = json.loads((new / "96-refresh" / "refresh.json").read_text("utf-8"))
    assert known["outcome"]["event"] == "refused"
    assert known["took"]["trained tokens"] > 0
    assert (site.run / "60-checkpoint" / "01-raft" / "adapter_model.safetensors").exists()
    assert (work / "adapter_model.safetensors").read_bytes() != (
        site.run / "60-checkpoint" / "01-raft" / "adapter_model.safetensors"
    ).read_bytes()
    asked = [json.loads(row)["model"] for row in (new / "96-refresh" / "service.jsonl").read_text("utf-8").splitlines()]
    assert set(asked) == {"in service"}
