from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from ragraft.training.packing import Step, pack, pack_step, plan_epochs
from ragraft.training.trees import Branch, Tree, unshared

LENGTHS = st.lists(st.integers(1, 400), max_size=40)
BRANCHES = st.lists(st.integers(2, 60), min_size=1, max_size=5)


def _trees(shapes: Sequence[tuple[int, Sequence[int]]], copies: int) -> list[Tree]:
    """Trees whose every branch ends with a number of its own: that of its question, and its copy."""
    trees = []
    for copy in range(copies):
        question = 0
        for trunk, lengths in shapes:
            ids = [(*range(1, length), 1000 * copy + (question := question + 1)) for length in lengths]
            trees.append(Tree((7,) * trunk, tuple(Branch(one, len(one) - 1, 1.0) for one in ids), copy))
    return trees


SHAPES = st.lists(st.tuples(st.integers(0, 80), BRANCHES), min_size=1, max_size=15)


def whole(tree: Tree) -> list[Tree]:
    return [tree]


def questions(trees: Sequence[Tree]) -> list[int]:
    return sorted(branch.ids[-1] for tree in trees for branch in tree.branches)


@given(lengths=LENGTHS, budget=st.integers(1, 500))
def test_every_length_is_in_one_bin_and_no_bin_is_too_full(lengths: list[int], budget: int) -> None:
    bins = pack(lengths, budget)
    assert sorted(place for one in bins for place in one) == list(range(len(lengths)))
    assert all(len(one) == 1 or sum(lengths[place] for place in one) <= budget for one in bins)
    assert bins == pack(lengths, budget)


@given(lengths=LENGTHS, budget=st.integers(400, 2000))
def test_bins_are_few(lengths: list[int], budget: int) -> None:
    # First fit decreasing needs at most 11/9 of the best and 6/9 (Dosa 2007); the best at least total / budget, and
    # one for each length over half of the budget.
    half = [length for length in lengths if 2 * length > budget]
    best = max(math.ceil(sum(lengths) / budget), len(half))
    bins = pack(lengths, budget)
    assert len(bins) <= 1.3 * math.ceil(sum(lengths) / budget) + 1 or len(bins) <= 11 / 9 * best + 1
    # Of any two bins, one's contents would not have fitted into the other.
    full = [sum(lengths[place] for place in one) for one in bins]
    assert all(one + other > budget for at, one in enumerate(full) for other in full[:at])


@given(shapes=SHAPES, budget=st.integers(20, 600), share=st.booleans(), processes=st.integers(1, 4))
def test_a_step_keeps_its_rows_however_it_is_packed(
    shapes: list[tuple[int, list[int]]], budget: int, share: bool, processes: int
) -> None:
    trees = _trees(shapes, 1)
    step = pack_step(trees, budget, whole if share else unshared, processes=processes)
    assert questions(step.trees) == questions(trees)
    for one in step.packs:
        single = len(one) == 1 and len(one[0].branches) == 1
        assert sum(tree.tokens for tree in one) <= budget or single
    assert step.questions == sum(len(tree.branches) for tree in trees)
    assert step.learned == step.questions
    assert step == pack_step(trees, budget, whole if share else unshared, processes=processes)
    # No process stands idle while another has rows that it could give away.
    rows = [len(tree.branches) for one in step.packs for tree in one]
    assert len(step.packs) >= processes or max(rows) == 1 or len(step.packs) >= 2


def test_a_step_is_cut_for_processes_only_where_it_must() -> None:
    trees = _trees([(100, [10, 10]), (50, [10])], 1)
    assert [len(pack_step(trees, 500, whole, processes=count).packs) for count in (1, 2, 3)] == [1, 2, 3]
    assert pack_step(trees, 500, whole, processes=2) == Step(((trees[0],), (trees[1],)))


@given(
    shapes=SHAPES,
    copies=st.integers(1, 3),
    batch=st.integers(1, 12),
    epochs=st.sampled_from([0.3, 1.0, 1.5, 2.0, 3.0, 4.0]),
    seed=st.integers(0, 3),
)
def test_an_epoch_asks_each_question_of_its_copy_once(
    *, shapes: list[tuple[int, list[int]]], copies: int, batch: int, epochs: float, seed: int
) -> None:
    trees = _trees(shapes, copies)
    plan = plan_epochs(trees, batch=batch, epochs=epochs, seed=seed)
    assert len(plan) == math.ceil(epochs)
    for number, steps in enumerate(plan):
        pool = [tree for tree in trees if tree.copy == number % copies]
        asked = [tree for step in steps for tree in step]
        if epochs >= number + 1:
            assert questions(asked) == questions(pool)
        else:
            assert not Counter(questions(asked)) - Counter(questions(pool))
            assert 0 < len(asked) <= len(pool)
        sizes = [sum(len(tree.branches) for tree in step) for step in steps]
        assert all(batch <= size < batch + 5 for size in sizes[:-1])
        assert sizes[-1] < 1.5 * batch + 5
    assert plan == plan_epochs(trees, batch=batch, epochs=epochs, seed=seed)


def test_epochs_and_seeds_shuffle() -> None:
    trees = _trees([(0, [3])] * 40, 1)
    one, two = plan_epochs(trees, batch=4, epochs=2.0, seed=0)
    [other] = plan_epochs(trees, batch=4, epochs=1.0, seed=1)
    assert one != two
    assert one != other
    assert [len(step) for step in one] == [4] * 10


def test_a_small_rest_joins_the_step_before() -> None:
    [sizes] = [
        [len(step) for step in epoch] for epoch in plan_epochs(_trees([(0, [3])] * 9, 1), batch=4, epochs=1, seed=0)
    ]
    assert sizes == [4, 5]
    [sizes] = [
        [len(step) for step in epoch] for epoch in plan_epochs(_trees([(0, [3])] * 10, 1), batch=4, epochs=1, seed=0)
    ]
    assert sizes == [4, 4, 2]


@given(
    shapes=SHAPES,
    sizes=st.dictionaries(st.sampled_from(["a", "b"]), st.lists(st.integers(1, 30), max_size=40)),
    batch=st.integers(1, 12),
    epochs=st.sampled_from([1.0, 2.0, 2.5]),
)
def test_every_step_has_its_share_of_each_part_and_the_questions_it_had_without(
    *, shapes: list[tuple[int, list[int]]], sizes: dict[str, list[int]], batch: int, epochs: float
) -> None:
    trees = _trees(shapes, 2)
    beside = [
        Tree((), (Branch((*range(size), 5000 + place), 1, 1.0),), copy, part)
        for copy, (part, lengths) in itertools.product((0, 1), sizes.items())
        for place, size in enumerate(lengths)
    ]
    alone = plan_epochs(trees, batch=batch, epochs=epochs, seed=0)
    mixed = plan_epochs([*trees, *beside], batch=batch, epochs=epochs, seed=0)
    assert [[[tree for tree in step if not tree.part] for step in steps] for steps in mixed] == alone
    for steps, (part, lengths) in itertools.product(mixed[:2], sizes.items()):
        dealt = [[tree.learned for tree in step if tree.part == part] for step in steps]
        assert sorted(itertools.chain(*dealt)) == sorted(lengths)
        wide = [sum(tree.learned for tree in step if not tree.part) for step in steps]
        for own, width in zip(dealt, wide, strict=True):
            assert abs(sum(own) - sum(lengths) * width / sum(wide)) <= max(lengths, default=0)
