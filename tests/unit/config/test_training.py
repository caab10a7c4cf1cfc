from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest

from ragraft.config import load_config, training
from ragraft.config.training import MethodName, StepConfig, TrainConfig
from ragraft.errors import ConfigError
from ragraft.methods.teaching.table import METHODS

LEAST = "documents: docs\nquestions: questions.jsonl\n"


def load(folder: Path, *overrides: str) -> TrainConfig:
    file = folder / "ragraft.yaml"
    file.write_text(LEAST, encoding="utf-8")
    return load_config(file, overrides)[0].train


def test_the_names_are_those_of_the_table() -> None:
    assert get_args(MethodName) == tuple(METHODS)
    assert set(training.OWN_DEFAULTS) <= set(METHODS)


def test_one_method_or_a_list_in_order(tmp_path: Path) -> None:
    assert load(tmp_path).method == ("raft",)
    assert load(tmp_path, "train.method=sft").method == ("sft",)
    assert list(load(tmp_path, "train.method=[sft, raft]").chain()) == ["sft", "raft"]


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("train.method=dpo", "train.method.0: must be 'sft', 'rag-sft'"),
        ("train.method=[]", "train.method: must hold at least one"),
        ("train.method=[raft, sft, raft]", "train.method: raft stands twice"),
        ("train.method=7", "train.method.0: must be 'sft', 'rag-sft'"),
        ("train.steps={rft: {}}", "train.steps.rft: must be 'sft', 'rag-sft'"),
        ("train.steps={sft: {epoch: 1}}", "train.steps.sft.epoch: unknown; did you mean epochs?"),
        ("train.steps={sft: {processes: 2}}", "train.steps.sft.processes: unknown"),
        ("train.steps={sft: {epochs: 0}}", "train.steps.sft.epochs: must be greater than 0"),
        ("train.steps={sft: 3}", "train.steps.sft: must be a section"),
        ("train.steps=[sft]", "train.steps: "),
        ("train={patience: 1, steps: {raft: {average: 0.9}}}", "train.steps.raft: patience keeps the best epoch's"),
    ],
)
def test_one_fault_is_one_sentence(tmp_path: Path, override: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, override)
    assert "has 1 fault: " in str(caught.value)
    assert sentence in str(caught.value)


def test_a_method_trains_with_its_own_settings_over_the_common_ones(tmp_path: Path) -> None:
    found = load(tmp_path, "train.method=[sft, raft]", "train.epochs=3", "train.steps.sft={epochs: 1, tuning: full}")
    sft, raft = found.chain().values()
    assert (sft.epochs, sft.tuning, sft.batch) == (1.0, "full", 8)
    assert (raft.epochs, raft.tuning) == (3.0, "lora")
    assert isinstance(sft, StepConfig)
    assert found.model_dump()["steps"] == {"sft": {"tuning": "full", "epochs": 1.0}}


def test_own_defaults_give_way_to_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own: dict[str, dict[str, Any]] = {"sft": {"tuning": "full", "epochs": 1.0, "batch": 2}}
    monkeypatch.setattr(training, "OWN_DEFAULTS", own)
    found = load(tmp_path, "train.method=[sft, raft]", "train.epochs=3", "train.steps.sft.batch=4")
    sft, raft = found.chain().values()
    assert (sft.tuning, sft.epochs, sft.batch) == ("full", 3.0, 4)
    assert (raft.tuning, raft.epochs, raft.batch) == ("lora", 3.0, 8)
    assert found.model_dump()["steps"] == {"sft": {"tuning": "full", "batch": 4}}, "the resolved config shows them"
    assert load(tmp_path).steps == {}, "those of a method outside the chain say nothing"
    assert load(tmp_path, "train.steps.sft.batch=4").step("raft").batch == 8


def test_dap_has_defaults_of_its_own(tmp_path: Path) -> None:
    step = load(tmp_path, "train.method=[dap, raft]").chain()["dap"]
    assert (step.tuning, step.rank, step.epochs, step.warmup, step.batch) == ("auto", 256, 2.0, 0.05, 16)
    assert step.settled_tuning(1_000_000_000) == "full"
    assert step.settled_tuning(1_000_000_001) == "lora"
    said = load(tmp_path, "train.method=[dap, raft]", "train.tuning=dora").chain()["dap"]
    assert said.settled_tuning(1) == "dora"


def test_more_than_four_passes_of_dap_are_refused(tmp_path: Path) -> None:
    assert load(tmp_path, "train.method=dap", "train.epochs=4").chain()["dap"].epochs == 4
    with pytest.raises(
        ConfigError, match=r"steps\.dap\.epochs: 5 passes over the same texts are more than the 4 that help"
    ):
        load(tmp_path, "train.method=[dap, raft]", "train.epochs=5")
    assert load(tmp_path, "train.method=raft", "train.epochs=5").epochs == 5


def test_preference_follows_methods_whose_lessons_also_abstain(tmp_path: Path) -> None:
    assert load(tmp_path).stages == ("raft",)
    assert load(tmp_path, "train.method=[dap, hybrid]", "train.preference=dpo").stages == ("dap", "hybrid", "dpo")
    sentence = "train.preference: dpo needs lessons with and without their documents, and sft makes none; let the last "
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        load(tmp_path, "train.method=[raft, sft]", "train.preference=dpo")


def test_the_preference_stage_trains_as_its_last_method_but_for_its_own_settings(tmp_path: Path) -> None:
    given = ("train.preference=dpo", "train.patience=2", "train.rank=8", "train.epochs=3", "train.steps.raft.seed=7")
    found = load(tmp_path, *given, "train.dpo.batch=4").preferring()
    assert (found.rank, found.seed, found.patience) == (8, 7, None)
    assert (found.epochs, found.batch, found.learning_rate) == (1.0, 4, None)
