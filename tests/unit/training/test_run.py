from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from ragraft.errors import TrainingError
from ragraft.models.load import open_model
from ragraft.training import run
from ragraft.training.__main__ import main
from ragraft.training.progress import Progress
from ragraft.training.run import run_job

MakeJob = Callable[..., Path]
WEIGHTS = "adapter_model.safetensors"
# What a row of metrics says of training, without what it says of the clock; tokens have a test of their own.
FACTS = ("step", "epoch", "loss", "learning_rate", "grad_norm", "validation_loss")
KILLED = """
import os, signal, sys
from pathlib import Path
from ragraft.training.progress import Progress
from ragraft.training.run import run_job
log = Progress.on_log
def on_log(self, args, state, control, **kwargs):
    log(self, args, state, control, **kwargs)
    if state.global_step == 5:
        os.kill(os.getpid(), signal.SIGKILL)
Progress.on_log = on_log
run_job(Path(sys.argv[1]))
"""


class StoppedError(Exception):
    """The test's own end of a process."""


def stop(monkeypatch: pytest.MonkeyPatch, event: str, step: int) -> None:
    """Let training stop at an event of a step, before our own handler of it."""
    handler = getattr(Progress, event)

    def stopping(self: Progress, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == step:
            raise StoppedError
        handler(self, args, state, control, **kwargs)

    monkeypatch.setattr(Progress, event, stopping)


def run_until(folder: Path, event: str, step: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        stop(patch, event, step)
        with pytest.raises(StoppedError):
            run_job(folder)
    assert not (folder / "checkpoint.json").exists()


def metrics(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def facts(folder: Path) -> list[dict[str, Any]]:
    return [{name: row[name] for name in FACTS if name in row} for row in metrics(folder)]


def resume_points(folder: Path) -> list[str]:
    return sorted(place.name for place in (folder / "steps").glob("*"))


@pytest.fixture(scope="module")
def undisturbed(make_job: MakeJob) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "pick_device", lambda: "cpu")
        folder = make_job()
        run_job(folder)
    return folder


def same(folder: Path, other: Path) -> None:
    assert facts(folder) == facts(other)
    assert (folder / WEIGHTS).read_bytes() == (other / WEIGHTS).read_bytes()


def test_the_same_job_gives_the_same_bytes(make_job: MakeJob, undisturbed: Path) -> None:
    folder = make_job()
    run_job(folder)
    same(folder, undisturbed)


def test_names_of_modules_stand_in_one_order(undisturbed: Path) -> None:
    # A set's order is another in every process, which no comparison within one process would show.
    adapter = json.loads((undisturbed / "adapter_config.json").read_text(encoding="utf-8"))
    assert len(adapter["target_modules"]) > 3
    assert adapter["target_modules"] == sorted(adapter["target_modules"])


def test_another_seed_gives_others(make_job: MakeJob, undisturbed: Path) -> None:
    folder = make_job(seed=1)
    run_job(folder)
    assert facts(folder) != facts(undisturbed)


@pytest.mark.parametrize(
    ("event", "step", "left"),
    [
        ("on_log", 1, []),
        ("on_log", 3, ["checkpoint-2"]),
        ("on_step_end", 5, ["checkpoint-2", "checkpoint-4"]),
        ("on_step_end", 4, ["checkpoint-2"]),
        ("on_train_end", 6, ["checkpoint-2", "checkpoint-4"]),
    ],
)
def test_a_stopped_job_goes_on_as_if_nothing_had_been(
    make_job: MakeJob, undisturbed: Path, event: str, step: int, *, left: list[str]
) -> None:
    folder = make_job()
    run_until(folder, event, step)
    assert resume_points(folder) == left
    run_job(folder)
    same(folder, undisturbed)


def test_a_half_written_resume_point_is_not_used(make_job: MakeJob, undisturbed: Path) -> None:
    folder = make_job()
    run_until(folder, "on_save", 4)
    assert resume_points(folder) == ["checkpoint-2", "checkpoint-4"]
    next((folder / "steps" / "checkpoint-4").glob("*.safetensors")).write_bytes(b"half")
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as out:
        out.write('{"step": 5, "lo')
    run_job(folder)
    same(folder, undisturbed)


def test_a_job_stopped_twice(make_job: MakeJob, undisturbed: Path) -> None:
    folder = make_job()
    run_until(folder, "on_log", 3)
    run_until(folder, "on_log", 5)
    run_job(folder)
    same(folder, undisturbed)


def test_a_stop_right_after_an_epochs_last_save(make_job: MakeJob, undisturbed: Path) -> None:
    folder = make_job(save_every=3)
    run_until(folder, "on_step_end", 4)
    assert resume_points(folder) == ["checkpoint-3"]
    run_job(folder)
    same(folder, undisturbed)


def test_tokens_are_counted_once(make_job: MakeJob, undisturbed: Path) -> None:
    folder = make_job()
    run_until(folder, "on_log", 3)
    run_job(folder)
    found, expected = ([row["tokens"] for row in metrics(place) if "loss" in row] for place in (folder, undisturbed))
    assert found == expected


def test_a_job_stopped_while_the_checkpoint_is_written(make_job: MakeJob, undisturbed: Path) -> None:
    folder = make_job()

    def stopping(*_: Any) -> None:
        raise StoppedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "save", stopping)
        with pytest.raises(StoppedError):
            run_job(folder)
    (folder / WEIGHTS).write_bytes(b"half")
    run_job(folder)
    same(folder, undisturbed)


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_killed_process_goes_on(make_job: MakeJob, undisturbed: Path) -> None:
    folder = make_job()
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder)], capture_output=True, check=False, timeout=300)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert resume_points(folder) == ["checkpoint-2", "checkpoint-4"]
    assert main([str(folder)]) == 0
    same(folder, undisturbed)


