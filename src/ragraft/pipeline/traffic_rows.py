"""The traffic log's rows. Knows what was asked and answered; writes nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ragraft.pipeline.enquiries import Answered, Prepared
from ragraft.records import to_json


def answered_row(answered: Answered, *, content: bool) -> dict[str, Any]:
    """A row of an answer, with question and texts only where `content` is wished for."""
    prepared, reply = answered.prepared, answered.reply
    told = {
        "question": prepared.question,
        "query": prepared.query,
        "answer": answered.content,
        "text": reply.completion.text,
    }
    return {
        **_head(prepared),
        **(told if content else {}),
        "citations": [passage.id for passage in reply.cited],
        "abstained": reply.parsed.abstained,
        "confidence": reply.confidence,
        "finish_reason": reply.completion.finish_reason,
        "prompt_tokens": answered.tokens[0],
        "answer_tokens": answered.tokens[1],
        "seconds": {
            "retrieve": round(prepared.retrieve_seconds, 4),
            "first": round(answered.first_seconds, 4),
            "all": round(answered.seconds, 4),
        },
    }


def left_row(prepared: Prepared, text: str, *, content: bool) -> dict[str, Any]:
    """A row of an answer that nobody waited for to its end."""
    told = {"question": prepared.question, "query": prepared.query, "text": text}
    return {**_head(prepared), **(told if content else {}), "finish_reason": "cancelled"}


def stamp() -> str:
    """Now, as rows have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _head(prepared: Prepared) -> dict[str, Any]:
    """What every row of an answer holds: ids and numbers, no content."""
    enquiry = prepared.enquiry
    return {
        "kind": "answer",
        "id": prepared.id,
        "at": stamp(),
        "asker": enquiry.asker,
        "model": enquiry.model,
        "by": prepared.by,
        "index": prepared.index,
        "retrieval": enquiry.retrieval,
        **({"decision": to_json(prepared.routed.decision)} if prepared.routed else {}),
        "passages": [{"id": passage.id, "score": float(passage.score)} for passage in prepared.fitted.passages],
        "cuts": {name: getattr(prepared.cuts, name) for name in ("copies", "passages", "exchanges", "ignored")},
    }
