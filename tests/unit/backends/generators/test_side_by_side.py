"""Work on several things at once: what each sees, and what is left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar

import pytest
import torch

from ragraft.backends.generators.side_by_side import side_by_side

SEEN: ContextVar[str] = ContextVar("seen", default="nothing")


@pytest.fixture(autouse=True)
def four_cores(set_cores: Callable[[int], None]) -> None:
    set_cores(4)


@pytest.mark.parametrize(("number", "own"), [(2, 2), (3, 1), (4, 1), (9, 1)])
def test_each_has_its_part_of_the_cores(number: int, own: int) -> None:
    given = list(range(number))
    found = side_by_side(lambda one: (one, torch.get_num_threads()), given)
    assert found == [(one, own) for one in given], "in order"
    assert torch.get_num_threads() == 4
    later: list[int] = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [4], "nor is a thread that is begun later left with one core"


def test_they_are_under_way_together() -> None:
    meeting = threading.Barrier(4, timeout=30)
    assert len(side_by_side(lambda one: meeting.wait(), range(4))) == 4


def test_one_alone_has_all_cores_and_no_thread() -> None:
    assert side_by_side(lambda one: (torch.get_num_threads(), threading.current_thread()), [0]) == [
        (4, threading.current_thread())
    ]
    assert side_by_side(lambda one: one, []) == []


def test_the_callers_context_and_mode_are_seen() -> None:
    token = SEEN.set("a prefix")
    try:
        with torch.inference_mode():
            found = side_by_side(lambda one: (SEEN.get(), torch.is_inference_mode_enabled()), range(3))
    finally:
        SEEN.reset(token)
    assert found == [("a prefix", True)] * 3
    assert side_by_side(lambda one: torch.is_inference_mode_enabled(), range(2)) == [False, False]


def test_an_error_is_raised_and_the_cores_are_given_back() -> None:
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda one: 1 // one, range(3))
    assert torch.get_num_threads() == 4