def test_the_card_of_a_checkpoint(undisturbed: Path, tiny_model: Path) -> None:
    card = json.loads((undisturbed / "checkpoint.json").read_text(encoding="utf-8"))
    assert {name: card[name] for name in ("base", "base_identity", "data", "seed", "tuning", "method")} == {
        "base": str(tiny_model),
        "base_identity": "tiny",
        "data": "digest of the lessons",
        "seed": 0,
        "tuning": "lora",
        "method": "raft",
    }
    assert (card["rows"], card["validation_rows"], card["steps"]) == (10, 3, 6)
    assert (card["device"], card["dtype"]) == ("cpu", "float32")
    assert card["trainable_parameters"] == sum(tensor.numel() for tensor in load_file(undisturbed / WEIGHTS).values())
    assert card["validation_loss"] == metrics(undisturbed)[-1]["validation_loss"]
    assert card["tokens"] == max(row.get("tokens", 0) for row in metrics(undisturbed))
    assert (card["trees"], card["copies"], card["questions_seen"], card["sharing"]) == (10, 1, 20, 1.0)
    assert (card["reading"], card["note"], card["best_step"]) == ("blocks", "", None)
    assert card["forward_passes"] >= card["steps"]
    assert 0 < card["learned_tokens"] < card["tokens"]
    assert set(card["versions"]) == {"torch", "transformers", "peft", "accelerate", "ragraft"}
    assert card["versions"]["torch"] == torch.__version__
    # Places on this machine are no facts of a checkpoint.
    assert not {"base_folder", "lessons", "validation"} & set(card)
    assert not (undisturbed / "steps").exists()


