"""Questions that fill up lessons: for a clause's subject, and with a gap; answers stay exact spans."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.candidates import Candidate
from ragraft.methods.fill import Filler
from ragraft.methods.mine import MADE_BY, Miner
from ragraft.methods.pattern_data import load_patterns
from ragraft.records import Chunk
from tests.unit.methods.test_mine import LEARNED, chunk

PATTERNS = load_patterns("en")


def fill(text: str, *asked: str) -> list[Candidate]:
    one = chunk(text)
    return Filler(Miner([one, chunk(LEARNED, name="learned")], PATTERNS).grammar, PATTERNS).fill(one, set(asked))


@pytest.mark.parametrize(
    ("text", "kind", "question", "answer"),
    [
        ("The round tower of Arlen has kept three large ships from the rocks.", "subject",
         "What has kept three large ships from the rocks?", "The round tower of Arlen"),
        ("Greta Holm was seen beside the burning harbour tower of Arlen at night.", "subject",
         "Who or what was seen beside the burning harbour tower of Arlen at night?", "Greta Holm"),
        ("Tired keepers of old harbours have looked after lamps for 12 years.", "cloze",
         "What is missing: “Tired keepers of old harbours have looked after lamps for ____.”?", "12 years"),
        ("Keepers of old harbours have often sent letters to Queen Victoria of England in winter.", "cloze",
         "What is missing: “Keepers of old harbours have often sent letters to ____ in winter.”?",
         "Queen Victoria of England"),
        ("Operators of large clusters may set the `ring.timeout` option, which is read once.", "cloze",
         "What is missing: “Operators of large clusters may set the `____` option, which is read once.”?",
         "ring.timeout"),
        ("Keepers of old harbours have often *looked* after lamps (see [4]) in\n  the harbour of Dromel, far away.",
         "cloze", "What is missing: “Keepers of old harbours have often looked after lamps in the harbour of ____, "
         "far away.”?", "Dromel"),
    ],
)  # fmt: skip
def test_what_is_asked(text: str, kind: str, question: str, answer: str) -> None:
    (found,) = fill(text)
    assert (found.kind, found.question, found.answers) == (kind, question, (answer,))
    assert found.made_by == MADE_BY
    assert found.evidence == (text,)


@pytest.mark.parametrize(
    "text",
    [
        "It has kept three large ships from the rocks of the harbour for 12 years.",
        "This tower has kept three large ships from the rocks of the harbour.",
        "What was seen there is that ships burn oil beside the old tower at night.",
        "Tired keepers of old harbours have looked after lamps (for 12 years) and more.",
        "Tired keepers of old harbours have looked after K. Zipperers lamp of the seas.",
        "Keepers of lamps burn oil.",
        "Potentially has kept three large ships from the rocks of the harbour.",
    ],
)
def test_what_points_outside_or_is_half_a_name_is_not_asked(text: str) -> None:
    assert [one.answers for one in fill(text)] == []


def test_a_sentence_that_is_asked_already_is_left_alone() -> None:
    text = "The round tower of Arlen has kept three large ships from the rocks."
    assert len(fill(text)) == 1
    assert fill(text, text) == []


def test_a_question_that_would_hold_its_answer_is_not_asked() -> None:
    assert "SARS-CoV-2" in fill("SARS-CoV-2 has kept the tower of Arlen from three large ships.")[0].answers
    assert all(one.kind != "subject" for one in fill("SARS-CoV-2 has kept the tower from the old SARS-CoV-2 of Arlen."))


PIECES = st.sampled_from(
    ["The tower", "of Arlen", "has kept", "three ships", "from Queen Victoria", "for 12 years", "`ring.size`",
     "(see [3])", "“the lamp”", "and", "was lit", "in March 1903", ",", "\n", "*old*", "SARS-CoV-2", "harbour oil", "."]
)  # fmt: skip


@given(pieces=st.lists(PIECES, min_size=4, max_size=18))
def test_answers_and_evidence_are_exact_spans_of_any_text(pieces: list[str]) -> None:
    text = f"{' '.join(pieces)}."
    one = Chunk("d#0", "d", "Lamps", text, 0, len(text), len(pieces))
    miner = Miner([one], PATTERNS)
    for found in [*miner.mine(one), *Filler(miner.grammar, PATTERNS).fill(one, set())]:
        assert found.answers[0] in text
        assert all(quote in text for quote in found.evidence)
        assert found.answers[0] not in found.question or found.kind not in ("cloze", "subject")
        assert found.question.endswith("?")
