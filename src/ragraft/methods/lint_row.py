"""A lesson taken apart for looking it over. Knows the prompt's and the target's form; judges nothing."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ragraft.methods.answer import parse
from ragraft.methods.prompt import question_part
from ragraft.records import Lesson

_HEAD = re.compile(r"(?:^|\n\n)\[(\d+)\] ")
_ASKS = question_part("")


@dataclass(frozen=True, slots=True)
class Rendered:
    """What training would read of a lesson."""

    tokens: int
    learned: int
    last: int
    """Id of its last token."""


@dataclass(frozen=True, slots=True)
class Row:
    """A lesson as far as its faults go."""

    id: str
    is_text: bool
    """A plain text that is learned whole."""
    system: str
    documents: str
    """All that stands before the question; empty without documents."""
    shown: int
    """Documents shown."""
    question: str
    """What is asked; empty for a text and for an instruction that is no question of ours."""
    target: str
    answer: str
    """The bare answer; empty where the lesson isn't in ragraft's answer form."""
    quotes: tuple[tuple[str, int], ...]
    """Each quote with the number that it names."""
    citations: tuple[int, ...]
    abstains: bool
    label: str
    """The answer, where it is a single word."""
    ends: bool
    """Whether the model's end token is learned last."""
    control: str
    """The text of a control token that stands in the target and not in the prompt."""
    asked: tuple[object, ...]
    """Equal for lessons of one prompt in one copy."""
    passages: frozenset[str]
    rendered: Rendered

    @property
    def unquoted(self) -> str:
        """The target without what it quotes."""
        text = self.target
        for quote, _ in self.quotes:
            text = text.replace(quote, " ")
        return text


def look_at(
    lesson: Lesson, rendered: Rendered, *, ends: Collection[int], controls: Sequence[str], abstention: str
) -> Row:
    """Take a lesson apart."""
    messages = lesson.prompt.messages
    turn = messages[-1].content if messages else ""
    documents, asks = turn[: lesson.prompt.cut], turn[lesson.prompt.cut :]
    ours = asks.startswith(_ASKS)
    parsed = parse(lesson.target, abstention)
    told = "\n".join(message.content for message in messages)
    return Row(
        id=lesson.id,
        is_text=not messages,
        system=messages[0].content if messages and messages[0].role == "system" else "",
        documents=documents,
        shown=max(len(lesson.passages), _counted(documents)),
        question=asks.removeprefix(_ASKS).strip() if ours else "",
        target=lesson.target,
        answer=parsed.answer if ours else "",
        quotes=tuple((text, number) for text, number in parsed.quotes if number is not None) if documents else (),
        citations=parsed.citations if documents and ours else (),
        abstains=bool(documents) and ours and parsed.abstained,
        label=parsed.answer.lower().strip(" .") if ours else "",
        ends=rendered.learned > 0 and rendered.last in ends,
        control=next((text for text in controls if text in lesson.target and text not in told), ""),
        asked=(lesson.copy, *((message.role, message.content) for message in messages)),
        passages=frozenset(lesson.passages),
        rendered=rendered,
    )


def _counted(documents: str) -> int:
    """Documents by their heads, as far as these count on from one."""
    shown = 0
    for head in _HEAD.finditer(documents):
        shown += int(head[1]) == shown + 1
    return shown
