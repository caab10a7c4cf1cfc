from __future__ import annotations

import re
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from ragraft.methods import reading_texts
from ragraft.methods.domain_words import DomainWords
from ragraft.methods.reading_data import load_reading
from ragraft.methods.reading_texts import ReadingMaker, ReadingText, titled
from ragraft.records import Chunk, Document

SENTENCES = [
    "The lamp of Arlen burns oil that ships bring from the mainland.",
    "However, the lamp of Boskar has been electric for many years.",
    "Therefore, the keeper must watch the level of its tank.",
    "The tower of Cavit was closed for a week because the keeper was ill.",
    "In other words, nobody can say when the tower will open again.",
    "Visitors reach the tower of Dromel on foot at low water only.",
    "Moreover, the steps are made of slate and get slippery in the rain.",
    "The Northern Lighthouse Board (NLB) paints every tower in spring.",
]
PIECES = st.sampled_from(
    [*SENTENCES, "\n\n", "\n", "## Care\n", "```\nlit = True\n```\n", "<PREMISE> ", "x" * 90, "ß🚀 "]
)
TEXTS = st.one_of(st.lists(PIECES, min_size=1, max_size=25).map(" ".join), st.text(max_size=200))
TITLES = st.sampled_from(["", "lamps.md", "Care of oil lamps", "Care of oil lamps "])


def count(text: str) -> int:
    return len(re.findall(r"\w+|[^\w\s]", text))


def maker(room: int = 400) -> ReadingMaker:
    return ReadingMaker(load_reading("en"), DomainWords([" ".join(SENTENCES)] * 3, lambda text: 2), count, room)


def made(text: str, title: str = "Care of oil lamps", *, seed: str = "0", room: int = 400) -> list[ReadingText]:
    return list(maker(room).texts(Document("d", title, text), seed=seed))


@settings(max_examples=120)
@given(text=TEXTS, title=TITLES, room=st.integers(20, 300), seed=st.integers(0, 3))
def test_every_text_holds_its_passage_word_for_word_and_fits(text: str, title: str, room: int, seed: int) -> None:
    found = made(text, title, seed=str(seed), room=room)
    for one in found:
        assert one.passage.text in one.text
        assert text[one.passage.start : one.passage.end] == one.passage.text
        assert count(one.text) <= room
        most = max(reading_texts.FEWEST, one.passage.tokens // reading_texts.A_TASK)
        assert len(one.kinds) <= most
        assert list(one.kinds) == sorted(one.kinds, key=one.kinds.index)
    # Passage after passage the whole document, but for whitespace.
    assert "".join("".join(one.passage.text.split()) for one in found) == "".join(text.split())


@settings(max_examples=30)
@given(text=TEXTS, seed=st.integers(0, 3))
def test_equal_seeds_give_equal_texts(text: str, seed: int) -> None:
    assert made(text, seed=str(seed)) == made(text, seed=str(seed))


def test_other_seeds_give_other_tasks_on_the_same_passages() -> None:
    text = " ".join(SENTENCES)
    found = [made(text, seed=str(seed)) for seed in range(20)]
    assert len({one.text for [one] in found}) > 10
    assert {one.passage.text for [one] in found} == {text}


def test_rare_kinds_are_drawn_before_common_ones() -> None:
    kinds = Counter(
        kind for seed in range(200) for [one] in [made(" ".join(SENTENCES), seed=str(seed))] for kind in one.kinds
    )
    assert set(kinds) == {"nli", "cause", "paraphrase", "words", "title", "completion"}
    assert min(kinds["nli"], kinds["cause"], kinds["paraphrase"]) > 1.5 * max(kinds["title"], kinds["completion"])


def test_no_more_than_two_of_a_subtype() -> None:
    pairs = [
        f"Lamp {n} of Arlen burns oil of the mainland. However, lamp {n} of Boskar is electric now." for n in range(99)
    ]
    drawn = [made("\n\n".join(pairs), room=5000, seed=str(seed))[0] for seed in range(12)]
    assert all(one.passage.tokens // reading_texts.A_TASK > 5 for one in drawn)
    found = [Counter(one.kinds) for one in drawn]
    # Contrasts give one sub-type of paraphrases, and two of relations.
    assert max(kinds["paraphrase"] for kinds in found) == reading_texts.A_SUBTYPE
    assert max(kinds["nli"] for kinds in found) <= 2 * reading_texts.A_SUBTYPE


def test_a_title_stands_once_and_not_where_it_is_asked_for() -> None:
    for seed in range(40):
        [one] = made(" ".join(SENTENCES), seed=str(seed))
        assert one.text.count("Care of oil lamps") == 1
        asked = "title" in one.kinds
        assert one.text.startswith("Care of oil lamps") <= (not asked)
    heading = "# Care of oil lamps\n\n" + SENTENCES[0]
    assert titled(Chunk("d#0", "d", "Care of oil lamps", heading, 0, len(heading), 9)) == heading


def test_tasks_that_do_not_fit_are_left_out_and_the_passage_never_is() -> None:
    text = " ".join(SENTENCES)
    tokens = count(text)
    for room in (round(tokens / 0.75) + 1, 2 * tokens, 4 * tokens):
        [one] = made(text, room=room, seed="5")
        assert count(one.text) <= room
    tight = made("word " * 30, "A title of very many words " * 9, room=40)
    assert [one.text for one in tight] == [one.passage.text for one in tight]


def test_a_document_without_prose_is_its_own_text() -> None:
    [one] = made("```\nlit = True\n```", "")
    assert (one.text, one.kinds) == ("```\nlit = True\n```", ())
