"""Rows of served answers as daily figures, for `alarms` to watch. Knows the log's rows; knows no file and no server."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from ragraft.methods.upkeep.alarms import Figure

BASE = "base"
STREAMS: Mapping[str, str] = {
    "abstentions": "answers that abstain",
    "citations": "other answers that cite a passage",
    "scores": "score of the best passage",
    "feedback": "ratings that are bad",
    "questions": "distance to the nearest question of exam and lessons",
}
"""What is watched, by name."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What was asked, by day."""

    answers: int
    days: int
    """From the first day with an answer to the last."""
    streams: Mapping[str, list[Figure]]

    @property
    def questions_a_day(self) -> float:
        return self.answers / self.days if self.days else 0.0


def read_days(
    rows: Iterable[Mapping[str, Any]], *, base: bool, before: date, distances: Mapping[str, float] | None = None
) -> Traffic:
    """The daily figures of answers on whole days alone: those before `before`.

    `base`: whether the base model's answers are wanted, or those of all others. `distances`: of an answer's id, how far
    its question is from what the exam asks.
    """
    values: dict[str, dict[int, list[float]]] = {name: defaultdict(list) for name in STREAMS}
    seen: set[int] = set()
    answers, own = 0, set[str]()
    for row in rows:
        day = date.fromisoformat(str(row["at"])[:10]).toordinal() - 1  # the first of January of the year 1 was a Monday
        if day >= before.toordinal() - 1:
            continue
        if row["kind"] == "answer" and (row["model"] == BASE) == base and _whole(row):
            answers += 1
            seen.add(day)
            own.add(row["id"])
            for name, value in _figures(row, distances or {}):
                values[name][day].append(value)
        elif row["kind"] == "feedback" and row.get("rating") and row["id"] in own:
            values["feedback"][day].append(float(row["rating"] == "down"))
    streams = {
        name: [Figure(day, math.fsum(of_day) / len(of_day)) for day, of_day in sorted(by_day.items())]
        for name, by_day in values.items()
        if by_day
    }
    return Traffic(answers, max(seen) - min(seen) + 1 if seen else 0, streams)


def day_of(figure_day: int) -> str:
    """A figure's day as a date."""
    return date.fromordinal(figure_day + 1).isoformat()


def _whole(row: Mapping[str, Any]) -> bool:
    return bool(row["finish_reason"] != "cancelled")


def _figures(row: Mapping[str, Any], distances: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    yield "abstentions", float(row["abstained"])
    if not row["abstained"]:
        yield "citations", float(bool(row["citations"]))
    if row["retrieval"] == "always" and row["passages"]:
        yield "scores", max(float(passage["score"]) for passage in row["passages"])
    if row["id"] in distances:
        yield "questions", distances[row["id"]]
