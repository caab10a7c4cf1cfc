"""Several runs in one table: the base once, then each run's tuned model, on the questions that all of them asked.

Knows answers with their scores and placed questions; knows no folder and renders nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ragraft.errors import InputError
from ragraft.methods.report_text import measure_name
from ragraft.methods.scorecard import build_scorecard
from ragraft.records import Answer, ExamQuestion

BASES = ("base", "base-fewshot")
TUNED = "tuned"


@dataclass(frozen=True, slots=True)
class Scored:
    """A run's examined models."""

    run: str
    method: str
    """What its tuned model was made by: `raft`, `dap+hybrid`."""
    questions: Sequence[ExamQuestion]
    answers: Sequence[Answer]


def compare_runs(runs: Sequence[Scored], *, resamples: int, seed: int) -> dict[str, Any]:
    """The comparison as plain JSON data; figures stay in 0..1, and `differences` hold every pair, the later minus the
    earlier. Raises InputError where no question was asked by all.

    `grid` and `headline` are as in report.json, so that the same tables show both.
    """
    common = common_questions(runs)
    if not common:
        raise InputError(f"{' and '.join(run.run for run in runs)} have no question in common, so nothing is paired")
    arms, notes = answers_by_arm(runs, set(common))
    order = list(arms)
    card = build_scorecard(
        [replace(answer, model=arm) for arm, answers in arms.items() for answer in answers],
        list(common.values()),
        resamples=resamples,
        seed=seed,
        models=order,
        pairs=[(later, earlier) for place, later in enumerate(order) for earlier in order[:place]],
    )
    asked = {run.run: len({answer.question_id for answer in run.answers}) for run in runs}
    if any(count != len(common) for count in asked.values()):
        each = ", ".join(f"{name}: {count}" for name, count in asked.items())
        notes.append(f"compared on the {len(common)} questions that all runs asked ({each})")
    names = _names(runs)
    return {
        "runs": [
            {"run": run.run, "method": run.method, "arm": names[run.run], "asked": asked[run.run]} for run in runs
        ],
        "questions": card["n_questions"],
        "clusters": card["n_clusters"],
        "headline": {"measure": measure_name(card["measures"])},
        "grid": {
            "models": order,
            "contexts": list(dict.fromkeys(row["context"] for row in card["conditions"])),
            "cells": card["conditions"],
        },
        "differences": card["differences"],
        "labels": card["labels"],
        "notes": notes,
    }


def common_questions(runs: Sequence[Scored]) -> dict[str, ExamQuestion]:
    """The questions that every run asked in the same words and with the same answers, placed as the first run does."""
    found: list[dict[tuple[str, str, tuple[str, ...]], ExamQuestion]] = []
    for run in runs:
        asked = {answer.question_id for answer in run.answers}
        rows = (question for question in run.questions if question.id in asked)
        found.append({(one.id, one.question.question, one.question.answers): one for one in rows})
    return {key[0]: question for key, question in found[0].items() if all(key in other for other in found[1:])}


def _names(runs: Sequence[Scored]) -> dict[str, str]:
    """Run → its tuned model's name: the method, and the run where several were made by it."""
    times = Counter(run.method for run in runs)
    return {run.run: run.method if times[run.method] == 1 else f"{run.method} ({run.run})" for run in runs}


def answers_by_arm(runs: Sequence[Scored], common: set[str]) -> tuple[dict[str, list[Answer]], list[str]]:
    """Arm → its answers, and what is to be said of them."""
    arms: dict[str, list[Answer]] = {}
    notes: list[str] = []
    for base in BASES:
        arms |= _base_arms(base, runs, common, notes)
    for run, name in zip(runs, _names(runs).values(), strict=True):
        answers = [one for one in run.answers if one.model == TUNED and one.question_id in common]
        if answers:
            arms[name] = answers
        else:
            notes.append(f"{run.run} did not examine its tuned model")
    return arms, notes


def _base_arms(base: str, runs: Sequence[Scored], common: set[str], notes: list[str]) -> dict[str, list[Answer]]:
    """The base once; a run in which it answered otherwise (another model, prompt or passages) has one of its own."""
    arms: dict[str, dict[tuple[str, str], Answer]] = {}
    for run in runs:
        rows = {(a.context, a.question_id): a for a in run.answers if a.model == base and a.question_id in common}
        same = next((name for name, known in arms.items() if _agree(known, rows)), None)
        if rows and same is None and arms:
            notes.append(
                f"{base} answered otherwise in {run.run}, as under another model, prompt or k: it stands apart"
            )
        if rows:
            name = same or (f"{base} ({run.run})" if arms else base)
            arms[name] = {**rows, **arms.get(name, {})}
    return {name: list(rows.values()) for name, rows in arms.items()}


def _agree(one: Mapping[tuple[str, str], Answer], other: Mapping[tuple[str, str], Answer]) -> bool:
    both = [(one[key], other[key]) for key in one if key in other]
    return all(a.text == b.text and a.passages == b.passages for a, b in both)
