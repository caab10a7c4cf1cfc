"""A run to its scores with a real (tiny) model and a real training process, killed twice, against one left in peace."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ragraft.pipeline import STAGES

if TYPE_CHECKING:
    from tests.conftest import Site

MakeSite = Callable[..., "Site"]
COMMAND = [sys.executable, "-c", "from ragraft.cli import main; main()", "run", "--until", "evaluate"]
PATIENCE = 900.0
SETTINGS = {
    "examine": {"recall_at": [2]},
    "synthesize": {"max_questions": 12, "max_validation": 2},
    # Enough steps that a kill lands among them.
    "train": {"rank": 4, "batch": 1, "epochs": 9, "save_every": 2},
    "evaluate": {"generator": "transformers", "batch": 1, "max_questions": 3, "shot_questions": 2},
}


def start(site: Site) -> subprocess.Popen[str]:
    # One thread each: two runs go side by side, and threads that wait for each other's cores crawl.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*COMMAND, str(site.file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def end(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    return out


def kill_when(process: subprocess.Popen[str], happened: Callable[[], bool]) -> None:
    """Kill -9 the process as soon as something is there; fail when it ends before, or takes too long."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.01)
            raise AssertionError(f"it ended before it could be killed: {process.communicate()}")
    process.kill()
    process.communicate(timeout=PATIENCE)


def rows(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines() if file.exists() else []


def test_a_run_killed_in_train_and_in_evaluate_ends_as_one_left_in_peace(make_site: MakeSite) -> None:
    peaceful, site = make_site("peaceful", **SETTINGS), make_site("killed", **SETTINGS)
    undisturbed = start(peaceful)
    try:
        work = site.run / "60-checkpoint" / "01-raft"
        kill_when(start(site), lambda: len(list((work / "steps").glob("checkpoint-*/complete"))) > 0)
        assert not (work / "checkpoint.json").exists(), "the kill came too late to prove anything"
        killed_at = len([row for row in rows(work / "metrics.jsonl") if '"loss"' in row])

        again = start(site)
        kill_when(again, lambda: len(site.answers()) > 2)
        assert not (site.run / "70-scores" / "manifest.json").exists()
        before = {name: place.stat().st_mtime_ns for name, place in answer_files(site).items()}

        out = end(start(site))
        whole = end(undisturbed)
    finally:
        undisturbed.kill()
    assert [line.split()[0] for line in whole.splitlines() if " done in " in line] == list(STAGES[:-1])
    assert "train       unchanged" in out
    assert "evaluate    goes on where it was stopped" in out
    wanted = peaceful.run / "60-checkpoint" / "01-raft"
    assert (work / "adapter_model.safetensors").read_bytes() == (wanted / "adapter_model.safetensors").read_bytes()
    assert losses(work) == losses(wanted)
    card = json.loads((work / "checkpoint.json").read_text("utf-8"))
    assert 0 < killed_at < card["steps"]
    assert card["questions_seen"] == 9 * 12
    assert card["sharing"] > 1, "questions on one lighthouse share its documents"
    for name in ("answers.jsonl", "scorecard.json", "fewshot.json"):
        assert (site.run / "70-scores" / name).read_bytes() == (peaceful.run / "70-scores" / name).read_bytes()
    after = answer_files(site)
    assert {name: after[name].stat().st_mtime_ns for name in before} == before  # no finished batch was asked again
    assert sorted(after) == sorted(answer_files(peaceful))


def answer_files(site: Site) -> dict[str, Path]:
    return {place.name: place for place in (site.folder / "runs" / ".answers").glob("*/*.json")}


def losses(work: Path) -> list[tuple[object, ...]]:
    """What was learnt, without the times."""
    found = [json.loads(row) for row in rows(work / "metrics.jsonl")]
    return [tuple(row.get(key) for key in ("step", "loss", "validation_loss", "grad_norm", "tokens")) for row in found]
