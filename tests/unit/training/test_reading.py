"""Laws of reading packs: loss and gradient are those of each row alone in the untouched model, or there is a note."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM

from ragraft.config import DEFAULT_MODEL
from ragraft.models.attention import use_cpu_attention
from ragraft.models.sources import resolve
from ragraft.models.spans import Span, Spans, positions
from ragraft.training.layout import lay_out_step
from ragraft.training.network import tell_loss
from ragraft.training.packing import pack_step
from ragraft.training.reading import Kind, Reading, _is_exact, choose_reading
from ragraft.training.trees import Row, grow_trees, unshared

SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    # Random weights of the usual size would attend to everything alike.
    "initializer_range": 0.2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
MORE: dict[str, dict[str, Any]] = {
    "llama": {},
    "qwen3": {"head_dim": 8},
    "gemma": {"head_dim": 8},
    "mistral": {"sliding_window": 20},
    "gemma2": {"head_dim": 8, "sliding_window": 20},
    "gemma3_text": {
        "head_dim": 8,
        "sliding_window": 20,
        "layer_types": ["sliding_attention", "full_attention"],
    },
    "lfm2": {"layer_types": ["conv", "full_attention"]},
}


@dataclass(frozen=True)
class Shape:
    """A tree to draw: tokens of its trunk, and of each branch how many are prompt and how many are learned."""

    trunk: int
    branches: tuple[tuple[int, int], ...]


SHAPE = st.builds(
    Shape,
    st.integers(0, 40),
    st.lists(st.tuples(st.integers(1, 15), st.integers(1, 15)), min_size=1, max_size=5).map(tuple),
)
SHAPES = st.lists(SHAPE, min_size=1, max_size=4)
# gemma2's soft-capped attention is eager, whose softmax is float32 whatever the rest is.
EXACT = {"gemma2": 1e-6}
DEEP = [Shape(40, ((10, 15), (3, 2), (1, 1))), Shape(0, ((15, 15),)), Shape(30, ((15, 15), (2, 9)))]


def draw_rows(shapes: Sequence[Shape], seed: int, vocabulary: int = 64) -> list[Row]:
    """Rows of random tokens with random weights, those of a shape with the same beginning."""
    draw = random.Random(seed)

    def tokens(count: int) -> tuple[int, ...]:
        return tuple(draw.randrange(3, vocabulary) for _ in range(count))

    rows = []
    for number, shape in enumerate(shapes):
        trunk = tokens(shape.trunk)
        for prompt, learned in shape.branches:
            ids = trunk + tokens(prompt + learned)
            rows.append(Row(ids, len(ids) - learned, f"tree{number}", weight=draw.choice([0.5, 1.0, 2.0])))
    return rows


@cache
def untouched(kind: str) -> Any:
    """A model as transformers makes it, in float64 but for its norms."""
    torch.manual_seed(0)
    network = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **{**SIZES, **MORE[kind]})).double().eval()
    # transformers' norms compute in float32, whose rounding (4e-8) would hide what this is about.
    for module in network.modules():
        if type(module).__name__.endswith("RMSNorm"):
            module.forward = _norm(module)
    return network


def _norm(module: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    epsilon = module.variance_epsilon if hasattr(module, "variance_epsilon") else module.eps
    shift = 1.0 if "Gemma" in type(module).__name__ else 0.0

    def forward(x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon) * (shift + module.weight)
        return y

    return forward


def copied(kind: str) -> Any:
    """The same weights and norms in a model of one's own."""
    network = copy.deepcopy(untouched(kind))
    for module in network.modules():
        if type(module).__name__.endswith("RMSNorm"):
            module.forward = _norm(module)
    return network


@cache
def ours(kind: str, own: bool) -> tuple[Any, Reading]:
    """The model with our loss, and how it reads rows of up to 70 tokens."""
    network = copied(kind)
    assert not own or use_cpu_attention(network)
    reading = choose_reading(network, 70)
    tell_loss(network, reading)
    return network, reading


