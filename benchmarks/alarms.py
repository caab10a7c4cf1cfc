"""How often quiet traffic raises an alarm, and how soon a change does.

    python -m benchmarks.alarms [--quick] [--json FILE]

Draws years of five daily figures of a served model: Poisson answers with busier weekdays, people who ask several
questions in a row, rates that differ by weekday, scores with noise of their own. Of 500 quiet years (--quick: 60) at
most 5 % may see any alarm at any time, though every day is looked at. Changed years are quiet but for one figure, which
changes on a day between the 60th and the 300th; those that raised an alarm before count as not found. Years whose days
hang together are shown too: there the test's promise does not hold, and this is what becomes of it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ragraft.methods.stats import mean_interval
from ragraft.methods.upkeep.alarms import FALSE_ALARMS, Figure, alarms

YEARS, QUICK = 500, 60
CHANGED, QUICK_CHANGED = 100, 20
DAYS = 365
SEED = 20261129
WEEKEND = (5, 6)
WITHIN = (7, 14, 28, 56)
"""Days after the change."""
RATES = {"abstentions": 0.08, "citations": 0.85, "feedback": 0.2}
SHARES = {"abstentions": 1.0, "citations": 0.9, "feedback": 0.1}
"""Of answers that have such a figure."""
NOISE = {"scores": 0.15, "questions": 0.12}
"""Standard deviation of one answer's."""


@dataclass(frozen=True, slots=True)
class Year:
    """What a year is drawn by."""

    answers: float = 60.0
    """A day, on average."""
    together: float = 4.0
    """Answers that one person gets in a row, which are half alike."""
    wave: float = 0.0
    """Correlation of a day's own mean with the day's before."""
    changed: str = ""
    by: float = 0.0
    """Points of 100 for a rate, standard deviations of one answer for the others."""
    slowly: int = 1
    """Days over which the change comes."""


def draw(year: Year, seed: int) -> tuple[dict[str, list[Figure]], int]:
    """The five figures of each day, and the day of the change."""
    rng = np.random.default_rng(seed)
    at = int(rng.integers(60, 300))
    weekday = rng.normal(0, 0.02, size=(7, len(RATES) + len(NOISE)))
    waves = _waves(rng, year.wave)
    busy = year.answers * np.exp(rng.normal(0, 0.2, size=DAYS))
    found: dict[str, list[Figure]] = {name: [] for name in (*RATES, *NOISE)}
    for day in range(DAYS):
        people = rng.poisson(busy[day] * (0.4 if day % 7 in WEEKEND else 1.0) / year.together)
        gone = min(1.0, max(0.0, (day - at + 1) / year.slowly))
        for number, name in enumerate(found):
            shift = gone * year.by if name == year.changed else 0.0
            off = weekday[day % 7, number]
            value = _day(rng, name, people, shift=shift + waves[day, number], weekday=off, together=year.together)
            if value is not None:
                found[name].append(Figure(day, value))
    return found, at


def _day(
    rng: np.random.Generator, name: str, people: int, *, shift: float, weekday: float, together: float
) -> float | None:
    """The mean of a day's answers; None where there is none."""
    if name in NOISE:
        number = int(people * together)
        return float(0.6 + weekday + NOISE[name] * rng.normal(shift, 1, size=number).mean()) if number else None
    asked = int(rng.binomial(people, SHARES[name]))
    rate = min(max(RATES[name] + weekday + shift / 100, 0.001), 0.999)
    # Each has a rate of their own, drawn so that the answers to one person are half alike.
    own = rng.beta(rate, 1 - rate, size=asked)
    return float((rng.binomial(int(together), own) / int(together)).mean()) if asked else None


def _waves(rng: np.random.Generator, correlation: float) -> Any:
    """What a day has of the day before, in the units of a change; nothing where days are on their own."""
    found = np.zeros((DAYS, len(RATES) + len(NOISE)))
    if correlation:
        for day in range(1, DAYS):
            found[day] = correlation * found[day - 1] + rng.normal(0, np.sqrt(1 - correlation**2), size=found.shape[1])
        found *= [2.0, 2.0, 2.0, 0.1, 0.1]
    return found


