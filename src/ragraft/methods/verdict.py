"""From a diagnosis to advice: which actions would pay, in order of gain per cost, by the rules of `advice/rules.yaml`.

Knows climbed questions, figures and costs; knows no model and no file. An expected gain is a mean over the questions
asked, so it has an interval, and two actions are compared question by question.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ragraft.methods.costs import Cost, Machines
from ragraft.methods.ladder import PARTS, Climbed, Part, loss_parts, recovered, total_loss
from ragraft.methods.learning_curve import Curve, Foretold, foretell
from ragraft.methods.rules import TUNABLE, TUNE, Action, Figures, Gain, Rule, Rules, first_that_fires
from ragraft.methods.search_trial import Setting, best_setting, gains_of_choosing
from ragraft.methods.stats import mean_interval
from ragraft.records import Interval, to_json

LEAST_MINUTES = 1.0
"""What costs nothing still costs a minute."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What advice rests on."""

    climbed: Sequence[Climbed]
    settings: Sequence[Setting] = ()
    """Search settings that were tried; the first is in use."""
    measured: Figures = field(default_factory=dict)
    """Further figures by name, as `jargon`."""
    costs: Mapping[str, Cost] = field(default_factory=dict)
    """By action; of examples and search settings by these names."""
    learned: Curve | None = None
    """What small runs of one action gained."""


@dataclass(frozen=True, slots=True)
class Option:
    """An action with what it would gain, question by question, and cost."""

    action: Action
    gains: tuple[float, ...]
    at_most: tuple[float, ...]
    gain: Interval
    cost: Cost
    effort: float
    rule: Rule | None = None
    measured: bool = False
    """Whether the gain was foretold from small runs, and not by the rules' shares."""

    @property
    def minutes(self) -> float:
        """Of machine and person together."""
        return max(self.cost.minutes + self.effort, LEAST_MINUTES)


