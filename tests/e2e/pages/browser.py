"""A real browser before a served run: what the tests of pages share."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MISSING = [name for name in ("playwright", "axe_playwright_python") if find_spec(name) is None]
NEEDS = [
    pytest.mark.enable_socket,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}; pip install -e .[dev]"),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: apt-get install chromium"),
]
PATIENCE = 20.0
QUESTION = "What is Boskar made of?"
ANSWER = "The tower of Boskar is made of slate."
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
LOOKS = [
    pytest.param(WIDE, "light", id="wide-light"),
    *(
        pytest.param(size, scheme, id=f"{name}-{scheme}", marks=pytest.mark.slow)
        for name, size, scheme in (("wide", WIDE, "dark"), ("phone", PHONE, "light"), ("phone", PHONE, "dark"))
    ),
]
"""The first one stands in every run of the tests."""


@dataclass
class Tab:
    """A browser's tab before a server, and all that went wrong or away in it."""

    page: Any
    url: str
    requests: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def open(self, path: str = "/") -> Any:
        self.page.goto(self.url + path)
        return self.page

    def ask(self, question: str = QUESTION) -> Any:
        """Ask, and wait until the answers are whole."""
        self.page.locator("#model option").first.wait_for(state="attached")
        self.page.fill("#question", question)
        self.page.press("#question", "Enter")
        self.page.locator("#send").wait_for()
        return self.page.locator(".turn").last

    def dismiss(self, dialog: Any) -> None:
        """A text that became markup would open one."""
        self.faults.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def looks_well(self) -> None:
        """Nothing serious by axe, and nothing that stands out of the window sideways."""
        found = import_module("axe_playwright_python.sync_playwright").Axe().run(self.page).response["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        told = [
            f"{one['id']}: {node['html'][:200]} {node['failureSummary']}" for one in serious for node in one["nodes"]
        ]
        assert not told, "\n".join(told)
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def until(true: Callable[[], Any]) -> None:
    """Wait for it."""
    deadline = time.monotonic() + PATIENCE
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert true()


def is_in_sight(element: Any) -> bool:
    script = "e => { const r = e.getBoundingClientRect(); return r.top >= 0 && r.bottom <= innerHeight && r.width > 0 }"
    return bool(element.evaluate(script))


Opens = Callable[..., Tab]
