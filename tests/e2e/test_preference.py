"""From documents to a model that prefers its documents: raft, then the preference stage, with a real (tiny) model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("trl", reason="the preference stage needs the extra ragraft[preference]")

from ragraft.models import load
from ragraft.pipeline import open_session, run_table, show

if TYPE_CHECKING:
    from tests.conftest import Site


def test_raft_then_dpo(make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "pick_device", lambda: "cpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    site = make_site(
        synthesize={"max_questions": 10, "max_validation": 2, "distractors": [0, 1], "oracle_share": 0.7},
        train={"preference": "dpo", "epochs": 1, "rank": 2, "batch": 4, "dpo": {"batch": 4}},
        evaluate={"generator": "transformers", "models": ["tuned"], "contexts": ["retrieved"], "max_questions": 4},
    )
    session = open_session(site.file)
    made = run_table(session, lambda event: None)
    cards = show(session, "checkpoint", 1)
    assert list(cards) == ["01-raft", "02-dpo"]
    card = cards["02-dpo"]
    pairs = list(made["train"].folder("02-dpo").read_jsonl("pairs.jsonl"))
    assert (card["method"], card["after"], card["rows"]) == ("dpo", "01-raft", len(pairs))
    assert 0 < len(pairs) <= 10
    assert {"preferred", "margin", "preference"} <= set(card)
    assert show(session, "report", 1)["training"]["02-dpo"]["rows"] == len(pairs)
    again: list[tuple[str, str]] = []
    run_table(session, lambda event: again.append((event.stage, event.state)))
    assert {state for _, state in again} == {"unchanged"}
