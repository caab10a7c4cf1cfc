from __future__ import annotations

import pytest
import torch

from ragraft.models.spans import Span
from ragraft.training.layout import Mean, lay_out_step
from ragraft.training.packing import Step
from ragraft.training.trees import Branch, Tree

TREE = Tree((10, 11, 12), (Branch((20, 21, 22), 1, 1.0), Branch((30, 31), 1, 1.0)))
ROW = Tree((), (Branch((40, 41, 42, 43, 44), 3, 1.0),))


def test_trees_lie_one_after_another() -> None:
    [pack] = lay_out_step(Step(((TREE, ROW),)), "token")
    assert pack.ids.tolist() == [[10, 11, 12, 20, 21, 22, 30, 31, 40, 41, 42, 43, 44]]
    assert pack.places.tolist() == [[0, 1, 2, 3, 4, 5, 3, 4, 0, 1, 2, 3, 4]]
    assert pack.spans == (Span(0, 3), Span(3, 6, (0, 3)), Span(6, 8, (0, 3)), Span(8, 13))
    # The token before each learned one predicts it.
    assert pack.kept.tolist() == [3, 4, 6, 10, 11]
    assert pack.wanted.tolist() == [21, 22, 31, 43, 44]
    assert pack.tokens == 13


def test_every_token_weighs_alike_or_every_row() -> None:
    step = Step(((TREE,), (ROW,)))
    tokens = [pack.weights.tolist() for pack in lay_out_step(step, "token")]
    assert tokens == [[pytest.approx(1 / 5)] * 3, [pytest.approx(1 / 5)] * 2]
    rows = [pack.weights.tolist() for pack in lay_out_step(step, "row")]
    assert rows == [pytest.approx([1 / 6, 1 / 6, 1 / 3]), pytest.approx([1 / 6, 1 / 6])]


def test_a_rows_own_weight_counts() -> None:
    heavy = Tree((), (Branch((1, 2, 3), 1, 3.0),))
    step = Step(((heavy,), (ROW,)))
    means: tuple[Mean, ...] = ("token", "row")
    for mean in means:
        first, second = (pack.weights for pack in lay_out_step(step, mean))
        assert [float(first[0]), float(second[0])] == pytest.approx([3 / 8, 1 / 8])
        assert float(torch.cat([first, second]).sum()) == pytest.approx(1)
