"""How the score moves with what is shown: with passages around the oracle, with its place among them, with k.

Every point of a sweep shows the same questions in the same wording; those of which one point can't be made, because too
few other passages were found or the prompt would be too long, are left out of all points and counted. So points differ
in what they show and in nothing else, and are paired. Knows placed questions and arms; knows no settings and no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

from ragraft.methods.asking import Arm, Room
from ragraft.methods.contexts import DEEPER, Shown, among, oracle_of, others_of, show
from ragraft.methods.stats import mean_interval, paired_difference
from ragraft.records import Answer, ExamQuestion, Passage, to_json

SweepName = Literal["distractors", "position", "k"]
DISTRACTORS = (0, 1, 2, 4, 8)
DEPTHS = (1, 2, 4, 8)
FEWEST_AMONG = 3
"""Passages among which the oracle's place is moved, where k is smaller: it needs a first, a middle and a last one."""
MOST_PLACES = 5
HALF = 0.5
"""Where fewer of the questions can be shown so many passages, the sweep ends before."""
CONTRASTS: Mapping[SweepName, str] = {
    "distractors": "most minus none",
    "position": "middle minus ends",
    "k": "most minus fewest",
}
"""A whole curve in one figure: how far its last point lies from its first, or its middle from its ends."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What each point shows, all of them to the same questions."""

    points: Mapping[int, Shown]
    left_out: int
    """Questions of which a point could not be made."""
    not_shown: tuple[int, ...] = ()
    """Points that fewer than half of the questions can have."""


def sweep_points(name: SweepName, k: int) -> tuple[int, ...]:
    """The values of a sweep, as far as questions allow; `k` is what the system shows."""
    if name == "distractors":
        return DISTRACTORS
    if name == "k":
        return tuple(sorted({*DEPTHS, k}))
    places = max(k, FEWEST_AMONG)
    if places <= MOST_PLACES:
        return tuple(range(1, places + 1))
    return tuple(sorted({1 + round(step * (places - 1) / (MOST_PLACES - 1)) for step in range(MOST_PLACES)}))


def passages_shown(name: SweepName, value: int, k: int) -> int:
    """How many passages a point shows, about."""
    return {"distractors": 1 + value, "position": max(k, FEWEST_AMONG), "k": value}[name]


def lay_out(name: SweepName, questions: Sequence[ExamQuestion], room: Room) -> Layout:
    """The passages of every point, for questions that the documents answer."""
    answerable = [question for question in questions if question.question.answerable]
    values = sweep_points(name, room.k)
    if name == "k":
        deepest = show("retrieved", answerable, finder=room.finder, chunks=room.chunks, k=values[-1])
        return Layout({value: [(one, found[:value]) for one, found in deepest] for value in values}, left_out=0)
    asked = [question for question in answerable if question.oracle]
    needed = values[-1] if name == "distractors" else max(room.k, FEWEST_AMONG) - 1
    others = others_of(asked, finder=room.finder, deep=DEEPER * needed)
    rows = [_Row(one, oracle_of(one, room.chunks, room.k), beside) for one, beside in zip(asked, others, strict=True)]
    reach = {value: value for value in values} if name == "distractors" else dict.fromkeys(values, needed)
    # A point that most questions can't have would leave next to none for the others.
    able = {value: {row.question.id for row in rows if row.allows(reach[value], room)} for value in values}
    kept = [value for value in values if len(able[value]) >= HALF * len(rows)]
    whole = [row for row in rows if kept and all(row.question.id in able[value] for value in kept)]
    points = {value: [row.shown(name, value, reach[value]) for row in whole] for value in kept}
    gone = tuple(value for value in values if value not in kept)
    return Layout(points, left_out=len(rows) - len(whole), not_shown=gone)


@dataclass(frozen=True, slots=True)
class _Row:
    """A question with its oracle and what can stand around it."""

    question: ExamQuestion
    oracle: tuple[Passage, ...]
    others: Sequence[Passage]

    def allows(self, number: int, room: Room) -> bool:
        """Whether so many others were found, and fit in beside the oracle."""
        shown = [*self.oracle, *self.others[:number]]
        return len(self.others) >= number and room.builder.fits(self.question.question.question, shown)

    def shown(self, name: SweepName, value: int, number: int) -> tuple[ExamQuestion, tuple[Passage, ...]]:
        others = tuple(self.others[:number])
        if name == "distractors":
            return self.question, among(self.question, self.oracle, others)
        return self.question, (*others[: value - 1], *self.oracle, *others[value - 1 :])


def ask_sweep(
    name: SweepName, layout: Layout, room: Room, arms: Sequence[Arm]
) -> dict[tuple[str, int], dict[str, Answer]]:
    """(model, point) → question id → row."""
    return {
        (arm.name, value): {
            row.question_id: row for row in room.rows(arm, f"{name}={value}", shown, keep_oracle=name != "k")
        }
        for arm in arms
        for value, shown in layout.points.items()
    }


def sweep_figures(
    name: SweepName,
    layout: Layout,
    rows: Mapping[tuple[str, int], Mapping[str, Answer]],
    *,
    pairs: Sequence[tuple[str, str]],
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """F1 at each point and the contrast of each model, with intervals over clusters; contrasts paired by `pairs`."""
    values = list(layout.points)
    questions = [question for question, _ in next(iter(layout.points.values()), [])]
    found: dict[str, Any] = {
        "sweep": name,
        "values": values,
        "questions": len(questions),
        "left_out": layout.left_out,
        "not_shown": list(layout.not_shown),
        "contrast": CONTRASTS[name],
        "points": [],
        "contrasts": [],
        "differences": [],
    }
    if not questions:
        return found
    clusters = [question.cluster for question in questions]
    sampling = {"resamples": resamples, "seed": seed}
    curves: dict[str, dict[int, list[float | None]]] = {}
    for (model, value), answers in rows.items():
        here = [answers[question.id] for question in questions]
        scores = [row.scores["f1"] for row in here]
        curves.setdefault(model, {})[value] = scores
        found["points"].append(
            {
                "model": model,
                "at": value,
                "f1": to_json(mean_interval(scores, clusters, share=True, **sampling)),
                "passages": fmean(len(row.passages) for row in here),
                "prompt_tokens": fmean(row.prompt_tokens for row in here),
            }
        )
    if len(values) > 1:
        contrasts = {model: _contrast(name, [curve[value] for value in values]) for model, curve in curves.items()}
        found["contrasts"] = [
            {"model": model, **to_json(mean_interval(row, clusters, share=False, **sampling))}
            for model, row in contrasts.items()
        ]
        found["differences"] = [
            {"a": a, "b": b, **to_json(paired_difference(contrasts[a], contrasts[b], clusters, **sampling))}
            for a, b in pairs
            if a in contrasts and b in contrasts
        ]
    return found


def _contrast(name: SweepName, curve: Sequence[Sequence[float | None]]) -> list[float | None]:
    """The contrast of each question; None where a point of it is not scored."""
    rows = [[score for score in scores if score is not None] for scores in zip(*curve, strict=True)]
    return [_one_contrast(name, scores, len(curve)) for scores in rows]


def _one_contrast(name: SweepName, scores: Sequence[float], points: int) -> float | None:
    if len(scores) < points:
        return None
    if name == "position":
        inner = scores[1:-1]
        return fmean(inner) - fmean((scores[0], scores[-1])) if inner else None
    return scores[-1] - scores[0]
