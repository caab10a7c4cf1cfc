"""How a network reads a pack of trees: with our CPU attention, a block mask, a dense mask, or row by row.

Which way is right is found out by trying it on a small tree: what the branches are told there must equal what their
rows say alone. Knows networks; knows nothing of lessons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch

from ragraft.models.attention import BLOCK, NAME
from ragraft.models.spans import Span, Spans, positions, query_blocks, visible

Kind = Literal["blocks", "flex", "mask", "alone"]
# Tree and rows may differ by this share of what hiding the trunk would change: rounding differs by far less, a wrong
# mask by about all of it.
TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class Reading:
    """A way to read packs that was found exact for a network."""

    kind: Kind
    shares: bool
    """Whether rows may share a trunk."""
    note: str = ""
    """Why not, for the log."""

    @property
    def packs(self) -> bool:
        """Whether rows may share a forward pass."""
        return self.kind != "alone"

    def inputs(self, network: Any, ids: torch.Tensor, places: torch.Tensor, spans: Spans) -> dict[str, Any]:
        """Keywords of the network's own forward."""
        given: dict[str, Any] = {"input_ids": ids, "position_ids": places, "use_cache": False}
        if self.kind == "blocks":
            given["blocks"] = query_blocks(spans, BLOCK, ids.device)
        elif self.kind == "flex":
            given["attention_mask"] = _flex_mask(spans, ids.device)
        elif self.kind == "mask" and len(spans) > 1:
            given["attention_mask"] = _dense_masks(network, spans, ids.device)
        return given


def choose_reading(network: Any, deepest: int) -> Reading:
    """The first way that is exact for this network with rows of up to `deepest` tokens."""
    window = _window(network)
    if window is not None and window < deepest:
        note = f"attention windows of {window} tokens are shorter than the longest row ({deepest})"
        if not _is_chunked(_text_config(network)) and _is_exact(network, Reading("mask", shares=False)):
            return Reading("mask", shares=False, note=f"{note}: rows are packed and share no trunk")
        return Reading("alone", shares=False, note=f"{note}: rows are read one by one")
    for kind in _kinds(network):
        reading = Reading(kind, shares=True)
        if _is_exact(network, reading):
            return reading
    return Reading("alone", shares=False, note="a tree is not exact for this architecture: rows are read one by one")


def _kinds(network: Any) -> list[Kind]:
    attention = _text_config(network)._attn_implementation
    if attention == NAME:
        return ["blocks"]
    return ["flex"] if attention == "flex_attention" else ["mask"]


def _text_config(network: Any) -> Any:
    return network.config.get_text_config()


def _window(network: Any) -> int | None:
    """The shortest attention window of any layer; None where all see everything."""
    config = _text_config(network)
    kinds = getattr(config, "layer_types", None)
    if _is_chunked(config):
        return int(config.attention_chunk_size)
    window = getattr(config, "sliding_window", None)
    slides = any("sliding" in kind for kind in kinds) if kinds else True
    if not window or not slides or not getattr(config, "use_sliding_window", True):
        return None
    return int(window)


def _is_chunked(config: Any) -> bool:
    """Whether a layer's attention begins anew at multiples of a length, which no mask here is made for."""
    return any("chunked" in kind for kind in getattr(config, "layer_types", None) or [])


def _is_exact(network: Any, reading: Reading) -> bool:
    """Whether a small pack says of every branch what its row says alone; False too where the network refuses it."""
    draw = torch.Generator().manual_seed(0)
    vocabulary = int(_text_config(network).vocab_size)
    trunk, *branches = (torch.randint(3, vocabulary, (size,), generator=draw).to(network.device) for size in (12, 6, 9))
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            rows = [_logits(network, torch.cat([trunk, branch]))[len(trunk) :] for branch in branches]
            bare = [_logits(network, branch) for branch in branches]
            found = _tree_logits(network, reading, trunk, branches)
    except Exception:  # a forward that knows no such mask or keyword raises what it likes
        return False
    finally:
        network.train(was_training)
    told, right, hidden = (torch.cat(parts).float() for parts in (found, rows, bare))
    error = (told - right).square().mean().sqrt()
    effect = (hidden - right).square().mean().sqrt()
    return bool(error <= TOLERANCE * effect)


def _logits(network: Any, ids: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = network(input_ids=ids[None], use_cache=False).logits[0]
    return logits


def _tree_logits(
    network: Any, reading: Reading, trunk: torch.Tensor, branches: list[torch.Tensor]
) -> list[torch.Tensor]:
    """Logits at the branches' tokens, read as one pack."""
    parts = [trunk, *branches] if reading.shares else [torch.cat([trunk, branch]) for branch in branches]
    ends = torch.tensor([len(part) for part in parts]).cumsum(0).tolist()
    above = (0, len(trunk)) if reading.shares else (0, 0)
    spans = tuple(
        Span(end - len(part), end, above if end > len(trunk) else (0, 0)) for part, end in zip(parts, ends, strict=True)
    )
    given = reading.inputs(network, torch.cat(parts)[None], positions(spans).to(trunk.device), spans)
    logits = network(**given).logits[0]
    return [logits[span.end - len(branch) : span.end] for span, branch in zip(spans[-2:], branches, strict=True)]


def _dense_masks(network: Any, spans: Spans, device: torch.device) -> torch.Tensor | Mapping[str, torch.Tensor]:
    """A mask (1, 1, n, n), or one for each kind of layer where they differ."""
    config = _text_config(network)
    window = _window(network)
    eager = config._attn_implementation == "eager"

    def made(limit: int | None) -> torch.Tensor:
        mask = visible(spans, limit).to(device)
        if not eager:
            return mask
        dtype = network.dtype
        return torch.zeros(mask.shape, dtype=dtype, device=device).masked_fill_(~mask, torch.finfo(dtype).min)

    kinds = set(getattr(config, "layer_types", None) or [])
    if len(kinds) > 1:
        return {kind: made(window if "sliding" in kind else None) for kind in kinds}
    return made(window)


def _flex_mask(spans: Spans, device: torch.device) -> Any:
    """A block mask for FlexAttention; whole blocks that nobody sees are never computed."""
    from torch.nn.attention.flex_attention import create_block_mask

    size = spans[-1].end
    run = torch.zeros(size, dtype=torch.int32)
    trunk_start, trunk_end = torch.zeros_like(run), torch.zeros_like(run)
    for number, span in enumerate(spans):
        run[span.start : span.end] = number
        trunk_start[span.start : span.end], trunk_end[span.start : span.end] = span.trunk
    run, trunk_start, trunk_end = (tensor.to(device) for tensor in (run, trunk_start, trunk_end))

    def sees(batch: Any, head: Any, query: Any, key: Any) -> Any:
        above = (key >= trunk_start[query]) & (key < trunk_end[query])
        return above | ((run[query] == run[key]) & (key <= query))

    return create_block_mask(sees, None, None, size, size, device=device)
