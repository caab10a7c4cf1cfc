"""The solved examples: their form, their number, who abstains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ragraft.methods.answer import parse
from ragraft.methods.finders import Asking
from ragraft.methods.prompt import PromptBuilder, Shot
from ragraft.methods.raft import Recipe
from ragraft.methods.shots import LONGEST_TARGET, choose_shots
from ragraft.ports import Tokenizer
from ragraft.records import ExamQuestion, Passage, Question

ABSTENTION = "not in the documents."
RECIPE = Recipe(distractors=(2, 3), hard=0.5, low=0.25, quote_words=12, abstention=ABSTENTION)
WORDS = ("ash", "birch", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak", "pine", "rowan", "willow")


def _text(number: int) -> str:
    filler = " ".join(WORDS[(number * step) % 12] + str(number) for step in range(1, 12))
    sale = "It is not for sale, and no one lives there."
    return f"House {number} stands among {filler}. Its owner is Owner{number}. {sale}"


CHUNKS = {f"h{number}": Passage(f"h{number}", f"d{number}", "", _text(number)) for number in range(30)}


class Rotating:
    """Finds the chunk of the question's number first, then those after it."""

    def retrieve(self, questions: Sequence[str], k: int) -> list[list[Passage]]:
        found = []
        for question in questions:
            first = int(question.split()[-1].strip("?"))
            found.append([CHUNKS[f"h{(first + step) % 30}"] for step in range(k)])
        return found


def owner(number: int, answer: str | None = None, weak: bool = False) -> ExamQuestion:
    question = Question(f"q{number}", f"Who owns house {number}?", (answer or f"Owner{number}",))
    return ExamQuestion(question, "train", f"c{number}", (f"h{number}",), weak)


def unknown(number: int) -> ExamQuestion:
    return ExamQuestion(Question(f"u{number}", f"Who built house {number}?"), "train", f"u{number}")


ASKED = [owner(number) for number in range(10)]


def choose(
    tokenizer: Tokenizer, train: Sequence[ExamQuestion], count: int = 3, *, abstaining: bool = False, seed: int = 0
) -> tuple[list[Shot], list[Shot]]:
    return choose_shots(
        train,
        count,
        abstaining=abstaining,
        finder=Asking(Rotating()),
        pool=20,
        chunks=CHUNKS,
        recipe=RECIPE,
        builder=PromptBuilder(tokenizer, ABSTENTION, max_tokens=2048, answer_tokens=96),
        seed=seed,
    )


def number_of(shot: Shot) -> int:
    return int(shot.question.split()[-1].strip("?"))


def abstains(shot: Shot) -> bool:
    return parse(shot.target, ABSTENTION).abstained


@pytest.mark.parametrize("seed", range(8))
def test_an_example_shows_its_oracle_and_one_distractor(word_tokenizer: Tokenizer, seed: int) -> None:
    shots, closed = choose(word_tokenizer, ASKED, seed=seed)
    assert len(shots) == len(closed) == 3
    for shot in shots:
        number = number_of(shot)
        assert len(shot.passages) == 2
        assert f"h{number}" in {passage.id for passage in shot.passages}
        found = parse(shot.target, ABSTENTION)
        assert found.answer == f"Owner{number}"
        [cited] = found.citations
        assert shot.passages[cited - 1].id == f"h{number}"
        assert found.quotes == ((f"Its owner is Owner{number}.", cited),)
    assert len({shot.question for shot in shots}) == 3


@pytest.mark.parametrize("answer", ["no", "not", "0", "1"])
def test_an_answer_that_stands_everywhere_has_its_distractor_too(word_tokenizer: Tokenizer, answer: str) -> None:
    shots, _ = choose(word_tokenizer, [owner(number, answer) for number in range(5)])
    assert [len(shot.passages) for shot in shots] == [2, 2, 2]


def test_closed_book_examples_are_the_same_questions_without_documents(word_tokenizer: Tokenizer) -> None:
    shots, closed = choose(word_tokenizer, ASKED)
    assert [shot.question for shot in closed] == [shot.question for shot in shots]
    assert {shot.passages for shot in closed} == {()}
    assert [shot.target for shot in closed] == [f"Answer: Owner{number_of(shot)}" for shot in closed]


@pytest.mark.parametrize("seed", range(8))
def test_one_abstains_just_where_it_is_asked(word_tokenizer: Tokenizer, seed: int) -> None:
    train = [*ASKED, unknown(20), unknown(21)]
    assert not any(map(abstains, choose(word_tokenizer, train, seed=seed)[0]))
    shots, closed = choose(word_tokenizer, train, abstaining=True, seed=seed)
    assert len(shots) == 3
    [refusal] = filter(abstains, shots)
    assert refusal.question.startswith("Who built")
    assert refusal.target == "Answer: not in the documents."
    assert len(refusal.passages) == 2
    assert len(closed) == 3
    assert not any(map(abstains, closed)), "abstaining is no closed-book matter"


def test_the_abstaining_example_stands_anywhere(word_tokenizer: Tokenizer) -> None:
    train = [*ASKED, unknown(20)]
    places = set()
    for seed in range(20):
        shots, _ = choose(word_tokenizer, train, abstaining=True, seed=seed)
        places.add([abstains(shot) for shot in shots].index(True))
    assert places == {0, 1, 2}


def test_without_unanswerable_questions_an_oracle_is_withheld(word_tokenizer: Tokenizer) -> None:
    shots, _ = choose(word_tokenizer, ASKED, abstaining=True)
    [refusal] = filter(abstains, shots)
    assert f"h{number_of(refusal)}" not in {passage.id for passage in refusal.passages}
    assert len({shot.question for shot in shots}) == 3


def test_weak_oracles_and_long_answers_are_no_examples(word_tokenizer: Tokenizer) -> None:
    long = " ".join(["word"] * LONGEST_TARGET)
    train = [*(owner(number, weak=True) for number in range(10)), *(owner(number, long) for number in range(10, 15))]
    good = [owner(20), owner(21), owner(22)]
    for seed in range(5):
        shots, _ = choose(word_tokenizer, [*train, *good], seed=seed)
        assert {number_of(shot) for shot in shots} == {20, 21, 22}
    assert choose(word_tokenizer, train) == ([], [])


def test_too_few_are_fewer(word_tokenizer: Tokenizer) -> None:
    shots, closed = choose(word_tokenizer, [owner(1), unknown(2)], 3)
    assert len(shots) == len(closed) == 1
    shots, _ = choose(word_tokenizer, [*ASKED, unknown(20)], 1, abstaining=True)
    assert [abstains(shot) for shot in shots] == [True]


def test_a_seed_is_a_choice(word_tokenizer: Tokenizer) -> None:
    first = choose(word_tokenizer, ASKED, seed=1)
    assert first == choose(word_tokenizer, ASKED, seed=1)
    assert any(choose(word_tokenizer, ASKED, seed=seed) != first for seed in (2, 3))
    shuffled = [replace(question) for question in ASKED]
    assert choose(word_tokenizer, shuffled, seed=1) == first
