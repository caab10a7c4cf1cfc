from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from ragraft.errors import SourceError
from ragraft.models.adapters import save_adapter
from ragraft.models.load import open_model

IDS = torch.arange(3, 60)[None]


def base(folder: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def logits(network: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = network(IDS).logits
    return found


def put(folder: Path, tiny_model: Path, *, seed: int, after: str | None = None, **settings: Any) -> Path:
    """An adapter of random weights, as training leaves it."""
    torch.manual_seed(seed)
    given = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "init_lora_weights": False, **settings}
    get_peft_model(base(tiny_model), LoraConfig(task_type=TaskType.CAUSAL_LM, **given)).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    card = {"base": str(tiny_model), "after": after}
    (folder / "checkpoint.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_peft_opens_it_over_the_base(tiny_model: Path, tmp_path: Path, out: Path) -> None:
    final = put(tmp_path / "01-raft", tiny_model, seed=1)
    (note,) = save_adapter(str(final), out)
    assert note.startswith(f"its base is {tiny_model.name}, which PEFT cannot fetch by this name")
    opened = PeftModel.from_pretrained(base(tiny_model), out).eval()
    expected = logits(PeftModel.from_pretrained(base(tiny_model), final).eval())
    torch.testing.assert_close(logits(opened), expected)
    assert not torch.allclose(expected, logits(base(tiny_model)), atol=0.1)
    assert AutoTokenizer.from_pretrained(out).chat_template
    assert not (out / "checkpoint.json").exists()


def test_several_adapters_are_written_as_one(tiny_model: Path, tmp_path: Path, out: Path) -> None:
    put(tmp_path / "01-dap", tiny_model, seed=1, r=4, lora_alpha=8)
    put(tmp_path / "02-raft", tiny_model, seed=2, after="01-dap", r=2, lora_alpha=16, use_rslora=True)
    final = put(tmp_path / "03-dpo", tiny_model, seed=3, after="02-raft", r=8, target_modules=["q_proj", "v_proj"])
    save_adapter(str(final), out)
    merged, _ = open_model(str(final), precision="fp32", device="cpu")
    opened = PeftModel.from_pretrained(base(tiny_model), out).eval()
    torch.testing.assert_close(logits(opened), logits(merged), rtol=1e-3, atol=1e-3)


def test_a_base_on_the_hub_is_named_with_its_revision(tiny_model: Path, tmp_path: Path, out: Path) -> None:
    final = put(tmp_path / "01-raft", tiny_model, seed=1)
    (final / "checkpoint.json").write_text('{"base": "hf:org/name@abc"}', encoding="utf-8")
    assert save_adapter(str(final), out) == []
    config = json.loads((out / "adapter_config.json").read_text("utf-8"))
    assert (config["base_model_name_or_path"], config["revision"]) == ("org/name", "abc")


def test_where_no_adapter_is_all_of_it_that_is_told(tiny_model: Path, tmp_path: Path, out: Path) -> None:
    full = tmp_path / "01-dap"
    full.mkdir()
    (full / "checkpoint.json").write_text(json.dumps({"base": str(tiny_model)}), encoding="utf-8")
    with pytest.raises(
        SourceError, match=r"^01-dap tuned all parameters, so that no adapter over the base is all of it"
    ):
        save_adapter(str(full), out)
    last = put(tmp_path / "02-raft", tiny_model, seed=1, after="01-dap")
    with pytest.raises(SourceError, match=r"^01-dap tuned all parameters"):
        save_adapter(str(last), out)
    put(tmp_path / "03-a", tiny_model, seed=1, use_dora=True)
    last = put(tmp_path / "04-b", tiny_model, seed=1, after="03-a")
    with pytest.raises(SourceError, match=r"^Adapters that were tuned one after another with DoRA"):
        save_adapter(str(last), out)
    assert list(out.iterdir()) == []
