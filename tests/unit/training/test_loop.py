"""Laws of a whole job: a step's loss is that of its rows, however they are shared, packed or averaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from ragraft.models.chat import load_tokenizer
from ragraft.training.run import run_job
from ragraft.training.trees import Row, read_rows

MakeJob = Callable[..., Path]
WEIGHTS = "adapter_model.safetensors"


def metrics(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def steps(folder: Path) -> list[dict[str, Any]]:
    return [row for row in metrics(folder) if "loss" in row]


def card(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "checkpoint.json").read_text(encoding="utf-8"))
    return found


def rows_of(folder: Path, model: Path, name: str = "lessons.jsonl") -> list[Row]:
    return read_rows(folder.parent / name, load_tokenizer(model), 512)


def row_losses(model: Path, rows: list[Row]) -> list[tuple[float, int]]:
    """The untouched model's mean loss on each row's answer, and the answer's tokens."""
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    found = []
    for row in rows:
        ids = torch.tensor([row.ids])
        labels = ids.clone()
        labels[0, : row.answer_from] = -100
        with torch.no_grad():
            found.append((float(network(input_ids=ids, labels=labels).loss), len(row.ids) - row.answer_from))
    return found


@pytest.mark.parametrize("mean", ["token", "row"])
def test_a_step_averages_over_its_tokens_or_rows(make_job: MakeJob, tiny_model: Path, mean: str) -> None:
    folder = make_job(batch=10, epochs=1.0, dropout=0.0, mean=mean)
    losses = row_losses(tiny_model, rows_of(folder, tiny_model))
    by_token = sum(loss * count for loss, count in losses) / sum(count for _, count in losses)
    by_row = sum(loss for loss, _ in losses) / len(losses)
    assert abs(by_token - by_row) > 1e-3, "rows must differ for this test to see the difference"
    run_job(folder)
    expected = by_token if mean == "token" else by_row
    assert [row["loss"] for row in steps(folder)] == pytest.approx([expected], abs=1e-4)


def test_how_rows_are_shared_and_packed_changes_nothing(make_job: MakeJob) -> None:
    results = []
    passes = []
    for share, pack_tokens in ((True, 512), (True, 4096), (False, 512), (True, 16)):
        folder = make_job(share=share, pack_tokens=pack_tokens, dropout=0.0, group=5, copies=2, mean="row", batch=5)
        run_job(folder)
        results.append((steps(folder), load_file(folder / WEIGHTS)))
        passes.append((card(folder)["forward_passes"], card(folder)["sharing"] > 1.2))
    assert len({count for count, _ in passes}) > 2, "the packs must differ"
    assert [shares for _, shares in passes] == [True, True, False, False]
    (first, weights), *others = results
    assert [row["questions"] for row in first] == [5, 5, 5, 5]
    for found, changed in others:
        assert [row["loss"] for row in found] == pytest.approx([row["loss"] for row in first], abs=2e-4)
        for name, tensor in weights.items():
            torch.testing.assert_close(changed[name], tensor, rtol=1e-3, atol=5e-4)


def test_epochs_take_the_copies_in_turn(make_job: MakeJob, tiny_model: Path) -> None:
    folder = make_job(copies=2, epochs=3.0, group=5, share=False)
    lengths = [len(row.ids) for row in rows_of(folder, tiny_model)]
    first, second = sum(lengths[:10]), sum(lengths[10:])
    assert first != second
    run_job(folder)
    ends = [row["tokens"] for row in steps(folder) if row["epoch"] == int(row["epoch"])]
    assert ends == [first, first + second, 2 * first + second]
    assert (card(folder)["rows"], card(folder)["copies"], card(folder)["questions_seen"]) == (20, 2, 30)


def test_metrics_of_a_whole_run(make_job: MakeJob, tiny_model: Path) -> None:
    folder = make_job()
    run_job(folder)
    rows = metrics(folder)
    assert [(row["step"], "loss" in row) for row in rows] == [
        (0, False),
        *((step, True) for step in (1, 2, 3)),
        (3, False),
        *((step, True) for step in (4, 5, 6)),
        (6, False),
    ]
    assert sum(row["questions"] for row in rows if "loss" in row) == 20
    losses = [row["validation_loss"] for row in rows if "validation_loss" in row]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]
    held = row_losses(tiny_model, rows_of(folder, tiny_model, "validation.jsonl"))
    wanted = sum(loss * count for loss, count in held) / sum(count for _, count in held)
    assert losses[0] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("share", [False, True])
def test_tokens_are_those_that_were_computed(make_job: MakeJob, tiny_model: Path, share: bool) -> None:
    folder = make_job(group=5, batch=5, share=share)
    run_job(folder)
    lengths = [len(row.ids) for row in rows_of(folder, tiny_model)]
    tokens = [row["tokens"] for row in steps(folder)]
    if share:
        assert tokens[3] < 2 * sum(lengths)
        sharing = 2 * sum(lengths) / tokens[3]
        assert card(folder)["sharing"] == pytest.approx(sharing, abs=1e-3)
        return
    assert (tokens[1], tokens[3]) == (sum(lengths), 2 * sum(lengths))
    assert {tokens[0], tokens[2] - tokens[1]} <= {sum(lengths[:5]), sum(lengths[5:])}


def test_training_without_validation_rows(make_job: MakeJob) -> None:
    folder = make_job(validation=0, epochs=1.0)
    run_job(folder)
    assert all("validation_loss" not in row for row in metrics(folder))
    assert card(folder)["validation_loss"] is None
