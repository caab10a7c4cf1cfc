"""Which questions of an exam stay when documents and questions change, which are new, and which nobody can be asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.upkeep.evidence import state_of
from ragraft.methods.upkeep.renewal import Renewed, Standing, choose_lessons, renew, standing
from ragraft.records import Chunk, Document, ExamQuestion, Question

LAMP = "The lamp of Esker is kept by Edda since 1911. It is lit at dusk."
BEFORE = Document("Esker", "Esker", f"{LAMP}\n\nThe tower is of slate.")
CHUNKS = {"Esker#0": Chunk("Esker#0", "Esker", "Esker", LAMP, 0, len(LAMP), 16)}
ASKED = ExamQuestion(
    Question("q", "Who keeps the lamp of Esker?", ("Edda",), ("Esker",)),
    "exam",
    "c",
    ("Esker#0",),
    parts=(("Esker#0",),),
)


def stands(*texts: str, name: str = "Esker", asked: ExamQuestion = ASKED) -> Standing:
    """What became of the question where the document has these words now, each a chunk."""
    now = [Document(name, name, "\n\n".join(texts))] if texts else []
    chunks = [Chunk(f"{name}#{row}", name, name, text, 0, len(text), 1) for row, text in enumerate(texts)]
    return standing(asked, CHUNKS, state_of(now, chunks, [BEFORE]))


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ((LAMP, "The tower is of slate, which is grey."), "kept"),
        (("The lamp of Esker is kept by Edda since 1911. It is lit at noon.",), "reworded"),
        (("The lamp of Esker is still kept by Edda, since 1912. It is lit at dusk.",), "reworded"),
        (("The lamp of Esker is kept by Greta since 1911. Edda lives in Boskar.",), "changed"),
        (("Edda has left.",), "changed"),
        (("The lamp of Holm is kept by Edda since 1911. It is lit at dusk.",), "changed"),
        ((), "gone"),
    ],
)
def test_an_answer_stands_where_its_sentence_or_the_one_in_its_place_holds_it(
    texts: tuple[str, ...], found: Standing
) -> None:
    assert stands(*texts) == found


def test_a_renamed_document_is_the_same_document() -> None:
    assert stands(BEFORE.text, name="Esker-2") == "kept"
    assert stands(LAMP, name="Esker-2") == "kept", "the words of the chunk are all that counts"


def test_all_that_is_needed_must_stand_and_any_copy_will_do() -> None:
    both = replace(ASKED, oracle=("Esker#0", "gone#1"), parts=(("Esker#0",), ("gone#1",)))
    either = replace(ASKED, oracle=("Esker#0", "gone#1"), parts=(("Esker#0", "gone#1"),))
    assert (stands(LAMP, asked=both), stands(LAMP, asked=either)) == ("gone", "kept")
    assert stands(asked=replace(ASKED, oracle=(), parts=())) == "kept", "it rests on nothing"


def test_where_nobody_knows_what_answers_every_word_must_be_kept() -> None:
    weak, reworded = replace(ASKED, weak=True), LAMP.replace("dusk", "noon")
    assert (stands(reworded), stands(reworded, asked=weak), stands(LAMP, asked=weak)) == ("reworded", "changed", "kept")


def test_a_yes_has_no_words_to_be_found_by() -> None:
    yes = replace(ASKED.question, question="Is the lamp of Esker kept by Edda?", answers=("yes",), type="yesno")
    assert stands("Yes: the lamp of Esker is kept by nobody.", asked=replace(ASKED, question=yes)) == "changed"


def renewed(question: Question | None, text: str) -> tuple[dict[str, Renewed], dict[str, str]]:
    now = state_of([Document("Esker", "Esker", text)], [Chunk("Esker#0", "Esker", "", text, 0, len(text), 1)], [BEFORE])
    found = renew([ASKED], [question] if question else [], CHUNKS, now)
    return dict(found.renewed), {row.id: row.reason for row in found.retired}


def test_what_nobody_looked_at_is_retired_where_its_answer_is_no_more() -> None:
    other = LAMP.replace("Edda", "Greta")
    question = ASKED.question
    assert renewed(question, LAMP) == ({"q": Renewed("q", "unchanged", fresh=False)}, {})
    assert renewed(question, other) == ({}, {"q": "its evidence says something else now"})
    assert renewed(None, LAMP) == ({}, {"q": "no longer among the questions"})
    looked_at = replace(question, evidence=("The lamp of Esker is kept by Greta since 1911.",))
    assert renewed(looked_at, other) == ({"q": Renewed("q", "unchanged", fresh=True)}, {})
    answered = replace(question, answers=("Greta", "Mrs Greta"))
    assert renewed(answered, other) == ({"q": Renewed("q", "changed", fresh=True, was=("Edda",))}, {})
    asked_otherwise = replace(question, question="Who keeps Esker's lamp?")
    assert renewed(asked_otherwise, LAMP) == ({"q": Renewed("q", "changed", fresh=True)}, {})
    new, gone = renewed(replace(question, id="r"), LAMP)
    assert new == {"r": Renewed("r", "added", fresh=True)}
    assert gone == {"q": "no longer among the questions"}
    spaced = replace(question, question=f"  {question.question}", answers=(" Edda",))
    assert renewed(spaced, LAMP)[0]["q"].part == "unchanged"


@given(st.lists(st.booleans(), max_size=40), st.floats(0, 1), st.none() | st.integers(0, 50), st.integers(0, 5))
def test_lessons_are_all_fresh_ones_and_a_share_of_the_others(
    fresh: list[bool], share: float, most: int | None, seed: int
) -> None:
    questions = [
        replace(ASKED, question=replace(ASKED.question, id=str(row)), cluster=str(row // 3))
        for row in range(len(fresh))
    ]
    touched = {str(row) for row, new in enumerate(fresh) if new}
    found = choose_lessons(questions, touched, share=share, most=most, seed=seed)
    assert found == choose_lessons(questions, touched, share=share, most=most, seed=seed)
    room = len(questions) if most is None else most
    assert len(found & touched) == min(len(touched), room)
    assert len(found - touched) == min(round(share * (len(questions) - len(touched))), room - len(found & touched))


def test_a_larger_share_holds_the_smaller_one() -> None:
    questions = [replace(ASKED, question=replace(ASKED.question, id=str(row)), cluster=str(row)) for row in range(20)]
    shares = [choose_lessons(questions, {"3"}, share=share, most=None, seed=1) for share in (0.2, 0.5, 1)]
    assert shares[0] < shares[1] < shares[2]
