"""Do the intervals hold what they promise? Simulated exams of known truth, and how often 95 % intervals cover it.

    python -m benchmarks.intervals [--quick] [--json FILE]

Each exam has 10, 30 or 100 clusters of 1 + floor(lognormal(0.5, 1)) questions (3.2 on average, some of thirty), whose
outcomes hang together within a cluster (a Gaussian copula, correlation 0.2): F1 (half zero, a quarter one, the rest
between), shares of 0.3 and 0.1, the paired difference of two models' F1, and of two shares. The functions are those of
every figure that ragraft prints. Fails where a nominal 95 % interval of F1, of a share of 0.3 or of a difference covers
the truth in fewer than 93 or more than 97 of 100 exams; a share of 0.1 is shown beside them, being the hard case.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from ragraft.methods.stats import mean_interval, paired_difference
from ragraft.records import Interval

CLUSTERS = (10, 30, 100)
EXAMS, QUICK_EXAMS = 4000, 400
RESAMPLES = 1000
WITHIN = 0.2
"""Correlation of the latent outcomes within a cluster."""
LIKE = 0.5
"""Correlation of two models on one question."""
LOW, HIGH = 0.93, 0.97
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of the result."""

    outcome: str
    clusters: int
    coverage: float
    error: float
    """Standard error of the coverage, by the number of exams."""
    width: float
    """Mean width."""
    bound: bool
    """Whether it has to lie within the bounds."""


@dataclass(frozen=True, slots=True)
class Exam:
    """Latent outcomes of two models on questions in clusters, each uniform within 0..1."""

    clusters: list[str]
    first: Floats
    second: Floats


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is measured of an exam, and its truth."""

    name: str
    truth: float
    measure: Callable[[Exam], Interval]
    bound: bool = True


def f1(latent: Floats, *, zero: float, one: float) -> Floats:
    """Outcomes of this uniform rank: so many zeros, so many ones, and evenly spread between them."""
    between = (latent - zero) / (1 - zero - one)
    return np.where(latent < zero, 0.0, np.where(latent > 1 - one, 1.0, np.clip(between, 0.0, 1.0)))


def truth_of_f1(zero: float, one: float) -> float:
    """The mean of `f1`."""
    return one + (1 - zero - one) / 2


BASE, TUNED = {"zero": 0.5, "one": 0.25}, {"zero": 0.42, "one": 0.31}


SHARE, SHARE_TUNED = 0.3, 0.4


def _mean(values: Floats, exam: Exam) -> Interval:
    return mean_interval(values.tolist(), exam.clusters, share=True, resamples=RESAMPLES)


def _difference(a: Floats, b: Floats, exam: Exam) -> Interval:
    return paired_difference(a.tolist(), b.tolist(), exam.clusters, resamples=RESAMPLES)


def outcomes() -> list[Outcome]:
    """Everything that is simulated."""
    base, tuned = truth_of_f1(**BASE), truth_of_f1(**TUNED)

    def share(level: float) -> Callable[[Exam], Interval]:
        return lambda exam: _mean((exam.first > 1 - level).astype(float), exam)

    def between(exam: Exam) -> Interval:
        return _difference(f1(exam.second, **TUNED), f1(exam.first, **BASE), exam)

    def of_shares(exam: Exam) -> Interval:
        return _difference((exam.second > 1 - SHARE_TUNED).astype(float), (exam.first > 1 - SHARE).astype(float), exam)

    return [
        Outcome("F1", base, lambda exam: _mean(f1(exam.first, **BASE), exam)),
        Outcome("share of 0.3", SHARE, share(SHARE)),
        Outcome("difference of F1", tuned - base, between),
        Outcome("difference of shares", SHARE_TUNED - SHARE, of_shares),
        Outcome("share of 0.1", 0.1, share(0.1), bound=False),
    ]


def make_exam(number: int, rng: np.random.Generator) -> Exam:
    """So many clusters."""
    sizes = 1 + np.floor(rng.lognormal(0.5, 1.0, number)).astype(int)
    place = np.repeat(np.arange(number), sizes)

    def latent() -> Floats:
        own = rng.standard_normal(len(place))
        return math.sqrt(WITHIN) * rng.standard_normal(number)[place] + math.sqrt(1 - WITHIN) * own

    first = latent()
    second = LIKE * first + math.sqrt(1 - LIKE**2) * latent()
    return Exam([f"c{one:03d}" for one in place], ndtr(first), ndtr(second))


def simulate(number: int, exams: int, *, seed: int = 0) -> list[Figure]:
    """How often each outcome's interval covers the truth, over so many exams of so many clusters."""
    rng = np.random.default_rng([seed, number])
    wanted = outcomes()
    held, widths = np.zeros(len(wanted)), np.zeros(len(wanted))
    for _ in range(exams):
        exam = make_exam(number, rng)
        for place, outcome in enumerate(wanted):
            found = outcome.measure(exam)
            if found.low is None or found.high is None:
                raise SystemExit(f"{outcome.name}: an exam of {number} clusters has no interval")
            held[place] += float(found.low <= outcome.truth <= found.high)
            widths[place] += found.high - found.low
    return [
        Figure(
            outcome.name,
            number,
            coverage=float(held[place] / exams),
            error=math.sqrt(0.95 * 0.05 / exams),
            width=float(widths[place] / exams),
            bound=outcome.bound,
        )
        for place, outcome in enumerate(wanted)
    ]


def outside(figures: Sequence[Figure]) -> list[Figure]:
    """Those that are surely outside the bounds, by three standard errors."""
    return [one for one in figures if one.bound and not LOW - 3 * one.error <= one.coverage <= HIGH + 3 * one.error]


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate, print a row an outcome and number of clusters, and write them where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.intervals", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_EXAMS} exams each instead of {EXAMS:,}")
    parser.add_argument("--json", type=Path, help="write the figures there")
    asked = parser.parse_args(arguments)
    exams = QUICK_EXAMS if asked.quick else EXAMS
    figures: list[Figure] = []
    print(f"{'outcome':<24}{'clusters':>9}{'coverage':>10}{'width':>8}   ({exams:,} exams each)")
    for number in CLUSTERS:
        for row in simulate(number, exams):
            figures.append(row)
            print(f"{row.outcome:<24}{row.clusters:>9}{row.coverage:>10.3f}{row.width:>8.3f}", flush=True)
    if asked.json:
        facts = {"created": datetime.now(UTC).isoformat(timespec="seconds"), "python": platform.python_version()}
        versions = {name: version(name) for name in ("ragraft", "numpy", "scipy")}
        made = {
            "benchmark": "intervals",
            "exams": exams,
            **facts,
            "versions": versions,
            "rows": [*map(asdict, figures)],
        }
        asked.json.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    wrong = outside(figures)
    if wrong:
        told = ", ".join(f"{one.outcome} with {one.clusters} clusters {one.coverage:.3f}" for one in wrong)
        raise SystemExit(f"Nominal 95 % intervals that cover outside {LOW:.2f} to {HIGH:.2f}: {told}")


if __name__ == "__main__":
    main()
