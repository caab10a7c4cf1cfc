from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from ragraft.config import PromptConfig, TrainConfig
from ragraft.errors import TrainingError
from ragraft.ports import Backends, Command, Outcome, TrainJob
from ragraft.stages.train import train
from ragraft.training.job import read_job
from ragraft.workspace import Checkpoint, Folder, Lessons, hash_file

CARD = {"steps": 4, "tokens": 99, "seconds": 150.0, "validation_loss": 1.23456, "sharing": 2.5}


@dataclass
class Fakes:
    """Trainer, launcher and facts in one."""

    card: dict[str, Any] | None = field(default_factory=lambda: dict(CARD))
    outcome: Outcome = field(default_factory=lambda: Outcome(0))
    device: str = "cpu"
    window: int = 4096
    base: str = "b1"
    parameters: int = 135_000_000
    launched: list[Command] = field(default_factory=list)
    jobs: list[TrainJob] = field(default_factory=list)

    @property
    def trainer(self) -> Fakes:
        return self

    @property
    def launcher(self) -> Fakes:
        return self

    def command(self, job: TrainJob) -> Command:
        self.jobs.append(job)
        return Command(("tune", str(job.folder)))

    def launch(self, command: Command) -> Outcome:
        self.launched.append(command)
        if self.card is not None:
            work = Folder(Path(command.arguments[1]))
            work.file("model.safetensors").write_bytes(work.path.name.encode())
            work.write_json("checkpoint.json", self.card)
        return self.outcome

    def model_facts(self) -> dict[str, Any]:
        return {
            "source": "hf:a/b",
            "path": "models/b",
            "identity": self.base,
            "parameters": self.parameters,
            "window": self.window,
        }

    def machine_facts(self) -> dict[str, Any]:
        return {"device": self.device, "threads": 3}


def bring(folder: Path, fakes: Fakes, *, earlier: Sequence[Folder] = (), **settings: Any) -> Checkpoint:
    lessons = Lessons(Folder(folder).folder("lessons"))
    config = TrainConfig(**settings)
    for number, method in enumerate(config.method, start=1):
        step = lessons.folder.folder(f"{number:02d}-{method}")
        step.write_jsonl("lessons.jsonl", [{"id": method}])
        step.write_jsonl("validation.jsonl", [])
    return train(
        lessons,
        settings=config,
        prompt=PromptConfig(max_tokens=1000),
        backends=cast(Backends, fakes),
        out=Folder(folder).folder("checkpoint"),
        earlier=earlier,
    )


