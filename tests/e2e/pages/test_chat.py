"""The chat in a real browser: what people do with it, wide and narrow, light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ragraft.records import Passage
from tests.e2e.pages.browser import ANSWER, LOOKS, NEEDS, PATIENCE, PHONE, QUESTION, WIDE, Opens, is_in_sight, until
from tests.unit.web.pages.shelf import HEBREW, HOSTILE, LONG

if TYPE_CHECKING:
    from tests.unit.web.api.conftest import Served

pytestmark = NEEDS


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_a_question_is_answered_and_a_citation_leads_to_what_it_cites(opens: Opens, size: Any, scheme: str) -> None:
    tab = opens(size, scheme)
    page = tab.open()
    assert page.evaluate("document.activeElement.id") == "question"
    tab.looks_well()
    turn = tab.ask()
    assert turn.locator(".question").inner_text() == QUESTION
    assert turn.locator(".answer > .text").inner_text().startswith(ANSWER)
    assert turn.locator(".answer").get_attribute("aria-busy") == "false"
    assert page.locator("#status").inner_text() == "Answered"
    assert turn.locator(".passage").count() == 2
    turn.locator(".cite").click()
    mark = turn.locator("mark.lit")
    assert mark.inner_text() == ANSWER
    assert mark.evaluate("e => e === document.activeElement")
    until(lambda: is_in_sight(mark))
    tab.looks_well()
    page.reload()
    assert page.locator(".turn .question").inner_text() == QUESTION, "a conversation outlives a look elsewhere"
    page.get_by_role("button", name="New conversation").click()
    assert page.locator(".turn").count() == 0
    assert page.locator("#empty").is_visible()


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_two_models_stand_side_by_side_and_what_is_thought_of_them_is_kept(
    opens: Opens, served: Served, size: Any, scheme: str
) -> None:
    served.held.go_on.set()
    tab = opens(size, scheme)
    page = tab.open()
    page.locator("#beside").check()
    turn = tab.ask()
    first, second = turn.locator(".answer").all()
    assert [one.locator(".model").inner_text() for one in (first, second)] == ["tuned", "base"]
    for one in (first, second):
        assert one.locator(".text").first.inner_text().startswith(ANSWER)
    boxes = [one.bounding_box() for one in (first, second)]
    assert (boxes[0]["y"] == boxes[1]["y"]) == (size == WIDE)
    first.get_by_role("button", name="Good answer").click()
    second.get_by_role("button", name="Bad answer").click()
    second.get_by_label("What would have been right?").fill("granite <b>")
    second.get_by_role("button", name="Keep").click()
    until(lambda: len([row for row in served.rows if row["kind"] == "feedback"]) == 3)
    answers = {row["model"]: row["id"] for row in served.rows if row["kind"] == "answer"}
    told = [(row["id"], row["rating"], row.get("answer")) for row in served.rows if row["kind"] == "feedback"]
    assert told == [
        (answers["tuned"], "up", None),
        (answers["base"], "down", None),
        (answers["base"], "down", "granite <b>"),
    ]
    tab.looks_well()


@pytest.mark.slow
def test_both_answers_come_piece_by_piece_and_escape_ends_the_work(opens: Opens, served: Served) -> None:
    tab = opens()
    page = tab.open()
    page.locator("#beside").check()
    page.fill("#question", QUESTION)
    page.press("#question", "Enter")
    assert served.held.begun.acquire(timeout=PATIENCE)
    first, second = page.locator(".answer").all()
    first.locator(".cite").wait_for()
    assert second.get_attribute("aria-busy") == "true"
    assert page.locator("#stop").is_visible()
    page.fill("#question", "And another?")
    page.press("#question", "Enter")
    assert page.locator(".turn").count() == 1
    assert not served.held.left.is_set()
    page.keyboard.press("Escape")
    assert served.held.left.wait(PATIENCE)
    page.locator("#send").wait_for()
    assert second.locator(".facts").inner_text() == "stopped"
    assert page.locator("#status").inner_text() == "Stopped"
    until(lambda: len(served.rows) == 2)
    assert [row["finish_reason"] for row in served.rows] == ["stop", "cancelled"]
    served.held.go_on.set()
    second.get_by_role("button", name="Try again").click()
    second.locator(".cite").wait_for()
    tab.ask("And Cavit?")
    exchange = page.evaluate("JSON.parse(sessionStorage.getItem('ragraft lights')).length")
    assert exchange == 2


@pytest.mark.slow
def test_what_went_wrong_is_told_in_a_sentence(opens: Opens) -> None:
    tab = opens()
    page = tab.open()
    page.locator("#model option[value=broken]").wait_for(state="attached")
    page.select_option("#model", "broken")
    turn = tab.ask()
    assert turn.get_by_role("alert").inner_text() == "The server failed on this request; its log says why."
    page.select_option("#model", "tuned")
    turn = tab.ask("word " * 400)
    alert = turn.get_by_role("alert").inner_text()
    assert alert.startswith("The question “word word")
    assert alert.endswith("shorten the question.")
    assert [fault for fault in tab.faults if "400" not in fault] == []
    tab.faults.clear()  # the browser tells of every status above 399
    page.context.set_offline(True)
    turn = tab.ask()
    assert (
        turn.get_by_role("alert").inner_text()
        == "The server does not answer; see whether ragraft serve is still running."
    )
    tab.faults.clear()


@pytest.mark.slow
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_hostile_texts_stay_texts(opens: Opens, served: Served, monkeypatch: pytest.MonkeyPatch, size: Any) -> None:
    hostile = [
        Passage("a#0", "a", HOSTILE, f"{ANSWER} {HOSTILE}", 1.0),
        Passage("b#0", LONG, f"{HEBREW} {LONG}", f"{HEBREW}\n{LONG}", 0.5),
    ]
    monkeypatch.setattr(
        served.service, "_retriever", type("Hostile", (), {"retrieve": lambda self, asked, k: [hostile]})()
    )
    tab = opens(size)
    page = tab.open()
    page.locator("#model option").first.wait_for(state="attached")
    page.locator(".example").last.click()
    page.locator(".cite").wait_for()
    turn = page.locator(".turn")
    assert turn.locator(".question").inner_text() == HOSTILE
    assert turn.locator(".title").first.inner_text() == HOSTILE
    for passage in turn.locator("details.passage").all():
        passage.evaluate("e => { e.open = true }")
    assert page.locator("img, .turn script").count() == 0
    tab.looks_well()
    turn = tab.ask("word " * 240)
    until(lambda: is_in_sight(turn.locator(".answer > header")))  # a long question leaves room for its answer
    tab.looks_well()


@pytest.mark.slow
def test_who_wants_no_motion_gets_none(opens: Opens, served: Served) -> None:
    tab = opens(reduced_motion="reduce")
    page = tab.open()
    page.locator("#model option[value=base]").wait_for(state="attached")
    page.select_option("#model", "base")
    page.fill("#question", QUESTION)
    page.press("#question", "Enter")
    assert served.held.begun.acquire(timeout=PATIENCE)
    moving = "e => getComputedStyle(e, '::after').animationName"
    assert page.locator(".answer > .text").evaluate(moving) == "none"
    assert page.locator("#scroll").evaluate("e => getComputedStyle(e).scrollBehavior") == "auto"
    page.emulate_media(reduced_motion="no-preference")
    assert page.locator(".answer > .text").evaluate(moving) == "writes"
    served.held.go_on.set()
    page.locator("#send").wait_for()
