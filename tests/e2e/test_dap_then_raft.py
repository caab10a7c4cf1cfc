"""A chain of DAP and RAFT, from documents to the report, with a real (tiny) model and real training."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from ragraft.errors import InputError
from ragraft.models import load
from ragraft.pipeline import open_session, run_table

if TYPE_CHECKING:
    from tests.conftest import Site

SETTINGS: dict[str, Any] = {
    "instructions": "chat.jsonl",
    "examine": {"recall_at": [2]},
    "synthesize": {"max_questions": 6, "max_validation": 2, "copies": 1, "distractors": [0, 1]},
    "dap": {"force": True, "row_tokens": 256},
    "train": {
        "method": ["dap", "raft"],
        "epochs": 1,
        "steps": {"dap": {"learning_rate": 3e-3, "batch": 4}, "raft": {"rank": 2, "batch": 4}},
    },
    "evaluate": {"generator": "transformers", "models": ["base", "tuned"], "contexts": ["none"], "max_questions": 2},
    "report": {"examples": 0},
}


@pytest.fixture
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "pick_device", lambda: "cpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def prepared(site: Site) -> Site:
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"Say {n}."},
                {"role": "assistant", "content": f"{n} and again {n}."},
            ]
        }
        for n in range(20)
    ]
    (site.folder / "chat.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return site


def test_dap_then_raft(make_site: Callable[..., Site], on_the_cpu: None) -> None:
    site = prepared(make_site(**SETTINGS))
    made = run_table(open_session(site.file), lambda event: None)
    lessons, checkpoint = made["synthesize"], made["train"]
    counts = lessons.folder("01-dap").read_json("counts.json")
    assert (counts["documents learned"], counts["documents kept out"]) == (11, 1)
    assert counts["lessons, text"] >= 11
    assert counts["lessons, general"] == 20
    assert "fewer than the 10,000,000" in lessons.read_json("summary.json")["warning"]
    first, second = (
        json.loads((checkpoint.path / name / "checkpoint.json").read_text()) for name in ("01-dap", "02-raft")
    )
    assert (first["tuning"], first["method"], second["tuning"], second["after"]) == ("full", "dap", "lora", "01-dap")
    card = made["evaluate"].read_json("scorecard.json")
    held = card["texts"]["held-out documents"]
    assert held["pieces"] == 1
    assert list(held["bits_per_byte"]) == ["base", "01-dap", "02-raft"]
    assert held["change"]["01-dap"]["value"] < -0.02, "a tiny model learns what lighthouse texts look like"
    assert card["texts"]["general text"]["pieces"] == 24
    assert (
        "Bits per byte on held-out documents (fewer is better): base "
        in (made["report"].path / "report.html").read_text()
    )
    states: dict[str, str] = {}
    run_table(open_session(site.file), lambda event: states.update({event.stage: event.state}))
    assert set(states.values()) == {"unchanged"}


def test_too_little_text_stops_before_anything_is_trained(make_site: Callable[..., Site]) -> None:
    site = prepared(make_site(**{**SETTINGS, "dap": {"row_tokens": 256}}))
    with pytest.raises(InputError, match=r"^Too little text for dap: the documents make [\d,]+ tokens, "):
        run_table(open_session(site.file), lambda event: None)
    assert not (site.run / "60-checkpoint").exists()
