"""Rows that join and leave a batch under way get the answers that they would get alone."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ragraft.backends.generators import engine as module
from ragraft.backends.generators.decoding import forward
from ragraft.backends.generators.transformers import TransformersGenerator
from ragraft.errors import BackendError
from ragraft.models import load
from ragraft.records import Message, Prompt, Sampling, Turn
from ragraft.testing.streamer import all_written, written
from tests.unit.backends.generators.test_transformers import LONG, prompts, save_beside

GREEDY = Sampling(max_tokens=24)


@pytest.fixture(autouse=True)
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """float32 on a CPU: two ways to the same answer then differ by less than two tokens ever do."""
    monkeypatch.setattr(load, "pick_dtype", lambda precision, device: torch.float32)
    monkeypatch.setattr(load, "pick_device", lambda: "cpu")


@pytest.fixture
def generator(tiny_model: Path) -> TransformersGenerator:
    return TransformersGenerator(str(tiny_model))


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens each forward pass of a single row reads."""
    read: list[int] = []

    def counting(network: Any, ids: list[int], start: int, cache: Any = None) -> Any:
        read.append(len(ids))
        return forward(network, ids, start, cache)

    monkeypatch.setattr(module, "forward", counting)
    return read


def test_quotes_are_copied_and_the_abstention_weighed_as_by_the_generator(generator: TransformersGenerator) -> None:
    sources = ("the walrus rests on ice", "the stapler binds paper again and again")
    for above in (0.0001, 0.5, 0.999):
        for prompt in prompts("where?", "penguin " * 20, "ice"):
            (free,) = generator.generate([prompt], replace(GREEDY, max_tokens=1))
            turn = Turn(free.text, " not there", above)
            sampling = replace(GREEDY, turn=turn, sources=(sources,))
            (alike,) = generator.generate([prompt], sampling)
            _, whole = asyncio.run(written(generator, prompt, sampling))
            assert (whole.text, whole.token_ids) == (alike.text, alike.token_ids)
            assert whole.logprobs == pytest.approx(alike.logprobs, abs=1e-4)


def test_what_a_prompt_begins_with_alike_is_read_once(
    generator: TransformersGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = prompts("where does the walrus rest?", "where does the penguin swim?", "where?", system=LONG)
    alone = [one.text for one in generator.generate(asked, GREEDY)]
    lengths = [generator.tokenizer.count_prompt(prompt) for prompt in asked]
    read = counted(monkeypatch)
    for _ in range(2):
        assert [text for text, _ in asyncio.run(all_written(generator, asked, GREEDY))] == alone
    first, *others = read
    assert first == lengths[0]
    assert all(number < length / 2 for number, length in zip(others[:2], lengths[1:], strict=True))
    assert others[2:] == [1, 1, 1], "a prompt that was read before needs its last token alone"


def test_a_row_that_nobody_waits_for_leaves_the_batch(
    generator: TransformersGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    step = module.Together.step

    def noting(self: Any, tokens: list[int]) -> Any:
        sizes.append(len(tokens))
        return step(self, tokens)

    monkeypatch.setattr(module.Together, "step", noting)

    async def leave_after_a_piece() -> None:
        async with aclosing(generator.stream(prompts("ice")[0], replace(GREEDY, max_tokens=1500))) as pieces:
            async for piece in pieces:
                assert piece.completion is None
                return

    asyncio.run(leave_after_a_piece())
    asyncio.run(all_written(generator, prompts("where?"), GREEDY))
    assert sizes[-20:] == [1] * 20
    assert len(sizes) < 500


def test_more_than_the_batch_holds_wait_their_turn(
    generator: TransformersGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS", 3)
    asked = prompts(*("ice " * number for number in range(1, 9)))
    found = asyncio.run(all_written(generator, asked, GREEDY))
    assert [text for text, _ in found] == [one.text for one in generator.generate(asked, GREEDY)]
    assert generator.load == (0, 0)


def test_what_fails_fails_alone(generator: TransformersGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    async def one_too_long() -> list[Any]:
        (good,) = prompts("where?")
        bad = Prompt((Message("user", "ice " * 3000),))
        return await asyncio.gather(
            *(written(generator, prompt, GREEDY) for prompt in (good, bad, good)), return_exceptions=True
        )

    (first, _), error, (last, _) = asyncio.run(one_too_long())
    assert first == last
    assert isinstance(error, BackendError)
    assert "leaves no room for 24 more in the model's window of 2048" in str(error)

    def fail(self: Any, tokens: list[int]) -> Any:
        raise MemoryError("none left")

    with monkeypatch.context() as patch:
        patch.setattr(module.Together, "step", fail)
        with pytest.raises(MemoryError):
            asyncio.run(written(generator, prompts("where?")[0], GREEDY))
    assert asyncio.run(written(generator, prompts("where?")[0], GREEDY))[0] == first


@pytest.mark.parametrize(
    ("kind", "changes"),
    [("mistral", {"sliding_window": 16}), ("lfm2", {"layer_types": ["conv", "full_attention"]})],
    ids=["window", "states"],
)
def test_a_cache_that_cannot_be_stacked(tiny_model: Path, tmp_path: Path, kind: str, changes: dict[str, Any]) -> None:
    generator = TransformersGenerator(str(save_beside(tiny_model, tmp_path / "model", kind, **changes)))
    asked = prompts("where?", "penguin " * 20, "ice", system=LONG)
    found = asyncio.run(all_written(generator, asked, GREEDY))
    assert [whole.token_ids for _, whole in found] == [one.token_ids for one in generator.generate(asked, GREEDY)]


def test_no_half_letter_and_no_white_space_at_the_end_is_told(generator: TransformersGenerator) -> None:
    async def pieces(prompt: Prompt) -> list[str]:
        sampling = Sampling(max_tokens=60, temperature=2.0, seed=5)  # bytes of many letters
        return [piece.text async for piece in generator.stream(prompt, sampling)]

    for prompt in prompts("where?", "🚀", "ice"):
        *told, _ = asyncio.run(pieces(prompt))
        text = "".join(told)
        assert not text.endswith("\ufffd")
        assert text == text.strip()
        assert len(told) > 10


def test_a_closed_generator_lets_its_network_go(tiny_model: Path) -> None:
    generator = TransformersGenerator(str(tiny_model))
    (prompt,) = prompts("where?")
    before = asyncio.run(written(generator, prompt, GREEDY))
    generator.close()
    generator.close()
    assert asyncio.run(written(generator, prompt, GREEDY)) == before, "who asks it again gets a new thread"
    thread = generator._engine._thread
    network = weakref.ref(generator._network)
    generator.close()
    assert thread is not None
    assert not thread.is_alive()
    del generator
    gc.collect()
    assert network() is None


def test_answers_under_way_when_it_is_closed_are_told(generator: TransformersGenerator) -> None:
    (prompt,) = prompts("where?")

    async def ask() -> None:
        async with aclosing(generator.stream(prompt, Sampling(max_tokens=1500))) as deltas:
            async for _ in deltas:
                await asyncio.to_thread(generator.close)

    with pytest.raises(BackendError, match=r"^This model was let go meanwhile; ask again$"):
        asyncio.run(ask())
