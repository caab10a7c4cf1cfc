"""What torchrun's end looks like to the user: one sentence, whoever said it and however many."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ragraft.backends.launchers.here import HereLauncher
from ragraft.backends.trainers.transformers import TransformersTrainer
from ragraft.ports import TrainJob
from ragraft.training.together import ERROR_FILE, sentence_of, tell

MakeJob = Callable[..., Path]


def failure(place: Path, exitcode: int, name: str = "<N/A>") -> SimpleNamespace:
    data = json.loads(place.read_text("utf-8")) if place.exists() else {"message": "<NONE>"}
    return SimpleNamespace(error_file=str(place), error_file_data=data, exitcode=exitcode, signal_name=lambda: name)


def test_a_process_alone_tells_the_user(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv(ERROR_FILE, raising=False)
    tell("There is no room.")
    assert capsys.readouterr().err == "ragraft: There is no room.\n"


def test_a_process_of_several_tells_torchrun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "error.json"
    monkeypatch.setenv(ERROR_FILE, str(place))
    tell("There is no room.")
    assert capsys.readouterr().err == ""
    assert sentence_of(1, failure(place, 1)) == "There is no room."


def test_a_signal_is_named_and_a_bug_has_told_itself(tmp_path: Path) -> None:
    gone = tmp_path / "error.json"
    killed = failure(gone, -signal.SIGTERM, "SIGTERM")
    assert sentence_of(1, killed) == "Training process 1 was killed (SIGTERM)"
    assert sentence_of(0, failure(gone, 1)) == ""


@pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="gloo")
def test_what_two_processes_say_is_said_once_and_without_a_traceback(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    folder = make_job(validation=0, patience=1, processes=2)
    assert HereLauncher().launch(TransformersTrainer().command(TrainJob(folder, 2))).returncode == 1
    said = capfd.readouterr().err
    assert said.count("ragraft: train.patience needs validation lessons, and there are none; ") == 1
    assert "Traceback" not in said
    assert "ChildFailedError" not in said
