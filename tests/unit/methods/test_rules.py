"""The rules' file: every condition names a figure that is measured, every rule can fire and can keep silent."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ragraft.methods.ladder import PARTS
from ragraft.methods.rules import TUNABLE, Condition, Rule, Rules, first_that_fires, load_rules

RULES = load_rules()
EVERY = (*RULES.first, *RULES.pays, *RULES.doubt, *RULES.otherwise)
KNOWN = {
    "questions", "clusters", "loss", "examples", "settings", "unread", "jargon", "fertility", "corpus_tokens", "first",
    "apart", "small runs", *(f"loss.{part}" for part in PARTS), *(f"share.{part}" for part in PARTS),
}  # fmt: skip


def figures(rule: Rule, *, fires: bool) -> dict[str, dict[str, Any]]:
    """Figures that meet every condition of a rule, or miss each of them."""
    found: dict[str, dict[str, Any]] = {f"winnable.{part}": {"value": 0.1} for part in TUNABLE}
    for one in rule.when:
        if one.largest:
            found[f"winnable.{one.largest}"] = {"value": 0.2 if fires else 0.05}
            continue
        low, high = found.get(one.figure, {}).get("bounds", (-1e9, 1e9))
        low = low if one.above is None else max(low, one.above)
        high = high if one.below is None else min(high, one.below)
        inside, outside = (low + 1e-6, low - 1) if one.below is None else (high - 1e-6, high + 1)
        value = inside if fires else outside
        found[one.figure] = {"value": value, "low": value, "high": value, "bounds": (low, high)}
    return found


@pytest.mark.parametrize("rule", EVERY, ids=lambda rule: rule.name)
def test_every_rule_fires_on_its_figures_and_is_silent_beside_them(rule: Rule) -> None:
    assert rule.fires(figures(rule, fires=True))
    if rule.when:
        assert not rule.fires(figures(rule, fires=False))
        for missing in rule.when:
            rest = {k: v for k, v in figures(rule, fires=True).items() if k != missing.figure or missing.largest}
            assert missing.largest or not rule.fires(rest), "what was not measured fires nothing"


@pytest.mark.parametrize("rule", EVERY, ids=lambda rule: rule.name)
def test_every_rule_names_what_there_is(rule: Rule) -> None:
    assert rule.action in RULES.actions
    assert rule.says.endswith(".")
    for one in rule.when:
        assert one.largest in TUNABLE if one.largest else one.figure in KNOWN
        assert one.largest or (one.above is None) != (one.below is None)
    assert (rule.group != "") == (rule in RULES.pays)


def test_rules_and_actions_are_told_apart_and_documented() -> None:
    assert len({rule.name for rule in EVERY}) == len(EVERY) == 15
    page = re.sub(r"\s+", " ", (Path(__file__).parents[3] / "docs" / "diagnose.md").read_text("utf-8"))
    assert [rule.name for rule in EVERY if rule.name not in page] == []
    assert [name for name in RULES.actions if f"`{name}`" not in page] == []


def test_what_pays_says_how_it_gains() -> None:
    for rule in RULES.pays:
        gain = rule.gain or RULES.actions[rule.action].gain
        assert gain is not None
        assert bool(gain.measured) != bool(gain.recovers)
        assert set(gain.recovers or ()) <= set(PARTS)
        assert all(0 < share <= 1 for share in (gain.recovers or {}).values())


def test_something_is_always_said_when_nothing_pays() -> None:
    assert RULES.otherwise[-1].when == ()
    rule = first_that_fires(RULES.otherwise, {})
    assert rule is not None
    assert rule.action == "leave"


def test_the_largest_part_must_be_there_at_all() -> None:
    none: Rules = RULES
    assert none.least_gain > 0
    even = {f"winnable.{part}": {"value": 0.0} for part in TUNABLE}
    assert not Condition(largest="form").holds(even)
