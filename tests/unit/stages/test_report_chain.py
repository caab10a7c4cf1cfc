"""The report of a chain: what it shows of each method."""

from __future__ import annotations

from pathlib import Path

from ragraft.workspace import Folder
from tests.unit.stages.test_report import make_sample, read_page


def test_each_method_of_a_chain_has_its_loss_curve(tmp_path: Path) -> None:
    sample = make_sample()
    second = Folder(tmp_path).folder("checkpoint").folder("02-hybrid")
    second.write_json("checkpoint.json", sample.training)
    second.write_jsonl("metrics.jsonl", [{"step": step, "loss": 2 / step} for step in range(1, 9)])
    made = sample.write(tmp_path)
    assert {name: len(rows) for name, rows in made.data()["loss"].items()} == {"01-raft": 44, "02-hybrid": 8}
    page = read_page(made)
    assert page.count("<svg ") == 10
    for method in ("raft", "hybrid"):
        assert page.count(f'aria-label="Training and validation loss of {method} by step"') == 1
