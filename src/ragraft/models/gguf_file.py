"""Write a model as a GGUF file, which llama.cpp and Ollama open: f16 or q8_0, with tokenizer and chat template.

Knows the architectures whose tensors it renames; refuses others. Knows nothing of RAG.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ragraft.errors import SourceError
from ragraft.models.chat import ChatTokenizer
from ragraft.models.gguf_tokenizer import adds_bos, read_pieces, shipped_template

Kind = Literal["f16", "q8_0"]
KINDS: tuple[Kind, ...] = ("f16", "q8_0")
ARCHITECTURES: Mapping[str, str] = {
    "LlamaForCausalLM": "llama",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
    "GemmaForCausalLM": "gemma",
    "Gemma2ForCausalLM": "gemma2",
    "Gemma3ForCausalLM": "gemma3",
}
"""Class of transformers → llama.cpp's name."""
PATTERNS = {"gemma2": 2, "gemma3": 6}
"""Every so many layers sees all, the others a window: llama.cpp takes that for granted."""
LARGEST = (46, 62)
"""Layers of the Gemmas of 27B, whose attention alone llama.cpp scales by another number."""
LOCAL_THETA = 10_000.0
"""The base of the positions in a window of Gemma 3."""
_BLOCK = 32
"""Numbers of a row that q8_0 scales together."""
Tensor = NDArray[Any]


def refuse_unwritable(folder: Path) -> None:
    """Raise SourceError for a model of another architecture; reads its config alone."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    found = (config.get("architectures") or ["nameless"])[0]
    if found not in ARCHITECTURES:
        raise SourceError(
            f"GGUF is written for Llama, Qwen 2, Qwen 3 and Gemma 1 to 3, and {folder.name} is {found}; export it "
            "merged (--to merged), and convert that with llama.cpp's own convert_hf_to_gguf.py"
        )


def write_gguf(network: Any, tokenizer: ChatTokenizer, target: Path, kind: Kind, *, name: str) -> None:
    """Write an opened network, in float32 on the CPU, as one file."""
    import gguf

    config = network.config
    arch = ARCHITECTURES[type(network).__name__]
    _refuse_odd(config, arch)
    part = target.with_name(f".{target.name}.part")
    writer = gguf.GGUFWriter(part, arch)
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(name)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16 if kind == "f16" else gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    _add_shape(writer, config, arch)
    _add_tokenizer(writer, tokenizer, config.vocab_size)
    for tensor_name, tensor in _tensors(network, arch):
        _add_tensor(writer, tensor_name, tensor, kind)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _add_shape(writer: Any, config: Any, arch: str) -> None:
    width = head_width(config)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_rope_dimension_count(width)
    rope = _rope(config)
    writer.add_rope_freq_base(rope["rope_theta"])
    if rope.get("rope_type") == "linear":
        import gguf

        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    if arch in PATTERNS:
        writer.add_sliding_window(config.sliding_window)
    if arch == "gemma2":
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)


def _add_tokenizer(writer: Any, tokenizer: ChatTokenizer, rows: int) -> None:
    pieces = read_pieces(tokenizer, rows)
    writer.add_tokenizer_model(pieces.model)
    writer.add_tokenizer_pre(pieces.pre)
    writer.add_token_list(pieces.tokens)
    writer.add_token_types(pieces.kinds)
    if pieces.scores:
        writer.add_token_scores(pieces.scores)
        writer.add_add_space_prefix(pieces.add_space)
    if pieces.merges:
        writer.add_token_merges(pieces.merges)
    own = tokenizer.tokenizer
    for kind in ("bos", "eos", "unk", "pad"):
        number = getattr(own, f"{kind}_token_id")
        if number is not None:
            getattr(writer, f"add_{kind}_token_id")(number)
    writer.add_add_bos_token(adds_bos(tokenizer))
    writer.add_add_eos_token(False)
    writer.add_chat_template(shipped_template(tokenizer))


def _tensors(network: Any, arch: str) -> Iterator[tuple[str, Tensor]]:
    """Every tensor under llama.cpp's name and in its layout, float32."""
    import gguf

    config = network.config
    names = gguf.get_tensor_name_map(
        next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == arch), config.num_hidden_layers
    )
    rope = _rope(config)
    if rope.get("rope_type") == "llama3":
        yield "rope_freqs.weight", rope_factors(rope, head_width(config))
    for name, tensor in network.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        renamed = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if renamed is None:
            raise SourceError(f"GGUF has no name for this model's {name}; export it merged (--to merged)")
        value: Tensor = tensor.detach().float().numpy()
        if arch == "llama" and ".q_proj." in name:
            value = interleaved(value, config.num_attention_heads)
        elif arch == "llama" and ".k_proj." in name:
            value = interleaved(value, config.num_key_value_heads)
        elif arch.startswith("gemma") and name.endswith("norm.weight"):
            value = value + np.float32(1)  # transformers adds it when computing, llama.cpp has it in the file
        yield renamed, value


