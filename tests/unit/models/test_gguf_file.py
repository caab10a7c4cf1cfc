"""GGUF files read back: by the reader of the library, and by transformers as a model with its tokenizer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    LlamaConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from ragraft.errors import SourceError
from ragraft.models.chat import ChatTokenizer
from ragraft.models.gguf_file import refuse_unwritable, rope_factors, write_gguf
from tests.conftest import CHATML, WORDS, chat_tokenizer

TEXTS = ("the walrus rests on ice", "  two blanks\n\nand 1234 lines", "über \N{SNOWMAN} <|im_end|> it's")
SHAPE: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "num_hidden_layers": 2,
    "initializer_range": 0.2,
}
WIDE = {"head_dim": 256, "num_attention_heads": 2, "num_key_value_heads": 1}
ROPE = {"rope_theta": 50_000.0, "rope_type": "default"}
CONFIGS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "llama": (LlamaConfig, {**SHAPE, "rope_parameters": ROPE, "tie_word_embeddings": False}),
    "llama-tied": (LlamaConfig, {**SHAPE, "rope_parameters": ROPE, "tie_word_embeddings": True}),
    "qwen2": (Qwen2Config, {**SHAPE, "rope_parameters": ROPE, "tie_word_embeddings": True}),
    "qwen3": (Qwen3Config, {**SHAPE, "head_dim": 128, "rope_parameters": ROPE, "tie_word_embeddings": False}),
    "gemma2": (Gemma2Config, {**SHAPE, **WIDE, "sliding_window": 8}),
    "gemma3": (Gemma3TextConfig, {**SHAPE, **WIDE, "num_hidden_layers": 7, "sliding_window": 8}),
}


def sentencepiece_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer in Gemma's form: blanks as ▁, bytes for what has no piece, merges in the order of the pieces."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    control = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"]
    learning = Tokenizer(models.BPE())
    learning.normalizer = normalizers.Replace(" ", "▁")
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=[*control, *(f"<0x{n:02X}>" for n in range(256))], show_progress=False
    )
    learning.train_from_iterator([" ".join(WORDS)] * 4, trainer)
    learned = json.loads(learning.to_str())["model"]
    inner = Tokenizer(
        models.BPE(
            vocab=learned["vocab"],
            merges=[tuple(pair) for pair in learned["merges"]],
            byte_fallback=True,
            fuse_unk=True,
            unk_token="<unk>",
        )
    )
    inner.normalizer = normalizers.Replace(" ", "▁")
    inner.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    inner.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    inner.add_special_tokens(control)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token="<bos>",
        eos_token="<end_of_turn>",
        unk_token="<unk>",
        pad_token="<pad>",
        chat_template=CHATML,
    )


def make(kind: str) -> tuple[Any, ChatTokenizer]:
    """A network of random weights in float32, and its tokenizer."""
    config_class, settings = CONFIGS.get(kind) or (GemmaConfig, {**SHAPE, **WIDE})
    tokenizer = sentencepiece_tokenizer() if kind.startswith("gemma") else chat_tokenizer()
    config = config_class(
        vocab_size=len(tokenizer) + 3,  # more embeddings than pieces, as many models have
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **settings,
    )
    torch.manual_seed(1)
    network = AutoModelForCausalLM.from_config(config).float().eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim == 1:  # scales and biases begin as ones and zeros, which would hide a mistake
                parameter.normal_(0.0 if name.endswith("bias") else 1.0, 0.3)
    return network, ChatTokenizer(tokenizer)


def logits(network: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = network(torch.arange(6, 60)[None]).logits
    return found


@pytest.mark.parametrize("kind", CONFIGS)
def test_transformers_reads_the_same_model_back(kind: str, tmp_path: Path) -> None:
    network, tokenizer = make(kind)
    write_gguf(network, tokenizer, tmp_path / "m.gguf", "f16", name="tiny")
    read = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="m.gguf", dtype=torch.float32).eval()
    assert type(read) is type(network)
    own, theirs = network.state_dict(), read.state_dict()
    assert own.keys() == theirs.keys()
    for name, tensor in own.items():
        wanted = tensor.half().float() if tensor.ndim > 1 else tensor
        torch.testing.assert_close(theirs[name], wanted, rtol=0, atol=1e-6, msg=name)
    torch.testing.assert_close(logits(read), logits(network), rtol=0.05, atol=0.05 * float(logits(network).std()))
    assert [file.name for file in tmp_path.iterdir()] == ["m.gguf"]


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gemma3"])
def test_its_tokenizer_cuts_texts_alike(kind: str, tmp_path: Path) -> None:
    network, tokenizer = make(kind)
    write_gguf(network, tokenizer, tmp_path / "m.gguf", "f16", name="tiny")
    read = AutoTokenizer.from_pretrained(tmp_path, gguf_file="m.gguf")
    for text in TEXTS:
        assert read.encode(text, add_special_tokens=False) == tokenizer.plain_ids(text), text
    assert read.chat_template == CHATML
    assert read.eos_token == tokenizer.end_text


def test_eight_bits_are_within_their_rounding(tmp_path: Path) -> None:
    network, tokenizer = make("llama")
    write_gguf(network, tokenizer, tmp_path / "m.gguf", "q8_0", name="tiny")
    reader = gguf.GGUFReader(tmp_path / "m.gguf")
    kinds = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
    assert kinds["blk.0.attn_q.weight"] == kinds["token_embd.weight"] == kinds["output.weight"] == "Q8_0"
    assert kinds["blk.0.attn_norm.weight"] == "F32"
    read = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="m.gguf", dtype=torch.float32).eval()
    for name, tensor in network.state_dict().items():
        if tensor.ndim > 1:
            blocks = tensor.reshape(-1, 32)
            # Half a step, and what the step itself loses as a number of 16 bits, 127 times over.
            error = (read.state_dict()[name].reshape(-1, 32) - blocks).abs().amax(1)
            assert bool((error <= blocks.abs().amax(1) / 127 * 0.57).all()), name


def test_rows_that_no_block_divides_stay_at_sixteen_bits(tmp_path: Path) -> None:
    settings = {**CONFIGS["llama"][1], "intermediate_size": 80}
    torch.manual_seed(0)
    tokenizer = chat_tokenizer()
    network = AutoModelForCausalLM.from_config(LlamaConfig(vocab_size=len(tokenizer), **settings)).float()
    write_gguf(network, ChatTokenizer(tokenizer), tmp_path / "m.gguf", "q8_0", name="tiny")
    kinds = {t.name: t.tensor_type.name for t in gguf.GGUFReader(tmp_path / "m.gguf").tensors}
    assert (kinds["blk.0.ffn_down.weight"], kinds["blk.0.ffn_up.weight"]) == ("F16", "Q8_0")


def test_gemma_1_is_written_in_llama_cpps_layout(tmp_path: Path) -> None:
    network, tokenizer = make("gemma")
    write_gguf(network, tokenizer, tmp_path / "m.gguf", "f16", name="tiny")
    reader = gguf.GGUFReader(tmp_path / "m.gguf")
    assert reader.get_field("general.architecture").contents() == "gemma"
    found = {tensor.name: np.array(tensor.data) for tensor in reader.tensors}
    own = {name: tensor.detach().numpy() for name, tensor in network.state_dict().items()}
    assert "output.weight" not in found
    q = own["model.layers.0.self_attn.q_proj.weight"]
    np.testing.assert_array_equal(found["blk.0.attn_q.weight"], q.astype(np.float16))
    norm = own["model.layers.1.input_layernorm.weight"]
    np.testing.assert_allclose(found["blk.1.attn_norm.weight"], norm + 1, atol=1e-6)


def test_what_a_file_says_of_its_tokenizer(tmp_path: Path) -> None:
    network, tokenizer = make("llama")
    write_gguf(network, tokenizer, tmp_path / "m.gguf", "f16", name="tiny")
    reader = gguf.GGUFReader(tmp_path / "m.gguf")

    def told(key: str) -> Any:
        return reader.get_field(f"tokenizer.{key}").contents()

    assert (told("ggml.model"), told("ggml.pre"), told("ggml.add_bos_token")) == ("gpt2", "gpt-2", False)
    tokens, kinds = told("ggml.tokens"), told("ggml.token_type")
    assert len(tokens) == network.config.vocab_size
    assert [kinds[tokens.index(one)] for one in ("<|im_start|>", "<|im_end|>")] == [3, 3]
    assert (tokens[-1], kinds[-1]) == (f"[PAD{len(tokens) - 1}]", 5)
    assert told("ggml.eos_token_id") == tokenizer.end


def test_a_model_that_thinks_is_shipped_not_thinking(tmp_path: Path) -> None:
    network, tokenizer = make("qwen3")
    thinking = "{% if enable_thinking is defined and not enable_thinking %}<no>{% endif %}" + CHATML
    tokenizer.tokenizer.chat_template = thinking
    write_gguf(network, tokenizer, tmp_path / "m.gguf", "f16", name="tiny")
    read = AutoTokenizer.from_pretrained(tmp_path, gguf_file="m.gguf")
    asked = [{"role": "user", "content": "Why?"}]
    assert read.apply_chat_template(asked, tokenize=False).startswith("<no>")


def test_llama_3s_positions_are_those_of_transformers() -> None:
    rope = {
        "rope_type": "llama3",
        "rope_theta": 500_000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    config = LlamaConfig(**{**SHAPE, "hidden_size": 512}, rope_parameters=rope)
    slowed, _ = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
    plain = 1 / 500_000.0 ** (torch.arange(0, 128, 2) / 128)
    np.testing.assert_allclose(rope_factors(rope, 128), (plain / slowed).numpy(), rtol=1e-4)


@pytest.mark.parametrize(
    ("kind", "changes", "told"),
    [
        (
            "qwen2",
            {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 0},
            "the order of its windows",
        ),
        ("llama", {"rope_parameters": {**ROPE, "rope_type": "dynamic", "factor": 2.0}}, "positions are stretched"),
        ("gemma3", {"query_pre_attn_scalar": 100}, "the scale of its attention"),
    ],
)
def test_what_a_file_cannot_say_is_refused(tmp_path: Path, kind: str, changes: dict[str, Any], told: str) -> None:
    config_class, settings = CONFIGS[kind]
    tokenizer = chat_tokenizer()
    network = AutoModelForCausalLM.from_config(config_class(vocab_size=len(tokenizer), **{**settings, **changes}))
    with pytest.raises(SourceError, match=rf"^GGUF cannot say this of the model: .*{told}.*; export it merged"):
        write_gguf(network, ChatTokenizer(tokenizer), tmp_path / "m.gguf", "f16", name="tiny")
    assert list(tmp_path.iterdir()) == []


def test_other_architectures_and_tokenizers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"architectures": ["Phi3ForCausalLM"]}', encoding="utf-8")
    with pytest.raises(SourceError, match=r"^GGUF is written for Llama, Qwen 2, Qwen 3 and Gemma 1 to 3, and .* Phi3"):
        refuse_unwritable(tmp_path)
    network, tokenizer = make("llama")
    from tokenizers import pre_tokenizers

    tokenizer.tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(SourceError, match=r"^This tokenizer splits text in a way that llama\.cpp has no name for"):
        write_gguf(network, tokenizer, tmp_path / "m.gguf", "f16", name="tiny")


def test_numbers_that_sixteen_bits_cannot_hold_are_told(tmp_path: Path) -> None:
    network, tokenizer = make("llama")
    with torch.no_grad():
        network.model.embed_tokens.weight[0, 0] = 1e6
    with pytest.raises(SourceError, match=r"^token_embd\.weight holds numbers that 16 bits cannot; export it with"):
        write_gguf(network, tokenizer, tmp_path / "m.gguf", "f16", name="tiny")
