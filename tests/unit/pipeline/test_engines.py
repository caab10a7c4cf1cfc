from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from typing import ClassVar

import pytest

from ragraft.errors import BackendError
from ragraft.pipeline.engines import Engines
from ragraft.records import Delta, Prompt, Sampling


class Model:
    """Notes when it is opened and closed."""

    log: ClassVar[list[str]] = []

    def __init__(self, name: str) -> None:
        self.name = name
        Model.log.append(f"+{name}")

    async def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Delta]:
        yield Delta(self.name)

    def close(self) -> None:
        Model.log.append(f"-{self.name}")


@pytest.fixture(autouse=True)
def empty_log() -> None:
    Model.log = []


def engines(names: str = "abc", most: int = 2) -> Engines:
    return Engines({name: lambda name=name: Model(name) for name in names}, most)  # type: ignore[misc]


async def until(happened: str) -> None:
    for _ in range(500):
        if Model.log[-1:] == [happened]:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{happened} never came: {Model.log}")


def test_a_model_is_opened_once_and_the_one_asked_longest_ago_makes_room() -> None:
    async def ask() -> None:
        pool = engines()
        for name in "abac":
            async with pool.held(name) as model:
                assert model.name == name  # type: ignore[attr-defined]
        assert Model.log == ["+a", "+b", "-b", "+c"]
        assert list(pool.opened) == ["a", "c"]
        pool.close()
        assert Model.log[-2:] == ["-a", "-c"]

    asyncio.run(ask())


def test_a_model_that_is_being_asked_is_not_let_go_and_the_other_waits() -> None:
    async def ask() -> None:
        pool = engines(most=2)
        async with pool.held("a"), pool.held("b"):
            waiting = asyncio.create_task(pool.open("c"))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            async with pool.held("a"):  # those that are open are asked meanwhile
                pass
        await waiting
        assert len(pool.opened) == 2
        assert "c" in pool.opened
        pool.close()

    asyncio.run(ask())


def test_a_retired_model_goes_when_its_answers_have_ended_and_comes_back_when_asked() -> None:
    async def ask() -> None:
        pool = engines(most=3)
        async with pool.held("a"):
            pool.retire("a")
            async with pool.held("b"):
                pass
            assert "-a" not in Model.log
        await until("-a")
        async with pool.held("a"):
            pass
        assert Model.log == ["+a", "+b", "-a", "+a"]
        pool.retire("b")
        await until("-b")
        pool.close()

    asyncio.run(ask())


def test_a_model_that_is_asked_again_is_no_longer_retired() -> None:
    async def ask() -> None:
        pool = engines(most=3)
        async with pool.held("a"):
            pool.retire("a")
            await pool.open("a")
        await asyncio.sleep(0.05)
        assert list(pool.opened) == ["a"]
        pool.close()

    asyncio.run(ask())


def test_what_cannot_be_opened_is_told_and_may_be_opened_later() -> None:
    tries: list[int] = []

    def opens() -> Model:
        tries.append(1)
        if len(tries) == 1:
            raise BackendError("no room")
        return Model("a")

    async def ask() -> None:
        pool = Engines({"a": opens}, 2)
        with pytest.raises(BackendError, match="no room"):
            async with pool.held("a"):
                pass
        async with pool.held("a"):
            pass
        pool.close()

    asyncio.run(ask())


def test_opening_keeps_nobody_waiting_who_asks_an_open_model() -> None:
    go_on = threading.Event()

    def slow() -> Model:
        go_on.wait(5)
        return Model("slow")

    async def ask() -> None:
        pool = Engines({"a": lambda: Model("a"), "slow": slow}, 3)
        async with pool.held("a"):
            pass
        opening = asyncio.create_task(pool.open("slow"))
        for _ in range(50):
            async with pool.held("a"):
                await asyncio.sleep(0)
        assert not opening.done()
        go_on.set()
        await opening
        pool.close()

    asyncio.run(ask())


def test_who_waits_for_room_while_the_server_is_stopped_is_told() -> None:
    async def ask() -> None:
        pool = engines(most=2)
        async with pool.held("a"), pool.held("b"):
            waiting = asyncio.create_task(pool.open("c"))
            await asyncio.sleep(0.02)
            await asyncio.to_thread(pool.close)
            with pytest.raises(BackendError, match="being stopped"):
                await waiting

    asyncio.run(ask())
