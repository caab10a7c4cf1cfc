"""How the report names things and writes figures, alike in the terminal and on the page.

Knows the scorecard's figures ({"value", "low", "high", "n", "unscored"}); knows neither tables nor HTML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Figure = Mapping[str, Any]
"""A figure as the scorecard keeps it; shares and F1 within 0..1, tokens as counted."""

MISSING = "-"
FEW, MANY = 10, 10_000
LEAST_CLUSTERS = 5

MODEL_NAMES = {"base": "Base", "base-fewshot": "Base, few-shot", "tuned": "Tuned"}
CONTEXT_NAMES = {
    "none": "No documents",
    "retrieved": "Retrieved passages",
    "oracle": "Oracle passages",
    "oracle+N": "Oracle among others",
    "unanswerable": "Evidence taken out",
}
PHRASES = {"base": "base", "base-fewshot": "few-shot base", "tuned": "tuned"}
MEASURES = {"text": "token F1", "label": "label accuracy", "call": "exact calls"}
MEANINGS = {
    "token F1": "from 0 to 100, says how far the words of an answer agree with those of a right one",
    "label accuracy": "says in how many of 100 questions the answer's first label (yes, no or maybe) is the right one",
    "exact calls": "says for how many of 100 requests the answer makes the very call that serves them",
}
VERDICTS = {
    "helped": "Tuning helped",
    "hurt": "Tuning hurt",
    "same": "No difference that this exam can show",
    "unknown": "No verdict",
}


def model_name(model: str) -> str:
    """A model's heading; an id that has none stands for itself."""
    return MODEL_NAMES.get(model, model)


def context_name(context: str) -> str:
    """A context's heading; an id that has none stands for itself."""
    return CONTEXT_NAMES.get(context, context)


def phrase(model: str) -> str:
    """A model inside a sentence."""
    return PHRASES.get(model, model)


def capital(text: str) -> str:
    """The text as a line begins with it."""
    return text[:1].upper() + text[1:]


def difference_name(a: str, b: str) -> str:
    """What is `a` minus `b` as a heading; a name that is a run's own stays as it is written."""
    return f"{capital(phrase(a)) if a in PHRASES else a} minus {phrase(b)}"


def points(value: float | None, *, signed: bool = False) -> str:
    """A share of 1 as points of 100 with one decimal; a dash when there is none."""
    if value is None:
        return MISSING
    rounded = round(100 * value, 1) + 0.0
    return f"{rounded:+.1f}" if signed and rounded else f"{rounded:.1f}"


def interval(figure: Figure | None, *, signed: bool = False) -> str:
    """`41.2 [36.0, 46.1]`, the interval left out where the scorecard has none."""
    if figure is None or figure.get("value") is None:
        return MISSING
    middle = points(figure["value"], signed=signed)
    if not bounded(figure):
        return f"{middle} (no interval)"
    return f"{middle} [{points(figure['low'])}, {points(figure['high'])}]"


def tokens(figure: Figure | None) -> str:
    """A mean number of tokens, with one decimal below ten."""
    if figure is None or figure.get("value") is None:
        return MISSING
    value = float(figure["value"])
    return f"{value:,.1f}" if value < FEW else f"{value:,.0f}"


def seconds(figure: Figure | None) -> str:
    """Seconds, with two digits below ten."""
    if figure is None or figure.get("value") is None:
        return MISSING
    value = float(figure["value"])
    return f"{value:.2f}" if value < FEW else f"{value:,.0f}"


def true_minus(text: str) -> str:
    """For pages and pictures: true minus signs before figures, a dash where there is none; hyphens elsewhere stay."""
    return "\N{EN DASH}" if text == MISSING else re.sub(r"(?<!\w)-(?=\d)", "\N{MINUS SIGN}", text)


def bounded(figure: Figure) -> bool:
    """Whether the figure has an interval."""
    return figure.get("low") is not None and figure.get("high") is not None


def measure_name(measures: Mapping[str, int]) -> str:
    """What the exam's score is called: by the measure of most of its questions."""
    return MEASURES[max(MEASURES, key=lambda measure: measures.get(measure, 0))]


def measure_notes(measures: Mapping[str, int]) -> list[str]:
    """Which questions are scored by another measure than the one that gives the score its name."""
    others = [(name, measures[key]) for key, name in MEASURES.items() if measures.get(key)]
    total = sum(measures.values())
    return [
        f"{count} of {total} questions are scored by {name}, not by {measure_name(measures)}"
        for name, count in others
        if name != measure_name(measures)
    ]


def outcome(difference: Figure | None) -> str:
    """`helped`, `hurt`, `same` when the interval spans zero, `unknown` when there is too little to judge by."""
    if difference is None or difference.get("value") is None or not bounded(difference) or too_small(difference):
        return "unknown"
    if difference["low"] > 0:
        return "helped"
    return "hurt" if difference["high"] < 0 else "same"


def too_small(difference: Figure) -> bool:
    """Whether so few clusters of questions stand behind a figure that no interval is to be trusted."""
    clusters = difference.get("clusters")
    return clusters is not None and clusters < LEAST_CLUSTERS


def headline_sentence(difference: Figure | None, opponent: str | None, measure: str = MEASURES["text"]) -> str:
    """The verdict with its figure, on tuned minus `opponent` with retrieved passages."""
    verdict = VERDICTS[outcome(difference)]
    if difference is None or opponent is None:
        return f"{verdict}: tuned and base were not both examined with retrieved passages."
    if too_small(difference):
        verdict += f" (an exam of {_counted(difference)} can show nothing; have at least {LEAST_CLUSTERS} clusters)"
    figure = interval(difference, signed=True)
    basis = [part for part in (_counted(difference), "95 % interval" if bounded(difference) else "") if part]
    tail = f" ({'; '.join(basis)})" if basis else ""
    return f"{verdict}: with retrieved passages, tuned minus {phrase(opponent)} is {figure} points of {measure}{tail}."


def flatten(data: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested plain data as (dotted key, text) rows, for a list that people read."""
    rows: list[tuple[str, str]] = []
    for key, value in data.items():
        if isinstance(value, Mapping):
            rows += flatten(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", _text(value)))
    return rows


def plural(count: int, noun: str) -> str:
    """`1 question`, `96 questions`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _counted(difference: Figure) -> str:
    questions, clusters = difference.get("n"), difference.get("clusters")
    if questions is None:
        return ""
    inside = f" in {plural(clusters, 'cluster')}" if clusters is not None else ""
    return plural(questions, "question") + inside


def _text(value: Any) -> str:
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        # A seed or a small count needs no separators; a year or a port would be spoilt by them.
        return f"{value:,}" if abs(value) >= MANY else str(value)
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < MANY else f"{value:,.0f}"
    if isinstance(value, list | tuple):
        return ", ".join(_text(item) for item in value)
    return str(value)
