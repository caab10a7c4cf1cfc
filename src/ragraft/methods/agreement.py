"""How far a grader agrees with people: accuracy and Cohen's kappa on claims that people have judged.

Knows claims, labels and verdicts; knows no grader. Kappa (Cohen 1960) is the agreement beyond what two who judge by
chance, each as often supported as they do, would reach: 0 is chance, 1 is always. Balanced accuracy is the mean of the
shares found among the supported and the unsupported claims.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ragraft.errors import InputError
from ragraft.methods.report_table import Table
from ragraft.methods.report_text import MISSING, interval
from ragraft.methods.stats import Floats, mean_interval, statistic_interval
from ragraft.records import Claim, Interval, Judgement, to_json

LABELS: Mapping[Any, bool] = {
    "supported": True,
    "partially_supported": False,
    "not_supported": False,
    "unsupported": False,
}
"""People's verdicts; what is supported in part is not supported."""
FORM = '{"id", "claim", "evidence": ["…"], "label": "supported"}, labels being ' + ", ".join(LABELS)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A claim with its evidence, and whether people find it supported."""

    claim: Claim
    supported: bool

    @property
    def cluster(self) -> str:
        """Claims on the same evidence belong together."""
        return hashlib.blake2b("\n".join(self.claim.passages).encode("utf-8"), digest_size=8).hexdigest()


def read_labelled(lines: Sequence[str], told: str) -> list[Labelled]:
    """Rows of a file of labelled claims; `told` names it. Raises InputError with the line of what is none."""
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            evidence = row["evidence"]
            passages = (evidence,) if isinstance(evidence, str) else tuple(evidence)
            claim, label = row["claim"], row["label"]
            question = row.get("question") or ""
            if not all(isinstance(text, str) for text in (claim, question, *passages)):
                raise TypeError("claim, question and evidence must be texts")
            found.append(Labelled(Claim(claim, passages, question), LABELS[label]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{told} line {number} is no labelled claim ({_fault(error)}); a row is {FORM}") from None
    if not found:
        raise InputError(f"{told} holds no labelled claim; a row is {FORM}")
    return found


def agreement(
    labelled: Sequence[Labelled], judgements: Sequence[Judgement], *, resamples: int, seed: int
) -> dict[str, Any]:
    """The figures, each with an interval over claims on the same evidence; what has no verdict is unscored.

    `majority` is the accuracy of always giving people's commoner verdict.
    """
    rows = [(one, judgement) for one, judgement in zip(labelled, judgements, strict=True)]
    pairs = [(one, bool(judgement.supported)) for one, judgement in rows if judgement.supported is not None]
    unscored = len(rows) - len(pairs)
    found: dict[str, Any] = {"claims": len(rows), "unscored": unscored, "figures": {}, "counts": {}}
    if not pairs:
        return found
    people = np.array([float(one.supported) for one, _ in pairs])
    grader = np.array([float(verdict) for _, verdict in pairs])
    clusters = [one.cluster for one, _ in pairs]
    sampling = {"resamples": resamples, "seed": seed}
    right = [
        None if judgement.supported is None else float(judgement.supported == one.supported) for one, judgement in rows
    ]
    share = float(people.mean())
    found["figures"] = {
        "accuracy": to_json(mean_interval(right, [one.cluster for one, _ in rows], share=True, **sampling)),
        "balanced accuracy": _told(lambda w: _balanced(people, grader, w), clusters, unscored, sampling),
        "kappa": _told(lambda w: _kappa(people, grader, w), clusters, unscored, sampling),
    }
    found["majority"] = max(share, 1 - share)
    found["counts"] = {
        f"{_name(human)} by people, {_name(machine)} by the grader": sum(
            one.supported == human and verdict == machine for one, verdict in pairs
        )
        for human in (True, False)
        for machine in (True, False)
    }
    return found


def agreement_table(found: Mapping[str, Any], grader: str) -> Table:
    """The figures as a row."""
    figures = found["figures"]
    kappa = figures.get("kappa")
    row = (
        grader,
        _plain(kappa),
        interval(figures.get("accuracy")),
        interval(figures.get("balanced accuracy")),
        str(found["claims"] - found["unscored"]),
        str(found["unscored"]),
    )
    notes = [f"{key}: {count}." for key, count in found["counts"].items()]
    if figures:
        notes.append(f"Always giving the commoner verdict would be right on {100 * found['majority']:.1f} of 100.")
    columns = ("Grader", "Cohen's kappa", "Accuracy", "Balanced accuracy", "n", "Unscored")
    return Table(
        "Agreement with people's labels", columns, (row,), tuple(f"{one[:1].upper()}{one[1:]}" for one in notes)
    )


def agreement_sentence(found: Mapping[str, Any]) -> str:
    """For a report: `it agreed with people on 71.2 of 100 claims [64.1, 77.9], kappa 0.41 [0.29, 0.53] (n = 311 …)`."""
    figures = found["figures"]
    n = found["claims"] - found["unscored"]
    accuracy, kappa = interval(figures.get("accuracy")), _plain(figures.get("kappa"))
    counted = f"(n = {n}, unscored {found['unscored']})"
    return f"it agreed with people on {accuracy} of 100 claims, kappa {kappa} {counted}"


def _told(
    statistic: Callable[[Floats], float], clusters: Sequence[str], unscored: int, sampling: Mapping[str, int]
) -> dict[str, Any] | None:
    value = statistic(np.ones(len(clusters)))
    if not math.isfinite(value):
        return None
    try:
        found = statistic_interval(statistic, clusters, share=False, **sampling)
    except ValueError:  # some weighting holds one kind of claim alone, so nothing is known of the spread
        found = Interval(value, None, None, n=len(clusters), clusters=len(set(clusters)))
    return {**to_json(found), "unscored": unscored}


def _kappa(a: Floats, b: Floats, weights: Floats) -> float:
    total = weights.sum()
    first, second, same = (float(weights @ part / total) for part in (a, b, a == b))
    chance = first * second + (1 - first) * (1 - second)
    return (same - chance) / (1 - chance) if chance < 1 else math.nan


def _balanced(people: Floats, grader: Floats, weights: Floats) -> float:
    shares = []
    for kind in (0.0, 1.0):
        here = weights * (people == kind)
        if here.sum() == 0:
            return math.nan
        shares.append(float(here @ (grader == kind) / here.sum()))
    return sum(shares) / len(shares)


def _plain(figure: Mapping[str, Any] | None) -> str:
    """Kappa is no share: two digits of it as it is."""
    if figure is None:
        return MISSING
    ends = f" [{figure['low']:.2f}, {figure['high']:.2f}]" if figure["low"] is not None else " (no interval)"
    return f"{figure['value']:.2f}{ends}"


def _name(supported: bool) -> str:
    return "supported" if supported else "not supported"


def _fault(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is missing or no label"
    return str(error) or type(error).__name__
