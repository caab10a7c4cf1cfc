"""Groups: every question in one, and no document shown in it answers a question that it is not the oracle of."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.grouping import group_parts
from ragraft.methods.prompt import PromptBuilder
from ragraft.methods.raft import TOO_LONG, Made, Part, Recipe, make_group, repeats
from ragraft.ports import Tokenizer
from ragraft.records import ExamQuestion, Passage, Question, Rejected

ABSTENTION = "not in the documents."
RECIPE = Recipe(distractors=(1, 3), hard=0.5, low=0.25, quote_words=12, abstention=ABSTENTION)
CHUNKS_EACH = 3
CLUSTERS = 4
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _filler(name: str, words: int = 30) -> str:
    draw = random.Random(name)
    return " ".join("".join(draw.choices(LETTERS, k=5)) for _ in range(words))


def _chunks() -> dict[str, Passage]:
    """Three chunks a document, which name their keeper; the third also names the first one's keeper; reprints."""
    found = {}
    for cluster in range(CLUSTERS):
        for place in range(CHUNKS_EACH):
            name = f"d{cluster}.{place}"
            also = f" We met {keeper(cluster, 0)} there." if place == 2 else ""
            text = f"{_filler(name)}. The lamp of {name} is kept by {keeper(cluster, place)}.{also}"
            found[name] = Passage(name, f"d{cluster}", "", text)
        reprint = f"{_filler(f'd{cluster}.1')}. The lamp of another is kept by nobody."
        found[f"d{cluster}.r"] = Passage(f"d{cluster}.r", f"d{cluster}", "", reprint)
    return found


def keeper(cluster: int, place: int) -> str:
    return f"Keeperof{cluster}{place} Smith"


CHUNKS = _chunks()


def make_part(number: int, cluster: int, place: int | None, *, shows: bool) -> Part:
    """A question on a chunk of its cluster's document; the fourth rests on the reprint; None: it has no answer."""
    if place is None:
        question = ExamQuestion(Question(f"u{number}", f"Who bakes in {cluster}?"), "train", f"c{cluster}")
        return Part(question, (), list(CHUNKS.values()), lambda passage: False)
    name = f"d{cluster}.{place if place < CHUNKS_EACH else 'r'}"
    answer = keeper(cluster, place) if place < CHUNKS_EACH else "nobody"
    asked = Question(f"q{number}", f"Who keeps the lamp of {name}?", (answer,))
    question = ExamQuestion(asked, "train", f"c{cluster}", (name,))
    return Part(
        question, (CHUNKS[name],) if shows else (), list(CHUNKS.values()), lambda passage: answer in passage.text
    )


PART = st.tuples(
    st.integers(0, CLUSTERS - 1),
    st.one_of(st.none(), st.integers(0, CHUNKS_EACH)),
    st.booleans(),
)
PARTS = st.lists(PART, max_size=24).map(
    lambda drawn: [make_part(row, cluster, place, shows=shows) for row, (cluster, place, shows) in enumerate(drawn)]
)


def names(groups: Sequence[Sequence[Part]]) -> list[str]:
    return [part.question.id for group in groups for part in group]


def check_documents(parts: Sequence[Part], shown: Sequence[str]) -> None:
    for part in parts:
        for name in set(shown) - set(part.oracle_ids):
            assert name not in part.question.oracle
            assert not part.answers_it(CHUNKS[name])
            assert not repeats(CHUNKS[name].text, [CHUNKS[own].text for own in part.question.oracle])


@given(parts=PARTS, size=st.integers(1, 6), documents=st.integers(1, 5), seed=st.sampled_from("ab"))
def test_every_part_is_in_one_group_that_it_fits_in(parts: list[Part], size: int, documents: int, seed: str) -> None:
    groups = group_parts(parts, chunks=CHUNKS, size=size, documents=documents, seed=seed)
    assert sorted(names(groups)) == sorted(part.question.id for part in parts)
    for group in groups:
        assert 0 < len(group) <= size
        assert len({part.question.cluster for part in group}) == 1
        oracles = {name for part in group for name in part.oracle_ids}
        assert len(oracles) <= documents
        check_documents(group, sorted(oracles))
    again = group_parts(parts, chunks=CHUNKS, size=size, documents=documents, seed=seed)
    assert names(again) == names(groups)
    assert [len(group) for group in again] == [len(group) for group in groups]


