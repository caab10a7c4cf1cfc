"""Trees into forward passes, and forward passes into optimizer steps, settled before training starts.

A step is a fixed list of questions: how they are shared, packed or spread over processes changes no step's loss.
Knows trees; knows no tensors.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ragraft.training.trees import Tree, split_tree


@dataclass(frozen=True, slots=True)
class Step:
    """One optimizer step: packs of trees, a forward pass each."""

    packs: tuple[tuple[Tree, ...], ...]
    ends_epoch: bool = False

    @property
    def trees(self) -> list[Tree]:
        return [tree for pack in self.packs for tree in pack]

    @property
    def questions(self) -> int:
        return sum(len(tree.branches) for tree in self.trees)

    @property
    def learned(self) -> int:
        """Tokens that are learned."""
        return sum(branch.learned for tree in self.trees for branch in tree.branches)


def plan_steps(trees: Sequence[Tree], *, batch: int, epochs: float, seed: int) -> list[list[Tree]]:
    """The trees of every step, about `batch` questions each; epoch e reads copy e mod the number of copies.

    A tree is never torn over two steps. The last step of an epoch takes what is left.
    """
    copies = sorted({tree.copy for tree in trees})
    steps: list[list[Tree]] = []
    for epoch in range(max(1, -int(-epochs // 1))):
        pool = [tree for tree in trees if tree.copy == copies[epoch % len(copies)]]
        random.Random(f"{seed}|{epoch}").shuffle(pool)
        made = _fill(pool, batch)
        share = min(1.0, epochs - epoch)
        steps += made[: max(1, round(share * len(made)))]
    return steps


def count_epoch(trees: Sequence[Tree], *, batch: int, epochs: float, seed: int) -> list[int]:
    """Steps after which an epoch is over, counted from 1."""
    ends: list[int] = []
    for epoch in range(1, max(1, -int(-epochs // 1)) + 1):
        ends.append(len(plan_steps(trees, batch=batch, epochs=min(epochs, float(epoch)), seed=seed)))
    return ends


def _fill(pool: Sequence[Tree], batch: int) -> list[list[Tree]]:
    """Steps of at least `batch` questions, of the trees in order; a small rest joins the step before it."""
    steps: list[list[Tree]] = [[]]
    for tree in pool:
        if _questions(steps[-1]) >= batch:
            steps.append([])
        steps[-1].append(tree)
    if len(steps) > 1 and _questions(steps[-1]) * 2 < batch:
        rest = steps.pop()
        steps[-1] += rest
    return steps


def _questions(trees: Sequence[Tree]) -> int:
    return sum(len(tree.branches) for tree in trees)


def pack_step(trees: Sequence[Tree], budget: int, reshape: Callable[[Tree], Sequence[Tree]]) -> Step:
    """The step's forward passes; `reshape` may take a tree apart where the network can't learn it whole."""
    parts = [part for tree in trees for shaped in reshape(tree) for part in split_tree(shaped, budget)]
    packs = pack([part.tokens for part in parts], budget)
    return Step(tuple(tuple(parts[place] for place in one) for one in packs))


def pack(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Places of the lengths in bins of at most `budget`, first fit decreasing; what is longer gets a bin of its own.

    Deterministic: equal lengths go in order, and each bin lists its places in order.
    """
    bins: list[list[int]] = []
    room: list[int] = []
    for place in sorted(range(len(lengths)), key=lambda at: (-lengths[at], at)):
        chosen = next((number for number, left in enumerate(room) if left >= lengths[place]), None)
        if chosen is None:
            bins.append([])
            room.append(budget)
            chosen = len(bins) - 1
        bins[chosen].append(place)
        room[chosen] -= lengths[place]
    return [sorted(one) for one in bins]
