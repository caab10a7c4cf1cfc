from __future__ import annotations

from collections.abc import Sequence

import pytest

from ragraft.methods.candidates import Candidate
from ragraft.methods.mine import MADE_BY, Miner
from ragraft.methods.pattern_data import load_patterns
from ragraft.records import Chunk

LEARNED = (
    "Lamps can burn. Ships must burn. A keeper may keep it. We must lose it, or will lose less. They ought to drop. "
    "So we saw frame objects, slice objects, harbour lamps, blocks, supportive treatment and the default of a tower."
)


def chunk(text: str, *, title: str = "Lamps", name: str = "d") -> Chunk:
    return Chunk(f"{name}#0", name, title, text, 0, len(text), len(text.split()))


def mine(text: str, *, title: str = "Lamps") -> list[Candidate]:
    one = chunk(text, title=title)
    return Miner([one, chunk(LEARNED, name="learned")], load_patterns("en")).mine(one)


@pytest.mark.parametrize(
    ("text", "kind", "question", "answer"),
    [
        ("A federated rule is a rule that spans several tenants.", "definition",
         "What is a federated rule?", "a rule that spans several tenants"),
        ("Frame objects represent execution frames.", "refers", "What do frame objects represent?", "execution frames"),
        ("“Net Sales” means the price billed to customers.", "term",
         "What does “Net Sales” mean?", "the price billed to customers"),
        ("The lamp house of Arlen was dark because the keeper slept.", "because",
         "Why was the lamp house of Arlen dark?", "the keeper slept"),
        ("Slice objects are used to represent slices of sequences.", "used-for",
         "What are slice objects used for?", "to represent slices of sequences"),
        ("If a harbour lamp loses its oil, the keeper must fill its tank.", "what-if",
         "What happens if a harbour lamp loses its oil?", "the keeper must fill its tank"),
        ("Harbour lamps of Arlen are lit when the sun sets.", "when",
         "When are harbour lamps of Arlen lit?", "when the sun sets"),
        ("To enable trace sampling in Cortex, set the flag to true.", "how-to",
         "How can you enable trace sampling in Cortex?", "set the flag to true"),
        ("The default idle timeout of requests is 90 seconds.", "quantity",
         "What is the default idle timeout of requests?", "90 seconds"),
        ("Arlen lighthouse tower was built in March 1903.", "date",
         "When was Arlen lighthouse tower built?", "March 1903"),
        ("The round tower of Arlen is made of granite, which ships brought.", "done-by",
         "What is the round tower of Arlen made of?", "granite"),
        ("Blocks are replicated across zones in order to guarantee query results.", "in-order-to",
         "Why are blocks replicated across zones?", "to guarantee query results"),
        ("The receiving party shall answer within ten (10) days of notice.", "within",
         "In what time shall the receiving party answer?", "within ten (10) days of notice"),
        ("Supportive treatment in hospitals includes oxygen and rest.", "consists",
         "What does supportive treatment in hospitals include?", "oxygen and rest"),
    ],
)  # fmt: skip
def test_each_pattern_asks_its_question(text: str, kind: str, question: str, answer: str) -> None:
    found = mine(text)
    assert [(one.kind, one.question, one.answers[0]) for one in found] == [(kind, question, answer)]
    assert found[0].made_by == MADE_BY == "ragraft patterns"
    assert found[0].evidence == (text,)


def test_a_number_alone_is_right_too() -> None:
    found = mine("424 clinical samples were taken from horses in Ireland.")
    assert found[0].question == "How many clinical samples were taken from horses in Ireland?"
    assert found[0].answers == ("424 clinical samples", "424")


def test_answers_and_evidence_are_exact_spans_over_line_breaks() -> None:
    text = "# Rules\n\nA *federated\nrule* is a rule that\n  spans several tenants (see [12]). Next one here.\n"
    found = mine(text)
    assert found[0].question == "What is a federated rule?"
    assert found[0].answers == ("a rule that\n  spans several tenants",)
    assert found[0].evidence == ("A *federated\nrule* is a rule that\n  spans several tenants (see [12]).",)
    assert all(span in text for span in (*found[0].answers, *found[0].evidence))


@pytest.mark.parametrize(
    "text",
    [
        "It is a rule that spans several tenants.",
        "This method is a way to burn oil in lamps.",
        "The method is a way to burn oil in lamps.",
        "The length of the tuple is the number of its items.",
        "They are the lamps that burn at night there.",
        "The lamp house of Arlen was dark because of this.",
        "Lamps are used for the following purposes.",
        "If it loses its harbour oil tank, the keeper must fill its tank.",
        "    A lamp is a light that burns oil",
        "A lamp is a good idea for everybody here.",
        ">>> A lamp is a light that burns oil.",
        "Formally a lamp is a light that burns oil.",
    ],
)
def test_what_points_outside_the_sentence_is_not_asked(text: str) -> None:
    assert mine(text) == []


def test_settings_are_asked_by_their_flag() -> None:
    text = (
        "ring: \n# Timeout of requests.\n# CLI flag: -ring.timeout\n[timeout: <duration> | default = 2m]\n\n"
        '# Two lines say\n# What it does.\n# CLI flag: -ring.name\n[name: <string> | default = "main-ring"]'
    )
    found = {one.question: (one.answers, one.evidence) for one in mine(text)}
    assert list(found) == [
        "What is the default value of the CLI flag `-ring.timeout`?",
        "What is the default value of the CLI flag `-ring.name`?",
        "What does the CLI flag `-ring.timeout` set?",
    ]
    assert found["What is the default value of the CLI flag `-ring.name`?"][0] == ("main-ring",)
    assert all(evidence in text for _, rows in found.values() for evidence in rows)


def test_abbreviations_are_asked_without_a_title() -> None:
    found = mine("Every ingester keeps a write-ahead log (WAL) on disk.")
    assert [(one.question, one.answers, one.titled) for one in found] == [
        ("What does WAL stand for?", ("write-ahead log",), "")
    ]


def bound(text: str) -> Sequence[bool]:
    return [one.bound for one in mine(text)]


def test_what_happened_once_or_names_a_party_needs_its_title() -> None:
    assert bound("The lamp house of Arlen was dark because the keeper slept.") == [True]
    assert bound("“Net Sales” means the price billed to customers.") == [True]
    assert bound("Frame objects represent execution frames.") == [False]


def test_one_question_a_sentence() -> None:
    found = mine(
        "Slice objects are used to represent slices. A harbour lamp is a light that burns oil because ships need it."
    )
    assert [one.kind for one in found] == ["used-for", "definition"]
