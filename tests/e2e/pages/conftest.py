"""A tab of a browser, and the service without a model before it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
import uvicorn

from ragraft.web.api.keys import Keys
from ragraft.web.pages.rooms import Rooms
from tests.e2e.pages.browser import CHROMIUM, PATIENCE, QUESTION, WIDE, Opens, Tab
from tests.unit.web.api.conftest import NO_KEYS, Served, served, serves
from tests.unit.web.pages.shelf import HOSTILE, Shelf

__all__ = ["served", "serves"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with import_module("playwright.sync_api").sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    made = Shelf(tmp_path_factory.mktemp("workspace") / "runs")
    made.write("lights")
    made.write("begun", ("ingest", "index"))
    return made


@pytest.fixture
def opens(chromium: Any, served: Served, shelf: Shelf) -> Iterator[Opens]:
    """Serves, and opens a tab; at the end nothing has left the host and nothing was complained of."""
    served.rooms = Rooms(shelf.runs, "lights")
    served.chat_facts = {"examples": (QUESTION, HOSTILE)}
    ends: list[Callable[[], Any]] = []
    tabs: list[Tab] = []

    def make(size: dict[str, int] = WIDE, scheme: str = "light", keys: Keys = NO_KEYS, **context: Any) -> Tab:
        server = uvicorn.Server(
            uvicorn.Config(served.app(keys=keys, hosts=("127.0.0.1",)), log_level="error", timeout_graceful_shutdown=1)
        )
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # who calls at once waits, and is not refused
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        window = chromium.new_context(viewport=size, color_scheme=scheme, **context)
        window.set_default_timeout(PATIENCE * 1000)
        tab = Tab(window.new_page(), f"http://127.0.0.1:{listener.getsockname()[1]}")
        tab.page.on("request", lambda request: tab.requests.append(request.url))
        tab.page.on("pageerror", lambda error: tab.faults.append(str(error)))
        tab.page.on("console", lambda said: tab.faults.append(said.text) if said.type in ("error", "warning") else None)
        tab.page.on("dialog", tab.dismiss)
        tabs.append(tab)

        def end() -> None:
            window.close()
            server.should_exit = True
            thread.join(PATIENCE)
            listener.close()

        ends.append(end)
        return tab

    yield make
    served.held.go_on.set()
    for end in ends:
        end()
    for tab in tabs:
        assert tab.requests
        assert [url for url in tab.requests if not url.startswith(tab.url)] == []
        assert tab.faults == []