def alone(network: Any, rows: Sequence[Row]) -> tuple[float, torch.Tensor]:
    """Loss and gradient, each row by itself in the network's own forward."""
    network.zero_grad()
    total = sum(row.weight * (len(row.ids) - row.answer_from) for row in rows)
    loss = 0.0
    for row in rows:
        ids = torch.tensor([row.ids])
        logits = network(input_ids=ids, use_cache=False).logits[0, row.answer_from - 1 : -1]
        losses = torch.nn.functional.cross_entropy(logits, ids[0, row.answer_from :], reduction="sum")
        part = losses * row.weight / total
        part.backward()
        loss += float(part.detach())
    return loss, gradient(network)


def together(network: Any, reading: Reading, rows: Sequence[Row], budget: int = 10_000) -> tuple[float, torch.Tensor]:
    """Loss and gradient as training computes them."""
    network.zero_grad()
    shape = (lambda tree: [tree]) if reading.shares else unshared
    step = pack_step(grow_trees(rows), budget if reading.packs else 1, shape)
    loss = 0.0
    for pack in lay_out_step(step, "token"):
        part = network(pack)
        part.backward()
        loss += float(part.detach())
    return loss, gradient(network)


def gradient(network: Any) -> torch.Tensor:
    return torch.cat([tensor.grad.flatten() for tensor in network.parameters() if tensor.grad is not None])


def check_equal(found: tuple[float, torch.Tensor], wanted: tuple[float, torch.Tensor], most: float) -> None:
    assert abs(found[0] - wanted[0]) <= most * abs(wanted[0])
    assert float((found[1] - wanted[1]).norm()) <= most * float(wanted[1].norm())


# --- exactness


@pytest.mark.parametrize(("own", "way"), [(True, "blocks"), (False, "mask")])
@pytest.mark.parametrize("kind", ["llama", "qwen3", "gemma"])
def test_a_tree_teaches_what_its_rows_teach(kind: str, own: bool, way: Kind) -> None:
    network, reading = ours(kind, own)
    assert reading == Reading(way, shares=True)

    @settings(max_examples=12, deadline=None)
    @given(shapes=SHAPES, seed=st.integers(0, 999), budget=st.sampled_from([60, 150, 10_000]))
    @example(shapes=DEEP, seed=0, budget=10_000)
    @example(shapes=[Shape(40, ((1, 1),) * 5)] * 4, seed=1, budget=10_000)
    @example(shapes=[Shape(0, ((1, 1),))], seed=2, budget=60)
    def law(shapes: list[Shape], seed: int, budget: int) -> None:
        rows = draw_rows(shapes, seed)
        check_equal(together(network, reading, rows, budget), alone(untouched(kind), rows), 1e-9)

    law()


def test_the_examples_do_share() -> None:
    trees = grow_trees(draw_rows(DEEP, 0))
    assert [len(tree.trunk) for tree in trees] == [40, 0, 30]
    step = pack_step(trees, 10_000, lambda tree: [tree])
    [pack] = lay_out_step(step, "token")
    assert pack.tokens == sum(tree.tokens for tree in trees) < sum(tree.row_tokens for tree in trees)


@pytest.mark.parametrize("kind", ["mistral", "gemma2", "gemma3_text"])
def test_windows_shorter_than_the_rows_pack_rows_and_say_so(kind: str) -> None:
    assert not use_cpu_attention(copied(kind))
    network, reading = ours(kind, False)
    note = "attention windows of 20 tokens are shorter than the longest row (70): rows are packed and share no trunk"
    assert reading == Reading("mask", shares=False, note=note)
    rows = draw_rows(DEEP, 3)
    assert max(len(row.ids) for row in rows) > 20
    check_equal(together(network, reading, rows), alone(untouched(kind), rows), EXACT.get(kind, 1e-9))


