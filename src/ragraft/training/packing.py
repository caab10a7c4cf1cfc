"""Trees into forward passes, and forward passes into optimizer steps, settled before training starts.

A step is a fixed list of questions: how they are shared, packed or spread over processes changes no step's loss.
Knows trees; knows no tensors.
"""

from __future__ import annotations

import bisect
import itertools
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ragraft.training.trees import Tree, split_tree


@dataclass(frozen=True, slots=True)
class Step:
    """One optimizer step: packs of trees, a forward pass each."""

    packs: tuple[tuple[Tree, ...], ...]

    @property
    def trees(self) -> list[Tree]:
        return [tree for pack in self.packs for tree in pack]

    @property
    def questions(self) -> int:
        return _questions(self.trees)

    @property
    def learned(self) -> int:
        """Tokens that are learned."""
        return sum(tree.learned for tree in self.trees)


def plan_epochs(trees: Sequence[Tree], *, batch: int, epochs: float, seed: int) -> list[list[list[Tree]]]:
    """The trees of each epoch's steps, about `batch` questions a step; epoch e reads copy e mod the number of copies.

    A tree is never torn over two steps. Trees of named parts count for nothing there: they are dealt over the steps
    that the others fill, so that each step has its share of each part.
    Of a fractional last epoch the first steps are kept, at least one.
    """
    copies = sorted({tree.copy for tree in trees})
    plan = []
    for epoch in range(math.ceil(epochs)):
        pool = [tree for tree in trees if tree.copy == copies[epoch % len(copies)]]
        parts: dict[str, list[Tree]] = {}
        for tree in pool:
            parts.setdefault(tree.part, []).append(tree)
        steps = _steps(parts, batch, f"{seed}|{epoch}")
        plan.append(steps[: max(1, round(min(1.0, epochs - epoch) * len(steps)))])
    return plan


def _steps(parts: Mapping[str, Sequence[Tree]], batch: int, seed: str) -> list[list[Tree]]:
    """The steps of one epoch, of the trees by part; the part without a name fills them as if there were no other."""
    main = list(parts.get("", ()))
    random.Random(seed).shuffle(main)
    steps = _fill(main, batch)
    wide = [sum(tree.learned for tree in step) for step in steps]
    for part in sorted(filter(None, parts)):
        trees = random.Random(f"{seed}|{part}").sample(parts[part], len(parts[part]))
        for step, dealt in zip(steps, _deal(trees, wide), strict=True):
            step += dealt
    return steps


def _deal(trees: Sequence[Tree], widths: Sequence[int]) -> list[list[Tree]]:
    """The trees in order over places of these widths: each where the middle of its learned tokens falls."""
    ends = list(itertools.accumulate(widths))
    total = sum(tree.learned for tree in trees)
    dealt: list[list[Tree]] = [[] for _ in widths]
    before = 0
    for tree in trees:
        middle = (before + tree.learned / 2) / total * ends[-1]
        dealt[bisect.bisect_left(ends, middle, hi=len(ends) - 1)].append(tree)
        before += tree.learned
    return dealt


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
    """Rows that count as questions: those of no named part."""
    return sum(len(tree.branches) for tree in trees if not tree.part)


def pack_step(
    trees: Sequence[Tree], budget: int, reshape: Callable[[Tree], Sequence[Tree]], *, processes: int = 1
) -> Step:
    """The step's forward passes; `reshape` may take a tree apart where the network can't learn it whole.

    Where a step has fewer passes than there are processes, smaller ones are tried, so that none stands idle.
    """
    parts = [part for tree in trees for part in reshape(tree)]
    tokens = [part.tokens for part in parts]
    step = _packed(parts, budget)
    for smaller in (max(tokens), -(-sum(tokens) // processes)):
        if len(step.packs) < processes and smaller < budget:
            step = _packed(parts, smaller)
    return step


def _packed(trees: Sequence[Tree], budget: int) -> Step:
    parts = [part for tree in trees for part in split_tree(tree, budget)]
    bins = pack([part.tokens for part in parts], budget)
    return Step(tuple(tuple(parts[place] for place in one) for one in bins))


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
