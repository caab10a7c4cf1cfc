from __future__ import annotations

import json
from typing import Any

import pytest

from ragraft.errors import InputError
from ragraft.methods.instructions import Instruction, read_instructions
from ragraft.records import Message, Prompt

ASKED = {"role": "user", "content": "Name a bird."}
TOLD = {"role": "assistant", "content": "A wren."}


def read(*rows: Any) -> list[Instruction]:
    return list(read_instructions([row if isinstance(row, str) else json.dumps(row) for row in rows], "chat.jsonl"))


def test_the_last_turn_is_the_answer() -> None:
    system = {"role": "system", "content": "Be brief."}
    one, several = read(
        {"id": "a", "messages": [ASKED, TOLD]}, {"messages": [system, ASKED, TOLD, ASKED, TOLD], "x": 1}
    )
    assert one == Instruction("a", Prompt((Message("user", "Name a bird."),)), "A wren.")
    assert several.id == "2"
    assert [message.role for message in several.prompt.messages] == ["system", "user", "assistant", "user"]


def test_blank_lines_are_none() -> None:
    assert [one.id for one in read("", {"messages": [ASKED, TOLD]}, "  \n")] == ["2"]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("{", "not JSON"),
        ("[]", "no list of messages with a request and an answer"),
        ({"messages": [ASKED]}, "no list of messages with a request and an answer"),
        ({"messages": [ASKED, ASKED]}, "user and assistant must take turns, the assistant last"),
        ({"messages": [ASKED, TOLD, ASKED]}, "user and assistant must take turns, the assistant last"),
        ({"messages": [{"role": "system", "content": "x"}, TOLD]}, "user and assistant must take turns"),
        ({"messages": [{"role": "tool", "content": "x"}, TOLD]}, "a message has no role of system, user, assistant"),
        ({"messages": [ASKED, {"role": "assistant"}]}, "a message has no text as content"),
        ({"messages": [ASKED, {"role": "assistant", "content": " "}]}, "the last answer is empty"),
        ('{"messages": [{"role": "user", "content": "\\ud800"}, {}]}', "a message holds half of a surrogate pair"),
    ],
)
def test_a_row_that_is_none_is_told_with_its_line(row: Any, told: str) -> None:
    with pytest.raises(InputError) as caught:
        read({"messages": [ASKED, TOLD]}, row)
    assert str(caught.value).startswith(f"chat.jsonl line 2: {told}")