def job(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = Folder(folder / "checkpoint" / "01-raft").read_json("job.json")
    return found


def test_the_job_holds_all_that_decides_the_weights(tmp_path: Path) -> None:
    fakes = Fakes()
    made = bring(tmp_path, fakes, seed=5)
    work = tmp_path / "checkpoint" / "01-raft"
    assert [command.arguments for command in fakes.launched] == [("tune", str(work))]
    assert job(tmp_path) == {
        "base": "hf:a/b",
        "base_identity": "b1",
        "base_folder": "models/b",
        "after": None,
        "after_identity": None,
        "method": "raft",
        "lessons": str(tmp_path / "lessons" / "01-raft" / "lessons.jsonl"),
        "validation": str(tmp_path / "lessons" / "01-raft" / "validation.jsonl"),
        "data": hash_file(tmp_path / "lessons" / "01-raft" / "lessons.jsonl"),
        "validation_data": hash_file(tmp_path / "lessons" / "01-raft" / "validation.jsonl"),
        "trainer": "transformers",
        "tuning": "lora",
        "rank": 32,
        "dropout": 0.0,
        "epochs": 2.0,
        "batch": 8,
        "pack_tokens": 2048,
        "share": True,
        "mean": "token",
        "warmup": 0.05,
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "checkpointing": False,
        "patience": None,
        "average": None,
        "precision": "auto",
        "alpha": 64.0,
        "learning_rate": 5e-4,
        "save_every": 20,
        "seed": 5,
        "threads": 3,
        "processes": 1,
        "max_tokens": 1000,
    }
    assert read_job(work).seed == 5  # the training process reads it whole
    assert made.final() == work
    assert made.folder.read_json("summary.json") == {
        "method": "raft",
        "steps": 4,
        "tokens": 99,
        "sharing": 2.5,
        "minutes": 2.5,
        "validation loss": 1.235,
    }


@pytest.mark.parametrize(
    ("settings", "key", "value"),
    [
        ({"tuning": "full"}, "learning_rate", 5e-5),
        ({"tuning": "full", "learning_rate": 1e-3}, "learning_rate", 1e-3),
        ({"rank": 8}, "alpha", 16.0),
        ({"rank": 8, "alpha": 3}, "alpha", 3.0),
        ({"pack_tokens": 600}, "pack_tokens", 600),
        ({"patience": 2}, "patience", 2),
        ({"average": 0.99}, "average", 0.99),
    ],
)
def test_what_was_left_out_is_settled(tmp_path: Path, settings: dict[str, Any], key: str, value: object) -> None:
    bring(tmp_path, Fakes(), **settings)
    assert job(tmp_path)[key] == value


def test_a_gpu_takes_larger_packs(tmp_path: Path) -> None:
    bring(tmp_path, Fakes(device="cuda"))
    assert job(tmp_path)["pack_tokens"] == 8192


def test_the_trainer_is_told_how_many_processes(tmp_path: Path) -> None:
    fakes = Fakes()
    bring(tmp_path, fakes, processes=3)
    assert fakes.jobs == [TrainJob(tmp_path / "checkpoint" / "01-raft", processes=3)]
    assert job(tmp_path)["processes"] == 3


def test_lessons_never_exceed_the_models_window(tmp_path: Path) -> None:
    bring(tmp_path, Fakes(window=512))
    assert job(tmp_path)["max_tokens"] == 512


def test_a_resumed_job_keeps_what_was_settled(tmp_path: Path) -> None:
    fakes = Fakes(card=None, outcome=Outcome(-9, "killed by signal 9"))
    with pytest.raises(TrainingError) as caught:
        bring(tmp_path, fakes)
    wanted = "(killed by signal 9); the same command goes on from the last resume point"
    assert str(caught.value) == f"Training stopped before its end {wanted}"
    settled = job(tmp_path)
    assert not os.path.lexists(tmp_path / "checkpoint" / "summary.json")
    bring(tmp_path, Fakes(device="cuda", window=99))
    assert job(tmp_path) == settled


def test_a_process_that_ends_well_without_a_checkpoint_failed(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"^Training stopped before its end \(no checkpoint was written\); "):
        bring(tmp_path, Fakes(card=None))


def test_a_process_that_fails_after_its_checkpoint_failed(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"\(exit code 1\)"):
        bring(tmp_path, Fakes(outcome=Outcome(1, "exit code 1")))


def test_a_finished_training_is_not_launched_again(tmp_path: Path) -> None:
    bring(tmp_path, Fakes())
    again = Fakes(card={})
    made = bring(tmp_path, again)
    assert again.launched == []
    assert made.card() == CARD


def test_each_method_starts_from_what_the_one_before_made(tmp_path: Path) -> None:
    fakes = Fakes()
    made = bring(tmp_path, fakes, method=("sft", "raft"), epochs=3, steps={"sft": {"tuning": "full", "epochs": 1}})
    places = [tmp_path / "checkpoint" / name for name in ("01-sft", "02-raft")]
    assert [command.arguments[1] for command in fakes.launched] == list(map(str, places))
    first, second = (Folder(place).read_json("job.json") for place in places)
    assert (first["after"], first["tuning"], first["epochs"], first["learning_rate"]) == (None, "full", 1.0, 5e-5)
    assert (second["after"], second["tuning"], second["epochs"]) == ("01-sft", "lora", 3.0)
    assert second["learning_rate"] == 5e-4
    assert first["after_identity"] is None
    assert second["after_identity"] == hash_file(places[0] / "model.safetensors")
    assert (first["base"], first["base_folder"]) == (second["base"], second["base_folder"])
    assert [one["data"] for one in (first, second)] == [
        hash_file(tmp_path / "lessons" / place.name / "lessons.jsonl") for place in places
    ]
    assert made.final() == places[1]
    summary = made.folder.read_json("summary.json")
    assert (summary["method"], summary["steps"], summary["minutes"]) == ("sft+raft", 8, 5.0)


def test_a_chain_goes_on_at_the_method_that_was_stopped(tmp_path: Path) -> None:
    chain: dict[str, Any] = {"method": ("sft", "raft")}

    class Stopped(Fakes):
        def launch(self, command: Command) -> Outcome:
            if command.arguments[1].endswith("02-raft"):
                return Outcome(-9, "killed by signal 9")
            return super().launch(command)

    with pytest.raises(TrainingError, match="killed by signal 9"):
        bring(tmp_path, Stopped(), **chain)
    again = Fakes()
    bring(tmp_path, again, **chain)
    assert [command.arguments[1] for command in again.launched] == [str(tmp_path / "checkpoint" / "02-raft")]


def test_what_an_equal_job_made_is_taken(tmp_path: Path) -> None:
    """The first method of a chain, from a run that has it alone; not from one with another seed or base."""
    bring(tmp_path / "alone", Fakes(), method=("sft",))
    bring(tmp_path / "other", Fakes(), method=("sft",), seed=1)
    earlier = [Folder(tmp_path / name / "checkpoint" / "01-sft") for name in ("other", "alone", "nowhere")]
    (earlier[1].path / "steps").mkdir()
    fakes = Fakes()
    made = bring(tmp_path / "chain", fakes, earlier=earlier, method=("sft", "raft"))
    chain = tmp_path / "chain" / "checkpoint"
    assert [command.arguments[1] for command in fakes.launched] == [str(chain / "02-raft")]
    assert made.folder.read_json("summary.json")["taken from an equal run"] == "01-sft"
    assert (chain / "01-sft" / "model.safetensors").read_bytes() == b"01-sft"
    assert Folder(chain / "02-raft").read_json("job.json")["after_identity"] == hash_file(
        earlier[1].file("model.safetensors")
    )
    moved = Fakes(base="b2")
    bring(tmp_path / "moved", moved, earlier=earlier, method=("sft",))
    assert len(moved.launched) == 1


def test_no_validation_side_is_no_loss(tmp_path: Path) -> None:
    made = bring(tmp_path, Fakes(card={**CARD, "validation_loss": None}))
    assert made.folder.read_json("summary.json")["validation loss"] is None


@pytest.mark.parametrize(
    ("parameters", "tuning", "rate"),
    [(135_000_000, "full", 5e-5), (1_000_000_000, "full", 5e-5), (7_000_000_000, "lora", 2e-4)],
)
def test_dap_tunes_all_of_a_small_model_and_adapters_of_a_large_one(
    tmp_path: Path, parameters: int, tuning: str, rate: float
) -> None:
    bring(tmp_path, Fakes(parameters=parameters), method="dap")
    found = Folder(tmp_path / "checkpoint" / "01-dap").read_json("job.json")
    assert (found["tuning"], found["learning_rate"], found["rank"], found["batch"]) == (tuning, rate, 256, 16)


@pytest.mark.parametrize(("parameters", "rate"), [(3_000_000_000, 2e-5), (8_000_000_000, 1e-5), (70_000_000_000, 5e-6)])
def test_dap_of_all_parameters_goes_slower_the_larger_the_model(tmp_path: Path, parameters: int, rate: float) -> None:
    bring(tmp_path, Fakes(parameters=parameters), method="dap", tuning="full")
    assert Folder(tmp_path / "checkpoint" / "01-dap").read_json("job.json")["learning_rate"] == rate


def test_what_a_process_notes_stands_in_the_summary(tmp_path: Path) -> None:
    made = bring(tmp_path, Fakes(card={**CARD, "note": "1 of 2 copies of the lessons are never read"}))
    assert made.folder.read_json("summary.json")["note"] == "1 of 2 copies of the lessons are never read"
