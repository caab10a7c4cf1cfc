"""From what watching found to what is to be done, by the rules of `advice/upkeep.yaml`. Knows figures by name alone."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

from ragraft.methods.rules import Rule, read_rules


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that fired: what it asks for, and why."""

    rule: str
    action: str
    does: str
    because: str


@functools.cache
def _load() -> tuple[Mapping[str, str], tuple[Rule, ...], tuple[Rule, ...]]:
    text = resources.files("ragraft.methods").joinpath("advice", "upkeep.yaml").read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    return data["actions"], read_rules(data["rules"]), read_rules(data["else"])


Figure = float | Mapping[str, Any] | None
"""A number, or `{"value", "low", "high"}`; None where nothing was measured."""


def advise(figures: Mapping[str, Figure]) -> Sequence[Finding]:
    """Every rule that fires, in their order; where none does, that there is nothing to do."""
    actions, rules, otherwise = _load()
    known = {
        name: figure if isinstance(figure, Mapping) else {"value": figure}
        for name, figure in figures.items()
        if figure is not None
    }
    fired = [rule for rule in rules if rule.fires(known)]
    return [Finding(rule.name, rule.action, actions[rule.action], rule.says) for rule in fired or otherwise]
