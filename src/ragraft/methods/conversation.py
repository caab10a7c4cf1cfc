"""Turns of a chat to one question: what is looked up, what is shown, and what had to be left out.

Knows turns, passages and the prompt builder; knows no server and no folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ragraft.errors import InputError
from ragraft.methods.answer import ANSWER_MARK
from ragraft.methods.prompt import ANSWER, Fitted, PromptBuilder, Shot
from ragraft.records import Message, Passage

GRAM = 5
"""Words in a row by which texts are compared."""
SHORT = 500
"""Characters of an earlier question that is looked up again; a longer one would drown the last one."""
OVERLAP = 0.9
"""A passage of which so much stands in a better-ranked one shows nothing new."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """An earlier question with the answer that it got."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """The question that is to be answered, and what came before it."""

    question: str
    earlier: tuple[Exchange, ...] = ()
    ignored: int = 0
    """Turns that no prompt shows: the caller's system texts, and answers that nobody had asked for."""

    def query(self, turns: int) -> str:
        """What is looked up: the question, and below it up to `turns` earlier short ones, the last one first."""
        before = self.earlier[-turns:] if turns else ()
        short = (one.question for one in reversed(before) if len(one.question) <= SHORT)
        return "\n".join([self.question, *short])


@dataclass(frozen=True, slots=True)
class Cuts:
    """What a prompt does not show, counted."""

    copies: int = 0
    """Passages that repeat a better-ranked one."""
    passages: int = 0
    """Passages, the last ones, that did not fit."""
    exchanges: int = 0
    """Earlier questions with their answers, the oldest ones, that did not fit or are beyond the setting."""
    ignored: int = 0
    """The caller's system texts, and answers without a question."""


def read_conversation(messages: Sequence[Message]) -> Conversation:
    """Pair questions with their answers; the user turns after the last answer are the question."""
    earlier: list[Exchange] = []
    asked: list[str] = []
    ignored = 0
    for message in messages:
        if message.role == "user":
            asked.append(message.content)
        elif message.role == "assistant" and asked:
            earlier.append(Exchange("\n\n".join(asked), message.content))
            asked = []
        else:
            ignored += 1
    question = "\n\n".join(asked)
    if not question.strip():
        raise InputError("The last message must be a user's and hold a question")
    return Conversation(question, tuple(earlier), ignored)


def without_copies(passages: Sequence[Passage]) -> list[Passage]:
    """Leave out passages of which nearly all stands in a better-ranked one."""
    kept: list[Passage] = []
    seen: list[frozenset[tuple[str, ...]]] = []
    for passage in passages:
        grams = _grams(passage.text)
        if not any(len(grams & known) >= OVERLAP * len(grams) for known in seen):
            kept.append(passage)
            seen.append(grams)
    return kept


def fit_conversation(
    conversation: Conversation,
    passages: Sequence[Passage],
    *,
    builder: PromptBuilder,
    turns: int,
    answer_tokens: int,
) -> tuple[Fitted, Cuts]:
    """A prompt within the budget: the oldest exchanges go first, then the last passages; the question stays whole.

    Passages keep their order and their form: neighbours are not merged, since lessons showed each by its own number,
    and none as long as two. Raises ConfigError where the question alone does not fit.
    """
    different = without_copies(passages)
    shots = [_shot(one) for one in (conversation.earlier[-turns:] if turns else ())]
    room = builder.max_tokens - answer_tokens
    while shots and builder.tokenizer.count_prompt(builder.build(conversation.question, different, shots)) > room:
        shots.pop(0)
    fitted = builder.fit(conversation.question, different, shots=shots, answer_tokens=answer_tokens)
    return fitted, Cuts(
        copies=len(passages) - len(different),
        passages=len(fitted.dropped),
        exchanges=len(conversation.earlier) - len(shots),
        ignored=conversation.ignored,
    )


def _shot(one: Exchange) -> Shot:
    """An exchange in the form in which the model was taught to answer."""
    text = one.answer.strip()
    return Shot(one.question, (), text if ANSWER_MARK.match(text) else f"{ANSWER}{text}")


def _grams(text: str) -> frozenset[tuple[str, ...]]:
    words = text.lower().split()
    return frozenset(tuple(words[at : at + GRAM]) for at in range(max(len(words) - GRAM, 0) + 1))
