"""The rules of the verdict, read from their data file. Knows figures by name; knows nothing of what they measure."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

import yaml

from ragraft.methods.ladder import Part

Figures = Mapping[str, Mapping[str, Any]]
"""Name → {"value", "low", "high"}; a figure that was not measured is missing."""
TUNABLE: tuple[Part, ...] = ("reading", "distraction", "form", "abstention")
"""The parts of which tuning wins most; `largest` compares them."""
TUNE = "tune"
"""The group of the rules that propose to tune."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A bound on a figure, or that a part be the largest that tuning can win."""

    figure: str = ""
    end: Literal["low", "value", "high"] = "value"
    above: float | None = None
    below: float | None = None
    largest: Part | None = None

    def holds(self, figures: Figures) -> bool:
        if self.largest:
            found: dict[Part, float] = {part: figures[f"winnable.{part}"]["value"] for part in TUNABLE}
            return found[self.largest] > 0 and found[self.largest] == max(found.values())
        value: float | None = figures.get(self.figure, {}).get(self.end)
        if value is None:
            return False
        return (self.above is None or value > self.above) and (self.below is None or value < self.below)


@dataclass(frozen=True, slots=True)
class Gain:
    """How an expected gain is made of what was measured."""

    measured: Literal["", "examples", "settings"] = ""
    recovers: Mapping[Part, float] | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """What can be advised."""

    name: str
    does: str
    effort: float
    """Minutes of a person's time."""
    gain: Gain | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """When an action is advised, and what is said then."""

    name: str
    action: str
    when: tuple[Condition, ...]
    says: str
    group: str = ""
    gain: Gain | None = None
    """In place of the action's own."""
    effort: float | None = None
    """In place of the action's own."""

    def fires(self, figures: Figures) -> bool:
        return all(condition.holds(figures) for condition in self.when)


@dataclass(frozen=True, slots=True)
class Rules:
    """The file."""

    dated: str
    least_gain: float
    actions: Mapping[str, Action]
    first: tuple[Rule, ...]
    pays: tuple[Rule, ...]
    doubt: tuple[Rule, ...]
    otherwise: tuple[Rule, ...]


@functools.cache
def load_rules() -> Rules:
    """The rules of the package."""
    text = resources.files("ragraft.methods").joinpath("advice", "rules.yaml").read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    actions = {
        name: Action(name, row["does"], float(row["effort"]), _gain(row.get("gain")))
        for name, row in data["actions"].items()
    }
    return Rules(
        dated=str(data["dated"]),
        least_gain=float(data["least_gain"]),
        actions=actions,
        first=read_rules(data["first"]),
        pays=read_rules(data["pays"]),
        doubt=read_rules(data["doubt"]),
        otherwise=read_rules(data["else"]),
    )


def first_that_fires(rules: Sequence[Rule], figures: Figures) -> Rule | None:
    """The first rule all of whose conditions hold."""
    return next((rule for rule in rules if rule.fires(figures)), None)


def read_rules(rows: Sequence[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Rules as a file of advice has them, in its order."""
    return tuple(map(_rule, rows))


def _rule(row: Mapping[str, Any]) -> Rule:
    read = {"when": tuple(Condition(**one) for one in row["when"]), "gain": _gain(row.get("gain"))}
    values: dict[str, Any] = {**row, **read}
    return Rule(**values)


def _gain(row: Mapping[str, Any] | None) -> Gain | None:
    return Gain(**row) if row else None
