"""What hints at a right answer: the probabilities of its tokens, what retrieval found, how the question is asked.

Knows questions and replies; knows neither a model nor what is right.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from ragraft.methods.answer import Reply
from ragraft.methods.confidence import own_logprobs
from ragraft.methods.grade import token_f1

Signals: TypeAlias = Mapping[str, float]
Count: TypeAlias = Callable[[str], int]
"""Tokens of a text."""
ASKS = ("who", "when", "where", "which", "what", "how many", "how much", "how", "why")
"""Longer ones before their beginnings; a question that holds none is its own kind."""
MEAN_LOGPROB = "answer mean log-probability"
"""Where a model tells no probabilities, this signal and the next one are missing."""
LEAST_LOGPROB = "answer least log-probability"


def draft_signals(question: str, draft: Reply, count: Count) -> Signals:
    """Of a question and its closed-book answer: what is known before anything is looked up."""
    return {**_question(question), **_answer(draft, count)}


def reply_signals(question: str, draft: Reply, reply: Reply, count: Count) -> Signals:
    """Of a question, its answer from passages, their scores, and whether memory says the same."""
    said = draft.parsed.answer
    same = token_f1(reply.parsed.answer, [said]) if said else 0.0
    return {**_question(question), **_answer(reply, count), **_found(reply), "memory agrees": same}


def _question(question: str) -> dict[str, float]:
    words = question.split()
    lowered = " ".join(words).lower()
    asked = next((word for word in ASKS if re.search(rf"\b{word}\b", lowered)), "another way")
    return {
        "question words": math.log1p(len(words)),
        "question holds a number": float(bool(re.search(r"\d", question))),
        "question names": math.log1p(sum(word[:1].isupper() for word in words[1:])),
        **{f"asks {word}": float(word == asked) for word in (*ASKS, "another way")},
    }


def _answer(reply: Reply, count: Count) -> dict[str, float]:
    values = own_logprobs(reply, count)
    sure = {}
    if values is not None:
        sure[MEAN_LOGPROB] = math.fsum(values) / len(values) if values else 0.0
        sure[LEAST_LOGPROB] = min(values, default=0.0)
    return {
        **sure,
        "answer words": math.log1p(len(reply.parsed.answer.split())),
        "abstains": float(reply.parsed.abstained),
        "cut short": float(reply.completion.finish_reason == "length"),
    }


def _found(reply: Reply) -> dict[str, float]:
    scores = [passage.score for passage in reply.fitted.passages]
    best, second = [*sorted(scores, reverse=True), 0.0, 0.0][:2]
    return {
        "best passage's score": best,
        "gap to the second": best - second,
        "mean passage score": math.fsum(scores) / max(len(scores), 1),
        "passages": float(len(scores)),
    }
