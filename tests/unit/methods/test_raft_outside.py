"""Lessons whose passages come from the user's own retriever, beside chunks of ours."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from ragraft.methods.answer import parse
from ragraft.methods.prompt import PromptBuilder
from ragraft.methods.raft import Made, Recipe, choose_oracle, make_lesson
from ragraft.ports import Tokenizer
from ragraft.records import ExamQuestion, Passage, Question

ABSTENTION = "not in the documents."
TOWNS = 60
RECIPE = Recipe(distractors=(2, 2), hard=1.0, low=0.0, quote_words=12, abstention=ABSTENTION)


def _filler(seed: int) -> str:
    draw = random.Random(seed)
    return " ".join("".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=5)) for _ in range(40))


def mayor(town: int) -> str:
    return f"Mayorof{town} the Great"


CHUNKS = {
    f"t{town}": Passage(
        f"t{town}",
        f"d{town}",
        "",
        f"{_filler(town)}. Town {town} has a mayor called {mayor(town)}. It lies by the sea.",
    )
    for town in range(TOWNS)
}


def asked(town: int) -> ExamQuestion:
    question = Question(f"q{town}", f"Who is the mayor of town {town}?", (mayor(town),))
    return ExamQuestion(question, "train", f"c{town}", (f"t{town}",))


def oracle(question: ExamQuestion, showing: Sequence[Passage] = ()) -> list[str]:
    return [passage.id for passage in choose_oracle(question, CHUNKS, showing)]


def make_builder(tokenizer: Tokenizer, most: int = 2048) -> PromptBuilder:
    return PromptBuilder(tokenizer, ABSTENTION, max_tokens=most, answer_tokens=96)


@pytest.fixture
def builder(word_tokenizer: Tokenizer) -> PromptBuilder:
    return make_builder(word_tokenizer)


def outside(name: str, text: str, *shows: str) -> Passage:
    return Passage(name, "", "Theirs", text, shows=shows)


def outside_lesson(
    builder: PromptBuilder,
    ranked: Sequence[Passage],
    *,
    elsewhere: Sequence[Passage] | None = None,
    with_oracle: bool = True,
    town: int = 3,
    seed: str = "0",
) -> Made:
    found = make_lesson(
        asked(town),
        with_oracle=with_oracle,
        chunks=CHUNKS,
        ranked=ranked,
        elsewhere=CHUNKS if elsewhere is None else {passage.id: passage for passage in elsewhere},
        recipe=RECIPE,
        builder=builder,
        answers_it=lambda passage: mayor(town) in passage.text,
        seed=seed,
    )
    assert isinstance(found, Made), found
    return found


def theirs(town: int) -> list[Passage]:
    """An oracle second, another copy of it, a passage that answers from elsewhere, and three that do not."""
    return [
        outside("x0", f"{_filler(2000)}. A village."),
        outside("x1", f"They say that town {town} has a mayor called {mayor(town)}.", f"t{town}"),
        outside("x2", f"{_filler(town)}. Town {town} has a mayor, not named here.", f"t{town}"),
        outside("x3", f"{_filler(2001)}. We met {mayor(town)} elsewhere."),
        outside("x4", f"{_filler(2002)}. A hamlet."),
        outside("x5", f"{_filler(2003)}. A port."),
    ]


def test_the_oracle_is_shown_as_their_retriever_found_it(builder: PromptBuilder) -> None:
    one = outside_lesson(builder, theirs(3))
    assert one.lesson.oracle == ("x1",), "of two the one that can be quoted"
    assert [passage.id for passage in one.shown] == list(one.lesson.passages)
    [(quote, number)] = parse(one.lesson.target, ABSTENTION).quotes
    assert number is not None
    assert quote in one.shown[number - 1].text


@pytest.mark.parametrize("with_oracle", [True, False])
def test_what_shows_or_answers_is_never_their_distractor(builder: PromptBuilder, with_oracle: bool) -> None:
    for seed in "0123456789":
        one = outside_lesson(builder, theirs(3), with_oracle=with_oracle, seed=seed)
        distractors = set(one.lesson.passages) - set(one.lesson.oracle)
        assert distractors <= {"x0", "x4", "x5"}
        assert set(one.kinds) == {"hard"}


def test_an_oracle_that_they_did_not_find_is_ours(builder: PromptBuilder) -> None:
    ranked = [passage for passage in theirs(3) if not passage.shows]
    assert outside_lesson(builder, ranked).lesson.oracle == ("t3",)


def test_an_oracle_of_theirs_that_is_too_long_is_ours(word_tokenizer: Tokenizer) -> None:
    short = make_builder(word_tokenizer, most=320)
    long = outside("long", f"{mayor(3)} is the mayor. {_filler(9) * 40}" + " so" * 400, "t3")
    one = outside_lesson(short, [long, *(passage for passage in theirs(3) if not passage.shows)])
    assert one.lesson.oracle == ("t3",)
    assert "long" not in one.lesson.passages


def test_one_passage_of_theirs_may_show_all_the_evidence() -> None:
    parts = (("t3",), ("t4",))
    both = ExamQuestion(Question("q3", "Which?", (mayor(3), mayor(4))), "train", "c", ("t3", "t4"), parts=parts)
    assert oracle(both, [outside("one", mayor(3), "t3"), outside("all", "text", "t4")]) == ["one", "all"]
    assert oracle(both, [outside("all", f"{mayor(3)}, {mayor(4)}", "t3", "t4")]) == ["all"]
    assert oracle(both, [outside("one", mayor(4), "t4")]) == ["t3", "one"]


def test_our_chunks_do_not_lie_hidden_in_their_oracle(builder: PromptBuilder) -> None:
    """A chunk of ours that repeats a passage which shows the evidence is no distractor beside it."""
    whole = outside("whole", f"{CHUNKS['t3'].text} {CHUNKS['t50'].text} {CHUNKS['t51'].text}", "t3")
    for seed in range(40):
        one = outside_lesson(builder, [whole], seed=str(seed))
        assert one.lesson.oracle == ("whole",)
        assert not {"t50", "t51"} & set(one.lesson.passages)


def test_random_distractors_come_from_elsewhere_and_show_nothing_either(builder: PromptBuilder) -> None:
    only = [passage for passage in theirs(3) if passage.id == "x1"]
    others = [
        outside("y0", f"{_filler(3000)}. Shows the same chunk to another question.", "t3"),
        outside("y1", f"{_filler(3001)}. We met {mayor(3)}."),
        outside("y2", CHUNKS["t3"].text),
        outside("y3", f"{_filler(3003)}. A mill."),
        outside("y4", f"{_filler(3004)}. A farm.", "t9"),
    ]
    for seed in "0123456789":
        one = outside_lesson(builder, only, elsewhere=others, seed=seed)
        assert set(one.lesson.passages) == {"x1", "y3", "y4"}, "none of ours, which would be known by its form"
        assert one.kinds == ("random", "random")
