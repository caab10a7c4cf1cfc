"""Who is signed in, and for how long."""

from __future__ import annotations

from collections.abc import Iterator

from ragraft.web.pages import sessions
from ragraft.web.pages.sessions import COOKIE, IDLE, Sessions, token_in


def test_a_session_lasts_while_it_is_used() -> None:
    times: Iterator[float] = iter([0, IDLE, 2 * IDLE, 3 * IDLE + 1, 3 * IDLE + 1])
    found = Sessions(clock=lambda: next(times))
    token = found.begin("app")
    assert [found.owner(token) for _ in range(4)] == ["app", "app", None, None]


def test_a_session_ends_and_no_other_token_is_one() -> None:
    found = Sessions()
    first, second = found.begin("a"), found.begin("b")
    assert first != second
    found.end(first)
    assert [found.owner(token) for token in (first, second, second[:-1], "")] == [None, "b", None, None]


def test_the_one_used_longest_ago_makes_room() -> None:
    times = iter(range(sessions.MOST * 2))
    found = Sessions(clock=lambda: next(times))
    tokens = [found.begin(str(number)) for number in range(sessions.MOST)]
    assert found.owner(tokens[0]) == "0"
    found.begin("one more")
    assert [found.owner(token) for token in tokens[:3]] == ["0", None, "2"]


def test_the_token_is_found_among_other_cookies() -> None:
    assert token_in(f"a=b; {COOKIE}=xyz; broken; c={{}}") == "xyz"
    assert token_in("") == token_in("other=1") == token_in('"') == ""