def _add_tensor(writer: Any, name: str, value: Tensor, kind: Kind) -> None:
    """What multiplies is narrowed, what scales or shifts stays float32."""
    import gguf

    if value.ndim == 1:
        writer.add_tensor(name, np.ascontiguousarray(value))
    elif kind == "q8_0" and value.shape[-1] % _BLOCK == 0:
        form = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(name, gguf.quants.quantize(np.ascontiguousarray(value), form), raw_dtype=form)
    else:
        with np.errstate(over="ignore"):
            narrow = value.astype(np.float16)
        if not np.isfinite(narrow).all():
            raise SourceError(f"{name} holds numbers that 16 bits cannot; export it with --type q8_0, or merged")
        writer.add_tensor(name, narrow)


def interleaved(value: Tensor, heads: int) -> Tensor:
    """Rows of a query or key projection as llama.cpp rotates them: neighbours in pairs, not halves (also of a bias)."""
    return value.reshape(heads, 2, value.shape[0] // heads // 2, *value.shape[1:]).swapaxes(1, 2).reshape(value.shape)


def rope_factors(rope: Mapping[str, Any], width: int) -> Tensor:
    """By how much each frequency is slowed where positions are stretched as in Llama 3."""
    old, factor = rope["original_max_position_embeddings"], rope["factor"]
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    found = []
    for place in range(0, width, 2):
        length = 2 * math.pi * rope["rope_theta"] ** (place / width)
        if length < old / high:
            found.append(1.0)
        elif length > old / low:
            found.append(factor)
        else:
            smooth = (old / length - low) / (high - low)
            found.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(found, dtype=np.float32)


def head_width(config: Any) -> int:
    """Numbers of a head."""
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def _rope(config: Any) -> dict[str, Any]:
    """The settings of rotary positions, those of layers that see all where there are two kinds."""
    found: dict[str, Any] = config.rope_parameters
    return dict(found.get("full_attention", found))


def _refuse_odd(config: Any, arch: str) -> None:
    """Raise SourceError for what an architecture's file cannot say and llama.cpp takes for granted."""
    kinds = getattr(config, "layer_types", None) or ["full_attention"] * config.num_hidden_layers
    every = PATTERNS.get(arch)
    pattern = [
        "sliding_attention" if every and (place + 1) % every else "full_attention" for place in range(len(kinds))
    ]
    width = head_width(config)
    scales = {width}
    if config.num_hidden_layers in LARGEST:
        scales.add(config.hidden_size // config.num_attention_heads)
    local = (config.rope_parameters or {}).get("sliding_attention", {}).get("rope_theta", LOCAL_THETA)
    odd = {
        "the order of its windows": kinds != pattern,
        "its positions are stretched otherwise": _rope(config).get("rope_type", "default")
        not in ("default", "linear", *(("llama3",) if arch == "llama" else ())),
        "the positions of its windows": local != LOCAL_THETA,
        "the scale of its attention": getattr(config, "query_pre_attn_scalar", width) not in scales,
        "biases that llama.cpp does not read": arch in ("qwen3", "gemma", "gemma2", "gemma3")
        and bool(getattr(config, "attention_bias", False)),
        "a cap on its logits": arch == "gemma3"
        and bool(config.final_logit_softcapping or config.attn_logit_softcapping),
    }
    found = [what for what, holds in odd.items() if holds]
    if found:
        raise SourceError(f"GGUF cannot say this of the model: {'; '.join(found)}; export it merged (--to merged)")
