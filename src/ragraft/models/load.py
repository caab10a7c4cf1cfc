"""Open a model for use: a source, or a checkpoint of ours with its base. Knows devices and dtypes; nothing of RAG."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ragraft.errors import SourceError
from ragraft.models.chat import ChatTokenizer, load_tokenizer
from ragraft.models.size import model_size
from ragraft.models.sources import ModelFolder, first_line, hash_cached, resolve

if TYPE_CHECKING:
    import torch

CHECKPOINT_FILE = "checkpoint.json"
ADAPTER_FILE = "adapter_config.json"
Precision = Literal["auto", "bf16", "fp32"]


def pick_device() -> str:
    """cuda, mps or cpu: the best that is there."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def pick_dtype(precision: Precision, device: str) -> torch.dtype:
    """bf16 where the processor computes in it, else float32."""
    import torch

    if precision == "bf16":
        return torch.bfloat16
    # Apple's GPUs differ in what they do in bf16; ask for it where yours does it well.
    if precision == "fp32" or device == "mps":
        return torch.float32
    has = torch.cuda.is_bf16_supported() if device == "cuda" else torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if has else torch.float32


def is_checkpoint(model: str) -> bool:
    """Whether this names a checkpoint of ours rather than a source."""
    return not model.startswith(("hf:", "pypi:")) and (Path(model) / CHECKPOINT_FILE).exists()


def base_of(model: str) -> tuple[str, list[Path]]:
    """A checkpoint's base source, and the folders tuned on it one after another, its own last; a source has none."""
    if not is_checkpoint(model):
        return model, []
    folder = Path(model)
    card = json.loads((folder / CHECKPOINT_FILE).read_text(encoding="utf-8"))
    source, chain = str(card["base"]), [folder]
    if card.get("after"):
        before = folder.parent / card["after"]
        if not is_checkpoint(str(before)):
            raise SourceError(f"{folder} was tuned on {before}, which is gone; train again, or bring that folder back")
        chain = [*base_of(str(before))[1], folder]
    return source, chain


def open_model(model: str, *, precision: Precision = "auto", device: str | None = None) -> tuple[Any, ChatTokenizer]:
    """The model ready to generate (adapters merged in, evaluation mode) and its tokenizer."""
    from ragraft.models.attention import use_cpu_attention
    from ragraft.models.few_rows import use_few_rows

    source, chain = base_of(model)
    device = device or pick_device()
    folder = resolve(source).path
    network = load_merged(folder, chain).to(device=device, dtype=pick_dtype(precision, device)).eval()
    use_cpu_attention(network)
    use_few_rows(network)
    return network, load_tokenizer(folder)


def load_merged(base: Path, chain: Sequence[Path]) -> Any:
    """The network in `base`, or what the checkpoints in `chain` made of it one after another; float32, on the CPU."""
    import torch

    whole = [place for place in chain if not (place / ADAPTER_FILE).exists()]  # such a one holds all that came before
    network = load_network(whole[-1] if whole else base, torch.float32)
    for adapter in chain[chain.index(whole[-1]) + 1 :] if whole else chain:
        from peft import PeftModel

        with warnings.catch_warnings():
            # PEFT asks transformers for an attribute by its old name, which is no user's concern.
            warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`", category=FutureWarning)
            # Merged in float32, then narrowed once: merging in bf16 would round the adapter away.
            network = PeftModel.from_pretrained(network, adapter).merge_and_unload()
    return network


def load_network(folder: Path, dtype: torch.dtype, quantized: Any = None) -> Any:
    """The causal language model in `folder`, on the CPU; with a quantization config, where that puts it."""
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        return AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, local_files_only=True, **({"quantization_config": quantized} if quantized else {})
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise SourceError(f"transformers cannot open the model in {folder}: {first_line(error)}") from error


def refuse_unknown_architecture(folder: Path) -> None:
    """Raise SourceError where the installed transformers knows no language model of this folder's kind."""
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise SourceError(f"transformers cannot open the model in {folder}: {first_line(error)}") from error
    if type(config) not in AutoModelForCausalLM._model_mapping and not getattr(config, "auto_map", None):
        raise SourceError(
            f"{folder} holds a {config.model_type or 'nameless'} model, which writes no text; "
            "name a causal language model, or upgrade transformers"
        )


def model_facts(source: str) -> dict[str, Any]:
    """What planning needs to know of a base model without opening its weights."""
    folder: ModelFolder = resolve(source)
    try:
        config = json.loads((folder.path / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise SourceError(f"{folder.path / 'config.json'} is no JSON ({error}); fetch the model anew") from None
    text = config.get("text_config", config)
    return {
        "source": source,
        "path": str(folder.path),
        "identity": folder.identity,
        "parameters": model_size(folder.path).parameters,
        "window": int(text.get("max_position_embeddings") or 2048),
    }


def machine_facts() -> dict[str, Any]:
    """What a job settles about the machine: the device, and how many threads compute."""
    import torch

    return {"device": pick_device(), "threads": torch.get_num_threads()}


def save_merged(model: str, target: Path, *, like_base: bool = False) -> None:
    """Write a checkpoint as one plain model folder (adapter folded in) that transformers opens by itself.

    Its numbers are float32, or `like_base` as wide as the base's. The chat template is the one it was taught with.
    """
    from ragraft.models.gguf_tokenizer import shipped_template

    network, tokenizer = open_model(model, precision="fp32", device="cpu")
    if like_base:
        network = network.to(dtype=_stored_dtype(resolve(base_of(model)[0]).path))
    network.save_pretrained(target)
    tokenizer.tokenizer.chat_template = shipped_template(tokenizer)
    tokenizer.tokenizer.save_pretrained(target)


def _stored_dtype(folder: Path) -> torch.dtype:
    import torch

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    name = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    return {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(name, torch.float32)


def free_memory() -> None:
    """Give back the memory of models that nobody holds any more, an accelerator's too."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def identify(model: str) -> str:
    """What changes when a model's answers would: the identity of its base and of all weights tuned on it."""
    source, chain = base_of(model)
    weights = [file for folder in chain for file in sorted(folder.glob("*.safetensors"))]
    return " ".join([resolve(source).identity, *(hash_cached(file) for file in weights)])
