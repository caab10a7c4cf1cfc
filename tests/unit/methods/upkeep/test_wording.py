"""Distance of questions and new words of documents: what moves, what does not."""

from __future__ import annotations

import pytest

from ragraft.methods.upkeep.wording import Questions, measure_words
from ragraft.records import Chunk

KNOWN = ["Who keeps the lamp of Arlen?", "Who keeps the lamp of Esker?", "What is the tower of Arlen made of?"]


def test_a_known_question_is_near_and_a_strange_one_far() -> None:
    known = Questions(KNOWN)
    same, reworded, other, strange = map(
        known.distance,
        ["Who keeps the lamp of Arlen?", "The lamp of Arlen: who keeps it?", "Who keeps Cavit?", "Wie spät?"],
    )
    assert same == pytest.approx(0)
    assert same <= reworded < other < strange == 1
    assert known.distance("") == Questions([]).distance("Who?") == 1


def test_new_words_of_questions_are_told_with_how_many_have_them() -> None:
    asked = ["What of the ferry?", "When does the ferry, the ferry go?", "Who keeps the lamp?", "And the 12 12?"]
    assert Questions(KNOWN).new_words(asked) == [("ferry", 2)]


def chunk(document: str, text: str) -> Chunk:
    return Chunk(f"{document}#{len(text)}", document, document, text, 0, len(text), 5)


def test_new_words_of_documents_stand_beside_those_that_are_usual() -> None:
    before = [chunk(f"d{n}", f"The lamp of the tower burns bright, number{n}.") for n in range(8)]
    came = [chunk("new", "The lamp quirls. The quirl burns, quirls."), chunk("d1", "The lamp of the tower burns.")]
    found = measure_words(came, before, resamples=100, seed=0)
    assert found["pieces"] == 2
    assert found["usual"]["value"] == pytest.approx(1 / 5), "a word of five is of one document alone"
    assert found["new"]["value"] == pytest.approx(3 / 8)
    assert found["words"] == [["quirls", 2]]


def test_nothing_is_measured_of_nothing() -> None:
    found = measure_words([chunk("new", "…")], [], resamples=100, seed=0)
    assert (found["new"], found["usual"], found["words"]) == (None, None, [])
