"""Completion-only loss with the language-model head on answer positions alone. Knows tensors only.

The head is about a fifth of a small model's work and nearly all of its activation memory; a prompt's positions don't
need it, since their labels are ignored.
"""

from __future__ import annotations

from typing import Any

from ragraft.training.rows import IGNORED


def completion_loss(network: Any, batch: dict[str, Any]) -> Any:
    """Summed cross-entropy over the answer tokens of a left-padded batch; a scalar tensor."""
    from torch.nn.functional import cross_entropy

    labels = batch["labels"]
    answer = int((labels != IGNORED).any(dim=0).int().argmax())
    kept = labels.shape[1] - answer
    inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
    # The logits at a position predict the next one: one more is kept in front, and the last is not used.
    logits = network(**inputs, logits_to_keep=kept + 1, use_cache=False).logits[:, -(kept + 1) : -1]
    wanted = labels[:, answer:]
    return cross_entropy(logits.float().flatten(0, 1), wanted.flatten(), ignore_index=IGNORED, reduction="sum")
