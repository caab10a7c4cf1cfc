from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.errors import InputError
from ragraft.pipeline.traffic_split import DEFAULT, Shares, TrafficSplit
from ragraft.records import Message


def asked(text: str, *more: str) -> list[Message]:
    turns = [Message("user", text)]
    for answer, question in zip(more[::2], more[1::2], strict=True):
        turns += [Message("assistant", answer), Message("user", question)]
    return turns


def split(
    *, canary: float = 0.0, shadow: float = 0.0, candidate: str = "tuned", current: str | None = "new"
) -> TrafficSplit:
    made = TrafficSplit(("tuned", "base"), Shares(candidate, canary, shadow))
    made.follow(("old", "new"), current)
    return made


def test_the_model_in_service_is_first_and_answers() -> None:
    made = TrafficSplit(("tuned", "base"), Shares())
    assert (made.models, made.default) == (("tuned", "base"), "tuned")
    made.follow(("old", "new"), "old")
    assert made.models == ("old", "tuned", "base", "new")
    assert made.assign(DEFAULT, "", asked("Why?")).model == "old"
    assert made.assign("base", "", asked("Why?")).by == "named"
    made.follow(("old", "new"), None)
    assert made.assign(DEFAULT, "", asked("Why?")).model == "tuned"


def test_a_model_that_is_not_here_is_told() -> None:
    with pytest.raises(InputError, match=r"^No model olde here; there is new and tuned and base and old$"):
        split().assign("olde", "", asked("Why?"))


@given(st.text(), st.text(), st.lists(st.text(), max_size=4).filter(lambda more: len(more) % 2 == 0))
def test_a_conversation_stays_with_who_began_it(asker: str, opening: str, more: list[str]) -> None:
    made = split(canary=0.5, shadow=0.5)
    first = made.assign(DEFAULT, asker, asked(opening))
    assert made.assign(DEFAULT, asker, asked(opening, *more)) == first


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_shares_are_what_was_asked_for(share: float) -> None:
    assigned = [split(canary=share).assign(DEFAULT, "", asked(f"Question {n}?")) for n in range(2000)]
    got = sum(one.by == "canary" for one in assigned) / len(assigned)
    assert got == pytest.approx(share, abs=0.05)
    assert {one.model for one in assigned if one.by == "canary"} <= {"tuned"}
    shadowed = [split(shadow=share).assign(DEFAULT, "", asked(f"Question {n}?")) for n in range(2000)]
    assert sum(one.shadow == "tuned" for one in shadowed) / 2000 == pytest.approx(share, abs=0.05)
    assert {one.model for one in shadowed} == {"new"}


def test_named_models_have_no_shares() -> None:
    one = split(canary=1.0, shadow=1.0).assign("new", "", asked("Why?"))
    assert (one.model, one.by, one.shadow) == ("new", "named", None)


def test_a_candidate_in_service_is_no_candidate() -> None:
    assert split(canary=1.0, current=None).candidate is None
    assert split(canary=1.0, current=None).assign(DEFAULT, "", asked("Why?")).by == "default"
    assert split(canary=1.0, candidate="old").candidate == "old"
    assert split().candidate is None


def test_the_runs_own_model_is_itself_by_either_name() -> None:
    made = split(canary=1.0)
    assert [made.is_own(name) for name in ("tuned", "new", "base")] == [True, False, False]
    made.follow(("old", "new"), "new", "new")
    assert [made.is_own(name) for name in ("tuned", "new", "old")] == [True, True, False]
    assert made.candidate is None, "its twin is in service"
    made.follow(("old", "new"), "old", "new")
    assert made.candidate == "tuned"
