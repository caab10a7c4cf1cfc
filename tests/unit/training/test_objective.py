from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from ragraft.models.attention import use_cpu_attention
from ragraft.training.objective import completion_loss
from ragraft.training.rows import IGNORED, Row, collate

IDS = st.lists(st.integers(3, 350), min_size=2, max_size=24)
ROW = IDS.flatmap(lambda ids: st.builds(Row, st.just(tuple(ids)), st.integers(1, len(ids) - 1)))
ROWS = st.lists(ROW, min_size=1, max_size=4)


@pytest.fixture(scope="module", params=["sdpa", "ours"])
def network(request: pytest.FixtureRequest, tiny_model: Path) -> Any:
    found = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32).eval()
    if request.param == "ours":
        assert use_cpu_attention(found)
    return found


def gradients(network: Any, loss: torch.Tensor) -> list[torch.Tensor]:
    return list(torch.autograd.grad(loss, list(network.parameters())))


@settings(max_examples=20, deadline=None)
@given(rows=ROWS)
@example(rows=[Row((5, 6, 7), 1)])
@example(rows=[Row((5, 6), 1), Row(tuple(range(3, 60)), 56)])
@example(rows=[Row((5, 6, 7, 8, 9), 4), Row((5, 6, 7), 1)])
def test_equals_the_loss_of_transformers_on_all_logits(network: Any, rows: list[Row]) -> None:
    batch = collate(rows, 0)
    count = int((batch["labels"] != IGNORED).sum())
    expected = network(**batch).loss * count
    found = completion_loss(network, batch)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-5)
    for ours, theirs in zip(gradients(network, found), gradients(network, expected), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(rows=ROWS)
def test_a_batch_is_the_sum_of_its_rows(network: Any, rows: list[Row]) -> None:
    with torch.no_grad():
        alone = sum(completion_loss(network, collate([row], 0)) for row in rows)
        torch.testing.assert_close(completion_loss(network, collate(rows, 0)), alone, rtol=1e-5, atol=1e-4)


def test_the_head_sees_the_answers_alone(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    hook = network.lm_head.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].shape[1]))
    completion_loss(network, collate([Row(tuple(range(3, 43)), 36), Row(tuple(range(3, 13)), 8)], 0))
    hook.remove()
    assert seen == [5]