@given(parts=PARTS)
def test_a_group_of_one_shares_with_nobody(parts: list[Part]) -> None:
    groups = group_parts(parts, chunks=CHUNKS, size=1, documents=4, seed="0")
    assert [len(group) for group in groups] == [1] * len(parts)


def test_questions_on_one_oracle_stand_together_and_seeds_mix_the_rest() -> None:
    parts = [make_part(10 * place + row, 0, place, shows=True) for place in (0, 1) for row in range(4)]
    first, second = group_parts(parts, chunks=CHUNKS, size=4, documents=4, seed="0")
    assert {len({part.oracle_ids for part in group}) for group in (first, second)} == {1}
    mixed = {
        frozenset(frozenset(names([group])) for group in group_parts(parts, chunks=CHUNKS, size=3, documents=4, seed=s))
        for s in "abcdef"
    }
    assert len(mixed) > 1


# --- the lessons of a group


@pytest.fixture(scope="module")
def builder(word_tokenizer: Tokenizer) -> PromptBuilder:
    return PromptBuilder(word_tokenizer, ABSTENTION, 2048, 96)


def lessons_of(parts: Sequence[Part], builder: PromptBuilder, seed: str = "0") -> list[Made | Rejected]:
    return make_group(parts, chunks=CHUNKS, elsewhere=CHUNKS, recipe=RECIPE, builder=builder, seed=seed, copy=1)


@given(parts=PARTS, seed=st.sampled_from("abc"))
def test_lessons_of_a_group_share_their_documents(word_tokenizer: Tokenizer, parts: list[Part], seed: str) -> None:
    builder = PromptBuilder(word_tokenizer, ABSTENTION, 2048, 96)
    for group in group_parts(parts, chunks=CHUNKS, size=4, documents=4, seed=seed):
        lessons = [made.lesson for made in lessons_of(group, builder, seed) if isinstance(made, Made)]
        assert [lesson.question_id for lesson in lessons] == names([group])
        assert len({lesson.passages for lesson in lessons}) == 1
        assert len({lesson.prompt.messages[-1].content[: lesson.prompt.cut] for lesson in lessons}) == 1
        assert {lesson.group for lesson in lessons} == {group[0].question.id if len(group) > 1 else ""}
        assert {lesson.copy for lesson in lessons} == {1}
        check_documents(group, lessons[0].passages)
        for part, lesson in zip(group, lessons, strict=True):
            assert set(part.oracle_ids) <= set(lesson.passages)
            assert lesson.kind == ("oracle" if part.oracle else "no-oracle" if part.question.oracle else "unanswerable")


def crowd() -> list[Part]:
    return [make_part(place, 0, place, shows=True) for place in (1, 2)] + [make_part(5, 0, 1, shows=True)]


def test_oracles_that_do_not_fit_together_are_shown_apart(word_tokenizer: Tokenizer) -> None:
    group = crowd()
    wide = lessons_of(group, PromptBuilder(word_tokenizer, ABSTENTION, 2048, 40))
    assert len({made.lesson.passages for made in wide if isinstance(made, Made)}) == 1
    most = 0
    for tokens in range(100, 400, 10):
        narrow = PromptBuilder(word_tokenizer, ABSTENTION, tokens, 40)
        found = lessons_of(group, narrow)
        made = [one for one in found if isinstance(one, Made)]
        if len(made) < len(found):
            assert all(one.reason == TOO_LONG for one in found if isinstance(one, Rejected))
            assert most == 0, "more room never makes less fit"
            continue
        assert [one.lesson.question_id for one in made] == names([group])
        assert all(word_tokenizer.count_prompt(one.lesson.prompt) + 40 <= tokens for one in made)
        assert all(set(part.oracle_ids) <= set(one.lesson.passages) for part, one in zip(group, made, strict=True))
        sets = Counter((one.lesson.group or one.lesson.id, one.lesson.passages) for one in made)
        assert len({name for name, _ in sets}) == len(sets), "lessons of one group show one set"
        most = max(most, len(sets))
    assert most > 1


def test_a_part_without_room_for_its_answer_costs_the_others_nothing(word_tokenizer: Tokenizer) -> None:
    long = make_part(7, 0, 1, shows=True)
    question = Question("long", "Who?", (" ".join(["very"] * 60),))
    long = Part(ExamQuestion(question, "train", "c0", ("d0.1",)), (CHUNKS["d0.1"],), long.ranked, long.answers_it)
    found = lessons_of([*crowd(), long], PromptBuilder(word_tokenizer, ABSTENTION, 2048, 40))
    assert [type(one) for one in found] == [Made, Made, Made, Rejected]
