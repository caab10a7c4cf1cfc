"""What a tuned model has forgotten of general instructions, measured against the base model's own answers.

Three figures on seeds that are never trained on (`methods/seeds.py`), each with an interval over instructions:

- NLL: how much less likely the base model's greedy answers have become, in percent of their negative log-likelihood a
  token. It needs no right answers: the base model is the measure of itself.
- KL: how far the tuned model's predictions have moved from the base's, in nats a token. It is estimated on answers
  drawn from the base model, where for r = p_tuned / p_base the mean of r - 1 - log r is the divergence, without bias
  and never below zero (Schulman 2020, "Approximating KL divergence", k3). Greedy answers would not do: they are not
  drawn from what is compared.
- Formats: the share of format instructions that each model keeps, by rule (`format_rules`), paired.

Knows generators and scorers as ports; knows no folder.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ragraft.methods.format_rules import keeps_form
from ragraft.methods.seeds import Seed, seeds_for
from ragraft.methods.stats import Floats, mean_interval, paired_difference, statistic_interval
from ragraft.ports import Generator, Scorer
from ragraft.records import Completion, LogProbs, Prompt, Sampling, to_json

ANSWER_TOKENS = 64
BATCH = 48
"""Instructions are short: a batch of this size needs less memory than one of questions with documents."""
DRAWN_AT = 1.0


@dataclass(frozen=True, slots=True)
class Model:
    """A model that both answers and scores."""

    generator: Generator
    scorer: Scorer

    def answer(self, seeds: Sequence[Seed], *, temperature: float = 0.0, seed: int = 0) -> list[Completion]:
        """One answer a seed, in order."""
        sampling = Sampling(ANSWER_TOKENS, temperature, seed)
        return [
            found
            for part in _batches([one.ask() for one in seeds])
            for found in self.generator.generate(part, sampling)
        ]

    def read(self, seeds: Sequence[Seed], answers: Sequence[Completion]) -> list[tuple[float, ...]]:
        """The logarithms of each given answer's tokens; the end counts only where the answer came to its end."""
        asked = list(zip([one.ask() for one in seeds], answers, strict=True))
        rows: list[LogProbs] = []
        for start in range(0, len(asked), BATCH):
            part = asked[start : start + BATCH]
            rows += self.scorer.score([prompt for prompt, _ in part], [answer.text for _, answer in part])
        return [
            row.values if answer.finish_reason == "stop" else row.values[:-1]
            for row, answer in zip(rows, answers, strict=True)
        ]


def number_of_answers(*, base_is_kept: bool) -> int:
    """Answers that measuring has generated: greedy and drawn ones of the base, formats of both."""
    probes, formats = len(seeds_for("probe")), len(seeds_for("format"))
    return formats + (0 if base_is_kept else 2 * probes + formats)


