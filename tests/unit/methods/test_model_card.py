from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from ragraft.methods.model_card import About, Asking, model_card
from ragraft.methods.model_limits import NEVER, card_limits
from ragraft.methods.report_data import build_report
from tests.unit.methods.test_report_table import sources

ASKING = Asking("Answer from the documents.", 4, 2048, 96, 0.5, copy_quotes=True, rereads=False)
ABOUT = About(
    name="acme-raft",
    form="This folder holds the whole model.",
    base="org/base",
    hub="org/base",
    licence="apache-2.0",
    asking=ASKING,
    report=build_report(sources(), examples=1),
    cards={"01-raft": {"tuning": "lora", "rank": 32, "steps": 120, "learning_rate": 5e-4, "seconds": 301.5}},
    lessons={"lessons": 1200, "validation lessons": 80, "copies": 2, "lessons, oracle": 960},
    documents={"documents": 150, "chunks": 1900},
    settings={"model": "org/base", "train": {"epochs": 2}},
    made_with={"ragraft": "0.1.0", "fingerprint of the training": "abc"},
)


def figure(value: float, n: int = 20) -> dict[str, Any]:
    return {"value": value, "low": max(0.0, value - 0.1), "high": min(1.0, value + 0.1), "n": n, "unscored": 0}


def report(**changes: Any) -> dict[str, Any]:
    """A report whose tuned model behaves so with retrieved passages."""
    made = build_report(sources(), examples=1)
    for part in ("abstention", "citations"):
        if part in changes:
            made[part] = [{"model": "tuned", "context": "retrieved", "metrics": changes.pop(part)}]
    return {**made, **changes}


def sections(card: str) -> list[str]:
    return [line[3:] for line in card.splitlines() if line.startswith("## ")]


def test_the_front_matter_is_the_hubs() -> None:
    card = model_card(ABOUT)
    opening, front, rest = card.split("---\n", 2)
    assert opening == ""
    data = yaml.safe_load(front)
    assert (data["license"], data["base_model"], data["library_name"]) == ("apache-2.0", "org/base", "transformers")
    assert rest.lstrip().startswith("# acme-raft\n")
    unknown = yaml.safe_load(model_card(replace(ABOUT, licence=None, hub=None)).split("---\n", 2)[1])
    assert "license" not in unknown
    assert "base_model" not in unknown


def test_a_stranger_finds_all_that_the_model_is_judged_by() -> None:
    card = model_card(ABOUT)
    assert sections(card) == [
        "Intended use",
        "How to ask it",
        "Scores",
        "Abstention and citations",
        "What tuning made it forget",
        "Limits",
        "Data",
        "Training",
        "How to reproduce it",
        "Licences",
    ]
    assert "It is org/base, tuned by raft with" in card
    assert "**Tuning helped: with retrieved passages, tuned minus base is +20.0 [10.0, 30.0] points of token F1" in card
    assert "The exam: 2 questions in 2 clusters of shared documents. Token F1 from 0 to 100, says how far" in card
    assert "| Retrieved passages | Tuned | 40.0 [30.0, 50.0] | - | 2 | 0 |" in card
    assert "```text\nAnswer from the documents.\n```" in card
    assert "| lessons | 1,200 |" in card
    assert "In its exam the abstention was given where it is likelier than 0.5" in card
    assert "| exam | 2 | 2 | 0 |" in card
    assert "| learning_rate | 0.0005 |" in card
    assert "- fingerprint of the training: abc" in card
    assert "the documents that it was tuned on: not known to ragraft" in card
    assert "```yaml\nmodel: org/base\ntrain:\n  epochs: 2\n```" in card


def test_what_was_not_examined_has_no_figures() -> None:
    card = model_card(replace(ABOUT, report={}))
    assert "It was not examined, so nothing is known of how well it answers." in card
    assert "- It was not examined: not one figure is known of it." in card
    assert card.count("Not measured.") == 2
    assert "95 %" not in card


def test_what_was_not_measured_is_said_to_be_so() -> None:
    limits = card_limits(report(), ASKING, ())
    assert "How it treats questions that the documents do not answer was not measured: its exam has none." in limits
    assert "Whether its citations are right was not measured." in limits
    assert "What it answers without documents was not measured." in limits
    assert "What tuning made it forget of general instructions was not measured." in limits
    assert limits[-1] == NEVER
    assert any(limit.startswith("New questions on known documents: 1 of 2.") for limit in limits)
    assert any(limit.startswith("One training seed") for limit in limits)


def test_a_low_score_is_a_limit() -> None:
    told = "With retrieved passages it scores 40.0 [30.0, 50.0] of 100 (n = 2): many of its answers are wrong or "
    assert any(limit.startswith(told) for limit in card_limits(report(), ASKING, ()))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"abstention": {"abstention_recall": figure(0.3)}},
            "refuses only 30.0 [20.0, 40.0] (n = 20); to the oth",
        ),
        ({"abstention": {"over_refusal": figure(0.4)}}, "It refuses 40.0 [30.0, 50.0] of 100 questions whose evidence"),
        ({"citations": {"citation_precision": figure(0.5)}}, "that it cites only 50.0 [40.0, 60.0] hold the evidence"),
        ({"exam": {"label": "exam: 2 of 2 questions made by a machine (x), 0 reviewed"}}, "A machine made its exam"),
        (
            {"headline": {"difference": None, "sentence": "No verdict: why."}},
            "It is not shown that tuning helped.",
        ),
    ],
)
def test_weak_figures_are_limits(changes: dict[str, Any], told: str) -> None:
    assert any(told in limit for limit in card_limits(report(**changes), ASKING, ()))


def test_good_figures_are_none() -> None:
    good = report(
        abstention={"abstention_recall": figure(0.9), "over_refusal": figure(0.02)},
        citations={"citation_precision": figure(0.95)},
    )
    limits = " ".join(card_limits(good, ASKING, ()))
    assert "refuses" not in limits
    assert "cites only" not in limits


def test_other_programs_decode_otherwise() -> None:
    told = "The figures are of the model as ragraft decodes it."
    assert any(limit.startswith(told) for limit in card_limits(report(), ASKING, ()))
    plain = replace(ASKING, abstain_above=0.0, copy_quotes=False)
    assert not any(limit.startswith(told) for limit in card_limits(report(), plain, ()))
    assert "It was rounded." in card_limits(report(), ASKING, ("It was rounded.",))


@pytest.mark.parametrize(
    ("licences", "told"),
    [
        ({}, "not known to ragraft"),
        ({None: 3}, "not known to ragraft"),
        ({"MIT": 3}, "MIT"),
        (
            {"MIT": 3, "CC-BY-4.0": 12, "Apache-2.0": 3},
            "CC-BY-4.0 (12 documents), Apache-2.0 (3 documents), MIT (3 documents)",
        ),
        ({"MIT": 1, None: 9}, "MIT (1 document), of 9 documents not known to ragraft"),
    ],
)
def test_documents_are_counted_by_their_licence(licences: dict[str | None, int], told: str) -> None:
    card = model_card(replace(ABOUT, document_licences=licences))
    assert f"- the documents that it was tuned on: {told}; a tuned model can repeat sentences of them" in card