class Adviser:
    """Weighs the actions of the rules against each other."""

    def __init__(self, evidence: Evidence, rules: Rules, *, resamples: int, seed: int) -> None:
        self._evidence, self._rules = evidence, rules
        self._resamples, self._seed = resamples, seed
        self._best = best_setting(evidence.climbed, evidence.settings)
        self.foretold = self._foretell()
        self.figures = self._all_figures()

    def to_measure(self) -> str | None:
        """The action that tunes by the first rule that says so; None where none does, or the verdict needs none."""
        if first_that_fires(self._rules.first, self.figures):
            return None
        rule = first_that_fires([one for one in self._rules.pays if one.group == TUNE], self.figures)
        return rule.action if rule else None

    def advise(self, machines: Machines, *, price_here: float) -> dict[str, Any]:
        """`{"verdict": rows, first choice first; "decision": what was decided, by which rule, and the sentence}`."""
        proposals = self._proposals()
        figures = {**self.figures, **self._of_the_first(proposals)}
        lead = first_that_fires(self._rules.first, figures)
        if lead is None and proposals:
            lead = first_that_fires(self._rules.doubt, figures)
        elif lead is None:
            lead = first_that_fires(self._rules.otherwise, figures)
        proposed = {option.action.name for option in proposals}
        others = [self._option(one) for one in self._rules.actions.values() if one.gain and one.name not in proposed]
        rows = [*([self._lead(lead)] if lead else []), *proposals, *_in_order(others)]
        chosen = rows[0].rule
        return {
            "verdict": [self._row(option, machines, price_here=price_here) for option in rows],
            "decision": {
                "action": rows[0].action.name,
                "does": rows[0].action.does,
                "rule": chosen.name if chosen else None,
                "because": chosen.says if chosen else "",
                "fired_on": _fired_on(chosen, figures) if chosen else [],
                "questions_needed": self._needed(chosen, figures),
                "rules_of": self._rules.dated,
            },
        }

    def _proposals(self) -> list[Option]:
        """What the rules propose and is expected to gain enough; of a group the first rule that fires."""
        found: dict[str, Option] = {}
        for rule in self._rules.pays:
            if rule.group not in found and rule.fires(self.figures):
                option = self._option(self._rules.actions[rule.action], rule)
                if option.gain.value >= self._rules.least_gain:
                    found[rule.group] = option
        return _in_order(list(found.values()))

    def _lead(self, rule: Rule) -> Option:
        """To do nothing yet: no gain, no cost."""
        nothing = tuple(0.0 for _ in self._evidence.climbed)
        gain = Interval(0.0, 0.0, 0.0, n=len(nothing), clusters=len({one.cluster for one in self._evidence.climbed}))
        return Option(self._rules.actions[rule.action], nothing, nothing, gain, Cost(), 0.0, rule)

    def _option(self, action: Action, rule: Rule | None = None) -> Option:
        gain = (rule.gain if rule else None) or action.gain
        assert gain is not None, f"the rules say nothing of what {action.name} gains"
        gains, at_most = self._gains(gain)
        effort = rule.effort if rule and rule.effort is not None else action.effort
        cost = self._evidence.costs.get(gain.measured or action.name, Cost())
        if self.foretold and self._evidence.learned and self._evidence.learned.action == action.name:
            found = self.foretold
            return Option(action, found.gains, at_most, found.interval, cost, effort, rule, measured=True)
        return Option(action, gains, at_most, self._mean(gains), cost, effort, rule)

    def _foretell(self) -> Foretold | None:
        """What small runs say of their action, where there were any; never more than its oracle arms allow."""
        curve = self._evidence.learned
        if curve is None:
            return None
        gain = self._rules.actions[curve.action].gain
        assert gain is not None, f"the rules say nothing of what {curve.action} gains"
        clusters = [one.cluster for one in self._evidence.climbed]
        return foretell(curve, clusters, self._gains(gain)[1], resamples=self._resamples, seed=self._seed)

    def _gains(self, gain: Gain) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Of each question, what is expected and what the oracle arms allow at the most."""
        climbed = self._evidence.climbed
        if gain.measured == "examples":
            changed = tuple(one.step("examples") for one in climbed)
            return changed, changed
        if gain.measured == "settings":
            won = tuple(gains_of_choosing(climbed, self._evidence.settings, seed=self._seed))
            return won, tuple(one.part("retrieval") for one in climbed)
        rates = gain.recovers or {}
        return (
            tuple(recovered(one, rates) for one in climbed),
            tuple(recovered(one, dict.fromkeys(rates, 1.0)) for one in climbed),
        )

    def _all_figures(self) -> dict[str, Mapping[str, Any]]:
        climbed = self._evidence.climbed
        parts = loss_parts(climbed, resamples=self._resamples, seed=self._seed)
        loss = total_loss(climbed, resamples=self._resamples, seed=self._seed)
        clusters = len({one.cluster for one in climbed})
        # To win reading where the oracle itself is unread; a question without an oracle is no matter of reading.
        unread = [
            sum(step.value for step in one.steps if step.name == "rest" and step.part in ("reading", "knowledge"))
            for one in climbed
            if one.oracle
        ]
        examples, _ = self._gains(Gain(measured="examples"))
        settings, _ = self._gains(Gain(measured="settings"))
        found: dict[str, Mapping[str, Any]] = {
            "questions": {"value": len(climbed)},
            "clusters": {"value": clusters},
            "loss": to_json(loss),
            **{f"loss.{part}": to_json(figure) for part, figure in parts.items()},
            **{f"share.{part}": {"value": parts[part].value / loss.value} for part in PARTS if loss.value > 0},
            **{f"winnable.{part}": {"value": self._winnable(part)} for part in TUNABLE},
            "examples": to_json(self._mean(examples)),
            "settings": to_json(self._mean(settings)),
            **self._evidence.measured,
        }
        if self.foretold:
            found["small runs"] = to_json(self.foretold.interval)
        if unread:
            found["unread"] = {"value": math.fsum(unread) / len(unread)}
        return found

    def _winnable(self, part: Part) -> float:
        return math.fsum(recovered(one, {part: 1.0}) for one in self._evidence.climbed) / len(self._evidence.climbed)

    def _of_the_first(self, proposals: Sequence[Option]) -> dict[str, Mapping[str, Any]]:
        """The first proposal's gain, and how far its gain per minute is from the second's."""
        found: dict[str, Mapping[str, Any]] = {}
        if proposals:
            found["first"] = to_json(proposals[0].gain)
        if len(proposals) > 1:
            a, b = proposals[:2]
            apart = [x / a.minutes - y / b.minutes for x, y in zip(a.gains, b.gains, strict=True)]
            found["apart"] = to_json(self._mean(apart))
        return found

    def _needed(self, rule: Rule | None, figures: Figures) -> int | None:
        """About how many questions would tell, where a rule doubts: intervals narrow with the root of their number."""
        if rule is None or rule not in self._rules.doubt:
            return None
        figure = figures[rule.when[0].figure]
        value, half = float(figure["value"]), float(figure["high"] - figure["low"]) / 2
        return math.ceil(len(self._evidence.climbed) * (half / value) ** 2) if value else None

    def _mean(self, values: Sequence[float]) -> Interval:
        clusters = [one.cluster for one in self._evidence.climbed]
        return mean_interval(values, clusters, resamples=self._resamples, seed=self._seed)

    def _row(self, option: Option, machines: Machines, *, price_here: float) -> dict[str, Any]:
        return {
            "action": option.action.name,
            "does": option.action.does,
            "gain": to_json(option.gain),
            "at_most": max(math.fsum(option.at_most) / len(option.at_most), option.gain.value),
            "cost": {**machines.told(option.cost, price_here=price_here), "effort_minutes": option.effort},
            "rule": option.rule.name if option.rule else None,
            "because": option.rule.says if option.rule else "",
            **({"measured": "small runs"} if option.measured else {}),
            **({"setting": self._best.name} if self._best and _by_settings(option) else {}),
        }


def _by_settings(option: Option) -> bool:
    gain = (option.rule.gain if option.rule else None) or option.action.gain
    return gain is not None and gain.measured == "settings"


def _in_order(options: Sequence[Option]) -> list[Option]:
    return sorted(options, key=lambda one: (-one.gain.value / one.minutes, one.action.name))


def _fired_on(rule: Rule, figures: Figures) -> list[dict[str, Any]]:
    """Each condition with what it was held against."""
    rows = []
    for one in rule.when:
        name = f"winnable.{one.largest}" if one.largest else one.figure
        bounds = {key: value for key in ("above", "below") if (value := getattr(one, key)) is not None}
        found = {key: figures[name].get(key) for key in ("value", "low", "high")}
        rows.append({"figure": name, "end": one.end, **found, **bounds, **({"largest": True} if one.largest else {})})
    return rows
