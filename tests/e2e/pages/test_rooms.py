"""Pages over the workspace in a real browser, wide and narrow, light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.pages.browser import LOOKS, NEEDS, PHONE, WIDE, Opens, until
from tests.unit.web.pages.shelf import HEBREW

if TYPE_CHECKING:
    from tests.unit.web.api.conftest import Served

pytestmark = NEEDS


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_a_run_is_opened_from_the_list_to_an_example(opens: Opens, size: Any, scheme: str) -> None:
    tab = opens(size, scheme)
    page = tab.open("/runs")
    tab.looks_well()
    page.get_by_role("link", name="lights").click()
    assert page.locator("h1").inner_text() == "Tuning helped"
    tab.looks_well()
    page.get_by_role("link", name="Exam").click()
    page.get_by_role("link", name="All 40").click()
    page.wait_for_url("**show=all**")
    tab.looks_well()
    page.get_by_role("link", name="Show more").click()
    until(lambda: page.locator("#rows > .row").count() == 40)
    page.get_by_role("link", name="What is tower 3 made of?").click()
    assert page.locator("h1").inner_text() == "What is tower 3 made of?"
    assert page.locator("mark.evidence").inner_text() == "It is made of\nstone 3."
    tab.looks_well()
    page.go_back()
    page.get_by_role("link", name=HEBREW).click()
    assert page.locator("h1").evaluate("e => getComputedStyle(e).direction") == "rtl"


@pytest.mark.slow
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_every_room_looks_well(opens: Opens, served: Served, size: Any) -> None:
    tab = opens(size)
    tab.open()
    tab.ask()
    places = ("lessons", "lessons?part=rejected", "lessons/01-raft/lessons/0", "exam?show=all", "traffic", "models")
    for place in (*places, "example?question=e/0%20%3F%26", "example?question=e/2%20%3F%26"):
        page = tab.open(f"/runs/lights/{place}")
        assert page.locator("h1").count() == 1
        tab.looks_well()
    tab.open("/runs/lights/report")
    assert tab.page.locator("h1").evaluate("e => getComputedStyle(e).color") == "rgb(1, 2, 3)"
