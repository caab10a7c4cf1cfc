"""Attention for decoding that never copies grouped keys: one query token against each key-value head's whole group.

On a CPU, torch's own kernel repeats keys and values for every query head at each token; this is about three times
faster there. Knows tensors only.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.cache_utils import DynamicCache, DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "ragraft_grouped"


def use_grouped_attention(network: Any) -> bool:
    """Switch a model to it where it is exact; returns whether the model keeps plain, stackable keys and values."""
    cache = DynamicCache(config=network.config)
    plain = bool(cache.layers) and all(type(layer) is DynamicLayer for layer in cache.layers)
    softcapped = getattr(network.config.get_text_config(), "attn_logit_softcapping", None)
    if plain and network.device.type == "cpu" and network.config._attn_implementation == "sdpa" and not softcapped:
        AttentionInterface.register(NAME, _attend)
        AttentionMaskInterface.register(NAME, sdpa_mask)
        network.set_attn_implementation(NAME)
    return plain


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **settings: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """query (b, heads, n, d), key and value (b, groups, m, d) → (b, n, heads, d)."""
    if query.shape[2] > 1:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **settings)  # type: ignore[no-any-return]
    batch, heads, _, width = query.shape
    groups = key.shape[1]
    scaling = settings.get("scaling") or width**-0.5
    scores = torch.matmul(query.view(batch, groups, heads // groups, width), key.transpose(2, 3)) * scaling
    if attention_mask is not None:
        scores = scores.masked_fill(~attention_mask[..., : key.shape[2]], float("-inf"))
    shares = torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    return torch.matmul(shares, value).view(batch, 1, heads, width), None
