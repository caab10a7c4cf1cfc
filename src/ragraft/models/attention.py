"""Causal attention for CPUs: query blocks against only the keys they may see, grouped keys never copied.

torch's CPU kernel repeats grouped keys for every head, computes masked halves, and needs a mask as soon as something is
cached. In bf16 this one is two to three times as fast, forward and backward, and needs no mask without padding.
Knows tensors; exact in float32 and float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from ragraft.models.spans import QueryBlock

NAME = "ragraft_cpu"
BLOCK = 128
"""Queries of a tree at a time."""
READ = 64
"""Queries of a prompt at a time: behind a long prefix few at once keep their scores in the processor's cache."""

KeysValues = tuple[torch.Tensor, torch.Tensor]
_SHARED: ContextVar[Sequence[KeysValues] | None] = ContextVar("shared", default=None)


@contextmanager
def shared_prefix(layers: Sequence[KeysValues] | None) -> Iterator[None]:
    """Within it, every row also sees these keys and values (1, groups, p, d) of each layer, kept once for all rows.

    Only for a model that `use_cpu_attention` switched; position ids are the caller's.
    """
    token = _SHARED.set(layers)
    try:
        yield
    finally:
        _SHARED.reset(token)


def use_cpu_attention(network: Any) -> bool:
    """Switch a model to it where it is the same function (on a CPU, plain causal layers, no soft-capping).

    Returns whether it was.
    """
    config = network.config.get_text_config()
    layers = set(getattr(config, "layer_types", None) or ["full_attention"])
    plain = layers == {"full_attention"} and not getattr(config, "attn_logit_softcapping", None)
    windowed = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    fits = plain and not windowed and network.device.type == "cpu" and config._attn_implementation == "sdpa"
    if not fits:
        return False
    AttentionInterface.register(NAME, _attend)
    AttentionMaskInterface.register(NAME, _mask)
    network.set_attn_implementation(NAME)
    # transformers leaves alone, with a warning, a model whose code asks no registry for its attention.
    return bool(config._attn_implementation == NAME)


def _mask(*args: Any, attention_mask: torch.Tensor | None = None, **kwargs: Any) -> torch.Tensor | None:
    """None where nothing is hidden but what comes later: `_attend` is causal by itself, aligned to the last key."""
    if attention_mask is None or (attention_mask.shape[1] >= kwargs["kv_length"] and bool(attention_mask.all())):
        return None
    # sdpa's own shortcut would drop the mask where it takes `is_causal` for granted.
    kwargs["allow_is_causal_skip"] = False
    mask: torch.Tensor | None = sdpa_mask(*args, attention_mask=attention_mask, **kwargs)
    return mask


def _attend(  # noqa: PLR0917 — transformers calls it so
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    blocks: Sequence[QueryBlock] | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """query (b, heads, n, d); key (b, groups, m, d), value (b, groups, m, v) with m >= n → (b, n, heads, v).

    `blocks` say what each query sees where that is not simply all before it (models/spans.py).
    """
    if dropout or not getattr(module, "is_causal", True):
        result: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **kwargs
        )
        return result
    batch, heads, length, width = query.shape
    groups = key.shape[1]
    query = (query * (scaling or width**-0.5)).reshape(batch, groups, heads // groups, length, width)
    if blocks is not None:
        parts = [_tree_block(query[:, :, :, block.start : block.end], key, value, block) for block in blocks]
        return torch.cat(parts, dim=3).flatten(1, 2).transpose(1, 2), None
    layers = _SHARED.get()
    prefix = layers[module.layer_idx] if layers is not None else None
    if prefix is not None and batch == 1 and attention_mask is None:
        # A single row's keys lie behind those of the prefix: one product and one softmax, and no scores are copied.
        key, value = (torch.cat([early, late], dim=2) for early, late in zip(prefix, (key, value), strict=True))
        prefix = None
    before = key.shape[2] - length
    rows = [
        _block(
            query[:, :, :, start : start + READ],
            (key, value),
            prefix,
            before=before + start,
            mask=None if attention_mask is None else attention_mask[:, :, start : start + READ],
        )
        for start in range(0, length, READ)
    ]
    return torch.cat(rows, dim=3).flatten(1, 2).transpose(1, 2), None


def _block(
    query: torch.Tensor, own: KeysValues, prefix: KeysValues | None, *, before: int, mask: torch.Tensor | None
) -> torch.Tensor:
    """A block of queries (b, groups, heads per group, n, d), `before` keys of the row's own older than its first."""
    batch, groups, share, length, width = query.shape
    end = before + length
    rows = query.reshape(batch, groups, share * length, width)
    keys, values = (tensor[:, :, :end] for tensor in own)
    scores = torch.matmul(rows, keys.transpose(2, 3)).view(batch, groups, share, length, end)
    if length > 1 and mask is None:
        future = torch.ones(length, length, dtype=torch.bool, device=query.device).triu(1)
        scores[..., before:].masked_fill_(future, float("-inf"))
    if mask is not None:
        # The lowest finite number, not -inf: a padded query sees nothing at all and must not become NaN.
        scores = scores.masked_fill(~mask[:, :, None, :, :end], torch.finfo(scores.dtype).min)
    if prefix is None:
        shares = torch.softmax(scores, dim=-1).view(batch, groups, share * length, end)
        return torch.matmul(shares, values).view(batch, groups, share, length, -1)
    # All rows against the one prefix are a single matrix product a group.
    together = rows.transpose(0, 1).reshape(1, groups, batch * share * length, width)
    first = torch.matmul(together, prefix[0].transpose(2, 3)).view(groups, batch, share, length, -1).transpose(0, 1)
    shares = torch.softmax(torch.cat([first, scores], dim=-1), dim=-1)
    seen = first.shape[-1]
    early = shares[..., :seen].transpose(0, 1).reshape(1, groups, batch * share * length, seen)
    late = shares[..., seen:].reshape(batch, groups, share * length, end)
    part = torch.matmul(early, prefix[1]).view(groups, batch, share, length, -1).transpose(0, 1)
    return part + torch.matmul(late, values).view(batch, groups, share, length, -1)


def _tree_block(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, block: QueryBlock) -> torch.Tensor:
    """Queries (b, groups, heads per group, n, d) against the block's trunk, then against its own run of keys."""
    batch, groups, share, length, width = query.shape
    first, last = block.trunk
    if last == block.own:  # the trunk lies right before: one run
        keys, values = (tensor[:, :, first : block.end] for tensor in (key, value))
    elif first == last:
        keys, values = (tensor[:, :, block.own : block.end] for tensor in (key, value))
    else:
        keys, values = (
            torch.cat([tensor[:, :, first:last], tensor[:, :, block.own : block.end]], dim=2) for tensor in (key, value)
        )
    scores = torch.matmul(query.reshape(batch, groups, share * length, width), keys.transpose(2, 3))
    scores = scores.view(batch, groups, share, length, -1)
    bias = scores.new_zeros(length, scores.shape[-1])
    bias[:, last - first :].masked_fill_(block.hidden, float("-inf"))
    shares = torch.softmax(scores + bias, dim=-1).view(batch, groups, share * length, -1)
    return torch.matmul(shares, values).view(batch, groups, share, length, -1)
