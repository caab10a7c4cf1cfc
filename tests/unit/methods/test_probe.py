"""What a base model knows: who is asked, what counts as known, and when the sample says enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragraft.methods.probe import ANSWER_TOKENS, BATCH, SHOTS, Knowledge, probe
from ragraft.methods.prompt import PromptBuilder
from ragraft.ports import Tokenizer
from ragraft.records import Completion, ExamQuestion, Prompt, Question, Sampling


def asked(row: int, *answers: str, side: str = "train") -> ExamQuestion:
    question = Question(f"{side}{row}", f"Who rules land {row} ({side})?", answers or (f"King{row} Smith",))
    return ExamQuestion(question, "train", f"c{row}", (f"t{row}",))


@dataclass
class Mind:
    """Knows some questions by their text; counts what it is asked."""

    knows: dict[str, str]
    batches: list[tuple[Prompt, ...]] = field(default_factory=list)
    samplings: list[Sampling] = field(default_factory=list)
    late: bool = False
    """Says it only in a drawn answer."""

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        self.batches.append(tuple(prompts))
        self.samplings.append(sampling)
        return [Completion(f"Answer: {self._answer(one, sampling)}\nQuestion: and more") for one in prompts]

    def _answer(self, prompt: Prompt, sampling: Sampling) -> str:
        question = prompt.messages[-1].content.removeprefix("Question: ")
        return "nobody" if self.late and not sampling.temperature else self.knows.get(question, "nobody")

    @property
    def questions(self) -> list[str]:
        return [one.messages[-1].content.removeprefix("Question: ") for batch in self.batches for one in batch]


def mind(*known: ExamQuestion, late: bool = False) -> Mind:
    return Mind({one.question.question: one.question.answers[0] for one in known}, late=late)


def run(
    tokenizer: Tokenizer,
    base: Mind,
    questions: Sequence[ExamQuestion],
    *,
    beside: Sequence[ExamQuestion] = (),
    sample: int = 20,
    answers: int = 1,
    seed: int = 0,
) -> Knowledge:
    builder = PromptBuilder(tokenizer, "not in the documents.", 500, 96)
    return probe(questions, beside=beside, base=base, builder=builder, sample=sample, answers=answers, seed=seed)


QUESTIONS = [asked(row) for row in range(100)]
BESIDE = [asked(row, side="validation") for row in range(10)]


def test_a_model_that_knows_hardly_anything_is_asked_a_sample_and_knows_nothing(word_tokenizer: Tokenizer) -> None:
    base = mind()
    found = run(word_tokenizer, base, QUESTIONS, beside=BESIDE)
    assert len(base.questions) == len(set(base.questions)) == len(found.rows) == 20
    assert (found.sample, found.right, found.known) == (20, 0, frozenset())
    assert str(found) == "0 of 20 asked without documents"
    # Two of forty would do; one doesn't.
    order = [row.question_id for row in run(word_tokenizer, mind(), QUESTIONS, sample=40).rows]
    by_id = {one.id: one for one in QUESTIONS}
    found = run(word_tokenizer, mind(by_id[order[3]]), QUESTIONS, sample=40)
    assert (len(found.rows), found.right, found.known) == (40, 1, frozenset())
    assert str(found) == "1 of 40 asked without documents; under 5 %, so that all count as unknown"
    found = run(word_tokenizer, mind(*(by_id[name] for name in order[3:5])), QUESTIONS, sample=40)
    assert (len(found.rows), found.known) == (100, frozenset(order[3:5]))


def test_where_enough_is_known_everything_is_asked(word_tokenizer: Tokenizer) -> None:
    known = [*QUESTIONS[::3], BESIDE[4]]
    base = mind(*known)
    found = run(word_tokenizer, base, QUESTIONS, beside=BESIDE)
    assert sorted(base.questions) == sorted(one.question.question for one in (*QUESTIONS, *BESIDE))
    assert found.known == {one.id for one in known}
    assert {row.question_id for row in found.rows if row.known} == found.known
    assert found.right == len(known)
    assert str(found) == f"{len(known)} of 110 asked without documents"


def test_only_the_first_line_is_an_answer_and_room_is_short(word_tokenizer: Tokenizer) -> None:
    base = mind(*QUESTIONS)
    found = run(word_tokenizer, base, QUESTIONS[:20])
    assert {row.answers for row in found.rows} == {(f"Answer: {one.question.answers[0]}",) for one in QUESTIONS[:20]}
    assert {(one.max_tokens, one.temperature) for one in base.samplings} == {(ANSWER_TOKENS, 0.0)}
    assert max(map(len, base.batches)) <= BATCH


def test_examples_show_the_form_and_never_the_question_itself(word_tokenizer: Tokenizer) -> None:
    base = mind(*QUESTIONS)
    run(word_tokenizer, base, QUESTIONS[:20])
    for batch in base.batches:
        assert len({one.messages[:-1] for one in batch}) == 1, "read once for the batch"
        for prompt in batch:
            assert [message.role for message in prompt.messages] == [
                "system", *(["user", "assistant"] * SHOTS), "user",
            ]  # fmt: skip
            assert prompt.messages[-1] not in prompt.messages[:-1]
    alone = mind(QUESTIONS[0])
    assert run(word_tokenizer, alone, QUESTIONS[:1]).known == {"train0"}
    assert len(alone.batches[0][0].messages) == 2, "nobody is left to be an example"


@pytest.mark.parametrize(("answers", "known"), [(1, 0), (2, 20), (5, 20)])
def test_any_right_answer_makes_a_question_known(word_tokenizer: Tokenizer, answers: int, known: int) -> None:
    base = mind(*QUESTIONS, late=True)
    found = run(word_tokenizer, base, QUESTIONS[:20], answers=answers)
    assert len(found.known) == known
    asked_times = len(base.questions)
    assert asked_times == 20 * min(answers, 2), "what was right is asked no more"
    assert {one.seed for one in base.samplings} == set(range(min(answers, 2)))


def test_what_can_be_guessed_or_has_no_answer_is_not_asked(word_tokenizer: Tokenizer) -> None:
    label = ExamQuestion(Question("label", "Is it?", ("yes",), type="yes/no"), "train", "l")
    none = ExamQuestion(Question("none", "What of it?"), "train", "n")
    wide = ExamQuestion(Question("wide", "why " * 600, ("so",)), "train", "w")
    base = mind(*QUESTIONS[:5], label)
    found = run(word_tokenizer, base, [label, none, wide, *QUESTIONS[:5]])
    assert sorted(row.question_id for row in found.rows) == [f"train{row}" for row in range(5)]
    assert found.skipped == 2
    assert run(word_tokenizer, base, [label, none]) == Knowledge(skipped=1)


@pytest.mark.parametrize(
    ("asked_for", "gold", "said", "known"),
    [
        ("When was it?", "the 20th century", "20th century", True),
        ("When was it?", "the 20th century", "the 19th century", False),
        ("Which came before the Yuan?", "Song dynasty", "Yuan dynasty", False),
        ("Who rules?", "King Smith", "that is King Smith, of course", True),
        ("Who rules?", "King Smith", "King", False),
        ("How many?", "2", "2", True),
        ("How many?", "2", "from 2 to 9", False),
        ("Is it iron or brass, in the end?", "brass", "brass", False),
        ("Who rules?", "King Smith", "not in the documents.", False),
        ("Load it.", "load('lamp')", 'load("lamp")', True),
        ("Load it.", "load('lamp')", 'load("lamps")', False),
    ],
)
def test_known_is_the_answer_itself_and_neither_half_of_it_nor_a_guess(
    word_tokenizer: Tokenizer, asked_for: str, gold: str, said: str, *, known: bool
) -> None:
    question = ExamQuestion(Question("q", asked_for, (gold,)), "train", "c", ("t",))
    [row] = run(word_tokenizer, Mind({asked_for: said}), [question]).rows
    assert row.known is known
    assert row.answers == (f"Answer: {said}",)


@settings(max_examples=40)
@given(st.sets(st.integers(0, 99)), st.integers(1, 120), st.integers(0, 9))
def test_nobody_is_known_who_was_not_asked(word_tokenizer: Tokenizer, known: set[int], sample: int, seed: int) -> None:
    base = mind(*(QUESTIONS[row] for row in known))
    found = run(word_tokenizer, base, QUESTIONS, sample=sample, seed=seed)
    first = [row.known for row in found.rows[: found.sample]]
    assert found.sample == min(sample, 100)
    enough = sum(first) >= 0.05 * len(first)
    assert len(found.rows) == (100 if enough else found.sample)
    assert found.known == ({f"train{row}" for row in known} if enough else frozenset())
    again = mind(*(QUESTIONS[row] for row in known))
    assert found == run(word_tokenizer, again, QUESTIONS[::-1], sample=sample, seed=seed)
