from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ragraft.backends.generators import scoring
from ragraft.backends.generators.scoring import Given, logprobs, windows
from ragraft.backends.generators.transformers import TransformersGenerator
from ragraft.errors import BackendError
from ragraft.models.load import open_model
from ragraft.records import Message, Prompt


@pytest.fixture(scope="module")
def network(tiny_model: Path) -> Any:
    return open_model(str(tiny_model), precision="fp32", device="cpu")[0]


def told(network: Any, ids: tuple[int, ...]) -> list[float]:
    """What the network says of every token after the first, read in one piece and looked up one by one."""
    with torch.no_grad():
        scores = network(input_ids=torch.tensor([ids])).logits[0].double().log_softmax(-1)
    return [float(scores[place, token]) for place, token in enumerate(ids[1:])]


@given(size=st.integers(1, 90), window=st.integers(4, 30))
def test_windows_score_every_token_once_after_the_tokens_before_it(size: int, window: int) -> None:
    parts = list(windows(Given(tuple(range(size)), 1), window))
    assert [token for part in parts for token in part.ids[part.start :]] == list(range(1, size))
    for part in parts:
        assert len(part.ids) <= window
        assert part.ids == tuple(range(part.ids[0], part.ids[-1] + 1))
        # A token is read after all that there is, or after at least a fourth of a window.
        assert part.start >= (1 if part.ids[0] == 0 else window // scoring.OLD)


@pytest.mark.parametrize("most", [1, 40, 1000])
def test_batches_say_what_each_row_says_alone(network: Any, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(scoring, "MOST_TOKENS", {"cpu": most})
    monkeypatch.setattr(scoring, "COLUMNS", 7)
    draw = torch.Generator().manual_seed(1)
    rows = [
        Given(tuple(torch.randint(3, 300, (size,), generator=draw).tolist()), start)
        for size, start in ((2, 1), (30, 20), (9, 1), (31, 30), (24, 1), (12, 11), (11, 4))
    ]
    with torch.inference_mode():
        found = logprobs(network, rows)
    for row, values in zip(rows, found, strict=True):
        assert values == pytest.approx(told(network, row.ids)[row.start - 1 :], abs=1e-4)


def test_rows_of_like_length_are_read_together() -> None:
    batches = list(scoring._batches([10, 100, 90, 9, 80, 60, 10], 300))
    assert batches == [[1, 2, 4], [5], [0, 6, 3]]


def test_a_long_text_is_read_in_windows(tiny_model: Path, network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = TransformersGenerator(str(tiny_model))
    generator._network = network
    monkeypatch.setattr("ragraft.backends.generators.transformers.WIDEST", 64)
    text = "the walrus rests on ice and the penguin swims under the same ice again " * 12
    (row,) = generator.score([None], [text])
    ids = tuple(generator.tokenizer.text_ids(text))
    assert row.token_ids == ids[1:]
    assert row.values[:63] == pytest.approx(told(network, ids[:64]), abs=1e-4)
    # The second window begins a fourth of a window before the first one's end.
    assert row.values[63:111] == pytest.approx(told(network, ids[48:112])[15:], abs=1e-4)


def test_an_answer_is_scored_after_its_prompt(tiny_model: Path, network: Any) -> None:
    generator = TransformersGenerator(str(tiny_model))
    generator._network = network
    prompt = Prompt((Message("user", "where does the walrus rest"),))
    (row,) = generator.score([prompt], ["on ice"])
    before = generator.tokenizer.render(prompt)
    whole = told(network, (*before, *row.token_ids))
    assert row.token_ids == tuple(generator.tokenizer.target_ids("on ice"))
    assert row.values == pytest.approx(whole[len(before) - 1 :], abs=1e-4)


def test_a_prompt_over_the_window_is_refused(tiny_model: Path) -> None:
    generator = TransformersGenerator(str(tiny_model))
    with pytest.raises(BackendError, match=r"^A prompt and its answer hold \d+ tokens, more than .* of 2048; lower "):
        generator.score([Prompt((Message("user", "walrus " * 3000),))], ["ice"])
