"""The base model's own answers: to seeds that may be learned from alone, and only those that are of use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ragraft.methods import own_answers
from ragraft.methods.own_answers import Answered, answer_on_passages, answer_seeds
from ragraft.methods.seeds import asks_held_out, seeds_for
from ragraft.records import Completion, Passage, Prompt, Sampling

PASSAGES = [Passage(f"c{n}", f"d{n}", f"Tower {n}", f"Tower {n} is old.") for n in range(6)]


@dataclass
class Talker:
    """Says what it is told to say to an instruction, and notes what it was asked."""

    says: Callable[[str], Completion]
    asked: list[Prompt] = field(default_factory=list)

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        assert sampling == Sampling(own_answers.ANSWER_TOKENS), "greedy"
        self.asked += prompts
        return [self.says(prompt.messages[-1].content) for prompt in prompts]


def on_passages(base: Talker, enough: int = 1000, seed: str = "0") -> Answered:
    return answer_on_passages(
        base,
        PASSAGES,
        fits=lambda prompt, room: room == own_answers.ANSWER_TOKENS,
        enough=lambda kept: len(kept) >= enough,
        seed=seed,
    )


def test_answers_that_do_not_end_or_say_nothing_are_left_out() -> None:
    def says(asked: str) -> Completion:
        if "?" in asked:
            return Completion("on and on and", finish_reason="length")
        return Completion(" " if asked.startswith("Write") else " So it is. ")

    base = Talker(says)
    found = answer_seeds(base)
    assert [prompt.messages[-1].content for prompt in base.asked] == [seed.prompt for seed in seeds_for("replay")]
    assert {one.answer for one in found.kept} == {"So it is."}
    assert {row.reason for row in found.rejected} == {
        "the base model's own answer doesn't end within 256 tokens",
        "the base model gives no answer",
    }
    assert len(found.kept) + len(found.rejected) == 95
    assert not any(asks_held_out(one.prompt) for one in found.kept)


def test_instructions_on_documents_show_some_and_keep_their_form() -> None:
    base = Talker(lambda asked: Completion("GOOD" if "headline" in asked else "One short line."))
    found = on_passages(base, enough=20)
    assert 20 <= len(found.kept) < 20 + own_answers.BATCH
    capitals = [row for row in found.kept if "headline" in row.prompt.messages[0].content]
    assert capitals
    assert all(row.answer == "GOOD" for row in capitals)
    turns = [prompt.messages[0].content for prompt in base.asked]
    assert all(turn.startswith("Documents:\n\n[1] Tower ") for turn in turns)
    assert {turn.count("Tower") // 2 for turn in turns} == {1, 2, 3}
    assert len(set(turns)) == len(turns)
    assert {row.reason for row in found.rejected} == {
        "the base model's own answer doesn't keep the form that was asked for"
    }
    ids = [*(one.id for one in found.kept), *(row.id for row in found.rejected)]
    assert len(set(ids)) == len(ids) == len(base.asked)


def test_a_model_that_cannot_do_it_is_not_asked_for_ever() -> None:
    base = Talker(lambda asked: Completion("\n\n".join(["on and on"] * 30)))
    assert on_passages(base).hopeless
    assert len(base.asked) == 64


def test_each_passage_is_asked_each_instruction_at_most_once() -> None:
    base = Talker(lambda asked: Completion("Fine"))
    on_passages(base)
    assert len(base.asked) == len(PASSAGES) * len(seeds_for("documents"))


def test_equal_seeds_draw_alike() -> None:
    one, two, other = (Talker(lambda asked: Completion("Fine")) for _ in range(3))
    for base, seed in ((one, "0"), (two, "0"), (other, "1")):
        on_passages(base, enough=5, seed=seed)
    assert one.asked == two.asked != other.asked
