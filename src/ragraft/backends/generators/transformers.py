"""Answer prompts, or score texts, with a transformers model on this machine. Knows tokens; knows nothing of RAG."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ragraft.backends.generators.decoding import completion_of, forward, layers_of, window_of
from ragraft.backends.generators.scoring import WIDEST, Given, logprobs, windows
from ragraft.backends.generators.side_by_side import side_by_side
from ragraft.errors import BackendError
from ragraft.models.chat import ChatTokenizer
from ragraft.models.load import open_model
from ragraft.records import Completion, Delta, LogProbs, Prompt, Sampling

if TYPE_CHECKING:
    from ragraft.backends.generators.choosing import Chooser
    from ragraft.backends.generators.engine import Engine

# A shorter common beginning isn't worth a forward pass of its own.
SHORTEST_PREFIX = 32
CHANGING = ("dynamic", "longrope")
"""Rotary embeddings whose frequencies depend on the prompt at hand."""


class TransformersGenerator:
    """Greedy or sampled decoding of a batch; the prompts' common beginning is computed once.

    Each prompt is read by itself, without padding; then all rows are decoded together, and finished rows leave.
    """

    def __init__(self, model: str) -> None:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        from transformers.cache_utils import DynamicCache, DynamicLayer

        from ragraft.models.attention import NAME

        self._network, self._tokenizer = open_model(model)
        layers = DynamicCache(config=self._network.config).layers
        self._plain_cache = bool(layers) and all(type(layer) is DynamicLayer for layer in layers)
        self._shares = self._plain_cache and self._network.config._attn_implementation == NAME
        self._side_by_side = self._shares and not _turns_with_length(self._network)

    @property
    def tokenizer(self) -> ChatTokenizer:
        return self._tokenizer

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        """One completion a prompt, in order."""
        import torch

        if not prompts:
            return []
        rows = [self._tokenizer.render(prompt) for prompt in prompts]
        with torch.inference_mode():
            # Caches that are not plain key-value tensors (windows, states) can't be stacked: one row at a time.
            groups = [range(len(rows))] if self._plain_cache else [range(row, row + 1) for row in range(len(rows))]
            decoded = [one for group in groups for one in self._decode([rows[i] for i in group], _of(sampling, group))]
        return [
            completion_of(written, tokenizer=self._tokenizer, ends=self._ends, prompt_tokens=len(row), turning=turning)
            for row, (written, turning) in zip(rows, decoded, strict=True)
        ]

    def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Delta]:
        """The completion as it is written, decoded together with all that are asked for meanwhile."""
        return self._engine.stream(prompt, sampling)

    def close(self) -> None:
        """End the thread that streams, so that nothing holds the network any more."""
        if "_engine" in self.__dict__:
            self._engine.close()
            del self._engine

    @property
    def load(self) -> tuple[int, int]:
        """Streamed answers in the batch, and those that wait for a place in it."""
        return self._engine.load

    @cached_property
    def _engine(self) -> Engine:
        from ragraft.backends.generators.engine import Engine

        return Engine(self._network, self._tokenizer, self._ends, plain_cache=self._plain_cache)

    def score(self, prompts: Sequence[Prompt | None], texts: Sequence[str]) -> list[LogProbs]:
        """The log-probability of each token of each text; a prompt that all texts share is computed once."""
        import torch

        from ragraft.models.attention import shared_prefix

        given = [self._given(prompt, text) for prompt, text in zip(prompts, texts, strict=True)]
        size = min(self._window, WIDEST)
        parts = [
            (place, part)
            for place, row in enumerate(given)
            for part in ([row] if prompts[place] else windows(row, size))
        ]
        values: list[list[float]] = [[] for _ in given]
        if parts:
            common = self._common([part.ids for _, part in parts], min(part.start for _, part in parts) - 1)
            with torch.inference_mode(), shared_prefix(self._prefix(parts[0][1].ids[:common])):
                found = logprobs(self._network, [part for _, part in parts], common=common)
            for (place, _), row in zip(parts, found, strict=True):
                values[place] += row
        return [LogProbs(row.ids[row.start :], tuple(own)) for row, own in zip(given, values, strict=True)]

    def _given(self, prompt: Prompt | None, text: str) -> Given:
        if prompt is None:
            return Given(tuple(self._tokenizer.text_ids(text)), 1)
        before = self._tokenizer.render(prompt)
        ids = (*before, *self._tokenizer.target_ids(text))
        if len(ids) > self._window:
            raise BackendError(
                f"A prompt and its answer hold {len(ids)} tokens, more than the model's window of {self._window}; "
                "lower prompt.max_tokens"
            )
        return Given(ids, len(before))

    @property
    def _window(self) -> int:
        return window_of(self._network)

    @property
    def _ends(self) -> set[int]:
        configured = self._network.generation_config.eos_token_id
        listed = configured if isinstance(configured, list) else [configured]
        return {token for token in (*listed, self._tokenizer.tokenizer.eos_token_id) if token is not None}

    def _decode(self, rows: list[list[int]], sampling: Sampling) -> list[tuple[list[tuple[int, float]], float | None]]:
        """Token ids and log-probabilities of each row's continuation, the ending token included, and its turning."""

        from ragraft.backends.generators.choosing import Chooser
        from ragraft.models.attention import shared_prefix

        choose = Chooser(sampling, self._tokenizer, ends=self._ends)
        common = self._common(rows, len(rows[0]))
        with shared_prefix(self._prefix(rows[0][:common])):
            found = self._continue(rows, common, sampling.max_tokens, choose)
        return [(written, choose.turning.get(place)) for place, written in enumerate(found)]

    def _common(self, rows: Sequence[Sequence[int]], most: int) -> int:
        """Length of a common beginning, `most` at most, that is worth computing once; else 0."""
        common = min(most, _common_prefix(rows)) if self._shares and len(rows) > 1 else 0
        return common if common >= SHORTEST_PREFIX else 0

    def _continue(
        self, rows: list[list[int]], common: int, most: int, choose: Chooser
    ) -> list[list[tuple[int, float]]]:
        """Read what follows the common beginning of each row, then decode all rows together; finished rows leave."""
        import torch

        device = self._network.device
        read = self._read(rows, common)
        logits = torch.cat([result.logits[:, -1] for result in read])
        lengths = torch.tensor([len(row) for row in rows], device=device)
        cache, mask = _stack([result.past_key_values for result in read], lengths - common, most)
        out: list[list[tuple[int, float]]] = [[] for _ in rows]
        active = list(range(len(rows)))
        for step in range(most):
            tokens, values = choose(logits, active, out)
            for place, token, value in zip(active, tokens.tolist(), values.tolist(), strict=True):
                out[place].append((token, value))
            going = [i for i, token in enumerate(tokens.tolist()) if token not in self._ends]
            if not going or step + 1 == most:
                break
            if len(going) < len(active):
                chosen = torch.tensor(going, device=device)
                cache.batch_select_indices(chosen)
                active = [active[i] for i in going]
                tokens, lengths, mask = tokens[chosen.cpu()], lengths[chosen], mask[chosen]
            mask = torch.cat([mask, mask.new_ones(len(active), 1)], dim=1)
            logits = self._network(
                input_ids=tokens[:, None].to(device),
                attention_mask=mask,
                position_ids=(lengths + step)[:, None],
                past_key_values=cache,
                use_cache=True,
            ).logits[:, -1]
        return out

    def _read(self, rows: Sequence[Sequence[int]], common: int) -> list[Any]:
        """What the network makes of each row behind the common beginning, a part of a CPU's cores each."""

        def alone(row: Sequence[int]) -> Any:
            return forward(self._network, row[common:], common)

        return side_by_side(alone, rows) if self._side_by_side else [alone(row) for row in rows]

    def _prefix(self, ids: Sequence[int]) -> Any:
        """Keys and values of the common beginning, a pair a layer; None without one."""
        if not ids:
            return None
        return layers_of(forward(self._network, ids, 0).past_key_values)


