"""What clients get: OpenAI's objects, each choice with the field `ragraft`. Plain data; knows no HTTP."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal

from ragraft.pipeline import Answered, Piece, Prepared
from ragraft.records import Passage, to_json

Kind = Literal["chat", "text"]
OBJECTS: dict[tuple[Kind, bool], str] = {
    ("chat", False): "chat.completion",
    ("chat", True): "chat.completion.chunk",
    ("text", False): "text_completion",
    ("text", True): "text_completion",
}


def completion(kind: Kind, answers: Sequence[Answered], *, as_text: bool) -> dict[str, Any]:
    """A finished answer, or several."""
    first = answers[0].prepared
    choices = [_choice(kind, place, answered, as_text=as_text) for place, answered in enumerate(answers)]
    return {**_frame(kind, first.id, first.enquiry.model, streamed=False), "choices": choices, "usage": usage(answers)}


def opening(kind: Kind, name: str, model: str) -> dict[str, Any]:
    """The first chunk of a streamed chat: who speaks."""
    choice = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
    return {**_frame(kind, name, model, streamed=True), "choices": [choice]}


def chunk(kind: Kind, name: str, model: str, content: str) -> dict[str, Any]:
    """A chunk of a streamed answer."""
    part = {"delta": {"content": content}} if kind == "chat" else {"text": content, "logprobs": None}
    return {
        **_frame(kind, name, model, streamed=True),
        "choices": [{"index": 0, **part, "finish_reason": None}],
    }


def closing(kind: Kind, answered: Answered) -> dict[str, Any]:
    """The chunk that ends a streamed answer and holds what is known of it."""
    prepared = answered.prepared
    part: dict[str, Any] = {"delta": {}} if kind == "chat" else {"text": "", "logprobs": None}
    choice = {"index": 0, **part, "finish_reason": answered.reply.completion.finish_reason, "ragraft": extra(answered)}
    return {**_frame(kind, prepared.id, prepared.enquiry.model, streamed=True), "choices": [choice]}


def usage_chunk(kind: Kind, answered: Answered) -> dict[str, Any]:
    """The chunk of `stream_options.include_usage`."""
    prepared = answered.prepared
    frame = _frame(kind, prepared.id, prepared.enquiry.model, streamed=True)
    return {**frame, "choices": [], "usage": usage([answered])}


def streamed_text(piece: Piece, *, as_text: bool) -> str:
    """What a piece adds to the streamed text, so that all pieces are what an answer in one piece holds."""
    if not as_text:
        return piece.content
    return piece.text + (_sources(piece.answered) if piece.answered else "")


def content(answered: Answered, *, as_text: bool) -> str:
    """The answer alone; as text, all that the model wrote, and the sources below."""
    if not as_text:
        return answered.content
    return answered.reply.completion.text + _sources(answered)


def usage(answers: Sequence[Answered]) -> dict[str, int]:
    """Tokens read and written."""
    read, written = (sum(one.tokens[kind] for one in answers) for kind in (0, 1))
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def extra(answered: Answered) -> dict[str, Any]:
    """The field `ragraft`: what the answer rests on. docs/serving.md describes it key by key."""
    prepared, reply = answered.prepared, answered.reply
    shown, parsed = prepared.fitted.passages, reply.parsed
    return {
        "id": prepared.id,
        "answer": answered.content,
        "abstained": parsed.abstained,
        "from_memory": parsed.from_memory or not shown,
        "confidence": reply.confidence,
        "citations": [
            {"number": number, "passage": shown[number - 1].id, "title": shown[number - 1].title}
            for number in dict.fromkeys(parsed.citations)
            if 1 <= number <= len(shown)
        ],
        "quotes": [{"text": text, "number": number} for text, number in parsed.quotes],
        "passages": [passage_row(number, passage) for number, passage in enumerate(shown, 1)],
        "by": prepared.by,
        "retrieval": {
            "wish": prepared.enquiry.retrieval,
            "decision": prepared.decision,
            "query": prepared.query or None,
            "probability": _probability(prepared),
        },
        "cuts": to_json(prepared.cuts),
        "max_tokens": prepared.sampling.max_tokens,
        "index": prepared.index,
        "seconds": {
            "retrieve": round(prepared.retrieve_seconds, 4),
            "first": round(answered.first_seconds, 4),
            "all": round(answered.seconds, 4),
        },
    }


def _probability(prepared: Prepared) -> dict[str, float | None] | None:
    """With retrieval auto: how likely each answer is right, calibrated."""
    if prepared.routed is None:
        return None
    decision = prepared.routed.decision
    return {"closed_book": decision.closed_book, "with_passages": decision.with_passages}


def passage_row(number: int, passage: Passage) -> dict[str, Any]:
    """A passage under its number in the prompt."""
    return {
        "number": number,
        "id": passage.id,
        "document": passage.document_id,
        "title": passage.title,
        "text": passage.text,
        "score": float(passage.score),
    }


def model_row(name: str, created: int) -> dict[str, Any]:
    """A model of /v1/models."""
    return {"id": name, "object": "model", "created": created, "owned_by": "ragraft"}


def _choice(kind: Kind, place: int, answered: Answered, *, as_text: bool) -> dict[str, Any]:
    text = content(answered, as_text=as_text)
    part: dict[str, Any] = (
        {"message": {"role": "assistant", "content": text, "refusal": None}} if kind == "chat" else {"text": text}
    )
    reason = answered.reply.completion.finish_reason
    return {"index": place, **part, "logprobs": None, "finish_reason": reason, "ragraft": extra(answered)}


def _frame(kind: Kind, name: str, model: str, *, streamed: bool) -> dict[str, Any]:
    return {"id": name, "object": OBJECTS[kind, streamed], "created": int(time.time()), "model": model}


def _sources(answered: Answered) -> str:
    """The passages cited, a line each."""
    reply = answered.reply
    shown = reply.fitted.passages
    numbers = [number for number in dict.fromkeys(reply.parsed.citations) if 1 <= number <= len(shown)]
    lines = [f"[{number}] {shown[number - 1].title} ({shown[number - 1].id})" for number in numbers]
    return "\n\n" + "\n".join(lines) if lines else ""
