"""What decoding a batch and decoding rows that come and go share. Knows tokens and models; knows nothing of RAG."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, Any

from ragraft.models.chat import ChatTokenizer
from ragraft.records import Completion

if TYPE_CHECKING:
    from ragraft.models.attention import KeysValues


def window_of(network: Any) -> int:
    """The most tokens that the model was made for."""
    return int(getattr(network.config.get_text_config(), "max_position_embeddings", None) or 2048)


def forward(network: Any, ids: Sequence[int], start: int, cache: Any = None) -> Any:
    """Run tokens that stand at positions from `start` on, after what the cache holds; logits of the last one alone."""
    import torch

    tokens = torch.tensor([list(ids)], device=network.device)
    places = torch.arange(start, start + len(ids), device=network.device)[None]
    return network(input_ids=tokens, position_ids=places, past_key_values=cache, use_cache=True, logits_to_keep=1)


def layers_of(cache: Any) -> tuple[KeysValues, ...]:
    """A plain cache's keys and values."""
    return tuple((layer.keys, layer.values) for layer in cache.layers)


def completion_of(
    written: Sequence[tuple[int, float]],
    *,
    tokenizer: ChatTokenizer,
    ends: Set[int],
    prompt_tokens: int,
    turning: float | None,
) -> Completion:
    """What was written after a prompt: token ids and log-probabilities, the ending token included."""
    stopped = bool(written) and written[-1][0] in ends
    kept = written[:-1] if stopped else written
    return Completion(
        text=tokenizer.decode([token for token, _ in kept]).strip(),
        token_ids=tuple(token for token, _ in written),
        logprobs=tuple(value for _, value in written),
        finish_reason="stop" if stopped else "length",
        prompt_tokens=prompt_tokens,
        turning=turning,
    )
