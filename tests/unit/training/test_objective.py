from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from ragraft.training import objective
from ragraft.training.objective import weighted_loss


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Borders between chunks are cheap to cross."""
    monkeypatch.setattr(objective, "CHUNK", 4)


def given_tensors(rows: int, kind: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(rows)
    hidden = torch.randn(rows, 6, generator=draw, dtype=torch.float64).to(kind).requires_grad_()
    return hidden, torch.randint(0, 11, (rows,), generator=draw), torch.rand(rows, generator=draw, dtype=torch.float64)


def make_head(bias: bool, kind: torch.dtype) -> Any:
    torch.manual_seed(1)
    return torch.nn.Linear(6, 11, bias=bias, dtype=kind)


def expected(hidden: Any, head: Any, wanted: Any, weights: Any) -> torch.Tensor:
    found: torch.Tensor = (cross_entropy(head(hidden), wanted, reduction="none") * weights).sum()
    return found


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.integers(1, 14), bias=st.booleans(), slope=st.sampled_from([1.0, -2.5]))
def test_equals_the_weighted_cross_entropy(rows: int, bias: bool, slope: float) -> None:
    hidden, wanted, weights = given_tensors(rows, torch.float64)
    head = make_head(bias, torch.float64)
    found, right = weighted_loss(hidden, head, wanted, weights), expected(hidden, head, wanted, weights)
    torch.testing.assert_close(found, right, rtol=1e-12, atol=1e-12)
    learned = [hidden, *head.parameters()]
    ours, theirs = (torch.autograd.grad(loss * slope, learned) for loss in (found, right))
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_what_is_frozen_gets_no_gradient() -> None:
    hidden, wanted, weights = given_tensors(9, torch.float64)
    head = make_head(False, torch.float64).requires_grad_(False)
    [gradient] = torch.autograd.grad(weighted_loss(hidden, head, wanted, weights), [hidden])
    [right] = torch.autograd.grad(expected(hidden, head, wanted, weights), [hidden])
    torch.testing.assert_close(gradient, right, rtol=1e-12, atol=1e-12)
    learning = make_head(False, torch.float64)
    [gradient] = torch.autograd.grad(weighted_loss(hidden.detach(), learning, wanted, weights), [learning.weight])
    [right] = torch.autograd.grad(expected(hidden.detach(), learning, wanted, weights), [learning.weight])
    torch.testing.assert_close(gradient, right, rtol=1e-12, atol=1e-12)
    with torch.no_grad():
        assert not weighted_loss(hidden, head, wanted, weights).requires_grad


def test_narrow_activations_are_summed_wide() -> None:
    hidden, wanted, weights = given_tensors(9, torch.bfloat16)
    head = make_head(False, torch.bfloat16)
    found = weighted_loss(hidden, head, wanted, weights.float())
    assert found.dtype is torch.float32
    right = expected(hidden.double(), head.double(), wanted, weights)
    torch.testing.assert_close(found.double(), right, rtol=2e-2, atol=0.0)


def test_the_whole_table_of_logits_is_never_there(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    softmax = torch.Tensor.log_softmax

    def watched(logits: torch.Tensor, *args: Any) -> torch.Tensor:
        seen.append(len(logits))
        return softmax(logits, *args)

    monkeypatch.setattr(torch.Tensor, "log_softmax", watched)
    hidden, wanted, weights = given_tensors(10, torch.float64)
    weighted_loss(hidden, make_head(False, torch.float64), wanted, weights).backward()
    assert seen == [4, 4, 2]
