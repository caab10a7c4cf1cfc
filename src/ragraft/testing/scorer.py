"""The contract of a Scorer. Subclass ScorerContract and give it a `scorer` fixture; knows no adapter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ragraft.ports import Scorer
from ragraft.records import LogProbs, Message, Prompt

TEXT = "The walrus rests on thick ice. The penguin swims under the same ice again."
TEXTS = (TEXT, "the walrus", "ice and the same ice, and " * 30, "🚀 שלום <|im_end|>", TEXT)
ROUNDING = 2e-3
"""A row's last bits depend on the rows beside it."""


def asked(place: str) -> Prompt:
    """A prompt whose likely answer depends on one word."""
    return Prompt((Message("system", "Answer."), Message("user", f"Question: is the walrus on {place} ice?")))


class ScorerContract:
    """What every Scorer does. `scorer` is the one fixture that a subclass provides."""

    def test_a_logarithm_of_a_probability_for_each_token(self, scorer: Scorer) -> None:
        for prompts in ([None] * len(TEXTS), [asked("thin")] * len(TEXTS)):
            for row in scorer.score(prompts, TEXTS):
                assert len(row.values) == len(row.token_ids) > 0
                assert all(value <= 0 and math.isfinite(value) for value in row.values)
                assert math.isclose(row.total, sum(row.values), rel_tol=1e-9)

    def test_in_order_and_whatever_stands_beside(self, scorer: Scorer) -> None:
        prompts = [None, asked("thick"), None, asked("thin"), asked("thin")]
        together = scorer.score(prompts, TEXTS)
        backwards = scorer.score(prompts[::-1], TEXTS[::-1])[::-1]
        alone = [scorer.score([prompt], [text])[0] for prompt, text in zip(prompts, TEXTS, strict=True)]
        _assert_alike(together, backwards)
        _assert_alike(together, alone)

    def test_what_comes_later_changes_nothing_before(self, scorer: Scorer) -> None:
        short, long = scorer.score([None, None], [TEXT, f"{TEXT} And so on and so on."])
        assert long.token_ids[: len(short.token_ids)] == short.token_ids
        assert _near(long.values[: len(short.values)], short.values)

    def test_an_answer_ends_its_turn(self, scorer: Scorer) -> None:
        (empty,), (one,) = (scorer.score([asked("thin")], [text]) for text in ("", TEXT))
        assert len(empty.token_ids) == 1
        assert one.token_ids[-1] == empty.token_ids[-1]

    def test_the_prompt_is_read(self, scorer: Scorer) -> None:
        thick, thin = scorer.score([asked("thick"), asked("thin")], ["thick", "thick"])
        assert thick.token_ids == thin.token_ids
        assert thick.total != thin.total

    def test_a_shared_prompt_is_the_prompt_alone(self, scorer: Scorer) -> None:
        options = ["thick", "thin", "old and thick", "no"]
        together = scorer.score([asked("old " * 40)] * len(options), options)
        _assert_alike(together, [scorer.score([asked("old " * 40)], [option])[0] for option in options])

    def test_nothing_in_nothing_out(self, scorer: Scorer) -> None:
        assert scorer.score([], []) == []
        (row,) = scorer.score([None], [""])
        assert row == LogProbs((), ())
        assert row.total == 0


def _near(found: Sequence[float], wanted: Sequence[float]) -> bool:
    return all(math.isclose(a, b, abs_tol=ROUNDING) for a, b in zip(found, wanted, strict=True))


def _assert_alike(found: Sequence[Any], wanted: Sequence[Any]) -> None:
    assert [row.token_ids for row in found] == [row.token_ids for row in wanted]
    assert all(_near(a.values, b.values) for a, b in zip(found, wanted, strict=True))
