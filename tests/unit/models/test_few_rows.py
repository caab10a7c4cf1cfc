from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn.functional import linear

from ragraft.models.few_rows import MOST, use_few_rows

SAME = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SIZES = st.integers(1, 24)


@pytest.fixture(autouse=True)
def two_cores(set_cores: Callable[[int], None]) -> None:
    set_cores(2)


def switched(width: int, made: int, *, bias: bool = False, dtype: torch.dtype = torch.float32) -> Any:
    torch.manual_seed(0)
    layer = torch.nn.Linear(width, made, bias=bias, dtype=dtype)
    return layer, use_few_rows(layer)


@given(before=st.lists(st.integers(1, 4), min_size=1, max_size=2), width=SIZES, made=SIZES, bias=st.booleans())
@SAME
def test_the_product_is_the_same(before: list[int], width: int, made: int, bias: bool) -> None:
    layer, found = switched(width, made, bias=bias)
    x = torch.randn(*before, width)
    assert found == 1
    with torch.inference_mode():
        torch.testing.assert_close(layer(x), linear(x, layer.weight, layer.bias))
        torch.testing.assert_close(layer(x.transpose(0, -2)), linear(x.transpose(0, -2), layer.weight, layer.bias))


@pytest.mark.parametrize(("rows", "times"), [(1, 0), (2, 1), (MOST, 1), (MOST + 1, 0)])
def test_it_is_for_a_few_rows(rows: int, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, _ = switched(8, 4)
    whole, seen = torch.mm, 0

    def counted(*given: Any) -> Any:
        nonlocal seen
        seen += 1
        return whole(*given)

    monkeypatch.setattr(torch, "mm", counted)
    with torch.inference_mode():
        layer(torch.randn(rows, 8))
        torch.set_num_threads(1)
        layer(torch.randn(rows, 8))
    assert seen == times


def test_with_gradients_it_is_the_layer_that_it_was() -> None:
    layer, _ = switched(8, 4)
    x = torch.randn(3, 8, requires_grad=True)
    layer(x).sum().backward()
    torch.testing.assert_close(x.grad, layer.weight.sum(0).expand(3, 8))


def test_other_kinds_are_left_alone() -> None:
    other = type("Other", (torch.nn.Linear,), {})
    assert switched(8, 4, dtype=torch.bfloat16)[1] == 0
    assert use_few_rows(torch.nn.Sequential(other(8, 4), torch.nn.LayerNorm(8))) == 0
