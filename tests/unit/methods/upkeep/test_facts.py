"""Facts to ask about: what becomes of questions when documents change, and what is mined from what is new."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ragraft.methods.candidates import make_candidate
from ragraft.methods.mine import Miner
from ragraft.methods.oracle import Places
from ragraft.methods.pattern_data import load_patterns
from ragraft.methods.upkeep.currency import Fact, make_fact
from ragraft.methods.upkeep.evidence import Now
from ragraft.methods.upkeep.facts import (
    Versions,
    candidates_of,
    choose_facts,
    facts_of_questions,
    lost_facts,
    mine_facts,
)
from ragraft.records import Chunk, Document, ExamQuestion, Question

BEFORE = {
    "arlen": "The lamp of Arlen is kept by Edda Holm. The tower of Arlen is made of slate stone.",
    "esker": "The lamp of Esker is kept by Bruno Voss. Boats leave Esker before the evening tide.",
    "cavit": "The lamp of Cavit is kept by Dmitri Orlov. Nobody lives at Cavit in the winter months.",
    "old": "The lamp of Ivor is kept by Hugo Grant.",
}
NOW = {
    "arlen": "The lamp of Arlen is kept by Zenobia Gray. The tower of Arlen is made of slate stone.",
    "esker": BEFORE["esker"],
    "new": BEFORE["old"],
    "zell": "The lamp of Zell is kept by Odo Farrow.",
}


def chunks(texts: Mapping[str, str]) -> dict[str, Chunk]:
    return {f"{name}#0": Chunk(f"{name}#0", name, name.title(), text, 0, len(text), 9) for name, text in texts.items()}


VERSIONS = Versions(BEFORE, chunks(BEFORE), Now(NOW, frozenset(NOW.values()), {"old": "new"}), chunks(NOW))
PLACES = Places([Document(name, name, text) for name, text in NOW.items()], list(chunks(NOW).values()), {})


def asked(document: str, answer: str | None, question: str = "Who keeps the lamp?", **metadata: Any) -> ExamQuestion:
    answers = (answer,) if answer else ()
    row = Question(f"{document} {answer}", question, answers, (document,), metadata=metadata)
    return ExamQuestion(row, "exam", document, (f"{document}#0",) if answer else ())


def told(question: ExamQuestion) -> Fact | str:
    found = facts_of_questions([question], VERSIONS, PLACES, source="exam")
    return found.facts[0] if found.facts else next(iter(found.unclear))


KEEPER = "Who keeps the lamp of Arlen?"


@pytest.mark.parametrize(
    ("question", "state", "now", "old", "oracle"),
    [
        (asked("arlen", "Edda Holm", KEEPER), "changed", ("Zenobia Gray",), ("Edda Holm",), "arlen"),
        (asked("arlen", "slate stone", "What is Arlen's tower made of?"), "unchanged", ("slate stone",), (), "arlen"),
        (asked("esker", "Bruno Voss"), "unchanged", ("Bruno Voss",), (), "esker"),
        (asked("old", "Hugo Grant"), "unchanged", ("Hugo Grant",), (), "new"),
        (asked("cavit", "Dmitri Orlov"), "removed", (), ("Dmitri Orlov",), ""),
        (asked("esker", "Bruno Voss", old_answers=["Ann Roe"]), "changed", ("Bruno Voss",), ("Ann Roe",), "esker"),
    ],
)  # fmt: skip
def test_what_becomes_of_a_question(
    question: ExamQuestion, *, state: str, now: tuple[str, ...], old: tuple[str, ...], oracle: str
) -> None:
    fact = told(question)
    assert isinstance(fact, Fact)
    assert (fact.state, fact.question.question.answers, fact.old) == (state, now, old)
    assert fact.question.oracle == ((f"{oracle}#0",) if oracle and oracle != "new" else fact.question.oracle)
    assert bool(fact.question.oracle) == (state != "removed")


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (asked("cavit", "the evening tide"), "its document is gone, and its answer stands elsewhere"),
        (asked("zell", None), "no evidence to follow"),
    ],
)
def test_of_others_nothing_can_be_told(question: ExamQuestion, reason: str) -> None:
    assert told(question) == reason


def test_a_sentence_that_is_gone_from_its_document_tells_nothing() -> None:
    texts = {**NOW, "arlen": "Nothing is known. The tower of Arlen is made of slate stone."}
    versions = Versions(BEFORE, chunks(BEFORE), Now(texts, frozenset(texts.values()), {}), chunks(texts))
    found = facts_of_questions([asked("arlen", "Edda Holm")], versions, PLACES, source="exam")
    assert list(found.unclear) == ["its evidence changed, and what took its place can't be told"]


def test_what_came_and_went() -> None:
    assert [chunk.document_id for chunk in VERSIONS.came] == ["arlen", "zell"]
    assert [chunk.document_id for chunk in VERSIONS.went] == ["cavit"]


def test_fresh_facts_are_mined_from_what_came_with_the_value_of_before() -> None:
    known = chunks(NOW)
    sentences = {
        "changed": (
            "arlen",
            "Who keeps the lamp of Arlen?",
            "Zenobia Gray",
            "The lamp of Arlen is kept by Zenobia Gray.",
        ),
        "unchanged": ("arlen", "What is the tower of Arlen made of?", "slate stone", NOW["arlen"].split(". ")[1]),
        "added": ("zell", "Who keeps the lamp of Zell?", "Odo Farrow", NOW["zell"]),
    }
    candidates = [
        make_candidate(known[f"{name}#0"], question, answers=[answer], evidence=[evidence], kind="k", made_by="m")
        for name, question, answer, evidence in sentences.values()
    ]
    facts = mine_facts(candidates, VERSIONS, PLACES)
    assert [fact.state for fact in facts] == list(sentences)
    assert [fact.old for fact in facts] == [("Edda Holm",), (), ()]
    assert [fact.question.oracle for fact in facts] == [("arlen#0",), ("arlen#0",), ("zell#0",)]
    assert {fact.source for fact in facts} == {"fresh"}


def test_what_a_document_that_is_gone_said_is_asked_unless_another_says_it() -> None:
    chunk = chunks(BEFORE)["cavit#0"]
    candidates = [
        make_candidate(chunk, f"{answer}?", answers=[answer], evidence=[chunk.text], kind="k", made_by="m")
        for answer in ("Dmitri Orlov", "the winter months", "kept by")
    ]
    facts = lost_facts(candidates, VERSIONS)
    assert [(fact.state, fact.old) for fact in facts] == [
        ("removed", ("Dmitri Orlov",)),
        ("removed", ("the winter months",)),
    ]
    assert not any(fact.question.question.answerable for fact in facts)


def test_patterns_propose_of_chunks_and_a_seed_the_same() -> None:
    found = list(chunks(NOW).values())
    miner = Miner(found, load_patterns("en"))
    first = candidates_of(found, miner, most=2, seed=0)
    assert first == candidates_of(found, miner, most=2, seed=0)
    assert len(first) == 2


def test_states_are_chosen_evenly_and_clusters_in_turn() -> None:
    facts = [
        make_fact(ExamQuestion(Question(f"{state}{n}", "?", ("a",)), "exam", f"c{n % 4}"), state)  # type: ignore[arg-type]
        for state, number in (("unchanged", 20), ("changed", 20), ("removed", 2))
        for n in range(number)
    ]
    found = choose_facts(facts, 12, seed=0)
    states = [fact.state for fact in found]
    assert (states.count("unchanged"), states.count("changed"), states.count("removed")) == (5, 5, 2)
    assert len({fact.question.cluster for fact in found if fact.state == "changed"}) == 4
    assert choose_facts(facts, 12, seed=0) == found
    assert choose_facts(facts, 100, seed=0) == facts
    assert choose_facts(facts, 0, seed=0) == []