def _turns_with_length(network: Any) -> bool:
    """Whether a forward pass changes the network's own angles with its length: two at once would share them."""
    rope = getattr(network.config.get_text_config(), "rope_parameters", None) or {}
    return rope.get("rope_type", "default") in CHANGING


def _of(sampling: Sampling, rows: range) -> Sampling:
    """The sampling of some of a batch's rows."""
    return replace(sampling, sources=tuple(sampling.sources[row] for row in rows)) if sampling.sources else sampling


def _common_prefix(rows: Sequence[Sequence[int]]) -> int:
    """Length of the beginning that all rows share; at least one token of each row stays outside it."""
    low, high = min(rows, key=tuple), max(rows, key=tuple)
    limit = min(len(row) for row in rows) - 1
    return next((i for i in range(limit) if low[i] != high[i]), limit)


def _stack(caches: list[Any], lengths: Any, room: int) -> tuple[Any, Any]:
    """One cache of all rows, padded on the left, with room to grow, and its mask of shape (rows, longest)."""
    import torch

    from ragraft.backends.generators.roomy_cache import RoomyLayer

    longest = int(lengths.max())
    first = caches[0]
    if not hasattr(first.layers[0], "keys") or len(caches) == 1:  # nothing to stack
        return first, lengths.new_ones(1, longest)
    for place, layer in enumerate(first.layers):
        pair = []
        for name in ("keys", "values"):
            one = getattr(layer, name)
            whole = one.new_zeros(len(caches), one.shape[1], longest + room, one.shape[3])
            for row, cache in enumerate(caches):
                tensor = getattr(cache.layers[place], name)
                whole[row, :, longest - tensor.shape[2] : longest] = tensor[0]
                if cache is not first:
                    setattr(cache.layers[place], name, None)  # freed at once: a batch's rows weigh gigabytes
            pair.append(whole)
        first.layers[place] = RoomyLayer(pair[0], pair[1], longest)
    columns = torch.arange(longest, device=lengths.device)
    return first, (columns[None, :] >= (longest - lengths)[:, None]).long()
