from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.errors import InputError
from ragraft.pipeline.routing import DEFAULT, Router, Shares
from ragraft.records import Message


def asked(text: str, *more: str) -> list[Message]:
    turns = [Message("user", text)]
    for answer, question in zip(more[::2], more[1::2], strict=True):
        turns += [Message("assistant", answer), Message("user", question)]
    return turns


def router(
    *, canary: float = 0.0, shadow: float = 0.0, candidate: str = "tuned", current: str | None = "new"
) -> Router:
    made = Router(("tuned", "base"), Shares(candidate, canary, shadow))
    made.follow(("old", "new"), current)
    return made


def test_the_model_in_service_is_first_and_answers() -> None:
    made = Router(("tuned", "base"), Shares())
    assert (made.models, made.default) == (("tuned", "base"), "tuned")
    made.follow(("old", "new"), "old")
    assert made.models == ("old", "tuned", "base", "new")
    assert made.route(DEFAULT, "", asked("Why?")).model == "old"
    assert made.route("base", "", asked("Why?")).by == "named"
    made.follow(("old", "new"), None)
    assert made.route(DEFAULT, "", asked("Why?")).model == "tuned"


def test_a_model_that_is_not_here_is_told() -> None:
    with pytest.raises(InputError, match=r"^No model olde here; there is new and tuned and base and old$"):
        router().route("olde", "", asked("Why?"))


@given(st.text(), st.text(), st.lists(st.text(), max_size=4).filter(lambda more: len(more) % 2 == 0))
def test_a_conversation_stays_with_who_began_it(asker: str, opening: str, more: list[str]) -> None:
    made = router(canary=0.5, shadow=0.5)
    first = made.route(DEFAULT, asker, asked(opening))
    assert made.route(DEFAULT, asker, asked(opening, *more)) == first


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_shares_are_what_was_asked_for(share: float) -> None:
    routes = [router(canary=share).route(DEFAULT, "", asked(f"Question {n}?")) for n in range(2000)]
    got = sum(route.by == "canary" for route in routes) / len(routes)
    assert got == pytest.approx(share, abs=0.05)
    assert {route.model for route in routes if route.by == "canary"} <= {"tuned"}
    shadowed = [router(shadow=share).route(DEFAULT, "", asked(f"Question {n}?")) for n in range(2000)]
    assert sum(route.shadow == "tuned" for route in shadowed) / 2000 == pytest.approx(share, abs=0.05)
    assert {route.model for route in shadowed} == {"new"}


def test_named_models_have_no_shares() -> None:
    route = router(canary=1.0, shadow=1.0).route("new", "", asked("Why?"))
    assert (route.model, route.by, route.shadow) == ("new", "named", None)


def test_a_candidate_in_service_is_no_candidate() -> None:
    assert router(canary=1.0, current=None).candidate is None
    assert router(canary=1.0, current=None).route(DEFAULT, "", asked("Why?")).by == "default"
    assert router(canary=1.0, candidate="old").candidate == "old"
    assert router().candidate is None


def test_the_runs_own_model_is_itself_by_either_name() -> None:
    made = router(canary=1.0)
    assert [made.is_own(name) for name in ("tuned", "new", "base")] == [True, False, False]
    made.follow(("old", "new"), "new", "new")
    assert [made.is_own(name) for name in ("tuned", "new", "old")] == [True, True, False]
    assert made.candidate is None, "its twin is in service"
    made.follow(("old", "new"), "old", "new")
    assert made.candidate == "tuned"
