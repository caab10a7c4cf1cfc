"""No candidate gives away a question of another side than train, however it is worded or titled."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.candidates import Candidate, make_candidate
from ragraft.methods.held_out import ANSWERED, ASKED, HeldOut
from ragraft.records import SIDES, Chunk, ExamQuestion, Question, Side

CHUNK = Chunk("d#0", "d", "Lamps", "The lamp of Arlen burns rape oil, and its keeper is Ada Smith.", 0, 62, 14)
WORDS = ("lamp", "oil", "keeper", "tower", "stone", "burns", "Arlen", "Boskar", "seven", "12", "why", "what", "the")
TEXTS = st.lists(st.sampled_from(WORDS), min_size=3, max_size=9).map(lambda words: f"{' '.join(words).capitalize()}?")


def asked(text: str, side: Side = "exam", *answers: str, oracle: Sequence[str] = (), name: str = "q") -> ExamQuestion:
    return ExamQuestion(Question(name, text, answers), side, "c", tuple(oracle))


def candidate(text: str, answer: str = "rape oil", chunk: Chunk = CHUNK) -> Candidate:
    return make_candidate(chunk, text, answers=[answer], evidence=[chunk.text], kind="x", made_by="test")


@given(text=TEXTS, side=st.sampled_from(SIDES))
def test_the_same_words_count_on_every_side_but_train(text: str, side: Side) -> None:
    one = candidate(text)
    found = HeldOut([asked(text, side)]).faults([one])
    assert found == ({} if side == "train" else {one.id: (ASKED, f"same as q ({side})")})


@given(text=TEXTS)
def test_case_marks_and_a_title_hide_nothing(text: str) -> None:
    variants = [candidate(text.upper()), candidate(f"{text[:-1]} ?"), candidate(text.replace(" ", "  "))]
    titled = HeldOut([asked(f"{text[:-1]} (“Lamps”)?")])
    assert set(HeldOut([asked(text)]).faults(variants)) == {one.id for one in variants}
    assert set(titled.faults(variants[1:2])) == {variants[1].id}


LONG = "which oil does the lamp in the old round tower of the harbour burn at night in winter"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        (f"{LONG}?", True),
        (f"{LONG} then?", True),
        (f"{LONG} of 1903?", False),
        ("which oil does the keeper like best?", False),
    ],
)
def test_near_equal_wording_counts_wherever_the_evidence_lies(text: str, same: bool) -> None:
    far = asked(f"{LONG}?", oracle=["other#3"])
    one = candidate(text, answer="Ada Smith")
    assert bool(HeldOut([far]).faults([one])) is same


@pytest.mark.parametrize(
    ("theirs", "ours", "oracle", "same"),
    [
        ("rape oil", "rape oil", "d#0", True),
        ("Rape  oil", "burns rape oil", "d#0", True),
        ("burns rape oil", "rape oil", "d#0", True),
        ("7", "7", "d#0", True),
        ("7", "17 years", "d#0", False),
        ("Ada Smith", "rape oil", "d#0", False),
        ("rape oil", "rape oil", "d#1", False),
    ],
)
def test_the_same_answer_of_the_same_chunk_counts(theirs: str, ours: str, oracle: str, same: bool) -> None:
    held = asked("Something else entirely?", "validation", theirs, oracle=[oracle])
    one = candidate("What does the lamp of Arlen burn?", ours)
    found = HeldOut([held]).faults([one])
    assert found == ({one.id: (ANSWERED, f"{theirs!r} of q (validation)")} if same else {})


@given(texts=st.lists(TEXTS, min_size=1, max_size=6), held=st.lists(TEXTS, min_size=1, max_size=4))
def test_a_batch_is_judged_like_its_rows(texts: list[str], held: list[str]) -> None:
    """Save that sameness is carried along chains: a batch may find more, never less."""
    looks = HeldOut([asked(text, name=f"q{row}") for row, text in enumerate(held)])
    batch = [candidate(text) for text in texts]
    alone = {name for one in batch for name in looks.faults([one])}
    assert alone <= set(looks.faults(batch))
