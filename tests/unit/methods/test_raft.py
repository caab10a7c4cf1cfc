"""Lessons: what they show, what they ask for, and what they are drawn by."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from ragraft.methods.answer import parse
from ragraft.methods.balance import plan_kinds
from ragraft.methods.prompt import PromptBuilder, user_turn
from ragraft.methods.raft import HARD_RANKS, Made, Recipe, choose_oracle, make_lesson
from ragraft.ports import Tokenizer
from ragraft.records import ExamQuestion, Passage, Question, Rejected

ABSTENTION = "not in the documents."
TOWNS = 150
RECIPE = Recipe(distractors=(1, 3), hard=0.5, low=0.25, quote_words=12, abstention=ABSTENTION)
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _filler(town: int) -> str:
    draw = random.Random(town)
    words = ["".join(draw.choices(LETTERS, k=5)) for _ in range(40)]
    return " ".join(words)


def mayor(town: int) -> str:
    return f"Mayorof{town} the Great"


def _chunks() -> dict[str, Passage]:
    """A chunk for each town; every tenth also has a near repeat, and another chunk that names its mayor."""
    found = {}
    for town in range(TOWNS):
        text = f"{_filler(town)}. Town {town} has a mayor called {mayor(town)}. It lies by the sea."
        found[f"t{town}"] = Passage(f"t{town}", f"d{town}", f"Town {town}", text)
        if town % 10 == 0:
            copy = f"Reprint. {_filler(town)}. Town {town} lies by the sea and has a mayor."
            found[f"copy{town}"] = Passage(f"copy{town}", "reprints", "", copy)
            also = f"{_filler(town + 1000)}. We met {mayor(town)} there."
            found[f"also{town}"] = Passage(f"also{town}", "travels", "", also)
    return found


CHUNKS = _chunks()


def asked(town: int, answerable: bool = True) -> ExamQuestion:
    if not answerable:
        return ExamQuestion(Question(f"u{town}", f"Who is the baker of town {town}?"), "train", f"u{town}")
    question = Question(f"q{town}", f"Who is the mayor of town {town}?", (mayor(town),))
    return ExamQuestion(question, "train", f"c{town}", (f"t{town}",))


def ranked(town: int, count: int = 50) -> list[str]:
    """What a good retriever finds: the oracle, what repeats or answers it, then anything."""
    first = [name for name in (f"t{town}", f"copy{town}", f"also{town}") if name in CHUNKS]
    rest = [name for name in CHUNKS if name not in first]
    return [*first, *random.Random(f"r{town}").sample(rest, count - len(first))]


def answers_it(town: int, name: str) -> bool:
    return mayor(town) in CHUNKS[name].text


def draw(
    builder: PromptBuilder,
    question: ExamQuestion,
    *,
    with_oracle: bool = True,
    recipe: Recipe = RECIPE,
    seed: str = "0",
    order: Sequence[str] | None = None,
) -> Made | Rejected:
    town = int(question.id[1:])
    return make_lesson(
        question,
        with_oracle=with_oracle,
        chunks=CHUNKS,
        ranked=[CHUNKS[name] for name in (ranked(town) if order is None else order)],
        elsewhere=CHUNKS,
        recipe=recipe,
        builder=builder,
        answers_it=lambda passage: answers_it(town, passage.id),
        seed=seed,
    )


def made(
    builder: PromptBuilder,
    question: ExamQuestion,
    *,
    with_oracle: bool = True,
    recipe: Recipe = RECIPE,
    seed: str = "0",
    order: Sequence[str] | None = None,
) -> Made:
    found = draw(builder, question, with_oracle=with_oracle, recipe=recipe, seed=seed, order=order)
    assert isinstance(found, Made), found
    return found


def oracle(question: ExamQuestion) -> list[str]:
    return [passage.id for passage in choose_oracle(question, CHUNKS)]


def make_builder(tokenizer: Tokenizer, most: int = 2048, answer: int = 96) -> PromptBuilder:
    return PromptBuilder(tokenizer, ABSTENTION, max_tokens=most, answer_tokens=answer)


@pytest.fixture(scope="module")
def builder(word_tokenizer: Tokenizer) -> PromptBuilder:
    return make_builder(word_tokenizer)


@pytest.fixture(scope="module")
def shown(builder: PromptBuilder) -> list[Made]:
    """Six hundred lessons that show their oracle."""
    return [made(builder, asked(town), seed=seed) for town in range(TOWNS) for seed in "0123"]


@pytest.fixture(scope="module")
def hidden(builder: PromptBuilder) -> list[Made]:
    """Lessons without an oracle: answerable questions and unanswerable ones."""
    withheld = [made(builder, asked(town), with_oracle=False, seed=seed) for town in range(TOWNS) for seed in "01"]
    unanswerable = [made(builder, asked(town, False), with_oracle=False) for town in range(TOWNS)]
    return withheld + unanswerable


# --- what lessons show


def test_the_oracle_is_shown_just_where_the_kind_says_so(shown: list[Made], hidden: list[Made]) -> None:
    for one in shown:
        town = one.lesson.question_id[1:]
        assert one.lesson.kind == "oracle"
        assert one.lesson.oracle == (f"t{town}",)
        assert one.lesson.passages.count(f"t{town}") == 1
    for one in hidden:
        town = one.lesson.question_id[1:]
        assert one.lesson.kind == ("no-oracle" if one.lesson.question_id.startswith("q") else "unanswerable")
        assert one.lesson.oracle == ()
        if one.lesson.kind == "no-oracle":
            assert f"t{town}" not in one.lesson.passages


def test_a_lesson_without_its_oracle_asks_for_the_abstention(hidden: list[Made]) -> None:
    assert {one.lesson.target for one in hidden} == {"Answer: not in the documents."}


def test_a_no_that_rests_on_silence_is_taught_without_evidence(builder: PromptBuilder) -> None:
    question = ExamQuestion(Question("q7", "Does it cap the liability?", ("no",), options=("yes", "no")), "train", "c")
    lesson = made(builder, question, with_oracle=False).lesson
    assert (lesson.kind, lesson.target, lesson.oracle) == ("silent", "Answer: no", ())
    assert lesson.passages
    assert plan_kinds([question], 0.8, 0) == {"q7": False}


def test_citations_point_at_the_passage_that_holds_the_quote(shown: list[Made]) -> None:
    for one in shown:
        town = int(one.lesson.question_id[1:])
        found = parse(one.lesson.target, ABSTENTION)
        [(quote, number)] = found.quotes
        assert number is not None
        assert found.citations == (number,)
        assert one.lesson.passages[number - 1] == f"t{town}"
        assert quote in CHUNKS[f"t{town}"].text
        assert mayor(town) in quote
        assert found.answer == mayor(town)
        assert f"[{number}] Town {town}\n" in one.lesson.prompt.messages[-1].content


def test_no_distractor_answers_the_question_or_nearly_repeats_the_oracle(shown: list[Made], hidden: list[Made]) -> None:
    met = 0
    for one in shown + hidden:
        town = int(one.lesson.question_id[1:])
        if one.lesson.kind == "unanswerable":
            continue
        others = [name for name in one.lesson.passages if name not in one.lesson.oracle]
        assert not any(answers_it(town, name) for name in others)
        assert f"copy{town}" not in others
        met += town % 10 == 0
    assert met > 60, "there were copies to avoid"


def test_the_prompt_shows_the_passages_in_order(shown: list[Made], hidden: list[Made], builder: PromptBuilder) -> None:
    for one in (shown + hidden)[::7]:
        question = asked(int(one.lesson.question_id[1:]), one.lesson.question_id.startswith("q")).question.question
        assert one.lesson.prompt == builder.build(question, [CHUNKS[name] for name in one.lesson.passages])
        assert len(set(one.lesson.passages)) == len(one.lesson.passages)
        assert one.distractors_dropped == 0


def test_evidence_of_several_pieces_shows_one_chunk_of_each(builder: PromptBuilder) -> None:
    question = Question("q3", "Which mayors?", (mayor(3), mayor(4)))
    parts = (("t3",), ("t7", "t4"))
    asked_both = ExamQuestion(question, "train", "c", ("t3", "t7", "t4"), parts=parts)
    assert oracle(asked_both) == ["t3", "t4"], "of copies the one that can be quoted"
    one = made(builder, asked_both)
    assert one.lesson.oracle == ("t3", "t4")
    assert {"t3", "t4"} <= set(one.lesson.passages)
    assert "t7" not in one.lesson.passages, "the rest of the evidence is no distractor"
    assert len(parse(one.lesson.target, ABSTENTION).quotes) == 2


def test_a_chunk_that_serves_two_pieces_is_shown_once() -> None:
    question = ExamQuestion(
        Question("q3", "Which?", (mayor(3),)), "train", "c", ("t3", "t4"), parts=(("t3", "t4"), ("t4", "t3"), ("t4",))
    )
    assert oracle(question) == ["t3", "t4"]
    assert oracle(replace(question, parts=(("t3",), ("t5", "t3")))) == ["t3"]


# --- how they are drawn


def test_the_same_seed_gives_the_same_lesson_and_another_does_not(builder: PromptBuilder) -> None:
    first, again, other = ([made(builder, asked(town), seed=seed) for town in range(30)] for seed in "001")
    assert first == again
    assert all(one.lesson.prompt != two.lesson.prompt for one, two in zip(first, other, strict=True))
    assert made(builder, asked(0), seed="1.2").lesson.id == "q0~1.2"


def test_the_oracle_stands_anywhere(builder: PromptBuilder) -> None:
    recipe = replace(RECIPE, distractors=(3, 3))
    lessons = [made(builder, asked(town), recipe=recipe, seed=seed).lesson for town in range(TOWNS) for seed in "0123"]
    places = Counter(lesson.passages.index(lesson.oracle[0]) for lesson in lessons)
    expected = len(lessons) / 4
    chi_square = sum((places[place] - expected) ** 2 / expected for place in range(4))
    assert sum(places.values()) == 600
    assert chi_square < 16.3, "one in a thousand, three degrees of freedom"


def test_the_number_of_distractors_is_uniform(shown: list[Made], hidden: list[Made]) -> None:
    counts = Counter(len(one.lesson.passages) - 1 for one in shown)
    assert set(counts) == {1, 2, 3}
    assert all(160 < count < 240 for count in counts.values())
    without = Counter(len(one.lesson.passages) for one in hidden)
    assert set(without) == {2, 3, 4}, "one more in the oracle's place"


def test_distractors_come_from_where_the_recipe_says(shown: list[Made]) -> None:
    assert all(list(one.kinds) == sorted(one.kinds, key=["hard", "low", "random"].index) for one in shown)
    origins = Counter(kind for one in shown for kind in one.kinds)
    total = sum(origins.values())
    assert total > 1000
    assert origins["hard"] / total == pytest.approx(0.5, abs=0.05)
    assert origins["low"] / total == pytest.approx(0.25, abs=0.05)
    assert origins["random"] / total == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize(("kind", "first", "last"), [("hard", 0, HARD_RANKS), ("low", HARD_RANKS, 50)])
def test_hard_ones_rank_high_and_low_ones_low(builder: PromptBuilder, kind: str, first: int, last: int) -> None:
    recipe = replace(RECIPE, hard=float(kind == "hard"), low=float(kind == "low"))
    for town in range(40):
        one = made(builder, asked(town), recipe=recipe)
        others = set(one.lesson.passages) - {f"t{town}"}
        assert others <= set(ranked(town)[first:last])
        assert set(one.kinds) == {kind}


def test_random_ones_come_from_all_chunks(builder: PromptBuilder) -> None:
    recipe = replace(RECIPE, hard=0.0, low=0.0)
    lessons = [made(builder, asked(town), recipe=recipe) for town in range(40)]
    assert {kind for one in lessons for kind in one.kinds} == {"random"}
    beyond = [n for one in lessons for n in one.lesson.passages if n not in ranked(int(one.lesson.question_id[1:]))]
    assert len(beyond) > 20


def test_an_empty_pool_is_made_up_from_the_others(builder: PromptBuilder) -> None:
    recipe = replace(RECIPE, hard=1.0, low=0.0, distractors=(3, 3))
    one = made(builder, asked(1), recipe=recipe, order=["t1", "t2", *["t1"] * 8, "t3"])
    assert Counter(one.kinds) == {"hard": 1, "low": 1, "random": 1}
    assert {"t2", "t3"} <= set(one.lesson.passages)


def test_no_distractors_may_be_asked_for(builder: PromptBuilder) -> None:
    recipe = replace(RECIPE, distractors=(0, 0))
    assert made(builder, asked(1), recipe=recipe).lesson.passages == ("t1",)
    assert len(made(builder, asked(1), with_oracle=False, recipe=recipe).lesson.passages) == 1


# --- the budget


@pytest.mark.parametrize("most", [170, 210, 250, 290, 340])
def test_the_budget_cuts_distractors_only_the_least_useful_first(word_tokenizer: Tokenizer, most: int) -> None:
    narrow, wide = make_builder(word_tokenizer, most, 40), make_builder(word_tokenizer, 5000, 40)
    recipe = replace(RECIPE, distractors=(3, 3))
    dropped = 0
    for town in range(30):
        question = asked(town)
        one, whole = made(narrow, question, recipe=recipe), made(wide, question, recipe=recipe)
        turn = one.lesson.prompt.messages[-1].content
        assert turn.endswith(f"Question: {question.question.question}")
        assert CHUNKS[f"t{town}"].text in turn
        assert parse(one.lesson.target, ABSTENTION).answer == mayor(town)
        tokens = word_tokenizer.count_prompt(one.lesson.prompt) + word_tokenizer.count(one.lesson.target)
        assert tokens <= most
        assert len(one.lesson.passages) + one.distractors_dropped == 4
        assert set(one.lesson.passages) <= set(whole.lesson.passages)
        assert one.kinds == whole.kinds[: len(one.kinds)], "hard ones stay, random ones go"
        dropped += one.distractors_dropped
    assert (dropped > 0) == (most < 340)


def test_an_oracle_that_never_fits_costs_its_own_row_alone(word_tokenizer: Tokenizer) -> None:
    found = draw(make_builder(word_tokenizer, 100, 40), asked(1))
    reason = "the question and its documents don't fit into prompt.max_tokens"
    assert found == Rejected("q1", reason, "100 tokens with the answer's room")


# --- what is rejected


def test_a_question_without_any_usable_distractor_is_rejected(builder: PromptBuilder) -> None:
    def lesson(with_oracle: bool) -> Made | Rejected:
        return make_lesson(
            asked(1),
            with_oracle=with_oracle,
            chunks=CHUNKS,
            ranked=[],
            elsewhere=CHUNKS,
            recipe=RECIPE,
            builder=builder,
            answers_it=lambda name: True,
            seed="0",
        )

    assert lesson(False) == Rejected("q1", "no distractor is left that does not answer the question")
    alone = lesson(True)
    assert isinstance(alone, Made)
    assert alone.lesson.passages == ("t1",)


def test_an_answer_beyond_its_room_is_rejected(word_tokenizer: Tokenizer) -> None:
    target = made(make_builder(word_tokenizer), asked(1)).lesson.target
    tokens = word_tokenizer.count(target) + 1
    assert isinstance(draw(make_builder(word_tokenizer, answer=tokens), asked(1)), Made)
    assert draw(make_builder(word_tokenizer, answer=tokens - 1), asked(1)) == Rejected(
        "q1", "the wanted answer is longer than prompt.answer_tokens", f"{tokens} tokens"
    )


def test_a_lesson_never_shows_no_document_at_all(word_tokenizer: Tokenizer) -> None:
    question = asked(1).question.question
    bare = word_tokenizer.count_prompt(make_builder(word_tokenizer).build(question, []))
    tight = make_builder(word_tokenizer, bare + 45, 40)
    assert draw(tight, asked(1), with_oracle=False) == Rejected(
        "q1", "no document fits beside the question into prompt.max_tokens"
    )


def test_a_budget_test_needs_chunks_of_a_size() -> None:
    lengths = [len(user_turn("", [chunk]).split()) for name, chunk in CHUNKS.items() if name.startswith("t")]
    assert max(lengths) - min(lengths) < 3
