from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from ragraft.errors import TrainingError
from ragraft.models.chat import load_tokenizer
from ragraft.training.loop import Progress
from ragraft.training.rows import collate, read_rows
from ragraft.training.run import run_job

MakeJob = Callable[..., Path]
WEIGHTS = "adapter_model.safetensors"


def metrics(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def steps(folder: Path) -> list[dict[str, Any]]:
    return [row for row in metrics(folder) if "loss" in row]


@pytest.mark.parametrize("micro_batch", [1, 2, 5, 10])
def test_a_step_averages_over_its_answer_tokens(make_job: MakeJob, tiny_model: Path, micro_batch: int) -> None:
    folder = make_job(batch=10, micro_batch=micro_batch, epochs=1.0, dropout=0.0)
    rows = read_rows(folder.parent / "lessons.jsonl", load_tokenizer(tiny_model), 512)
    network = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    with torch.no_grad():
        means = [float(network(**collate([row], 0)).loss) for row in rows]
    counts = [len(row.ids) - row.answer_from for row in rows]
    by_token = sum(mean * count for mean, count in zip(means, counts, strict=True)) / sum(counts)
    assert abs(by_token - sum(means) / len(means)) > 1e-3, "rows must differ for this test to see the difference"
    run_job(folder)
    assert [row["loss"] for row in steps(folder)] == pytest.approx([by_token], abs=1e-4)


def test_how_a_batch_is_cut_changes_nothing(make_job: MakeJob) -> None:
    results = []
    for micro_batch in (1, 2, 4):
        folder = make_job(micro_batch=micro_batch, dropout=0.0)
        run_job(folder)
        results.append((steps(folder), load_file(folder / WEIGHTS)))
    (first, weights), *others = results
    assert len(first) == 6
    for found, changed in others:
        assert [row["loss"] for row in found] == pytest.approx([row["loss"] for row in first], abs=2e-4)
        for name, tensor in weights.items():
            torch.testing.assert_close(changed[name], tensor, rtol=1e-3, atol=5e-4)


def test_metrics_of_a_whole_run(make_job: MakeJob, tiny_model: Path) -> None:
    folder = make_job(micro_batch=2)
    run_job(folder)
    rows = metrics(folder)
    assert [(row["step"], "loss" in row) for row in rows] == [
        (0, False),
        *((step, True) for step in (1, 2, 3)),
        (3, False),
        *((step, True) for step in (4, 5, 6)),
        (6, False),
    ]
    losses = [row["validation_loss"] for row in rows if "validation_loss" in row]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]
    network = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    held = read_rows(folder.parent / "validation.jsonl", load_tokenizer(tiny_model), 512)
    with torch.no_grad():
        total = sum(float(network(**collate([row], 0)).loss) * (len(row.ids) - row.answer_from) for row in held)
    count = sum(len(row.ids) - row.answer_from for row in held)
    assert losses[0] == pytest.approx(total / count, abs=1e-5)


def test_tokens_are_those_that_were_computed(make_job: MakeJob, tiny_model: Path) -> None:
    folder = make_job()
    run_job(folder)
    lengths = [len(row.ids) for row in read_rows(folder.parent / "lessons.jsonl", load_tokenizer(tiny_model), 512)]
    tokens = [row["tokens"] for row in steps(folder)]
    assert (tokens[2], tokens[5]) == (sum(lengths), 2 * sum(lengths))
    # A step holds four rows, and not the row that the loader has ready for the next.
    assert tokens[0] <= sum(sorted(lengths)[-4:])
    first, second = (tokens[start + 2] - tokens[start + 1] for start in (0, 3))
    assert max(first, second) <= sum(sorted(lengths)[-2:])


def test_training_without_validation_rows(make_job: MakeJob) -> None:
    folder = make_job(validation=0, epochs=1.0)
    run_job(folder)
    assert all("validation_loss" not in row for row in metrics(folder))


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_job(tmp_path: Path, loss: float) -> None:
    progress = Progress(tmp_path, resume_step=0)
    sentence = rf"^The loss became {loss} at step 3; lower train.learning_rate, or set train.precision=fp32"
    with pytest.raises(TrainingError, match=sentence):
        progress.on_log(None, SimpleNamespace(global_step=3, epoch=0.5), None, logs={"loss": loss})