@pytest.mark.parametrize("kind", ["mistral", "gemma2", "gemma3_text"])
def test_windows_longer_than_the_rows_share(kind: str) -> None:
    network = copied(kind)
    reading = choose_reading(network, 20)
    assert reading == Reading("mask", shares=True)
    tell_loss(network, reading)
    rows = draw_rows([Shape(16, ((1, 2), (2, 1))), Shape(0, ((9, 9),))], 4)
    check_equal(together(network, reading, rows), alone(untouched(kind), rows), EXACT.get(kind, 1e-9))


def test_convolutions_are_read_row_by_row() -> None:
    network, reading = ours("lfm2", False)
    assert (reading.kind, reading.shares, reading.packs) == ("alone", False, False)
    assert reading.note == "a tree is not exact for this architecture: rows are read one by one"
    rows = draw_rows(DEEP, 5)
    check_equal(together(network, reading, rows), alone(untouched("lfm2"), rows), 1e-9)


def test_chunked_attention_is_read_row_by_row_where_rows_are_longer() -> None:
    network = copied("llama")
    network.config.layer_types = ["chunked_attention", "full_attention"]
    network.config.attention_chunk_size = 16
    reading = choose_reading(network, 70)
    note = "attention windows of 16 tokens are shorter than the longest row (70): rows are read one by one"
    assert reading == Reading("alone", shares=False, note=note)


# --- the probe


class Blind(Reading):
    """Tokens see all before them, other branches too."""

    def inputs(self, network: Any, ids: torch.Tensor, places: torch.Tensor, spans: Spans) -> dict[str, Any]:
        return {"input_ids": ids, "position_ids": places, "use_cache": False}


class Deaf(Reading):
    """Branches don't see their trunk."""

    def inputs(self, network: Any, ids: torch.Tensor, places: torch.Tensor, spans: Spans) -> dict[str, Any]:
        bare = tuple(Span(span.start, span.end) for span in spans)
        return Reading.inputs(self, network, ids, places, bare)


class Lost(Reading):
    """Positions go on from branch to branch."""

    def inputs(self, network: Any, ids: torch.Tensor, places: torch.Tensor, spans: Spans) -> dict[str, Any]:
        return Reading.inputs(self, network, ids, torch.arange(ids.shape[1])[None], spans)


class Ahead(Reading):
    """Tokens see what they are to say."""

    def inputs(self, network: Any, ids: torch.Tensor, places: torch.Tensor, spans: Spans) -> dict[str, Any]:
        given = Reading.inputs(self, network, ids, places, spans)
        return {**given, "attention_mask": torch.ones_like(given["attention_mask"])}


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gemma"])
@pytest.mark.parametrize("wrong", [Blind, Deaf, Lost, Ahead])
def test_the_probe_rejects_a_wrong_reading(kind: str, wrong: type[Reading]) -> None:
    assert _is_exact(copied(kind), Reading("mask", shares=True))
    assert not _is_exact(copied(kind), wrong("mask", shares=True))


def test_the_probe_leaves_the_network_as_it_was() -> None:
    network = copied("llama").train()
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    choose_reading(network, 70)
    assert network.training
    assert torch.equal(torch.rand(1), expected)
    assert all(tensor.grad is None for tensor in network.parameters())


def test_positions_go_on_from_the_trunk() -> None:
    spans = (Span(0, 3), Span(3, 5, (0, 3)), Span(5, 6, (0, 3)), Span(6, 8))
    assert positions(spans).tolist() == [[0, 1, 2, 3, 4, 3, 0, 1]]


@pytest.mark.slow
def test_the_default_model_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAGRAFT_CACHE")  # where it is kept already
    network = AutoModelForCausalLM.from_pretrained(resolve(DEFAULT_MODEL).path, dtype=torch.float32).eval()
    rows = draw_rows([Shape(300, ((20, 12), (9, 30), (15, 4))), Shape(90, ((20, 12), (2, 40)))], 0, 49_000)
    wanted = alone(network, rows)
    assert use_cpu_attention(network)
    reading = choose_reading(network, 400)
    assert reading == Reading("blocks", shares=True)
    tell_loss(network, reading)
    check_equal(together(network, reading, rows), wanted, 1e-5)
