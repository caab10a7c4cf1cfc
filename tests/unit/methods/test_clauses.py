from __future__ import annotations

import pytest

from ragraft.methods.clauses import Clause, Grammar
from ragraft.methods.pattern_data import load_patterns

SEEN = [
    "The keeper can burn oil. Lamps must burn oil. You should study it, or study less. Ships will stop. They may stop.",
    "So ships were seen, and lamps.",
    "In the harbour the Python sleeps. A lamp is dark. The lamp is dark. People say that Python is big; see Python.",
    "Requests are many. They send requests to request help. To request, to carry, to carry.",
]


@pytest.fixture(scope="module")
def grammar() -> Grammar:
    patterns = load_patterns("en")
    return Grammar(SEEN, patterns.verbs, patterns.words)


@pytest.mark.parametrize(
    ("clause", "asked"),
    [
        ("The lamp was lit", "was the lamp lit"),
        ("The lamp cannot be lit", "can the lamp not be lit"),
        ("The lamp has three wicks", "does the lamp have three wicks"),
        ("The lamp has been lit", "has the lamp been lit"),
        ("The lamps have greatly increased the light", "have the lamps greatly increased the light"),
        ("The lamp burns oil", "does the lamp burn oil"),
        ("Ships stopped at night", "did ships stop at night"),
        ("The keeper carries oil", "does the keeper carry oil"),
        ("The lamp does not burn", "does the lamp not burn"),
        ("The lamp is therefore dark, probably", "is the lamp dark"),
    ],
)
def test_a_clause_in_a_questions_order(grammar: Grammar, clause: str, asked: str) -> None:
    found = grammar.take_apart(clause)
    assert found is not None
    assert found.asked == asked


@pytest.mark.parametrize(
    "clause",
    [
        "The lamp that was lit",
        "On the rock, it was dark",
        "The study of lamps",
        "The lamp was lit and ships were saved",
        "The lamp is used for",
        "The lamp does it",
    ],
)
def test_what_is_not_sure_is_left_alone(grammar: Grammar, clause: str) -> None:
    assert grammar.take_apart(clause) is None


def test_capitals_of_a_beginning_go_and_those_of_names_stay(grammar: Grammar) -> None:
    assert grammar.lowered("Lamps burn") == "lamps burn"
    assert grammar.lowered("The Lamp") == "the Lamp"
    assert grammar.lowered("Python sleeps") == "Python sleeps"
    assert grammar.lowered("Object Code") == "Object Code"
    assert grammar.lowered("WAL replay") == "WAL replay"


def test_verbs_are_those_that_stood_where_verbs_stand(grammar: Grammar) -> None:
    assert grammar.base("burns") == ("does", "burn")
    assert grammar.base("stopped") == ("did", "stop")
    assert grammar.base("made") == ("did", "make")
    assert grammar.base("ships") is None
    assert grammar.base("requests") is None  # named in the data: mostly a noun
    assert grammar.support("consists of") == ("does", "consist of")
    assert grammar.support("refer to") == ("do", "refer to")
    assert grammar.support("discusses") == ("does", "discuss")


@pytest.mark.parametrize(
    ("phrase", "single"),
    [
        ("the lamp of Arlen", True),
        ("the lamp is bright and known", False),
        ("bytes A bytes object", False),
        ("called", False),
        ("burn the oil", False),
        ("the keeper burns oil lamps", False),
        ("the lamp doesn't", False),
    ],
)
def test_a_subject_is_one_noun_phrase(grammar: Grammar, phrase: str, single: bool) -> None:
    assert grammar.is_noun_phrase(phrase.split()) is single


def test_verbs_agree_with_the_head_of_their_subject(grammar: Grammar) -> None:
    assert grammar.agrees(["the", "lamp", "of", "ships"], "burns")
    assert not grammar.agrees(["the", "lamps", "of", "Arlen"], "burns")
    assert grammar.agrees(["lamps"], "burn oil")
    assert not grammar.agrees(["oil", "and", "light"], "is")
    assert grammar.agrees(["`len`"], "returns")


def test_a_clause_is_its_parts() -> None:
    assert Clause("the lamp", "was", "").asked == "was the lamp"