def measure_forgetting(
    base: Model, tuned: Model, *, resamples: int = 2000, seed: int = 0
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The figures as plain data, and a row an instruction with what was answered."""
    probes, formats = seeds_for("probe"), seeds_for("format")
    greedy, drawn = base.answer(probes), base.answer(probes, temperature=DRAWN_AT, seed=seed)
    own, now = base.read(probes, greedy), tuned.read(probes, greedy)
    divergence = [
        _divergences(before, after)
        for before, after in zip(base.read(probes, drawn), tuned.read(probes, drawn), strict=True)
    ]
    kept = {name: _kept(model.answer(formats), formats) for name, model in (("base", base), ("tuned", tuned))}
    figures = {
        "probes": len(probes),
        "nll": _nll(probes, own, now, resamples=resamples, seed=seed),
        "kl": _kl(probes, divergence, resamples=resamples, seed=seed),
        "formats": _formats(formats, kept, resamples=resamples, seed=seed),
    }
    rows = [
        *_probe_rows(probes, greedy, own=own, now=now, divergence=divergence),
        *_format_rows(formats, kept["base"], kept["tuned"]),
    ]
    return figures, rows


def _batches(prompts: Sequence[Prompt]) -> Iterator[Sequence[Prompt]]:
    return (prompts[start : start + BATCH] for start in range(0, len(prompts), BATCH))


def _divergences(before: Sequence[float], after: Sequence[float]) -> list[float]:
    """Each drawn token's share of the divergence of the base model from the tuned one."""
    ratios = (b - a for a, b in zip(before, after, strict=True))
    return [math.expm1(ratio) - ratio for ratio in ratios]


def _nll(
    probes: Sequence[Seed],
    own: Sequence[Sequence[float]],
    now: Sequence[Sequence[float]],
    *,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Negative log-likelihood a token of both, and the change in shares of the base's (0.02: two percent more)."""
    before, after = (np.array([-math.fsum(row) for row in rows]) for rows in (own, now))
    tokens = sum(map(len, own))

    def change(weights: Floats) -> float:
        return float((weights * after).sum() / (weights * before).sum() - 1)

    names = [one.id for one in probes]
    # Where a model was certain of every token there is no share to speak of.
    found = statistic_interval(change, names, resamples=resamples, seed=seed) if before.min() > 0 else None
    return {
        "tokens": tokens,
        "base": float(before.sum() / tokens),
        "tuned": float(after.sum() / tokens),
        "change": to_json(found) if found else None,
    }


def _kl(probes: Sequence[Seed], divergence: Sequence[Sequence[float]], *, resamples: int, seed: int) -> dict[str, Any]:
    values = [value for row in divergence for value in row]
    names = [one.id for one, row in zip(probes, divergence, strict=True) for _ in row]
    return to_json(mean_interval(values, names, resamples=resamples, seed=seed))


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer to a format instruction, and whether it keeps the form."""

    text: str
    kept: bool


def _kept(answers: Sequence[Completion], formats: Sequence[Seed]) -> list[_Kept]:
    return [
        _Kept(answer.text, keeps_form(one.rule, one.given, answer.text))
        for answer, one in zip(answers, formats, strict=True)
    ]


def _formats(
    formats: Sequence[Seed], kept: Mapping[str, Sequence[_Kept]], *, resamples: int, seed: int
) -> dict[str, Any]:
    """Shares kept, their difference, and which instructions were lost or gained."""
    names = [one.id for one in formats]
    base, tuned = ([float(one.kept) for one in kept[name]] for name in ("base", "tuned"))
    return {
        "base": to_json(mean_interval(base, names, share=True, resamples=resamples, seed=seed)),
        "tuned": to_json(mean_interval(tuned, names, share=True, resamples=resamples, seed=seed)),
        "difference": to_json(paired_difference(tuned, base, names, resamples=resamples, seed=seed)),
        "lost": [one.id for one, before, after in zip(formats, base, tuned, strict=True) if before > after],
        "gained": [one.id for one, before, after in zip(formats, base, tuned, strict=True) if after > before],
    }


def _probe_rows(
    probes: Sequence[Seed],
    answers: Sequence[Completion],
    *,
    own: Sequence[Sequence[float]],
    now: Sequence[Sequence[float]],
    divergence: Sequence[Sequence[float]],
) -> list[dict[str, Any]]:
    return [
        {
            "id": one.id,
            "prompt": one.prompt,
            "answer": answer.text,
            "tokens": len(before),
            "base_nll": -math.fsum(before),
            "tuned_nll": -math.fsum(after),
            "drawn_tokens": len(moved),
            "kl": math.fsum(moved),
        }
        for one, answer, before, after, moved in zip(probes, answers, own, now, divergence, strict=True)
    ]


def _format_rows(formats: Sequence[Seed], base: Sequence[_Kept], tuned: Sequence[_Kept]) -> list[dict[str, Any]]:
    return [
        {
            "id": one.id,
            "prompt": one.prompt,
            "base_answer": before.text,
            "tuned_answer": after.text,
            "base_kept": before.kept,
            "tuned_kept": after.kept,
        }
        for one, before, after in zip(formats, base, tuned, strict=True)
    ]
