from __future__ import annotations

from collections.abc import Sequence

import pytest

from ragraft.methods.propose import ask_for_questions, propose, read_proposals
from ragraft.records import Chunk, Completion, Prompt, Sampling

TEXT = "The tower of Arlen is made of\nred granite. It has 12 steps. Nobody knows why."
CHUNK = Chunk("a#0", "a", "Arlen", TEXT, 0, len(TEXT), 15)
GOOD = "Question: What is the tower of Arlen made of?\nAnswer: red granite."


def read(text: str, number: int = 3) -> tuple[list[tuple[str, tuple[str, ...]]], list[str]]:
    found = read_proposals(CHUNK, text, number=number, made_by="model m")
    return [(one.question, one.answers) for one in found.candidates], [one.reason for one in found.turned]


def test_a_pair_of_lines_is_a_candidate_with_exact_spans() -> None:
    (found,) = read_proposals(CHUNK, GOOD, number=3, made_by="model m").candidates
    assert found.answers == ("red granite",)
    assert found.evidence == ("The tower of Arlen is made of\nred granite.",)
    assert (found.made_by, found.kind, found.chunk) == ("model m", "model", "a#0")
    (wrapped,) = read_proposals(CHUNK, "Question: Made of?\nAnswer: OF RED granite", number=1, made_by="m").candidates
    assert wrapped.answers == ("of\nred granite",)


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("Sure! Here they are:\n" + GOOD, ["not in the form Question: … Answer: …"]),
        ("Question: Why?\n" + GOOD, ["a question without an answer"]),
        ("Answer: red granite\n" + GOOD, ["an answer without a question"]),
        (GOOD + "\nQuestion: How many steps?", ["a question without an answer"]),
        (GOOD + "\nQuestion: Tell me\nAnswer: 12 steps", ["no question mark"]),
        (GOOD + "\nQuestion: Steps?\nAnswer: 13 steps", ["the answer does not stand in the chunk"]),
        (GOOD + "\nQuestion: Steps?\nAnswer: 2 steps", ["the answer does not stand in the chunk"]),
        (GOOD + "\n\n" + GOOD, ["asked twice of its chunk"]),
    ],
)
def test_what_is_not_in_the_form_is_kept_with_its_reason(text: str, reasons: list[str]) -> None:
    assert read(text) == ([("What is the tower of Arlen made of?", ("red granite",))], reasons)


def test_more_than_asked_for_is_turned_down() -> None:
    more = GOOD + "\n2. Question: How many steps has Arlen?\n2. Answer: 12 steps"
    assert read(more, 2)[0][1] == ("How many steps has Arlen?", ("12 steps",))
    assert read(more, 1)[1] == ["more questions than asked for"]


def test_an_empty_reply_is_told_too() -> None:
    assert read("\n ") == ([], ["nothing was written"])


def test_the_prompt_shows_the_chunk_and_the_form() -> None:
    system, text, reply, user = ask_for_questions(CHUNK, 4).messages
    assert "write 4 different questions" in system.content
    assert system.content.endswith("Question: the question\nAnswer: the words copied from the text")
    assert user.content == f"Arlen\n{TEXT}"
    # The solved example keeps to the form itself.
    shown = Chunk("s#0", "s", "", text.content, 0, len(text.content), 1)
    found = read_proposals(shown, reply.content, number=2, made_by="m")
    assert (len(found.candidates), found.turned, text.role, reply.role) == (2, (), "user", "assistant")


class Writer:
    def __init__(self) -> None:
        self.sampled: list[Sampling] = []

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        self.sampled.append(sampling)
        return [Completion(GOOD if "Arlen" in prompt.messages[-1].content else "?") for prompt in prompts]


def test_a_batch_is_asked_at_once_and_seeded() -> None:
    writer = Writer()
    other = Chunk("b#0", "b", "Boskar", "Slate.", 0, 6, 1)
    found = propose([CHUNK, other], writer, number=2, made_by="model m", temperature=0.5, seed=7)
    assert [(len(row.candidates), len(row.turned)) for row in found] == [(1, 0), (0, 1)]
    assert writer.sampled == [Sampling(max_tokens=160, temperature=0.5, seed=7)]
