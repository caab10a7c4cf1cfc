"""A second reading: what is shown and kept, and that only a clear gain on the validation side brings it about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragraft.methods.abstention import FEWEST, Weighed
from ragraft.methods.answer import answer
from ragraft.methods.asking import Room
from ragraft.methods.confidence import own_logprobs
from ragraft.methods.finders import Asking
from ragraft.methods.manner import UNSAID, Manner
from ragraft.methods.prompt import PromptBuilder, Shot
from ragraft.methods.second_reading import Found, choose_rereading, find_manner
from ragraft.ports import Tokenizer
from ragraft.records import Completion, Passage, Prompt, Sampling

PASSAGES = [Passage(f"p{n}", "d", f"Title {n}", f"| line {n} | 201{n} | 202{n} |\n| line 9 | 2019 |") for n in range(3)]
ROW = '"| line 1 | 2011 | 2021 |" [2]'
FIRST = f"Answer: 2011\n{ROW}"


@dataclass
class Scripted:
    """Gives its answers batch by batch; a word is a token."""

    texts: list[str]
    reason: str = "stop"
    asked: list[tuple[Sequence[Prompt], Sampling]] = field(default_factory=list)

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        self.asked.append((prompts, sampling))
        found = []
        for _ in prompts:
            text = self.texts.pop(0)
            count, last = len(text.split()), not self.texts
            found.append(
                Completion(
                    text,
                    tuple(range(100 * len(self.asked), 100 * len(self.asked) + count)),
                    (-0.5 * len(self.asked),) * count,
                    "length" if last and self.reason == "length" else "stop",
                    prompt_tokens=10,
                    turning=0.1,
                )
            )
        return found


@pytest.fixture
def builder(word_tokenizer: Tokenizer) -> PromptBuilder:
    return PromptBuilder(word_tokenizer, "not in the documents.", 300, 40, rereads=True)


def test_the_second_reading_sees_the_quote_alone_and_its_answer_stands_above_the_first_evidence(
    builder: PromptBuilder,
) -> None:
    scripted = Scripted([FIRST, 'Answer: in 2021\n"| line 1" [1]'])
    shots = [Shot("earlier?", (), "Answer: so")]
    [reply] = answer(["until when?"], [PASSAGES], builder=builder, generator=scripted, shots=shots)
    (first, _), (second, sampling) = scripted.asked
    assert second[0].messages[:-1] == first[0].messages[:-1]
    turn = second[0].messages[-1].content
    assert turn == "Documents:\n\n[1] Title 1\n| line 1 | 2011 | 2021 |\n\nQuestion: until when?"
    assert turn[second[0].cut :] == "Question: until when?"
    assert sampling.sources == (("| line 1 | 2011 | 2021 |",),)
    assert sampling.again
    assert sampling.turn is not None
    assert sampling.turn.above == 1.0
    assert reply.completion.text == f"Answer: in 2021\n{ROW}"
    assert reply.parsed.answer == "in 2021"
    assert [passage.id for passage in reply.cited] == ["p1"]
    assert reply.completion.prompt_tokens == 20
    assert reply.completion.turning == 0.1
    assert reply.completion.token_ids[:4] == (200, 201, 202, 102)
    assert len(reply.completion.token_ids) == len(reply.completion.text.split())
    assert own_logprobs(reply, builder.tokenizer.count) == (-1.0,) * 3


@pytest.mark.parametrize(
    ("second", "reason"),
    [("Answer: not in the documents.", "stop"), ("Answer: ", "stop"), ("Answer: in the year of", "length")],
)
def test_where_the_second_reading_says_nothing_the_first_stands(
    builder: PromptBuilder, second: str, reason: str
) -> None:
    [reply] = answer(["when?"], [PASSAGES], builder=builder, generator=Scripted([FIRST, second], reason))
    assert reply.completion.text == FIRST
    assert (reply.parsed.answer, reply.completion.prompt_tokens) == ("2011", 20)


@pytest.mark.parametrize(
    "text", ["Answer: 2011", "Answer: not in the documents.", "Answer: 2011\n[2]", f"{ROW}\nAnswer: 2011"]
)
def test_without_a_quote_below_the_answer_nothing_is_read_again(builder: PromptBuilder, text: str) -> None:
    scripted = Scripted([text])
    answer(["when?"], [PASSAGES], builder=builder, generator=scripted)
    assert len(scripted.asked) == 1


def test_only_a_builder_that_says_so_reads_again(builder: PromptBuilder) -> None:
    scripted = Scripted([FIRST])
    answer(["when?"], [PASSAGES], builder=replace(builder, rereads=False), generator=scripted)
    assert len(scripted.asked) == 1


def rows(scores: Sequence[float]) -> list[Weighed]:
    return [Weighed(0.1, score, answerable=True, shown=True, cluster=f"c{n}") for n, score in enumerate(scores)]


def test_a_clear_gain_is_taken_and_a_lucky_one_is_not() -> None:
    clear = choose_rereading(rows([0.0] * 20), rows([1.0] * 10 + [0.0] * 10), resamples=500, seed=0)
    assert clear.rereads
    assert clear.changed == 10
    assert clear.gain is not None
    assert clear.gain.value == 0.5
    lucky = choose_rereading(rows([0.0, 1.0] * 10), rows([1.0, 1.0] + [0.0, 1.0] * 9), resamples=500, seed=0)
    assert not lucky.rereads
    few = choose_rereading(rows([0.0] * (FEWEST - 1)), rows([1.0] * (FEWEST - 1)), resamples=500, seed=0)
    assert (few.rereads, few.gain) == (False, None)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=FEWEST, max_size=30))
@settings(max_examples=40, deadline=None)
def test_what_does_not_gain_is_never_taken(pairs: list[tuple[float, float]]) -> None:
    before, after = zip(*pairs, strict=True)
    found = choose_rereading(rows(before), rows(after), resamples=50, seed=0)
    assert not found.rereads or sum(after) > sum(before)


class Nobody:
    def retrieve(self, questions: Sequence[str], k: int) -> list[list[Passage]]:
        raise AssertionError("nothing is to be asked")

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        raise AssertionError("nothing is to be asked")


def test_what_is_given_or_too_little_is_not_asked_for(builder: PromptBuilder) -> None:
    room = Room(Asking(Nobody()), builder, {}, k=2, batch=4)
    known = {"number": 64, "most": 0.1, "resamples": 50, "seed": 0}
    given_all = Manner(0.3, rereads=False)
    assert find_manner(room, Nobody(), [], given=given_all, **known) == Found(given_all)  # type: ignore[arg-type]
    found = find_manner(room, Nobody(), [], given=UNSAID, **known)  # type: ignore[arg-type]
    assert found.manner == Manner(0.5, rereads=False)
    assert found.rereading is not None
    assert found.rereading.questions == 0


def test_a_manner_says_what_it_knows_and_another_the_rest(builder: PromptBuilder) -> None:
    assert Manner(0.3).otherwise(Manner(0.7, rereads=True)) == Manner(0.3, rereads=True)
    assert Manner(0.3).otherwise(None) == Manner(0.3)
    assert UNSAID.of(builder) == builder
    assert Manner(0.9, rereads=False).of(builder) == replace(builder, abstain_above=0.9, rereads=False)