def test_a_finished_job_is_not_done_again(undisturbed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_train", lambda *_: pytest.fail("trained again"))
    run_job(undisturbed)


def test_only_one_process_trains_in_a_folder(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_job()
    monkeypatch.setattr(run, "FileLock", lambda place, timeout: FileLock(place, timeout=0))
    with (
        FileLock(folder / ".lock"),
        pytest.raises(TrainingError, match=r"^Another process is training in .*; wait for it to end or stop it$"),
    ):
        run_job(folder)


def test_all_parameters_can_be_tuned(make_job: MakeJob, tiny_model: Path) -> None:
    folder = make_job(tuning="full", learning_rate=1e-3)
    run_job(folder)
    ids = torch.arange(3, 40)[None]
    tuned, base = (AutoModelForCausalLM.from_pretrained(place).eval() for place in (folder, tiny_model))
    opened, _ = open_model(str(folder), precision="fp32", device="cpu")
    with torch.no_grad():
        torch.testing.assert_close(opened(ids).logits, tuned(ids).logits, rtol=1e-4, atol=1e-4)
        assert not torch.allclose(base(ids).logits, tuned(ids).logits, atol=1e-2)
    assert tuned.dtype is torch.float32
    card = json.loads((folder / "checkpoint.json").read_text(encoding="utf-8"))
    assert card["trainable_parameters"] == sum(parameter.numel() for parameter in base.parameters())
    losses = [row["validation_loss"] for row in metrics(folder) if "validation_loss" in row]
    assert losses[-1] < losses[0]
    # Other programs know nothing of our attention.
    assert "ragraft" not in (folder / "config.json").read_text(encoding="utf-8")


def test_full_tuning_resumes_to_the_same_bytes(make_job: MakeJob) -> None:
    whole, stopped = (make_job(tuning="full", learning_rate=1e-3) for _ in range(2))
    run_job(whole)
    run_until(stopped, "on_log", 5)
    run_job(stopped)
    assert facts(stopped) == facts(whole)
    assert (stopped / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


@pytest.mark.parametrize("tuning", ["rslora", "dora"])
def test_other_adapters_run_and_open(make_job: MakeJob, tiny_model: Path, tuning: str) -> None:
    folder = make_job(tuning=tuning, epochs=1.0)
    run_job(folder)
    adapter = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    assert (adapter["use_rslora"], adapter["use_dora"]) == (tuning == "rslora", tuning == "dora")
    losses = [row["validation_loss"] for row in metrics(folder) if "validation_loss" in row]
    assert losses[-1] < losses[0]
    ids = torch.arange(3, 40)[None]
    opened, _ = open_model(str(folder), precision="fp32", device="cpu")
    base = AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    with torch.no_grad():
        assert not torch.allclose(opened(ids).logits, base(ids).logits, atol=1e-2)


def test_quantized_weights_need_their_library(make_job: MakeJob, capsys: pytest.CaptureFixture[str]) -> None:
    if find_spec("bitsandbytes"):
        pytest.skip("bitsandbytes is installed")
    assert main([str(make_job(tuning="qlora"))]) == 1
    sentence = "ragraft: train.tuning: qlora needs bitsandbytes; install it, or choose lora\n"
    assert capsys.readouterr().err == sentence


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory: 9 bytes"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("MPS backend out of memory"),
    ],
)
def test_out_of_memory_names_what_to_lower(make_job: MakeJob, error: Exception) -> None:
    def failing(*_: Any) -> None:
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Progress, "saw", failing)
        with pytest.raises(TrainingError, match=r"^Training ran out of memory; lower train\.pack_tokens, or set"):
            run_job(make_job())


def test_other_failures_keep_their_traceback(make_job: MakeJob) -> None:
    def failing(*_: Any) -> None:
        raise RuntimeError("shapes differ")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Progress, "saw", failing)
        with pytest.raises(RuntimeError, match="shapes differ"):
            run_job(make_job())


def test_the_program_says_what_it_cannot_do(make_job: MakeJob, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().err == "usage: python -m ragraft.training JOB_FOLDER\n"
    assert main([str(make_job(max_tokens=5))]) == 1
    assert capsys.readouterr().err.startswith("ragraft: Lesson lesson-0 has ")


def test_an_interrupted_program_says_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "run_job", interrupted)
    assert main(["anywhere"]) == 130


def test_copies_that_no_epoch_reads_are_told(make_job: MakeJob, capsys: pytest.CaptureFixture[str]) -> None:
    told = (
        "1 of 2 copies of the lessons are never read, since an epoch reads one; raise train.epochs, or lower "
        "synthesize.copies"
    )
    for epochs, note in ((1.0, told), (1.5, ""), (2.0, "")):
        folder = make_job(rows=4, copies=2, validation=0, epochs=epochs)
        run_job(folder)
        assert json.loads((folder / "checkpoint.json").read_text("utf-8"))["note"] == note
        assert capsys.readouterr().err == (f"ragraft: {note}\n" if note else "")
