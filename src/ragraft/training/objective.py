"""Cross-entropy with the language-model head on learned positions only, in chunks. Knows tensors only.

The head is a fifth of a small model's work and nearly all of its activation memory. The gradient is made beside the
loss, so that no chunk's logits are kept or computed twice (as in Liger Kernel's fused linear cross-entropy, Hsu et al.
2024, 2410.10989, section 3.2).
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import cross_entropy

CHUNK = 512


def weighted_loss(hidden: Any, head: Any, wanted: Any, weights: Any) -> Any:
    """Sum of weights × negative log-likelihoods: hidden (m, d), wanted (m,), weights (m,) → a scalar."""
    if type(head) is torch.nn.Linear and head.bias is None:
        return _LinearLoss.apply(hidden, head.weight, wanted, weights)
    return logits_loss(head(hidden), wanted, weights)


def logits_loss(logits: Any, wanted: Any, weights: Any) -> Any:
    """The same from logits (m, vocabulary)."""
    losses = cross_entropy(widened(logits), wanted, reduction="none")
    return (losses * weights.to(losses.dtype)).sum()


class _LinearLoss(torch.autograd.Function):
    """Head, softmax and loss of a bias-free linear head."""

    @staticmethod
    def forward(ctx: Any, hidden: Any, weight: Any, wanted: Any, weights: Any) -> Any:  # noqa: PLR0917 — autograd's own
        needs_hidden, needs_weight = ctx.needs_input_grad[:2]
        kind = hidden.device.type
        narrow = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype
        table, rows = weight.to(narrow), hidden.to(narrow)  # once, and not chunk by chunk
        grad_hidden = torch.empty_like(hidden) if needs_hidden else None
        grad_weight = torch.zeros_like(weight) if needs_weight else None
        total = widened(hidden.new_zeros(()))
        for start in range(0, len(hidden), CHUNK):
            piece = slice(start, start + CHUNK)
            logits = widened(rows[piece] @ table.T)
            share = weights[piece, None].to(logits.dtype)
            scores = logits.log_softmax(-1)
            places = wanted[piece, None]
            total -= (scores.gather(1, places) * share).sum()
            if grad_hidden is None and grad_weight is None:
                continue
            # d loss / d logits: softmax minus one at the wanted token, times the weight.
            slope = scores.exp_().mul_(share)
            slope.scatter_add_(1, places, -share)
            slope = slope.to(narrow)
            if grad_hidden is not None:
                grad_hidden[piece] = slope @ table
            if grad_weight is not None:
                grad_weight += (slope.T @ rows[piece]).to(grad_weight.dtype)
        ctx.save_for_backward(grad_hidden, grad_weight)
        return total

    @staticmethod
    def backward(ctx: Any, slope: Any) -> Any:
        grad_hidden, grad_weight = ctx.saved_tensors
        return (
            None if grad_hidden is None else grad_hidden * slope.to(grad_hidden.dtype),
            None if grad_weight is None else grad_weight * slope.to(grad_weight.dtype),
            None,
            None,
        )


def widened(tensor: Any) -> Any:
    """At least float32."""
    return tensor if tensor.dtype is torch.float64 else tensor.float()
