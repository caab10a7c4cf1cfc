"""What tests say beside intervals: p-values, what an exam can show, guardrails, the commonest label.

Knows the scorecard's differences and labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ragraft.methods.report_text import Figure, bounded, interval, outcome, points
from ragraft.methods.significance import fall

MARGIN = 0.02
"""A loss of two points of 100 is what a guardrail must rule out; …"""
FORMATS_MARGIN = 0.10
"""… and of ten, where 144 instructions are asked: twelve lost and twelve gained leave seven open."""
LEAST_P = 0.001


def significance_sentence(difference: Figure | None, exact: Figure | None) -> str | None:
    """The p-values of the headline's difference, and of exact matches; None where the card has none."""
    if difference is None or difference.get("p") is None:
        return None
    told = f"t test over clusters: {_p(difference['p'])}, {_p(difference['p_holm'])} after Holm's correction"
    counts = exact.get("mcnemar") if exact else None
    if not counts:
        return f"{told}."
    return (
        f"{told}; exact match: tuned alone right on {counts['first']}, base alone on {counts['second']} "
        f"(McNemar, {_p(counts['p'])})."
    )


def too_small_warning(difference: Figure | None) -> str | None:
    """What this exam could have shown, where it shows no difference."""
    if difference is None or outcome(difference) != "same" or difference.get("detectable") is None:
        return None
    return (
        "an exam like this one finds a true difference in four of five cases only from "
        f"{points(difference['detectable'])} points up; a smaller one needs more questions"
    )


def majority_warning(labels: Mapping[str, Any], context: str) -> str | None:
    """What always giving the commonest label would score, where the tuned model isn't clearly better than that."""
    asked = {(row["model"], row["context"]): row for row in labels.get("conditions", ())}
    tuned = asked.get(("tuned", context))
    if tuned is None:
        return None
    over, given = tuned["metrics"]["over_majority"], tuned["given"]
    if bounded(over) and over["low"] > 0:
        return None
    majority, accuracy = labels["majority"]["label"], labels["majority"]["metrics"]["accuracy"]
    commonest, times = max(given.items(), key=lambda item: item[1], default=("none of the labels", over["n"]))
    return (
        f"always answering “{majority}” is right on {points(accuracy['value'])} of 100; the tuned model, which answers "
        f"“{commonest}” to {times} of {over['n']} such questions, differs from that by {interval(over, signed=True)}"
    )


def guardrail_warnings(card: Mapping[str, Any], forgetting: Mapping[str, Any]) -> list[str]:
    """What tuning must not harm and may have harmed: a loss of more than the margin is not ruled out."""
    found = []
    for name, figure, margin in _guarded(card, forgetting):
        said = fall(figure, margin)
        if said in ("open", "seen"):
            found.append(
                f"{name} {'has' if said == 'seen' else 'may have'} fallen by more than {points(margin)} points of 100: "
                f"{interval(figure, signed=True)}"
            )
    return found


def _guarded(card: Mapping[str, Any], forgetting: Mapping[str, Any]) -> Iterator[tuple[str, Figure, float]]:
    """What is guarded, with the tuned model's difference from the base, and the loss to rule out."""
    for row in card["differences"]:
        if (row["metric"], row["context"], row["a"], row["b"]) == ("f1", "none", "tuned", "base"):
            yield "the score without documents", row, MARGIN
    if forgetting:
        yield "the share of format instructions kept", forgetting["formats"]["difference"], FORMATS_MARGIN


def _p(value: float) -> str:
    return f"p < {LEAST_P}" if value < LEAST_P else f"p = {value:.3f}"
