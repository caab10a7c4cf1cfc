from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from ragraft.errors import SourceError
from ragraft.models import load
from ragraft.models.chat import load_tokenizer
from ragraft.models.load import (
    base_of,
    identify,
    is_checkpoint,
    load_network,
    machine_facts,
    model_facts,
    open_model,
    pick_device,
    pick_dtype,
    save_merged,
)
from ragraft.models.sources import resolve

IDS = torch.arange(3, 60)[None]


@pytest.fixture(scope="module")
def checkpoint(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter with random weights, as training leaves it."""
    folder = tmp_path_factory.mktemp("checkpoint")
    torch.manual_seed(0)
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM, r=4, lora_alpha=16, target_modules="all-linear", init_lora_weights=False
    )
    get_peft_model(base(tiny_model), config).save_pretrained(folder)
    (folder / "checkpoint.json").write_text(json.dumps({"base": str(tiny_model)}), encoding="utf-8")
    return folder


@pytest.fixture
def copy(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "copy"))


def base(folder: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def logits(network: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = network(IDS).logits
    return found


def exact(model: Path) -> Any:
    network, _ = open_model(str(model), precision="fp32", device="cpu")
    return network


def test_an_adapter_is_merged_in(checkpoint: Path, tiny_model: Path) -> None:
    network = exact(checkpoint)
    expected = logits(PeftModel.from_pretrained(base(tiny_model), checkpoint).eval())
    torch.testing.assert_close(logits(network), expected, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(logits(base(tiny_model)), expected, atol=0.1)
    assert not [name for name, _ in network.named_parameters() if "lora" in name]
    assert not network.training


def test_a_base_model_is_opened_as_it_is(tiny_model: Path) -> None:
    torch.testing.assert_close(logits(exact(tiny_model)), logits(base(tiny_model)), rtol=1e-4, atol=1e-4)


def test_bf16_narrows_the_merged_weights_once(checkpoint: Path) -> None:
    narrow, _ = open_model(str(checkpoint), precision="bf16", device="cpu")
    whole = dict(exact(checkpoint).named_parameters())
    for name, parameter in narrow.named_parameters():
        assert parameter.dtype is torch.bfloat16
        assert torch.equal(parameter, whole[name].to(torch.bfloat16))


def test_a_merged_model_is_plain_and_the_same(checkpoint: Path, tiny_model: Path, tmp_path: Path) -> None:
    save_merged(str(checkpoint), tmp_path)
    merged = base(tmp_path)
    assert merged.config._attn_implementation == "sdpa"
    torch.testing.assert_close(logits(merged), logits(exact(checkpoint)), rtol=1e-4, atol=1e-4)
    assert not list(tmp_path.glob("adapter*"))
    assert {tensor.dtype for tensor in load_file(tmp_path / "model.safetensors").values()} == {torch.float32}
    saved, original = (AutoTokenizer.from_pretrained(place) for place in (tmp_path, tiny_model))
    assert saved.chat_template == original.chat_template
    assert saved.encode("<|im_start|> 🚀 walrus") == original.encode("<|im_start|> 🚀 walrus")


def test_the_identity_of_a_checkpoint_is_its_bases_and_its_own(checkpoint: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(checkpoint, tmp_path / "copied"))
    assert identify(str(copied)) == identify(str(checkpoint))
    assert identify(str(copied)).startswith(identify(base_of(str(copied))[0]) + " ")
    weights = load_file(copied / "adapter_model.safetensors")
    first = sorted(weights)[0]
    save_file({**weights, first: weights[first] + 1}, copied / "adapter_model.safetensors")
    assert identify(str(copied)) != identify(str(checkpoint))


def test_the_identity_of_a_base_is_its_sources(tiny_model: Path) -> None:
    assert identify(str(tiny_model)) == resolve(str(tiny_model)).identity


def test_a_checkpoint_names_its_base(checkpoint: Path, tiny_model: Path) -> None:
    assert base_of(str(checkpoint)) == (str(tiny_model), [checkpoint])
    assert base_of(str(tiny_model)) == (str(tiny_model), [])
    assert base_of("hf:org/name") == ("hf:org/name", [])


def test_a_source_is_no_checkpoint_whatever_stands_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "hf:org" / "name"
    try:
        folder.mkdir(parents=True)
    except OSError:
        pytest.skip("this system has no such names")
    (folder / "checkpoint.json").write_text('{"base": "other"}', encoding="utf-8")
    assert not is_checkpoint("hf:org/name")


def test_weights_that_cannot_be_read(copy: Path) -> None:
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(SourceError, match=r"^transformers cannot open the model in .*copy: \S"):
        load_network(copy, torch.float32)


def test_an_unknown_kind_of_model(copy: Path) -> None:
    (copy / "config.json").write_text('{"model_type": "of tomorrow"}', encoding="utf-8")
    with pytest.raises(SourceError, match=r"^transformers cannot open the model in .*copy: .*of tomorrow"):
        load_network(copy, torch.float32)


def test_a_folder_without_a_tokenizer(copy: Path) -> None:
    for file in [*copy.glob("tokenizer*"), *copy.glob("*.jinja")]:
        file.unlink()
    with pytest.raises(SourceError, match=r"^transformers cannot open the tokenizer in .*copy: \S"):
        load_tokenizer(copy)


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ({"max_position_embeddings": 64}, 64),
        ({"text_config": {"max_position_embeddings": 128}}, 128),
        ({"max_position_embeddings": None}, 2048),
        ({}, 2048),
    ],
)
def test_facts_of_a_model(copy: Path, text: dict[str, Any], window: int) -> None:
    (copy / "config.json").write_text(json.dumps(text), encoding="utf-8")
    weights = sum(tensor.numel() for file in copy.glob("*.safetensors") for tensor in load_file(file).values())
    assert model_facts(str(copy)) == {
        "source": str(copy),
        "path": str(copy),
        "identity": resolve(str(copy)).identity,
        "parameters": pytest.approx(weights, rel=0.02),  # by the size of their files
        "window": window,
    }


def test_facts_of_the_machine() -> None:
    assert machine_facts() == {"device": pick_device(), "threads": torch.get_num_threads()}


@pytest.mark.parametrize(("able", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_precision(monkeypatch: pytest.MonkeyPatch, able: bool, dtype: torch.dtype) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: able)
    assert pick_dtype("auto", "cpu") is dtype
    assert pick_dtype("fp32", "cpu") is torch.float32
    assert pick_dtype("bf16", "cpu") is torch.bfloat16
    assert pick_dtype("auto", "mps") is torch.float32


def test_the_best_device_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for cuda, mps, expected in [(True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")]:
        monkeypatch.setattr(torch.cuda, "is_available", lambda found=cuda: found)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda found=mps: found)
        assert load.pick_device() == expected
