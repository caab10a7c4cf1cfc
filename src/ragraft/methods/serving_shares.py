"""Models side by side in what was served: the one in service, the candidate's canary, and its shadows.

A canary answers other conversations than the model in service, drawn by a hash, so that both are samples of the same
questions: whatever else changes from day to day changes for both, and only the time in which both answered counts. A
shadow is asked the same question, so that its answers are compared one by one. Knows the log's rows; knows no file.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import quantiles
from typing import Any

from ragraft.methods.grade import normalised, token_f1
from ragraft.methods.stats import FEWEST, scored_mean
from ragraft.records import Interval, to_json

Row = Mapping[str, Any]
FIGURES = ("abstains", "cites", "liked")
"""Shares: of all answers, of those that do not abstain, and of the ratings."""
SHORTEST = 1e-3
"""Seconds; what took less is counted as this."""
SERVED, CANARY, SHADOW = "default", "canary", "shadow"


@dataclass(slots=True)
class _Log:
    """The rows of a log by what they are."""

    answers: list[Row] = field(default_factory=list)
    shadows: list[Row] = field(default_factory=list)
    ratings: dict[str, bool] = field(default_factory=dict)
    """The last one of each answer."""
    right: dict[str, str] = field(default_factory=dict)
    """What somebody said would have been right."""


def compare_served(rows: Iterable[Row], *, since: datetime | None = None) -> dict[str, Any]:
    """What each model did, the canary beside the model in service, and shadows question by question, as plain data.

    Rows before `since` don't count.
    """
    log = _read(row for row in rows if since is None or datetime.fromisoformat(row["at"]) >= since)
    return {
        "since": since.isoformat() if since else None,
        "models": [_group(found, log) for found in _by(log.answers, "model", "by").values()],
        "canaries": [_canary(found, log) for found in _by_model(log.answers, CANARY).values()],
        "shadows": _shadows(log),
    }


def difference_of(a: Interval, b: Interval) -> Interval:
    """a - b of two independent figures: the square-and-add interval (Zou and Donner 2008; of shares: Newcombe 1998)."""
    value = a.value - b.value
    if None in (a.low, a.high, b.low, b.high):
        return Interval(value, None, None, n=a.n + b.n)
    (down, up), (b_down, b_up) = _arms(a), _arms(b)
    return Interval(value, value - math.hypot(down, b_up), value + math.hypot(up, b_down), n=a.n + b.n)


def _arms(found: Interval) -> tuple[float, float]:
    assert found.low is not None
    assert found.high is not None
    return found.value - found.low, found.high - found.value


def _read(rows: Iterable[Row]) -> _Log:
    log = _Log()
    for row in rows:
        kind = row.get("kind")
        if kind == "answer":
            log.answers.append(row)
        elif kind == SHADOW:
            log.shadows.append(row)
        elif kind == "feedback":
            if row.get("rating"):
                log.ratings[str(row["id"])] = row["rating"] == "up"
            if row.get("answer"):
                log.right[str(row["id"])] = str(row["answer"])
    return log


def _by(rows: Iterable[Row], *keys: str) -> dict[tuple[str, ...], list[Row]]:
    found: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        found[tuple(str(row.get(key)) for key in keys)].append(row)
    return dict(sorted(found.items()))


def _by_model(rows: Iterable[Row], by: str) -> dict[tuple[str, ...], list[Row]]:
    return _by((row for row in rows if row.get("by") == by), "model")


def _group(rows: Sequence[Row], log: _Log) -> dict[str, Any]:
    """What one model did, asked in one way."""
    whole = [row for row in rows if row["finish_reason"] != "cancelled"]
    taken = [float(row["seconds"]["all"]) for row in whole]
    cuts = quantiles(taken, n=20, method="inclusive") if len(taken) >= FEWEST else []
    return {
        "model": rows[0]["model"],
        "by": rows[0].get("by") or "",
        "answers": len(whole),
        "stopped": len(rows) - len(whole),
        "figures": {name: _json(_share(name, whole, log)) for name in FIGURES},
        "seconds": {"p50": cuts[9], "p95": cuts[18]} if cuts else None,
    }


def _share(name: str, rows: Sequence[Row], log: _Log) -> Interval | None:
    values: Mapping[str, Callable[[Row], float | None]] = {
        "abstains": lambda row: float(row["abstained"]),
        "cites": lambda row: None if row["abstained"] else float(bool(row["citations"])),
        "liked": lambda row: float(log.ratings[row["id"]]) if row["id"] in log.ratings else None,
    }
    return _mean([values[name](row) for row in rows], rows, share=True)


def _mean(values: Sequence[float | None], rows: Sequence[Row], *, share: bool) -> Interval | None:
    return scored_mean(values, _clusters(rows), share=share)


def _clusters(rows: Sequence[Row]) -> list[str]:
    """Who asks the same again is answered the same again: that is one observation."""
    return [str(row.get("question") or row["id"]) for row in rows]


def _canary(rows: Sequence[Row], log: _Log) -> dict[str, Any]:
    """A candidate that answered its share, beside who answered the rest meanwhile."""
    first, last = min(str(row["at"]) for row in rows), max(str(row["at"]) for row in rows)
    meanwhile = [row for row in log.answers if row.get("by") == SERVED and first <= str(row["at"]) <= last]
    # Where the model in service changed meanwhile, the one that answered most.
    against = max(_by(meanwhile, "model").values(), key=len, default=[])
    sides = [[row for row in side if row["finish_reason"] != "cancelled"] for side in (rows, against)]
    pairs = {name: [_share(name, side, log) for side in sides] for name in FIGURES}
    return {
        "model": rows[0]["model"],
        "against": against[0]["model"] if against else None,
        "from": first,
        "to": last,
        "answers": [len(side) for side in sides],
        "differences": {
            name: _json(difference_of(a, b)) if a is not None and b is not None else None
            for name, (a, b) in pairs.items()
        },
        "slower": _slower(sides),
    }


def _slower(sides: Sequence[Sequence[Row]]) -> dict[str, Any] | None:
    """How many times as long the candidate takes: a ratio of geometric means, since a few answers take very long."""

    def logarithm(side: Sequence[Row]) -> Interval | None:
        return _mean([math.log(max(float(row["seconds"]["all"]), SHORTEST)) for row in side], side, share=False)

    a, b = map(logarithm, sides)
    if a is None or b is None:
        return None
    found = difference_of(a, b)
    ends = [None if end is None else math.exp(end) for end in (found.low, found.high)]
    return {"value": math.exp(found.value), "low": ends[0], "high": ends[1], "n": found.n}


def _shadows(log: _Log) -> list[dict[str, Any]]:
    """Each candidate that was asked in the background, against each model that it was asked after."""
    answers = {row["id"]: row for row in log.answers}
    pairs: dict[tuple[str, str], list[tuple[Row, Row]]] = defaultdict(list)
    for shadow in log.shadows:
        answer = answers.get(shadow["of"])
        if answer is not None and answer["finish_reason"] != "cancelled":
            pairs[shadow["model"], answer["model"]].append((shadow, answer))
    return [_paired(found, log) for _, found in sorted(pairs.items())]


def _paired(pairs: Sequence[tuple[Row, Row]], log: _Log) -> dict[str, Any]:
    answers = [answer for _, answer in pairs]

    def mean(values: Sequence[float | None], *, share: bool) -> dict[str, Any] | None:
        return _json(_mean(values, answers, share=share))

    def difference(value: Callable[[Row, Row], float | None]) -> dict[str, Any] | None:
        both = [(value(shadow, answer), value(answer, answer)) for shadow, answer in pairs]
        return mean([None if a is None or b is None else a - b for a, b in both], share=False)

    def score(row: Row, answer: Row) -> float | None:
        gold = log.right.get(answer["id"])
        if gold is None or "answer" not in row:
            return None
        return 0.0 if row["abstained"] else token_f1(row["answer"], [gold])

    return {
        "model": pairs[0][0]["model"],
        "against": answers[0]["model"],
        "answers": len(pairs),
        "same": mean([_same(*pair) for pair in pairs], share=True),
        "same_passages": mean([float(set(a["citations"]) == set(b["citations"])) for a, b in pairs], share=True),
        "abstains": difference(lambda row, _: float(row["abstained"])),
        "cites": difference(lambda row, _: float(bool(row["citations"]))),
        "right": difference(score),
    }


def _same(shadow: Row, answer: Row) -> float | None:
    """Whether both say the same, but for case, articles and punctuation; None where content is not kept."""
    if shadow["abstained"] or answer["abstained"]:
        return float(bool(shadow["abstained"] and answer["abstained"]))
    if "answer" not in shadow or "answer" not in answer:
        return None
    return float(normalised(shadow["answer"]) == normalised(answer["answer"]))


def _json(found: Interval | None) -> dict[str, Any] | None:
    return None if found is None else to_json(found)
