"""A refreshed exam part by part: how models do on what is unchanged, changed and added, and the table of it.

Knows graded answers and placed questions; knows no folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ragraft.methods.report_table import Table
from ragraft.methods.report_text import Figure, interval, plural
from ragraft.methods.scorecard import build_scorecard
from ragraft.methods.upkeep.renewal import PARTS
from ragraft.records import Answer, ExamQuestion

WHOLE = "whole exam"


def compare_parts(
    answers: Sequence[Answer],
    questions: Sequence[ExamQuestion],
    parts: Mapping[str, str],
    *,
    models: Sequence[str],
    pairs: Sequence[tuple[str, str]],
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Part → a scorecard of the questions of that part; parts in which nothing was asked are left out.

    `answers` are of one context, `parts` holds the part of each question. Of the whole, models are left out that were
    not asked all of it.
    """
    asked = Counter(row.model for row in answers)
    whole = {model for model, number in asked.items() if number == max(asked.values())}
    found = {}
    for part in (WHOLE, *PARTS):
        rows = [row for row in answers if parts.get(row.question_id) == part or (part == WHOLE and row.model in whole)]
        if rows:
            found[part] = build_scorecard(rows, questions, resamples=resamples, seed=seed, models=models, pairs=pairs)
    return found


def parts_table(
    found: Mapping[str, Any], retired: int, *, metric: str, models: Sequence[str], pair: tuple[str, str]
) -> Table:
    """A row a part and metric: what was asked, each model's figure, and the difference of the pair."""
    rows = []
    for part, card in found.items():
        figures = {one["model"]: one["metrics"] for one in card["conditions"]}
        for name, said in ((metric, "score"), ("abstention_recall", "abstentions")):
            asked = [figures[model][name]["n"] for model in models if name in figures.get(model, {})]
            if asked:
                shown = (interval(figures.get(model, {}).get(name)) for model in models)
                rows.append((f"{part}, {said}", str(max(asked)), *shown, interval(_of(card, name, pair), signed=True)))
    notes: tuple[str, ...] = ("Answers with retrieved passages, points of 100, 95 % intervals over clusters.",)
    if retired:
        notes += (f"Retired from the exam before: {plural(retired, 'question')}, named in 30-exam's rejected.jsonl.",)
    return Table("The refreshed exam", ("", "Questions", *models, f"{pair[0]} minus {pair[1]}"), tuple(rows), notes)


def _of(card: Mapping[str, Any], metric: str, pair: tuple[str, str]) -> Figure | None:
    rows = card["differences"]
    return next((row for row in rows if (row["metric"], row["a"], row["b"]) == (metric, *pair)), None)
