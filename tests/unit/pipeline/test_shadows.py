from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from ragraft.pipeline.shadows import MOST, TRIES, Shadows

Test = Callable[["Candidate"], Coroutine[Any, Any, None]]


class Candidate:
    """Answers when it is let; notes what was begun, broken off and kept."""

    def __init__(self, *, beside: int = 0, fails: bool = False) -> None:
        self.may = asyncio.Event()
        self.fails = fails
        self.log: list[str] = []
        self.shadows: Shadows[str, str] = Shadows(self.ask, self.keep, beside=beside)

    async def ask(self, question: str) -> str:
        self.log.append(f"begun {question}")
        try:
            await self.may.wait()
        except asyncio.CancelledError:
            self.log.append(f"left {question}")
            raise
        if self.fails:
            raise ValueError("no")
        return question

    async def keep(self, answer: str) -> None:
        self.log.append(f"kept {answer}")


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def run(test: Test, **settings: Any) -> Candidate:
    async def whole() -> Candidate:
        candidate = Candidate(**settings)
        running = asyncio.create_task(candidate.shadows.run())
        await settle()
        await test(candidate)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return candidate

    return asyncio.run(whole())


def test_one_after_the_other_is_asked_and_kept() -> None:
    async def test(candidate: Candidate) -> None:
        candidate.shadows.add("a")
        candidate.shadows.add("b")
        await settle()
        assert candidate.log == ["begun a"]
        candidate.may.set()
        await settle()

    candidate = run(test)
    assert candidate.log == ["begun a", "kept a", "begun b", "kept b"]
    assert candidate.shadows.counts["answered"] == 2


def test_a_users_question_breaks_it_off_and_it_is_asked_again() -> None:
    async def test(candidate: Candidate) -> None:
        candidate.shadows.add("a")
        await settle()
        with candidate.shadows.user():
            await settle()
            assert candidate.log == ["begun a", "left a"]
            candidate.may.set()
            await settle()
            assert candidate.log == ["begun a", "left a"], "not while somebody waits"
        await settle()

    assert run(test).log == ["begun a", "left a", "begun a", "kept a"]


def test_so_many_users_may_be_answered_beside_it() -> None:
    async def test(candidate: Candidate) -> None:
        candidate.shadows.add("a")
        with candidate.shadows.user():
            await settle()
            assert candidate.log == ["begun a"]
            with candidate.shadows.user():
                await settle()
        await settle()

    assert run(test, beside=1).log[:2] == ["begun a", "left a"]


def test_what_is_broken_off_again_and_again_is_given_up() -> None:
    async def test(candidate: Candidate) -> None:
        candidate.shadows.add("a")
        for _ in range(TRIES + 1):
            await settle()
            with candidate.shadows.user():
                await settle()
        await settle()

    candidate = run(test)
    assert candidate.log == ["begun a", "left a"] * TRIES
    assert candidate.shadows.counts["given_up"] == 1


def test_more_than_a_few_are_left_out() -> None:
    async def test(candidate: Candidate) -> None:
        with candidate.shadows.user():
            for number in range(MOST + 5):
                candidate.shadows.add(str(number))
        candidate.may.set()
        for _ in range(MOST):
            await settle()

    candidate = run(test)
    assert dict(candidate.shadows.counts) == {"answered": MOST, "left_out": 5, "given_up": 0, "failed": 0}


def test_a_candidate_that_fails_stops_nothing() -> None:
    async def test(candidate: Candidate) -> None:
        candidate.may.set()
        candidate.shadows.add("a")
        await settle()
        candidate.fails = False
        candidate.shadows.add("b")
        await settle()

    candidate = run(test, fails=True)
    assert candidate.log == ["begun a", "begun b", "kept b"]
    assert candidate.shadows.counts["failed"] == 1


def test_the_end_of_the_server_is_no_failure() -> None:
    async def test(candidate: Candidate) -> None:
        candidate.shadows.add("a")
        await settle()

    assert run(test).log == ["begun a", "left a"]
