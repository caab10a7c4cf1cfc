"""From what watching found to what is to be done, by the rules of `advice/upkeep.yaml`. Knows figures by name alone."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

import yaml

from ragraft.methods.rules import Condition


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that fired: what it asks for, and why."""

    rule: str
    action: str
    does: str
    because: str


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    action: str
    when: tuple[Condition, ...]
    says: str


@functools.cache
def _load() -> tuple[Mapping[str, str], tuple[_Rule, ...], _Rule]:
    text = resources.files("ragraft.methods").joinpath("advice", "upkeep.yaml").read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    rules = tuple(
        _Rule(row["name"], row["action"], tuple(Condition(**one) for one in row["when"]), row["says"])
        for row in data["rules"]
    )
    last = data["else"]
    return data["actions"], rules, _Rule(last["name"], last["action"], (), last["says"])


def advise(figures: Mapping[str, float | None]) -> Sequence[Finding]:
    """Every rule that fires, in their order; where none does, that there is nothing to do."""
    actions, rules, otherwise = _load()
    known = {name: {"value": value} for name, value in figures.items() if value is not None}
    fired = [rule for rule in rules if all(condition.holds(known) for condition in rule.when)]
    return [Finding(rule.name, rule.action, actions[rule.action], rule.says) for rule in fired or [otherwise]]
