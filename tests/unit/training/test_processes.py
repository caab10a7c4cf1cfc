"""Several processes on one job: torchrun with gloo on a CPU. What they learn is what one process learns."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from safetensors.torch import load_file

from ragraft.backends.launchers.here import HereLauncher
from ragraft.backends.trainers.transformers import TransformersTrainer
from ragraft.errors import TrainingError
from ragraft.ports import TrainJob
from ragraft.training import processes, run
from ragraft.training.run import run_job

MakeJob = Callable[..., Path]
WEIGHTS = "adapter_model.safetensors"
SETTINGS = {"dropout": 0.0, "group": 5, "copies": 2, "batch": 5, "save_every": 1}
PATIENCE = 900.0
LAUNCHED = """
import os, sys
from ragraft.backends.launchers.here import HereLauncher
from ragraft.ports import Command
os.environ["VICTIM"] = str(os.getpid())
HereLauncher().launch(Command(tuple(sys.argv[1:])))
"""
# In the third step the first process kills what launched it; all then wait for their end.
KILLER = """
import os, signal, sys, time
from ragraft.training.__main__ import main
from ragraft.training.progress import Progress
log = Progress.on_log
def on_log(self, args, state, control, **kwargs):
    log(self, args, state, control, **kwargs)
    if state.global_step == 3:
        if os.environ["RANK"] == "0":
            os.kill(int(os.environ.get("VICTIM") or os.getppid()), signal.SIGKILL)
        time.sleep(10_000)
Progress.on_log = on_log
sys.exit(main(sys.argv[1:]))
"""
pytestmark = pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="gloo")


def launch(folder: Path) -> int:
    return HereLauncher().launch(TransformersTrainer().command(TrainJob(folder, 2))).returncode


def metrics(folder: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{key: row.get(key) for key in ("step", "epoch", "loss", "validation_loss", "tokens")} for row in rows]


@pytest.fixture(scope="module")
def two(make_job: MakeJob) -> Path:
    """A job that two processes did, with the best epoch kept."""
    folder = make_job(**SETTINGS, processes=2, patience=9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        assert launch(folder) == 0
    return folder


def test_two_processes_learn_what_one_learns(make_job: MakeJob, two: Path) -> None:
    one = make_job(**SETTINGS, patience=9)
    run_job(one)
    found, expected = metrics(two), metrics(one)
    assert len(found) == 4 + 3
    for mine, theirs in zip(found, expected, strict=True):
        for name in ("loss", "validation_loss"):
            assert mine.pop(name) == pytest.approx(theirs.pop(name), abs=2e-4)
        mine.pop("tokens"), theirs.pop("tokens")  # a tree that two processes read has its trunk twice
        assert mine == theirs
    weights = load_file(one / WEIGHTS)
    for name, tensor in load_file(two / WEIGHTS).items():
        torch.testing.assert_close(tensor, weights[name], rtol=1e-3, atol=5e-4)


def test_one_process_writes(two: Path) -> None:
    card = json.loads((two / "checkpoint.json").read_text(encoding="utf-8"))
    assert (card["processes"], card["steps"], card["rows"]) == (2, 4, 20)
    assert card["forward_passes"] >= 2 * card["steps"], "none stood idle"
    assert not (two / "steps").exists()
    assert [row["step"] for row in metrics(two)] == [0, 1, 2, 2, 3, 4, 4]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@pytest.mark.parametrize("killed", ["ragraft", "torchrun"])
def test_a_killed_launcher_takes_all_with_it_and_the_job_goes_on(make_job: MakeJob, two: Path, killed: str) -> None:
    folder = make_job(**SETTINGS, processes=2, patience=9)
    script = folder.parent / "killer.py"
    script.write_text(KILLER, encoding="utf-8")
    command = TransformersTrainer().command(TrainJob(folder, 2))
    assert command.arguments[-3:-1] == ("-m", "ragraft.training")
    arguments = [*command.arguments[:-3], str(script), str(folder)]
    if killed == "ragraft":
        arguments = [sys.executable, "-c", LAUNCHED, *arguments]
    environment = {**os.environ, **command.environment, "RAGRAFT_FOLLOW_STDIN": "1"}
    process = subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    )
    assert process.wait(PATIENCE) == -signal.SIGKILL
    # Its output ends when the last process that inherited it has ended.
    process.communicate(timeout=PATIENCE)
    assert sorted(place.name for place in (folder / "steps").glob("checkpoint-*")) == ["checkpoint-1", "checkpoint-2"]
    assert not (folder / "checkpoint.json").exists()
    assert launch(folder) == 0
    assert metrics(folder) == metrics(two)
    assert (folder / WEIGHTS).read_bytes() == (two / WEIGHTS).read_bytes()


def test_one_process_meets_nobody(make_job: MakeJob) -> None:
    processes.join(1, "cpu")
    processes.wait()
    assert processes.is_first()
    assert not torch.distributed.is_initialized()


def test_processes_need_a_device_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(TrainingError, match=r"^train\.processes: 3 needs as many GPUs, and there are 2$"):
        processes.join(3, "cuda")
    with pytest.raises(TrainingError, match=r"^train\.processes: 2 needs CUDA GPUs or a CPU; Apple's GPUs take one"):
        processes.join(2, "mps")


def test_the_first_process_holds_the_lock_for_all(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_job()
    met: list[str] = []
    monkeypatch.setattr(run, "is_first", lambda: False)
    monkeypatch.setattr(run, "wait", lambda: met.append("waited"))
    monkeypatch.setattr(run, "_train", lambda *_: met.append("trained"))
    with FileLock(folder / ".lock"):
        run_job(folder)
    assert met == ["waited", "trained"]