def share_with_alarm(year: Year, years: int, seed: int) -> Any:
    """Of quiet years, with its interval."""
    raised = [float(bool(alarms(draw(year, seed + number)[0], seed=number))) for number in range(years)]
    return mean_interval(raised, [str(number) for number in range(years)], share=True)


def power(year: Year, years: int, seed: int) -> dict[str, float]:
    """Shares of changed years in which the changed figure raised its alarm so soon, and the median of days."""
    delays = []
    for number in range(years):
        figures, at = draw(year, seed + number)
        day = next((one.day for one in alarms(figures, seed=number) if one.stream == year.changed), None)
        delays.append(day - at if day is not None and day >= at else DAYS)
    shares = {f"within {days} days": float(np.mean([delay <= days for delay in delays])) for days in WITHIN}
    return {
        **shares,
        "ever": float(np.mean([delay < DAYS for delay in delays])),
        "median days": float(np.median(delays)),
    }


CHANGES = (
    Year(changed="abstentions", by=4),
    Year(changed="abstentions", by=8),
    Year(changed="abstentions", by=16),
    Year(changed="abstentions", by=8, slowly=90),
    Year(changed="citations", by=-5),
    Year(changed="citations", by=-10),
    Year(changed="feedback", by=10),
    Year(changed="feedback", by=25),
    Year(changed="scores", by=-0.15),
    Year(changed="scores", by=-0.3),
    Year(changed="questions", by=0.3),
    Year(changed="questions", by=0.3, slowly=90),
    Year(changed="abstentions", by=8, answers=15),
    Year(changed="abstentions", by=16, answers=15),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both tables; exit 1 where quiet years raise too many alarms."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alarms", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} years instead of {YEARS}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    asked = parser.parse_args(arguments)
    years, changed = (QUICK, QUICK_CHANGED) if asked.quick else (YEARS, CHANGED)
    rows: list[dict[str, Any]] = []
    print(
        f"Years of {years} in which any of five figures raised an alarm on any day (at most {100 * FALSE_ALARMS:g} %)"
    )
    for name, year in {
        "quiet": Year(),
        "quiet, few answers": Year(answers=8),
        "days that hang together (0.3)": Year(wave=0.3),
    }.items():
        found = share_with_alarm(year, years, SEED)
        rows.append({"name": name, "share": found.value, "low": found.low, "high": found.high, "n": found.n})
        print(f"  {name:<32} {100 * found.value:5.1f} % [{100 * (found.low or 0):.1f}, {100 * (found.high or 0):.1f}]")
    print(f"Changes found, of {changed} years each")
    print(f"  {'':<46}" + "".join(f"{f'{days} days':>9}" for days in WITHIN) + f"{'ever':>9}{'median':>9}")
    for number, year in enumerate(CHANGES):
        shares = power(year, changed, SEED + 10_000 * (number + 1))
        unit = "points" if year.changed in RATES else "deviations"
        told = f"{year.changed} {year.by:+g} {unit}"
        told += f" over {year.slowly} days" if year.slowly > 1 else ""
        told += f", {year.answers:g} answers a day" if year.answers != Year().answers else ""
        rows.append({"name": told, **shares, "n": changed})
        values = [*(shares[f"within {days} days"] for days in WITHIN), shares["ever"]]
        print(
            f"  {told:<46}" + "".join(f"{100 * value:>7.0f} %" for value in values) + f"{shares['median days']:>9.0f}"
        )
    if asked.json:
        made = {"benchmark": "alarms", "years": years, "changed years": changed, "seed": SEED, "rows": rows}
        asked.json.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    return int(rows[0]["share"] > FALSE_ALARMS)


if __name__ == "__main__":
    raise SystemExit(main())
