"""Without a mouse, and with a key: the ways into the pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ragraft.web.api.keys import new_key, read_keys
from tests.e2e.pages.browser import NEEDS, PHONE, QUESTION, Opens, until

if TYPE_CHECKING:
    from tests.unit.web.api.conftest import Served

pytestmark = NEEDS


@pytest.mark.slow
def test_the_keyboard_alone_suffices(opens: Opens, served: Served) -> None:
    tab = opens()
    page = tab.open()
    page.locator("#model option").first.wait_for(state="attached")
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    page.locator(".cite").wait_for()
    seen = _go_to(page, ".cite", "Shift+Tab")
    assert "thumb up" in seen
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.matches('mark.lit')")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.matches('.cite')")
    _go_to(page, ".thumb.up", "Tab")
    page.keyboard.press("Space")
    until(lambda: served.rows[-1]["kind"] == "feedback")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "question"
    _go_to(page, "#beside", "Tab")
    page.keyboard.press("Space")
    assert page.locator("#other").is_enabled()
    _go_to(page, '.top a[href="/runs"]', "Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs")
    rows = page.locator("#rows > .row")
    steps: list[tuple[str, Callable[[], Any]]] = [
        ('a.q[href="/runs/lights"]', lambda: page.locator(".verdict").count()),
        ('.tabs a[href$="/exam"]', lambda: page.locator('#show-1[aria-current="true"]').count()),
        ("#show-4", lambda: page.locator('#show-4[aria-current="true"]').count()),
        ("#further", lambda: rows.count() == 40),
    ]
    for target, arrived in steps:
        _go_to(page, target, "Tab")
        page.keyboard.press("Enter")
        until(arrived)
    assert rows.nth(25).locator("a").evaluate("e => e === document.activeElement"), "the first row that came"


def _go_to(page: Any, target: str, key: str) -> list[str]:
    """Press a key until the focus is there, which must be seen each time; what it came by."""
    seen: list[str] = []
    for _ in range(80):
        page.keyboard.press(key)
        seen.append(page.evaluate("document.activeElement.className"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        if page.evaluate("target => document.activeElement.matches(target)", target):
            return seen
    raise AssertionError(f"no way to {target}: {seen}")


@pytest.mark.slow
def test_a_key_opens_the_pages_and_signing_out_closes_them(opens: Opens, served: Served, tmp_path: Path) -> None:
    key = new_key(tmp_path, "app")
    tab = opens(PHONE, keys=read_keys(tmp_path))
    page = tab.open("/runs/lights")
    tab.looks_well()
    page.get_by_label("Key").fill("wrong")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    tab.faults.clear()  # the browser tells of every status above 399
    page.get_by_label("Key").fill(key)
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/lights")
    tab.open()
    tab.ask()
    assert page.locator(".top").bounding_box()["height"] < 60, "no word of it is broken"
    tab.looks_well()
    assert page.evaluate("document.cookie") == ""
    assert key not in page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])")
    assert [row["asker"] for row in served.rows] == ["app"]
    page.context.clear_cookies()  # as when the server was started anew
    page.fill("#question", QUESTION)
    page.press("#question", "Enter")
    page.wait_for_url("**/sign-in?next=%2F")
    tab.faults.clear()
    page.get_by_label("Key").fill(key)
    page.keyboard.press("Enter")
    page.locator(".turn").first.wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    assert page.evaluate("sessionStorage.length") == 0
