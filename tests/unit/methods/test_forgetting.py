"""Forgetting, measured on models whose every probability is known."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from ragraft.backends.generators.echo import EchoGenerator
from ragraft.methods.forgetting import ANSWER_TOKENS, Model, measure_forgetting, number_of_answers
from ragraft.methods.seeds import seeds_for
from ragraft.records import Completion, LogProbs, Prompt, Sampling

LETTERS = "abcd"


@dataclass
class Letters:
    """Says letters by fixed chances, whatever it is asked; a format instruction gets `said`."""

    chances: Sequence[float]
    said: str = "yes"
    finish: str = "length"
    asked: list[Sampling] = field(default_factory=list)

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        self.asked.append(sampling)
        formats = {seed.prompt for seed in seeds_for("format")}
        return [
            Completion(self.said)
            if prompt.messages[-1].content in formats
            else self._said(random.Random(f"{sampling.seed} {prompt.messages[-1].content}"), sampling)
            for prompt in prompts
        ]

    def _said(self, draw: random.Random, sampling: Sampling) -> Completion:
        if sampling.temperature == 0:
            return Completion("a a a", finish_reason="stop" if self.finish == "stop" else "length")
        letters = draw.choices(LETTERS, self.chances, k=sampling.max_tokens)
        return Completion(" ".join(letters), finish_reason="length")

    def score(self, prompts: Sequence[Prompt | None], texts: Sequence[str]) -> list[LogProbs]:
        chance: Mapping[str, float] = dict(zip(LETTERS, self.chances, strict=True))
        return [
            LogProbs(
                (0,) * (len(text.split()) + 1), (*(math.log(chance[word]) for word in text.split()), math.log(0.01))
            )
            for text in texts
        ]


def model(kind: Letters) -> Model:
    return Model(kind, kind)


BASE = (0.5, 0.25, 0.125, 0.125)


def test_a_model_that_did_not_change_has_forgotten_nothing() -> None:
    figures, rows = measure_forgetting(model(Letters(BASE)), model(Letters(BASE)), resamples=100)
    assert figures["nll"]["change"]["value"] == figures["kl"]["value"] == 0
    assert figures["formats"]["difference"]["value"] == 0
    assert figures["formats"]["lost"] == figures["formats"]["gained"] == []
    assert len(rows) == len(seeds_for("probe")) + len(seeds_for("format"))


def test_nll_rises_by_the_share_that_the_chances_say() -> None:
    figures, rows = measure_forgetting(model(Letters(BASE)), model(Letters((0.25, 0.5, 0.125, 0.125))), resamples=100)
    assert figures["nll"]["base"] == pytest.approx(math.log(2))
    assert figures["nll"]["tuned"] == pytest.approx(math.log(4))
    assert figures["nll"]["change"]["value"] == pytest.approx(1.0)
    assert figures["nll"]["tokens"] == 3 * 40
    assert rows[0]["tuned_nll"] == pytest.approx(3 * math.log(4))


def test_the_end_counts_where_the_answer_came_to_it() -> None:
    figures, _ = measure_forgetting(model(Letters(BASE, finish="stop")), model(Letters(BASE)), resamples=100)
    assert figures["nll"]["tokens"] == 4 * 40
    assert figures["nll"]["base"] == pytest.approx((3 * math.log(2) + math.log(100)) / 4)


def test_the_divergence_is_that_of_the_chances() -> None:
    tuned = (0.25, 0.25, 0.25, 0.25)
    figures, _ = measure_forgetting(model(Letters(BASE)), model(Letters(tuned)), resamples=100)
    true = sum(p * math.log(p / q) for p, q in zip(BASE, tuned, strict=True))
    assert figures["kl"]["n"] == 40 * ANSWER_TOKENS
    assert figures["kl"]["low"] < true < figures["kl"]["high"]
    assert figures["kl"]["value"] == pytest.approx(true, rel=0.1)


def test_answers_are_drawn_at_the_temperature_of_the_model_itself() -> None:
    base, tuned = Letters(BASE), Letters(BASE)
    measure_forgetting(model(base), model(tuned), resamples=100, seed=3)
    assert [(one.temperature, one.seed) for one in base.asked] == [(0.0, 0), (1.0, 3), *[(0.0, 0)] * 3]
    assert [one.temperature for one in tuned.asked] == [0.0] * 3
    assert number_of_answers(base_is_kept=True) == 144
    assert number_of_answers(base_is_kept=False) == 2 * 40 + 144 + 144


def test_formats_are_compared_instruction_by_instruction() -> None:
    figures, rows = measure_forgetting(model(Letters(BASE, "yes")), model(Letters(BASE, "NO")), resamples=100)
    found = figures["formats"]
    assert "format-choice-01" not in [*found["lost"], *found["gained"]]
    assert "format-capitals-01" in found["gained"]
    assert "format-capitals-03" in found["lost"]
    shares = {row["id"]: (row["base_kept"], row["tuned_kept"]) for row in rows if "base_kept" in row}
    assert found["base"]["value"] == sum(base for base, _ in shares.values()) / 144
    assert found["difference"]["value"] == pytest.approx(found["tuned"]["value"] - found["base"]["value"])
    assert 0 <= found["tuned"]["low"] <= found["tuned"]["value"] <= found["tuned"]["high"] <= 1


def test_a_base_that_is_certain_has_no_share_to_rise_by() -> None:
    certain = Letters((1.0, 1e-9, 1e-9, 1e-9))
    figures, _ = measure_forgetting(model(certain), model(Letters(BASE)), resamples=100)
    assert figures["nll"]["change"] is None
    assert figures["nll"]["tuned"] == pytest.approx(math.log(2))


def test_the_echo_can_be_measured() -> None:
    echo = EchoGenerator("echo")
    figures, _ = measure_forgetting(Model(echo, echo), Model(echo, echo), resamples=100)
    assert figures["nll"]["change"]["value"] == 0
