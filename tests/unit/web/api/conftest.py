"""A service without a model: an echo over three passages, and a streamer that waits until it is let go on."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient

from ragraft import ports
from ragraft.backends.generators.echo import EchoGenerator
from ragraft.config import ServeConfig
from ragraft.methods.manner import Manner
from ragraft.methods.prompt import PromptBuilder
from ragraft.methods.routing import Router
from ragraft.pipeline import Service
from ragraft.pipeline.promotions import Promotions
from ragraft.pipeline.shelf import NO_CALIBRATION, Newer, Opened, Shelf
from ragraft.records import Delta, Passage, Prompt, Sampling
from ragraft.web.api.app import make_api
from ragraft.web.api.guard import Rules
from ragraft.web.api.keys import Keys, Pace
from ragraft.web.api.server import HOSTS
from ragraft.web.pages.chat import Chat
from ragraft.web.pages.rooms import Rooms
from ragraft.workspace import TrafficLog, read_traffic

NO_KEYS = Keys(())
PATIENCE = 30.0
PASSAGES = (
    Passage("arlen#0", "arlen", "Arlen", "The tower of Arlen is made of granite. Ada keeps it.", 0.9),
    Passage("boskar#0", "boskar", "Boskar", "The tower of Boskar is made of slate. Bruno keeps it.", 0.5),
    Passage("cavit#0", "cavit", "Cavit", "The tower of Cavit is made of marble. Clara keeps it.", 0.1),
)


class Lighthouses:
    """Finds the passages whose title the question names, then the others."""

    def retrieve(self, questions: Sequence[str], k: int) -> list[list[Passage]]:
        return [sorted(PASSAGES, key=lambda one: one.title not in question)[:k] for question in questions]


HELD_BACK = Manner(0.7)


class Held:
    """A streamer that writes one word, and the rest when it is let go on; notes who left."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.begun = threading.Semaphore(0)
        self.left = threading.Event()

    async def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Delta]:
        whole = EchoGenerator("any").generate([prompt], sampling)[0]
        try:
            yield Delta(whole.text[:10])
            self.begun.release()
            while not self.go_on.is_set():
                await asyncio.sleep(0.005)
        except (asyncio.CancelledError, GeneratorExit):
            self.left.set()
            raise
        yield Delta(whole.text[10:], whole)


class Broken:
    """A streamer with a bug."""

    async def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Delta]:
        yield Delta("Answer: gran")
        raise ZeroDivisionError("the secret of line 7")


class Served:
    """A service, its app and a client."""

    def __init__(
        self,
        folder: Path,
        tokenizer: ports.Tokenizer,
        *,
        manner: Manner = HELD_BACK,
        promotions: Promotions | None = None,
        router: Router | None = None,
        newer: Newer | None = None,
        first: Opened | None = None,
        **settings: Any,
    ) -> None:
        self.held = Held()
        serve = ServeConfig(**settings)
        self.service = Service(
            manner=manner,
            settings=serve,
            opens={"tuned": lambda: EchoGenerator("tuned"), "base": lambda: self.held, "broken": Broken},
            shelf=Shelf(first or Opened("0123456789ab", Lighthouses(), router or NO_CALIBRATION), newer),
            builder=PromptBuilder(tokenizer, abstention="not in the documents.", max_tokens=300, answer_tokens=40),
            k=2,
            log=TrafficLog(folder, keep_days=None) if serve.log else None,
            promotions=promotions,
        )
        self._folder, self._settings = folder, serve
        self.chat_facts: dict[str, Any] = {}
        """What stands on the chat's page beside what the settings say."""
        self.rooms: Rooms | None = None

    def app(self, *, keys: Keys = NO_KEYS, hosts: tuple[str, ...] = ("testserver",)) -> FastAPI:
        settings = self._settings
        rules = Rules(hosts, settings.origins, keys, Pace(settings.per_minute), settings.max_body)
        kept = {"feedback": settings.log, "notes": settings.log and settings.log_content}
        facts = {"run": "lights", "rooms": self.rooms is not None, "earlier": 3, **kept, **self.chat_facts}
        return make_api(self.service, rules, Chat(**facts), self.rooms)

    def client(self, *, keys: Keys = NO_KEYS, hosts: tuple[str, ...] = ("testserver",)) -> TestClient:
        return TestClient(self.app(keys=keys, hosts=hosts), raise_server_exceptions=False)

    @property
    def rows(self) -> list[dict[str, Any]]:
        return list(read_traffic(self._folder))


Serves = Callable[..., Served]


@pytest.fixture
def serves(tmp_path: Path, word_tokenizer: ports.Tokenizer) -> Iterator[Serves]:
    """Makes a service with these settings of `serve:`, and perhaps promotions."""
    made: list[Served] = []

    def make(**settings: Any) -> Served:
        made.append(Served(tmp_path / f"traffic-{len(made)}", word_tokenizer, **settings))
        return made[-1]

    yield make
    for served in made:
        served.held.go_on.set()
        served.service.close()


@pytest.fixture
def served(serves: Serves) -> Served:
    return serves()


@pytest.fixture
def port(served: Served) -> Iterator[int]:
    """Where the service listens, in a thread of its own."""
    rules = Rules(HOSTS, (), Keys(()), Pace(1000), 100_000)
    server = uvicorn.Server(uvicorn.Config(make_api(served.service, rules), log_level="error"))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + PATIENCE
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        yield int(listener.getsockname()[1])
        served.held.go_on.set()
        server.should_exit = True
        thread.join(PATIENCE)
