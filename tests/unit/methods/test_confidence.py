"""Calibration, against the definitions and scikit-learn."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ragraft.methods.answer import Reply, parse
from ragraft.methods.confidence import Sure, calibration, confidence
from ragraft.methods.prompt import Fitted
from ragraft.records import Completion, Prompt


def reply(text: str, *logprobs: float) -> Reply:
    completion = Completion(text, logprobs=logprobs or None)
    return Reply(Fitted(Prompt(()), ()), completion, parse(text, "not in the documents."))


def words(text: str) -> int:
    return len(text.split())


def test_confidence_is_that_of_the_answer_without_its_quote() -> None:
    half = math.log(0.5)
    assert confidence(reply('Answer: mill\n"The mill." [1]', half, half, -9.0, -9.0, -9.0), words) == pytest.approx(0.5)
    assert confidence(reply("Answer: mill", 0.0, math.log(0.25)), words) == pytest.approx(0.5)
    assert confidence(reply("", -1.0), words) == pytest.approx(math.exp(-1))
    assert confidence(reply("Answer: mill"), words) is None


def test_perfect_and_worst_calibration() -> None:
    sure = [Sure(1.0, True, f"c{n}") for n in range(8)]
    assert calibration(sure, resamples=100, seed=0)["ece"]["value"] == 0.0
    assert calibration(sure, resamples=100, seed=0)["auroc"] is None
    wrong = [Sure(0.9, False, f"c{n}") for n in range(8)]
    assert calibration(wrong, resamples=100, seed=0)["ece"]["value"] == pytest.approx(0.9)
    assert calibration([], resamples=100, seed=0) == {}


def test_figures_equal_their_definitions() -> None:
    draw = random.Random(3)
    rows = [Sure(draw.random(), draw.random() < 0.4, f"c{draw.randrange(40)}") for _ in range(150)]
    found = calibration(rows, resamples=200, seed=0)
    right, sure = [row.right for row in rows], [row.confidence for row in rows]
    assert found["auroc"]["value"] == pytest.approx(roc_auc_score(right, sure))
    assert found["auroc"]["low"] < found["auroc"]["value"] < found["auroc"]["high"]
    bins = np.digitize(sure, np.linspace(0, 1, 11)[1:-1])
    by_hand = sum(
        abs(np.mean([right[i] for i in inside]) - np.mean([sure[i] for i in inside])) * len(inside) / len(rows)
        for number in range(10)
        if (inside := [i for i, place in enumerate(bins) if place == number])
    )
    assert found["ece"]["value"] == pytest.approx(by_hand)
    assert sum(row["n"] for row in found["bins"]) == found["n"] == 150


def test_a_single_right_answer_leaves_no_interval() -> None:
    rows = [Sure(n / 10, n == 4, f"c{n}") for n in range(6)]
    area = calibration(rows, resamples=100, seed=0)["auroc"]
    assert area["value"] == pytest.approx(4 / 5)
    assert (area["low"], area["high"]) == (None, None)
