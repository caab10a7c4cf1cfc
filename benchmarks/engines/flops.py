"""Floating point operations of a training step under LoRA, counted from shapes. Knows shapes only.

A product of n rows with a weight of p parameters is 2np operations. A frozen weight is used twice, forward and for the
gradient of its input; an adapter's three times. Attention is counted over the pairs of tokens that may see each other,
whatever a kernel computes and hides; norms, activations and the optimizer, a few hundredths, are not counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Shape:
    """A Llama's sizes."""

    hidden: int
    inner: int
    layers: int
    heads: int
    groups: int
    """Heads of keys and values."""
    width: int
    """Of one head."""
    vocabulary: int

    @property
    def linears(self) -> list[tuple[int, int]]:
        """Inputs and outputs of a layer's linear maps: queries, keys, values, outputs, gate, up, down."""
        queries, keys = self.heads * self.width, self.groups * self.width
        attention = [(self.hidden, queries), (self.hidden, keys), (self.hidden, keys), (queries, self.hidden)]
        return [*attention, (self.hidden, self.inner), (self.hidden, self.inner), (self.inner, self.hidden)]

    @property
    def parameters(self) -> int:
        """Of all layers' linear maps."""
        return self.layers * sum(wide * high for wide, high in self.linears)

    def adapter_parameters(self, rank: int) -> int:
        return self.layers * rank * sum(wide + high for wide, high in self.linears)


@dataclass(frozen=True, slots=True)
class Work:
    """What one question costs."""

    tokens: float
    """That pass through the layers."""
    pairs: float
    """Of a query and a key that it may see."""
    scored: float
    """Positions at which the head is computed."""
    head_products: int
    """Products with the head's weight at each of them: forward, gradient of its input, and any done again."""


def shape_of(config: Mapping[str, Any]) -> Shape:
    """The sizes in a model's config.json."""
    heads = config["num_attention_heads"]
    return Shape(
        hidden=config["hidden_size"],
        inner=config["intermediate_size"],
        layers=config["num_hidden_layers"],
        heads=heads,
        groups=config.get("num_key_value_heads") or heads,
        width=config.get("head_dim") or config["hidden_size"] // heads,
        vocabulary=config["vocab_size"],
    )


def tree_work(*, trunk: int, question: int, answer: int, questions: int) -> Work:
    """A question's share of its tree, with the head on learned positions; alone, it is a row."""
    branch = question + answer
    if questions == 1:
        return row_work(trunk=trunk, question=question, answer=answer, scored=answer, head_products=2)
    own = branch * trunk + _triangle(branch)
    return Work(trunk / questions + branch, _triangle(trunk) / questions + own, answer, head_products=2)


def row_work(*, trunk: int, question: int, answer: int, scored: int, head_products: int) -> Work:
    """A question as a row of its own."""
    length = trunk + question + answer
    return Work(length, _triangle(length), scored, head_products)


def operations(shape: Shape, rank: int, work: Work) -> float:
    """Forward and backward, of one question."""
    frozen = 2 * 2 * shape.parameters * work.tokens
    adapters = 3 * 2 * shape.adapter_parameters(rank) * work.tokens
    # Two products forward (scores, values), four backward.
    attention = 6 * 2 * work.pairs * shape.heads * shape.width * shape.layers
    head = work.head_products * 2 * shape.hidden * shape.vocabulary * work.scored
    return frozen + adapters + attention + head


def training_operations(shape: Shape, *, tokens: float, learned: float, rank: int | None) -> float:
    """Forward and backward over so many tokens, without attention's own products; no rank: all weights are tuned."""
    if rank is None:
        # A third product: the gradient of the weight itself, also in the head.
        return operations(shape, 0, Work(1.5 * tokens, 0, learned, head_products=3))
    return operations(shape, rank, Work(tokens, 0, learned, head_products=2))


def _triangle(length: int) -> int:
    return length * (length + 1) // 2
