"""General instructions, from whatever source, as plain chat rows: what keeps a tuned model able to be asked.

A row is `{"messages": [{"role", "content"}, …]}` whose last turn is the wanted answer. Knows rows; opens no file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ragraft.errors import InputError
from ragraft.records import Message, Prompt

ROLES = ("system", "user", "assistant")
FORM = 'a row is {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}'
SHORTEST = 2
"""Turns of a row: a request and its answer."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """A chat and the answer to its last turn."""

    id: str
    prompt: Prompt
    answer: str


def read_instructions(lines: Iterable[str], place: str) -> Iterator[Instruction]:
    """The rows of a JSONL file. Raises InputError with `place` and the line of one that is none."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as error:
                raise InputError(f"{place} line {number}: not JSON ({error}); {FORM}") from None
            yield instruction_from_row(row, f"{place} line {number}", default_id=str(number))


def instruction_from_row(row: Any, place: str, *, default_id: str) -> Instruction:
    """An Instruction from its JSON row. Raises InputError where it is none."""
    messages = row.get("messages") if isinstance(row, dict) else None
    if not isinstance(messages, list) or len(messages) < SHORTEST:
        raise InputError(f"{place}: no list of messages with a request and an answer; {FORM}")
    turns = tuple(_turn(message, place) for message in messages)
    asking = turns[1:] if turns[0].role == "system" else turns
    if [turn.role for turn in asking] != ["user", "assistant"] * (len(asking) // 2) or not asking:
        raise InputError(f"{place}: user and assistant must take turns, the assistant last; {FORM}")
    if not turns[-1].content.strip():
        raise InputError(f"{place}: the last answer is empty; remove the row")
    return Instruction(str(row.get("id") or default_id), Prompt(turns[:-1]), turns[-1].content)


def _turn(message: Any, place: str) -> Message:
    if not isinstance(message, Mapping) or message.get("role") not in ROLES:
        raise InputError(f"{place}: a message has no role of {', '.join(ROLES)}; {FORM}")
    content = message.get("content")
    if not isinstance(content, str):
        raise InputError(f"{place}: a message has no text as content; {FORM}")
    try:
        content.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(f"{place}: a message holds half of a surrogate pair; mend or remove the row") from None
    return Message(message["role"], content)
