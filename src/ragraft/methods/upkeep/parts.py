"""A refreshed exam part by part: how models do on what is unchanged, changed and added, and the table of it.

Knows graded answers and placed questions; knows no folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ragraft.methods.report_table import Table
from ragraft.methods.report_text import Figure, interval
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

    `answers` are of one context, `parts` holds the part of each question.
    """
    found = {}
    for part in (WHOLE, *PARTS):
        rows = [row for row in answers if part in (WHOLE, parts.get(row.question_id))]
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
        notes += (f"{retired} questions of the exam before are retired: 30-exam's rejected.jsonl names them.",)
    return Table("The refreshed exam", ("", "Questions", *models, f"{pair[0]} minus {pair[1]}"), tuple(rows), notes)


def _of(card: Mapping[str, Any], metric: str, pair: tuple[str, str]) -> Figure | None:
    rows = card["differences"]
    return next((row for row in rows if (row["metric"], row["a"], row["b"]) == (metric, *pair)), None)
