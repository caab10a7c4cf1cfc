"""Candidates batch by batch until enough have passed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ragraft.methods.candidates import Candidate, Turned, Verdict, make_candidate
from ragraft.methods.sources import BATCH, Batch, Mined, Written, gather, written
from ragraft.records import Chunk, Completion, Prompt, Sampling

CHUNKS = [Chunk(f"d#{row}", "d", "Lamps", f"Lamp {row} burns oil.", 0, 20, 4) for row in range(10)]


def candidates(number: int) -> list[Candidate]:
    return [
        make_candidate(CHUNKS[0], f"What of {row}?", answers=["oil"], evidence=[], kind="x", made_by="t")
        for row in range(number)
    ]


def every_second(rows: Sequence[Candidate]) -> list[Verdict]:
    return [one if int(one.question[8:-1]) % 2 else Turned(one, "even") for one in rows]


@pytest.mark.parametrize("limit", [1, 40, 99, 500])
def test_no_more_than_wanted_pass_and_all_are_accounted_for(limit: int) -> None:
    told: list[int] = []
    source = Mined(candidates(200), 10)
    found = gather(source, limit, every_second, tell=told.append)
    assert len(found.passed) == min(limit, 100)
    assert len(found.passed) + len(found.turned) + source.untried == 200
    assert told == sorted(told)
    assert told[-1] == len(found.passed)


def test_what_a_batch_brings_beyond_the_limit_is_told() -> None:
    rows = candidates(6)
    source = Written([CHUNKS[:1]], lambda chunks: Batch(rows, [Turned(replace(rows[0], id="t"), "bad form")]))
    found = gather(source, 2, every_second)
    assert [one.question for one in found.passed] == ["What of 1?", "What of 3?"]
    assert [one.reason for one in found.turned] == ["bad form", "even", "even", "even", "beyond the limit"]


def test_a_source_of_which_nothing_passes_is_asked_no_more() -> None:
    asked: list[int] = []

    def ask(chunks: Sequence[Chunk]) -> Batch:
        asked.append(len(chunks))
        return Batch(candidates(2))

    def refuse(rows: Sequence[Candidate]) -> list[Verdict]:
        return [Turned(one, "no") for one in rows]

    source = Written([CHUNKS[row : row + 2] for row in range(0, 10, 2)], ask)
    assert gather(source, 5, refuse, patience=4).passed == []
    assert (asked, source.chunks) == ([2, 2], 4)


def test_a_model_is_asked_chunk_by_chunk_in_seeded_order() -> None:
    seen: list[list[str]] = []

    class Writer:
        def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
            seen.append([one.messages[-1].content for one in prompts])
            return [Completion("Question: What burns?\nAnswer: oil") for _ in prompts]

    def all_of(seed: int) -> list[str]:
        seen.clear()
        source = written(CHUNKS, Writer(), model="m", number=1, temperature=0, seed=seed, batch=4)
        while source.next(BATCH):
            pass
        assert [len(batch) for batch in seen] == [4, 4, 2]
        return [text for batch in seen for text in batch]

    assert all_of(0) == all_of(0) != all_of(1)
    assert sorted(all_of(0)) == sorted(f"{one.title}\n{one.text}" for one in CHUNKS)
