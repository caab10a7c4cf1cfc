"""Which action is advised, over climbed questions whose losses are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ragraft.methods.costs import Cost, load_machines
from ragraft.methods.ladder import Climbed, Part, Step, StepName
from ragraft.methods.learning_curve import Curve
from ragraft.methods.rules import load_rules
from ragraft.methods.search_trial import Setting
from ragraft.methods.verdict import Adviser, Evidence

COSTS = {"raft": Cost(20, 500_000, 2e14), "hybrid": Cost(33, 800_000, 3e14), "dap+hybrid": Cost(300, 9_000_000, 4e15)}


def climbed(
    number: int, *steps: tuple[StepName, Part, float], shown: bool = True, oracle: bool = True, score: float = 0.0
) -> list[Climbed]:
    """So many like questions, two a cluster."""
    made = tuple(Step(*step) for step in steps)
    head = "".join(f"{name[0]}{part[:3]}{value}" for name, part, value in steps)
    return [
        Climbed(f"{head}{n}", f"{head}c{n // 2}", made, shown=shown, oracle=oracle, score=score) for n in range(number)
    ]


def advise(
    questions: Sequence[Climbed],
    *,
    measured: Mapping[str, Mapping[str, Any]] | None = None,
    settings: Sequence[Setting] = (),
    costs: Mapping[str, Cost] = COSTS,
    learned: Curve | None = None,
) -> dict[str, Any]:
    evidence = Evidence(questions, settings, measured or {}, costs, learned)
    return Adviser(evidence, load_rules(), resamples=300, seed=0).advise(load_machines(), price_here=0.0)


def decided(*args: Any, **named: Any) -> tuple[str, str | None]:
    decision = advise(*args, **named)["decision"]
    return decision["action"], decision["rule"]


RIGHT = climbed(40)
READING = climbed(20, ("rest", "reading", 0.8))
HIDDEN = climbed(20, ("evidence", "retrieval", 0.9), shown=False)


def test_a_model_that_answers_already_is_left() -> None:
    assert decided(RIGHT) == ("leave", "answers already")


def test_examples_that_mend_the_form_are_cheaper_than_tuning() -> None:
    found = advise(climbed(40, ("examples", "form", 0.7)))
    assert found["decision"]["action"] == "prompt"
    first, second = found["verdict"][:2]
    assert (first["gain"]["value"], first["at_most"]) == (pytest.approx(0.7), pytest.approx(0.7))
    assert (second["action"], second["rule"]) == ("raft", "right words in the wrong form")
    assert second["gain"]["value"] == pytest.approx(0.8 * 0.7)


@pytest.mark.parametrize(
    ("step", "part", "wanted"),
    [
        ("rest", "reading", ("hybrid", "cannot read the evidence")),
        ("alone", "distraction", ("raft", "misled by other passages")),
        ("rest", "abstention", ("raft", "does not know when to abstain")),
        ("rest", "form", ("raft", "right words in the wrong form")),
        ("rest", "knowledge", ("leave", "not in the documents")),
    ],
)
def test_the_largest_part_decides_how_to_tune(step: StepName, part: Part, wanted: tuple[str, str]) -> None:
    assert decided(climbed(40, (step, part, 0.8))) == wanted


def test_a_foreign_language_wants_dap_where_there_is_text_enough() -> None:
    jargon = {"jargon": {"value": 1.6, "low": 1.4, "high": 1.8}}
    enough = {**jargon, "corpus_tokens": {"value": 3e7}}
    assert decided(READING, measured=enough)[0] == "dap+hybrid"
    assert decided(READING, measured={**jargon, "corpus_tokens": {"value": 1e6}})[0] == "hybrid"
    assert decided(READING, measured={"corpus_tokens": {"value": 3e7}})[0] == "hybrid"
    unsure = {"jargon": {"value": 1.6, "low": 1.0, "high": 1.8}, "corpus_tokens": {"value": 3e7}}
    assert decided(READING, measured=unsure)[0] == "hybrid"


def settings(found: Sequence[Climbed]) -> list[Setting]:
    known = {one.id: False for one in found}
    return [Setting("as it is, k 4", known, 4), Setting("as it is, k 8", dict.fromkeys(known, True), 8)]


def test_missed_evidence_wants_search_mended() -> None:
    assert decided(HIDDEN) == ("retrieval", "search misses the evidence")
    found = advise(HIDDEN, settings=settings(HIDDEN))
    assert found["decision"]["rule"] == "another search setting"
    first = found["verdict"][0]
    assert first["setting"] == "as it is, k 8"
    assert first["gain"]["value"] == first["at_most"] == pytest.approx(0.9)
    assert "setting" not in advise(HIDDEN)["verdict"][0]


def test_gains_are_never_more_than_the_oracle_arms_allow() -> None:
    mixed = [*READING, *HIDDEN, *climbed(20, ("alone", "distraction", 0.4), ("rest", "form", 0.3))]
    for row in advise(mixed, settings=settings(HIDDEN))["verdict"]:
        assert row["gain"]["value"] <= row["at_most"] + 1e-12
        assert row["at_most"] <= 1.0


@pytest.mark.parametrize(
    ("gains", "wanted"),
    [
        ((0.0,), ("leave", "nothing pays")),
        ((0.5, -0.5), ("more-questions", "small runs leave it open")),
        ((0.1,), ("hybrid", "cannot read the evidence")),
    ],
)
def test_what_small_runs_gained_decides_whether_to_tune(gains: Sequence[float], wanted: tuple[str, str]) -> None:
    each = tuple(gains[place // 2 % len(gains)] for place in range(len(READING)))
    found = advise(READING, learned=Curve("hybrid", 80, (20, 40), (each, each)))
    assert (found["decision"]["action"], found["decision"]["rule"]) == wanted
    assert {row["action"]: row.get("measured") for row in found["verdict"]}["hybrid"] == "small runs"


def test_few_clusters_decide_nothing() -> None:
    assert decided(READING[:8]) == ("more-questions", "too few clusters")


def test_a_first_gain_that_may_be_nothing_wants_more_questions() -> None:
    shaky = [
        *climbed(4, ("rest", "form", 1.0)),
        *climbed(12, ("rest", "knowledge", 0.9)),
        *climbed(2, ("rest", "form", -1.0)),
    ]
    found = advise(shaky)
    assert (found["decision"]["action"], found["decision"]["rule"]) == (
        "more-questions",
        "the first gain may be nothing",
    )
    assert found["decision"]["questions_needed"] > len(shaky)
    assert [row["action"] for row in found["verdict"][:2]] == ["more-questions", "raft"]


def test_two_actions_that_pay_alike_want_more_questions() -> None:
    rows = [*climbed(12, ("examples", "form", 0.45)), *climbed(12, ("evidence", "retrieval", 0.9), shown=False)]
    found = advise(
        rows, settings=[replace(one, shows={row.id: one.passages > 4 for row in rows[12:]}) for one in settings(rows)]
    )
    assert (found["decision"]["action"], found["decision"]["rule"]) == ("more-questions", "the first two overlap")
    assert {row["action"] for row in found["verdict"][1:3]} == {"prompt", "retrieval"}


def test_order_is_by_gain_for_a_minute_and_each_row_has_its_cost() -> None:
    verdict = advise([*climbed(40, ("rest", "reading", 0.8)), *climbed(40, ("examples", "form", 0.5))])["verdict"]
    assert [row["action"] for row in verdict] == ["prompt", "hybrid", "raft", "dap+hybrid", "retrieval"]
    cost = {row["action"]: row["cost"] for row in verdict}["hybrid"]
    assert (cost["minutes"], cost["tokens"], cost["flops"], cost["effort_minutes"]) == (33, 800_000, 3e14, 15)
    assert set(cost["money"]) > {"this machine", "NVIDIA L4"}
    dear = {**COSTS, "hybrid": Cost(3000)}
    assert decided([*READING, *climbed(2, ("alone", "distraction", 0.1))], costs=dear)[0] == "hybrid"


def test_the_rule_that_fired_says_on_what() -> None:
    (found,) = advise(READING)["decision"]["fired_on"]
    assert (found["figure"], found["largest"]) == ("winnable.reading", True)
    assert found["value"] == pytest.approx(0.8)
