from __future__ import annotations

from pathlib import Path

import pytest

from ragraft.config import load_sweep
from ragraft.errors import ConfigError


def write(folder: Path, text: str) -> Path:
    file = folder / "sweep.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_every_combination_is_a_cell(tmp_path: Path) -> None:
    found = load_sweep(write(tmp_path, "grid: {train.epochs: [1, 2], train.method: [sft, [sft, raft]]}"))
    assert found.cells() == [
        {"train.epochs": 1, "train.method": "sft"},
        {"train.epochs": 1, "train.method": ["sft", "raft"]},
        {"train.epochs": 2, "train.method": "sft"},
        {"train.epochs": 2, "train.method": ["sft", "raft"]},
    ]
    assert found.base == tmp_path / "ragraft.yaml"
    assert (found.side, found.context, found.metric) == ("validation", "retrieved", "f1")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("base: a.yaml", "grid: missing"),
        ("grid: {}", "grid: "),
        ("grid: {train.epochs: []}", "grid.train.epochs: "),
        ("grid: {train.epochs: 3}", "grid.train.epochs: "),
        ("grid: {train.epochs: [1, 2, 1]}", "grid.train.epochs: a value stands twice"),
        ("grid: {name: [a, b]}", "grid: cells get their own names; leave name out"),
        ("grid: {a.b: [1]}\nsides: exam", "sides: unknown; did you mean side?"),
        ("grid: {a.b: [1]}\nside: train", "side: must be 'validation' or 'exam'"),
    ],
)
def test_faults_are_told(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_sweep(write(tmp_path, text))
    assert str(caught.value).startswith(f"{tmp_path / 'sweep.yaml'} has 1 fault: {sentence}")
