"""How foreign a language is: measured against general text, with a scorer that finds some words unlikely."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ragraft.methods.bits_per_byte import Sample
from ragraft.methods.jargon import measure_jargon, sample_chunks
from ragraft.records import Chunk, LogProbs, Prompt

PLAIN = [Sample(f"p{n}", "a plain line of short words", f"p{n}") for n in range(8)]
FOREIGN = [Sample(f"f{n}", "xyzzy plugh fnord quux words", f"f{n}") for n in range(8)]


class Foreign:
    """Finds foreign words eight times less likely."""

    def score(self, prompts: Sequence[Prompt | None], texts: Sequence[str]) -> list[LogProbs]:
        rows = [tuple(-8.0 if set(word) & set("xzq") or word == "fnord" else -1.0 for word in t.split()) for t in texts]
        return [LogProbs(tuple(range(len(row))), row) for row in rows]


def count(text: str) -> int:
    return sum(3 if set(word) & set("xzq") else 1 for word in text.split())


def test_foreign_texts_cost_more_bits_and_tokens() -> None:
    found = measure_jargon(FOREIGN, PLAIN, scorer=Foreign(), count=count, resamples=100, seed=0)
    assert found["bits per byte"]["ratio"]["low"] > 3
    assert found["tokens a word"]["ratio"]["value"] == pytest.approx((2 * 3 + 3) / 5)
    same = measure_jargon(PLAIN, PLAIN, scorer=Foreign(), count=count, resamples=100, seed=0)
    assert same["bits per byte"]["ratio"]["value"] == 1.0
    assert same["pieces"] == {"documents": 8, "general text": 8}


def test_without_a_scorer_tokens_a_word_are_left() -> None:
    found = measure_jargon(FOREIGN, PLAIN, scorer=None, count=count, resamples=100, seed=0)
    assert "bits per byte" not in found
    assert "tokens a word" in found
    assert "tokens a word" not in measure_jargon([], PLAIN, scorer=None, count=count, resamples=100, seed=0)


def test_chunks_are_drawn_by_hash_whatever_their_order() -> None:
    chunks = [Chunk(f"d{n // 3}#{n % 3}", f"d{n // 3}", "", f"text {n}", 0, 6, 2) for n in range(30)]
    empty = Chunk("e#0", "e", "", "  ", 0, 2, 0)
    drawn = sample_chunks([*chunks, empty], 7, seed=1)
    assert drawn == sample_chunks([empty, *chunks[::-1]], 7, seed=1)
    assert len(drawn) == 7
    assert {one.cluster for one in drawn} <= {f"d{n}" for n in range(10)}
    assert len(sample_chunks([*chunks, empty], 99, seed=1)) == 30
