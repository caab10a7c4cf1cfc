"""From documents to a calibrated model with a real (tiny) model: the report shows it, ask and serve go by it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import torch

from ragraft.models import load
from ragraft.pipeline import Answered, Enquiry, Service, ask, open_service, open_session, run_table, show
from ragraft.records import Message
from tests.conftest import lighthouse_questions

if TYPE_CHECKING:
    from tests.conftest import Site


async def served(service: Service, question: str) -> Answered:
    enquiry = Enquiry((Message("user", question),), "tuned", retrieval="auto")
    found = [piece.answered async for piece in service.answer(await service.prepare(enquiry))]
    assert found[-1] is not None
    return found[-1]


def test_a_calibration_is_shown_and_obeyed(make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "pick_dtype", lambda precision, device: torch.float32)
    monkeypatch.setattr(load, "pick_device", lambda: "cpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    site = make_site(
        examine={"shares": {"train": 0.4, "validation": 0.1, "calibration": 0.3, "exam": 0.2}},
        synthesize={"max_questions": 6, "max_validation": 2, "copies": 1, "distractors": [0, 1]},
        train={"epochs": 1, "rank": 2, "batch": 4},
        calibrate={"max_loss": 0.5, "resamples": 100},
        evaluate={
            "generator": "transformers",
            "models": ["base", "tuned"],
            "contexts": ["none", "retrieved"],
            "max_questions": 4,
        },
    )
    run_table(open_session(site.file), lambda event: None, last="calibrate")
    run_table(open_session(site.file), lambda event: None)
    session = open_session(site.file)
    data = show(session, "calibration", 1)
    assert show(session, "report", 1)["calibration"] == data
    page = (site.run / "80-report" / "report.html").read_text("utf-8")
    assert "When it can do without retrieval" in page
    assert "the square is auto as it is" in page
    assert data["exam"]["n"] == 4
    assert data["calibration"]["calibration"]["closed_book"]["before"]["n"] > 0, "its probabilities are known"
    service = open_service(session)
    question = lighthouse_questions()[0]["question"]
    one, asked = asyncio.run(served(service, question)), ask(session, question, retrieval="auto")
    service.close()
    assert one.prepared.routed is not None
    assert asked.decision is not None
    assert one.prepared.decision == asked.decision.route == "skip", "a model of noise loses nothing"
    assert one.reply.parsed == asked.reply.parsed
    assert one.prepared.routed.decision.closed_book == pytest.approx(asked.decision.closed_book, abs=1e-4)
