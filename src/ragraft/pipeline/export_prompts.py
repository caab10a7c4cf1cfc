"""Write prompts as OpenAI's batch API and its like take them: each question of the exam, or of a file, with passages.

Knows runs; the prompts are those that evaluate and the server ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ragraft.methods.contexts import show
from ragraft.methods.limit import spread_questions
from ragraft.pipeline.ask import indexed
from ragraft.pipeline.runner import Session
from ragraft.pipeline.wiring import builder, finder, retriever
from ragraft.records import Passage, Question, to_json
from ragraft.workspace import Exam, Folder, Index

FILE = "batch.jsonl"
MOST = 50_000
"""Requests that OpenAI takes in one file."""
DECODED = "abstaining by probability and copying of quotes are ragraft's own decoding, and no request can ask for them"


def export_prompts(session: Session, out: Path, *, model: str, questions: Path | None) -> tuple[str, ...]:
    """Write batch.jsonl; what is to be told of it."""
    prompts = builder(indexed(session))
    shown = _exam(session) if questions is None else _asked(session, questions)
    rows = []
    for question, passages in shown:
        fitted = prompts.fit(question.question, passages)
        body: dict[str, Any] = {
            "model": model,
            "messages": [to_json(message) for message in fitted.prompt.messages],
            "temperature": 0,
            "max_tokens": prompts.answer_tokens,
        }
        rows.append({"custom_id": question.id, "method": "POST", "url": "/v1/chat/completions", "body": body})
    Folder(out).write_jsonl(FILE, rows)
    many = [f"OpenAI takes {MOST:,} requests a file, and these are {len(rows):,}: split it"] if len(rows) > MOST else []
    return (*many, DECODED)


def _exam(session: Session) -> list[tuple[Question, Sequence[Passage]]]:
    """The exam's questions with the passages that its retrieved context shows."""
    at, settings = session.at(), session.config.evaluate
    asked, _ = spread_questions(Exam(at.made["examine"]).questions("exam"), settings.max_questions, seed=settings.seed)
    shown = show(
        "retrieved", asked, finder=finder(at), chunks=Index(at.made["index"]).passages(), k=session.config.retrieve.k
    )
    return [(one.question, passages) for one, passages in shown]


def _asked(session: Session, file: Path) -> list[tuple[Question, Sequence[Passage]]]:
    """A file's questions with what the run's retriever finds for them. Raises InputError for a file that is wrong."""
    from ragraft.stages.examine import read_all

    asked = [question for question, _ in read_all(file)[0]]
    found = (session.backends.retriever or retriever(session.at())).retrieve(
        [question.question for question in asked], session.config.retrieve.k
    )
    return list(zip(asked, found, strict=True))
