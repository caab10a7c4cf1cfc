from __future__ import annotations

from contextlib import ExitStack

import pytest

from ragraft.web.api.faults import Refusal
from ragraft.web.api.gate import LONGEST_WAIT, Gate


def test_it_lets_in_so_many_and_says_when_to_come_back() -> None:
    now = [0.0]
    gate = Gate(2, clock=lambda: now[0])
    for _ in range(200):
        with gate.entered():
            now[0] += 30
    with ExitStack() as stack:
        stack.enter_context(gate.entered())
        stack.enter_context(gate.entered())
        with pytest.raises(Refusal) as refused, gate.entered():
            pass
        # Two that take 30 seconds each: one of them leaves in 15.
        assert (refused.value.status, refused.value.retry_after) == (503, 15)
        assert gate.inside == 2
    assert gate.inside == 0


def test_one_that_fails_leaves_its_place() -> None:
    gate = Gate(1)
    with pytest.raises(ZeroDivisionError), gate.entered():
        raise ZeroDivisionError
    with gate.entered():
        assert gate.inside == 1


def test_a_closed_gate_lets_nobody_in() -> None:
    gate = Gate(1)
    gate.closed = True
    with pytest.raises(Refusal) as refused, gate.entered():
        pass
    assert (refused.value.status, refused.value.retry_after) == (503, LONGEST_WAIT)
