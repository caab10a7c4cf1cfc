"""Replies without a model: an answer with its probabilities, from passages with their scores."""

from __future__ import annotations

from collections.abc import Sequence

from ragraft.methods.answer import Reply, parse
from ragraft.methods.prompt import Fitted
from ragraft.records import Completion, Message, Passage, Prompt

ABSTENTION = "not in the documents."


def reply(
    text: str,
    *,
    sure: float | None = -0.1,
    scores: Sequence[float] = (),
    prompt_tokens: int = 50,
    finish_reason: str = "stop",
) -> Reply:
    """`sure`: the log-probability of every word; None where none is told."""
    words = text.split()
    shown = tuple(Passage(f"p{n}", f"d{n}", "T", "Some text.", score) for n, score in enumerate(scores))
    completion = Completion(
        text,
        tuple(range(len(words))),
        None if sure is None else (sure,) * len(words),
        "length" if finish_reason == "length" else "stop",
        prompt_tokens,
    )
    return Reply(Fitted(Prompt((Message("user", "?"),)), shown), completion, parse(text, ABSTENTION))


def words(text: str) -> int:
    """Counts tokens: a word is one."""
    return len(text.split())
