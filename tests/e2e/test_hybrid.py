"""Hybrid from documents to lessons and weights, with a real (tiny) model, after dap and with the base's own answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from ragraft.methods.seeds import asks_held_out
from ragraft.models import load
from ragraft.pipeline import open_session, run_table
from ragraft.workspace import Lessons

if TYPE_CHECKING:
    from tests.conftest import Site

SETTINGS: dict[str, Any] = {
    "examine": {"recall_at": [2]},
    "synthesize": {"max_questions": 8, "max_validation": 2, "copies": 2, "distractors": [0, 1]},
}


def test_dap_then_hybrid(make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "pick_device", lambda: "cpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    site = make_site(
        **SETTINGS,
        instructions="chat.jsonl",
        dap={"force": True, "row_tokens": 256},
        hybrid={"with_documents": 0},
        train={
            "method": ["dap", "hybrid"],
            "epochs": 1,
            "steps": {"dap": {"batch": 8}, "hybrid": {"rank": 2, "batch": 4}},
        },
    )
    rows = [
        {"messages": [{"role": "user", "content": f"Say {n}."}, {"role": "assistant", "content": f"It is {n}."}]}
        for n in range(80)
    ]
    (site.folder / "chat.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    made = run_table(open_session(site.file), lambda event: None, last="train")
    lessons = Lessons(made["synthesize"]).steps()["02-hybrid"]
    counts = lessons.counts()
    assert counts["domain, rows"] > 0
    assert counts["general, rows"] > 0
    card = json.loads((made["train"].path / "02-hybrid" / "checkpoint.json").read_text("utf-8"))
    first = [row for row in lessons.train() if row.copy == 0]
    asked = [row for row in first if not row.part]
    assert (card["method"], card["after"], card["copies"]) == ("hybrid", "01-dap", 2)
    assert card["questions_seen"] == len(asked) > 4, "what is mixed in takes the place of no question"
    assert card["rows"] == len(lessons.train()) > 2 * len(asked)
    assert card["steps"] <= 2
    lint = made["train"].read_json("lint.json")["02-hybrid"]
    assert not [row for row in lint["findings"] if row["state"] == "grave"]


def test_the_base_models_own_answers_are_learned_and_kept(make_site: Callable[..., Site]) -> None:
    site = make_site(**SETTINGS, train={"method": "hybrid"})
    made = run_table(open_session(site.file), lambda event: None, last="synthesize")
    [lessons] = Lessons(made["synthesize"]).steps().values()
    own = [row for row in lessons.train() if row.part == "general"]
    assert own
    assert not any(asks_held_out(row.prompt) for row in own)
    answers, lines = site.answers(), lessons.folder.file("lessons.jsonl").read_bytes()
    assert answers
    run_table(open_session(site.file), lambda event: None, first="synthesize", last="synthesize")
    assert (site.answers(), lessons.folder.file("lessons.jsonl").read_bytes()) == (answers, lines)
