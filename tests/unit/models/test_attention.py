from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM

from ragraft.models import attention
from ragraft.models.attention import NAME, shared_prefix, use_cpu_attention

SIZES = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 512,
    "initializer_range": 0.2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GROUPED = {"num_key_value_heads": 2}
SAME = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LENGTHS = st.integers(1, 40)
GROUPS = st.sampled_from([1, 2, 4])


def network(kind: str, seed: int = 0, dtype: torch.dtype = torch.float32, **changes: Any) -> Any:
    torch.manual_seed(seed)
    config = AutoConfig.for_model(kind, **{**SIZES, **changes})
    return AutoModelForCausalLM.from_config(config).to(dtype).eval()


@functools.cache
def twins(groups: int, dtype: torch.dtype = torch.float32, other: str = "sdpa") -> tuple[Any, Any]:
    """The same Llama with another attention and with ours."""
    plain, switched = (network("llama", 0, dtype, num_key_value_heads=groups) for _ in range(2))
    plain.set_attn_implementation(other)
    assert use_cpu_attention(switched)
    return plain, switched


def draw(rows: int, length: int) -> torch.Tensor:
    return torch.randint(3, 64, (rows, length), generator=torch.Generator().manual_seed(length))


@pytest.fixture(params=[8, 128])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small blocks make borders cheap to cross; the real size is tried too."""
    monkeypatch.setattr(attention, "BLOCK", request.param)


@pytest.mark.usefixtures("block")
@SAME
@given(length=LENGTHS, rows=st.integers(1, 3), groups=GROUPS, other=st.sampled_from(["sdpa", "eager"]))
def test_equals_the_attention_of_transformers(length: int, rows: int, groups: int, other: str) -> None:
    plain, switched = twins(groups, other=other)
    with torch.no_grad():
        torch.testing.assert_close(switched(draw(rows, length)).logits, plain(draw(rows, length)).logits)


@pytest.mark.parametrize("length", [127, 128, 129, 257])
def test_equals_it_around_the_borders_of_a_block(length: int) -> None:
    plain, switched = twins(2)
    with torch.no_grad():
        torch.testing.assert_close(
            switched(draw(1, length)).logits, plain(draw(1, length)).logits, rtol=1e-4, atol=1e-4
        )


@pytest.mark.usefixtures("block")
@SAME
@given(length=st.integers(2, 30), groups=GROUPS, padding=st.integers(0, 12))
def test_gradients_are_equal(length: int, groups: int, padding: int) -> None:
    gradients = []
    padding = min(padding, length - 1)
    for model in twins(groups, torch.float64):
        model.zero_grad()
        ids = draw(2, length)
        mask = torch.ones_like(ids)
        mask[1, :padding] = 0
        logits = model(ids, attention_mask=mask, position_ids=(mask.cumsum(1) - 1).clamp(min=0)).logits
        chosen = logits.log_softmax(-1)[mask.bool()]
        chosen[:, 7].sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    for expected, found in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.usefixtures("block")
@SAME
@given(length=st.integers(2, 40), groups=GROUPS, data=st.data())
def test_left_padding_changes_no_real_row(length: int, groups: int, data: st.DataObject) -> None:
    gaps = [0, *data.draw(st.lists(st.integers(0, length - 1), min_size=1, max_size=3))]
    plain, switched = twins(groups)
    ids = draw(len(gaps), length)
    mask = torch.tensor([[0] * gap + [1] * (length - gap) for gap in gaps])
    places = (mask.cumsum(1) - 1).clamp(min=0)
    with torch.no_grad():
        found = switched(ids, attention_mask=mask, position_ids=places).logits
        expected = plain(ids, attention_mask=mask, position_ids=places).logits
        assert torch.isfinite(found).all()
        torch.testing.assert_close(found[mask.bool()], expected[mask.bool()])
        for row, gap in enumerate(gaps):  # and a padded row is the row alone
            torch.testing.assert_close(found[row, gap:], plain(ids[row : row + 1, gap:]).logits[0])


@pytest.mark.usefixtures("block")
@SAME
@given(length=st.integers(2, 40), groups=GROUPS, data=st.data())
def test_going_on_from_a_cache_equals_one_forward(length: int, groups: int, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, length - 1))
    plain, switched = twins(groups)
    ids = draw(2, length)
    with torch.no_grad():
        cache = switched(ids[:, :cut], use_cache=True).past_key_values
        rest = switched(ids[:, cut:], past_key_values=cache).logits
        torch.testing.assert_close(rest, plain(ids).logits[:, cut:])


@pytest.mark.usefixtures("block")
@SAME
@given(length=st.integers(2, 40), groups=GROUPS, rows=st.integers(1, 3), data=st.data())
def test_a_shared_prefix_equals_one_forward(length: int, groups: int, rows: int, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, length - 1))
    plain, switched = twins(groups)
    ids = draw(rows, length)
    ids[:, :cut] = ids[0, :cut].clone()
    with torch.no_grad():
        layers = switched(ids[:1, :cut], use_cache=True).past_key_values.layers
        with shared_prefix([(layer.keys, layer.values) for layer in layers]):
            found = switched(ids[:, cut:], position_ids=torch.arange(cut, length)[None]).logits
        torch.testing.assert_close(found, plain(ids).logits[:, cut:])
        # Outside it, nothing is shared any more, not even after an error.
        with pytest.raises(RuntimeError), shared_prefix([]):
            raise RuntimeError
        torch.testing.assert_close(switched(ids).logits, plain(ids).logits)


PLAIN: dict[str, dict[str, Any]] = {
    "llama": GROUPED,
    "qwen2": GROUPED,
    "qwen3": {**GROUPED, "head_dim": 8},
    "gemma": {**GROUPED, "head_dim": 8},
    "phi": {},
    "gpt2": {"n_embd": 32, "n_head": 4, "n_layer": 2},
    "gpt_neox": {},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32},
    "mistral": {**GROUPED, "sliding_window": None},
    "smollm3": GROUPED,
    "granite": GROUPED,
    # Values narrower than keys.
    "deepseek_v3": {
        "n_routed_experts": 4,
        "num_experts_per_tok": 2,
        "q_lora_rank": 8,
        "kv_lora_rank": 8,
        "qk_rope_head_dim": 4,
        "qk_nope_head_dim": 8,
        "v_head_dim": 8,
        "first_k_dense_replace": 1,
        "n_group": 1,
        "topk_group": 1,
        "moe_intermediate_size": 16,
    },
}
OTHER: dict[str, tuple[str, dict[str, Any]]] = {
    "a window": ("mistral", {**GROUPED, "sliding_window": 8}),
    "a window in some layers": (
        "qwen2",
        {**GROUPED, "use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1},
    ),
    "soft-capped scores": ("gemma2", {**GROUPED, "head_dim": 8}),
    "soft-capped scores in sdpa": ("llama", {**GROUPED, "attn_logit_softcapping": 50.0}),
    "windows and full layers": ("gemma3_text", {**GROUPED, "head_dim": 8}),
    "convolutions": ("lfm2", {**GROUPED, "layer_types": ["conv", "full_attention"]}),
    # These read no attention from transformers' registry.
    "attention of its own": ("falcon", {"alibi": False, "new_decoder_architecture": False}),
    "position biases": ("falcon", {"alibi": True}),
    "an attention already chosen": ("llama", {**GROUPED, "attn_implementation": "eager"}),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_plain_causal_models_are_switched_and_stay_the_same_function(kind: str) -> None:
    plain, switched = network(kind, **PLAIN[kind]), network(kind, **PLAIN[kind])
    assert use_cpu_attention(switched)
    ids = draw(3, 40)
    mask = torch.ones_like(ids)
    mask[1, :11] = 0
    places = (mask.cumsum(1) - 1).clamp(min=0)
    with torch.no_grad():
        found = switched(ids, attention_mask=mask, position_ids=places).logits
        expected = plain(ids, attention_mask=mask, position_ids=places).logits
        torch.testing.assert_close(found[mask.bool()], expected[mask.bool()], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", OTHER)
def test_others_keep_their_own_attention(name: str) -> None:
    kind, changes = OTHER[name]
    model = network(kind, **changes)
    before = model.config.get_text_config()._attn_implementation
    assert not use_cpu_attention(model)
    assert model.config.get_text_config()._attn_implementation == before != NAME


def test_a_window_that_is_switched_off_is_none() -> None:
    assert use_cpu_attention(network("qwen2", **GROUPED, use_sliding_window=False, sliding_window=8))
