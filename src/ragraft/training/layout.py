"""A pack of trees as tensors: tokens, positions, what is learned and how much it weighs. Knows no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ragraft.models.spans import Span, Spans, positions
from ragraft.training.packing import Step
from ragraft.training.trees import Tree

if TYPE_CHECKING:
    import torch

Mean = Literal["token", "row"]


@dataclass(frozen=True, slots=True)
class Pack:
    """One forward pass."""

    ids: torch.Tensor
    """Token ids, (1, n)."""
    places: torch.Tensor
    """Position ids, (1, n)."""
    spans: Spans
    kept: torch.Tensor
    """Where the head is needed, (m,): the token before each learned one."""
    wanted: torch.Tensor
    """The learned tokens, (m,)."""
    weights: torch.Tensor
    """What each weighs in the step's loss, (m,) float32; over a step they add up to 1."""

    @property
    def tokens(self) -> int:
        return int(self.ids.numel())


def lay_out_step(step: Step, mean: Mean) -> list[Pack]:
    """The step's packs, their weights adding up to 1: every learned token alike, or every row alike (times its own)."""
    trees = step.trees
    branches = [branch for tree in trees for branch in tree.branches]
    total = sum(branch.weight * (branch.learned if mean == "token" else 1) for branch in branches)
    return [lay_out(pack, total, mean) for pack in step.packs]


def lay_out(trees: Sequence[Tree], total: float, mean: Mean = "token") -> Pack:
    """Trees one after another, trunk before branches; `total` divides the weights."""
    import torch

    ids: list[int] = []
    spans: list[Span] = []
    kept: list[int] = []
    wanted: list[int] = []
    weights: list[float] = []
    for tree in trees:
        trunk = (len(ids), len(ids) + len(tree.trunk)) if tree.trunk else (0, 0)
        if tree.trunk:
            spans.append(Span(*trunk))
            ids += tree.trunk
        for branch in tree.branches:
            start = len(ids)
            spans.append(Span(start, start + len(branch.ids), trunk))
            ids += branch.ids
            kept += range(start + branch.answer_from - 1, len(ids) - 1)
            wanted += branch.ids[branch.answer_from :]
            weight = branch.weight / (total * (1 if mean == "token" else branch.learned))
            weights += [weight] * branch.learned
    made = tuple(spans)
    return Pack(
        torch.tensor([ids]),
        positions(made),
        made,
        torch.tensor(kept),
        torch.tensor(wanted),
        torch.tensor(weights, dtype=torch.float64),
    )
