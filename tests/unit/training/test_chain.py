"""Jobs that start from what another job made."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ragraft.errors import SourceError
from ragraft.models.load import base_of, identify, open_model, save_merged
from ragraft.training.progress import Progress
from ragraft.training.run import run_job

MakeJob = Callable[..., Path]


@pytest.fixture
def put_job(make_job: MakeJob, tmp_path: Path) -> MakeJob:
    """Writes a job into a folder of this name; jobs stand beside each other."""

    def put(name: str, **changes: Any) -> Path:
        return Path(shutil.move(make_job(**changes), tmp_path / name))

    return put


def validation(folder: Path) -> list[float]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    return [row["validation_loss"] for row in rows if "validation_loss" in row]


def logits(folder: Path) -> torch.Tensor:
    network, _ = open_model(str(folder), precision="fp32", device="cpu")
    with torch.no_grad():
        found: torch.Tensor = network(torch.arange(4, 40)[None]).logits
    return found


@pytest.mark.parametrize(("first", "second"), [("lora", "lora"), ("full", "lora"), ("lora", "full")])
def test_a_job_starts_from_what_the_one_before_made(put_job: MakeJob, first: str, second: str) -> None:
    before = put_job("01-a", tuning=first)
    run_job(before)
    after = put_job("02-b", tuning=second, after="01-a", seed=1)
    run_job(after)
    assert validation(after)[0] == pytest.approx(validation(before)[-1], rel=1e-5), "nothing is lost between them"
    assert validation(after)[-1] < validation(after)[0]
    assert not (after / "steps").exists()
    card = json.loads((after / "checkpoint.json").read_text("utf-8"))
    assert (card["after"], card["validation_loss"]) == ("01-a", pytest.approx(validation(after)[-1]))
    assert base_of(str(after)) == (card["base"], [before, after])
    assert not torch.allclose(logits(after), logits(before), atol=1e-3)


def test_three_adapters_are_merged_one_after_another(put_job: MakeJob, tmp_path: Path) -> None:
    names: list[str | None] = [None, "01-a", "02-b", "03-c"]
    for name, after in zip(names[1:], names, strict=False):
        run_job(put_job(str(name), after=after))
    last = tmp_path / "03-c"
    assert base_of(str(last))[1] == [tmp_path / "01-a", tmp_path / "02-b", last]
    assert validation(last)[0] == pytest.approx(validation(tmp_path / "02-b")[-1], rel=1e-5)
    save_merged(str(last), tmp_path / "merged")
    torch.testing.assert_close(logits(tmp_path / "merged"), logits(last), rtol=1e-4, atol=1e-4)


def test_a_second_job_goes_on_after_a_kill(put_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    run_job(put_job("01-a"))
    undisturbed, killed = put_job("02-b", after="01-a"), put_job("03-b", after="01-a")
    run_job(undisturbed)

    def stop(self: Progress, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Progress, "on_step_end", stop)
        with pytest.raises(KeyboardInterrupt):
            run_job(killed)
    (killed / "steps" / ".start.part").mkdir()  # what a kill leaves in the midst of merging
    run_job(killed)
    one, other = (load_file(folder / "adapter_model.safetensors") for folder in (undisturbed, killed))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not (killed / "steps").exists()


def test_a_merging_that_was_killed_begins_anew(put_job: MakeJob) -> None:
    run_job(put_job("01-a"))
    killed = put_job("02-b", after="01-a")
    (killed / "steps" / ".start.part").mkdir(parents=True)
    (killed / "steps" / ".start.part" / "model.safetensors").write_bytes(b"half")
    run_job(killed)
    assert (killed / "checkpoint.json").exists()


def test_the_identity_is_that_of_all_weights(put_job: MakeJob) -> None:
    before = put_job("01-a")
    run_job(before)
    after = put_job("02-b", after="01-a")
    run_job(after)
    assert identify(str(after)).startswith(identify(str(before)) + " ")
    shutil.rmtree(before)
    with pytest.raises(SourceError, match=r"^.*02-b was tuned on .*01-a, which is gone; train again, or bring"):
        identify(str(after))
