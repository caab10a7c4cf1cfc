"""The terminal's table and the page's tables, and report.json as a golden."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ragraft.methods.exam_facts import known_warnings
from ragraft.methods.report_data import Sources, build_report
from ragraft.methods.report_table import (
    COST,
    Table,
    citation_table,
    cost_table,
    difference_table,
    grid_table,
    metric_table,
    render_table,
    retrieval_table,
    sides_table,
)
from ragraft.records import Answer, ExamQuestion, Question


def figure(value: float, low: float, high: float, n: int = 2) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "n": n, "unscored": 0, "clusters": 6}


def sources() -> Sources:
    def condition(model: str, value: float) -> dict[str, Any]:
        metrics = {"f1": figure(value, value - 0.1, value + 0.1), "prompt_tokens": figure(612.4, 600, 620)}
        return {"model": model, "context": "retrieved", "metrics": metrics}

    question = ExamQuestion(Question("q", "What?", ("that",), ("d",), ("It is that.",)), "exam", "c", ("p",))
    answers = [
        Answer("q", model, "retrieved", text, f"Answer: {text}", (), (), False, ("p",), True, 612, 3, {"f1": f1})
        for model, text, f1 in (("base", "no", 0.0), ("tuned", "that", 1.0))
    ]
    row = {"metric": "f1", "context": "retrieved", "a": "tuned", "b": "base", **figure(0.2, 0.1, 0.3, 12)}
    return Sources(
        {"conditions": [condition("base", 0.2), condition("tuned", 0.4)], "differences": [row],
         "n_questions": 2, "n_clusters": 2, "labels": {}},
        [question],
        answers,
        {"sides": {"exam": {"questions": 2, "clusters": 2, "unanswerable": 0}},
         "known_documents": {"exam_questions": 1, "of": 2}, "warnings": ["few questions"]},
        {"depths": [1], "rows": [
            {"side": side, "ranking": "hybrid", "metric": metric, **figure(0.5, 0.4, 0.6)}
            for side in ("train", "exam") for metric in ("recall@1", "mrr@1", "full_recall@1")
        ]},
        {"lessons": 8},
        {"base": "model", "seed": 0},
        {"01-raft": [{"step": 1, "epoch": 1.0, "loss": 2.0}]},
        {"name": "tiny", "created": "today", "model": "model", 
         "passages": {"p": {"title": "P", "text": "It is that."}}},
    )  # fmt: skip


def test_report_json() -> None:
    made = build_report(sources(), examples=2)
    difference = {"value": 0.2, "low": 0.1, "high": 0.3, "n": 12, "clusters": 6}
    assert made["headline"] == {
        "outcome": "helped",
        "verdict": "Tuning helped",
        "sentence": "Tuning helped: with retrieved passages, tuned minus base is +20.0 [10.0, 30.0] points of token F1 "
        "(12 questions in 6 clusters; 95 % interval).",
        "measure": "token F1",
        "context": "retrieved",
        "opponent": "base",
        "difference": difference,
        "evidence_shown": None,
        "significance": None,
    }
    assert made["grid"] == {
        "models": ["base", "tuned"],
        "contexts": ["retrieved"],
        "cells": [
            {"model": "base", "context": "retrieved", "metrics": {"f1": figure(0.2, 0.1, 0.2 + 0.1)}},
            {"model": "tuned", "context": "retrieved", "metrics": {"f1": figure(0.4, 0.4 - 0.1, 0.5)}},
        ],
    }
    assert made["examples"] == {
        "models": ["base", "tuned"],
        "counts": {"better": 1, "worse": 0, "equal": 0, "abstained": 0, "rightly": 0},
        "wins": [
            {
                "question_id": "q",
                "cluster": "c",
                "question": "What?",
                "gold": ["that"],
                "evidence": ["It is that."],
                "gain": 1.0,
                "answers": [
                    {"model": model, "answer": text, "text": f"Answer: {text}", "quotes": [], "citations": [],
                     "abstained": False, "evidence_shown": True, "from_memory": False, "truncated": False,
                     "f1": f1}
                    for model, text, f1 in (("base", "no", 0.0), ("tuned", "that", 1.0))
                ],
                "passages": [
                    {"id": "p", "title": "P", "text": "It is that.", "oracle": True,
                     "numbers": {"base": 1, "tuned": 1}}
                ],
            }
        ],
        "losses": [],
        "abstentions": [],
    }  # fmt: skip
    assert {key: made[key] for key in ("name", "created", "exam", "facts", "settings", "labels", "abstention")} == {
        "name": "tiny",
        "created": "today",
        "exam": {"questions": 2, "clusters": 2, "made_by": None, "label": None},
        "facts": {"model": "model"},
        "settings": {},
        "labels": {},
        "abstention": [],
    }


EMPTY: dict[str, Any] = {"conditions": [], "differences": []}


def test_the_exams_own_sentence_on_known_documents_is_not_repeated() -> None:
    known = {"exam_questions": 1, "exam_questions_in_known_clusters": 1, "of": 2}
    made = build_report(
        Sources(EMPTY, [], [], {"known_documents": known, "warnings": known_warnings(known)}), examples=2
    )
    assert [warning for warning in made["warnings"] if "known documents" in warning] == [
        "new questions on known documents: 1 of 2"
    ]


def test_what_was_not_asked_and_what_did_not_fit_is_told() -> None:
    budget = {
        "questions left out": 40,
        "passages dropped to fit": 1,
        "questions whose oracle passages do not fit": 3,
    }
    made = build_report(Sources({**EMPTY, "n_questions": 56, "budget": budget}, [], []), examples=2)
    assert made["warnings"][:3] == [
        "40 of 96 exam questions were not asked: evaluate.max_questions is 56",
        "in all prompts together 1 passage did not fit (prompt.max_tokens)",
        "oracle passages of 3 questions did not fit (prompt.max_tokens)",
    ]


def test_a_second_reading_is_told_with_what_it_gained() -> None:
    def told(rereads: bool, rereading: dict[str, Any] | None) -> list[str]:
        manner = {"manner": {"above": 0.5, "rereads": rereads}, "threshold": None, "rereading": rereading}
        warnings = build_report(Sources({**EMPTY, "manner": manner}, [], []), examples=2)["warnings"]
        return [warning for warning in warnings if "once more" in warning]

    chosen = {"rereads": True, "questions": 64, "changed": 20, "gain": figure(0.18, 0.06, 0.3, 64)}
    assert told(True, chosen) == [
        "the tuned model reads the quotes of an answer once more, by themselves: "
        "on 64 questions of the validation side that gained +18.0 [6.0, 30.0]"
    ]
    assert told(True, None)[0].endswith("by themselves: as prompt.reread says")
    assert told(False, {**chosen, "rereads": False}) == []


def test_no_known_documents_no_sentence() -> None:
    made = build_report(Sources(EMPTY, [], [], {"known_documents": {"exam_questions": 0, "of": 2}}), examples=2)
    assert not any("known documents" in warning for warning in made["warnings"])


def test_terminal_table() -> None:
    assert render_table(build_report(sources(), examples=2)) == Table(
        "Token F1 (of 100) with 95 % intervals",
        ("", "Retrieved passages"),
        (("Base", "20.0 [10.0, 30.0]"), ("Tuned", "40.0 [30.0, 50.0]")),
        (
            "Tuning helped: with retrieved passages, tuned minus base is +20.0 [10.0, 30.0] points of token F1 "
            "(12 questions in 6 clusters; 95 % interval).",
            "Note: new questions on known documents: 1 of 2.",
            "Note: one training seed; headlines need three.",
            "Note: the few-shot base was not examined; part of what tuning seems to gain may be only form.",
            "Note: few questions.",
        ),
    )


def test_page_tables() -> None:
    report = build_report(sources(), examples=2)
    assert grid_table(report).rows[1] == ("Retrieved passages", "Tuned", "40.0 [30.0, 50.0]", "-", "2", "0")
    assert metric_table(report, report["cost"], COST, title="Cost").columns == ("Context", "Model", "Prompt tokens")
    assert metric_table(report, report["abstention"], COST, title="None").rows == ()
    assert difference_table(report) == Table(
        "Differences of token F1", ("Context", "Tuned minus base"), (("Retrieved passages", "+20.0 [10.0, 30.0]"),)
    )
    assert retrieval_table(report).columns == ("Side", "Ranking", "Recall@1", "MRR@1", "Full recall@1")
    assert [row[0] for row in retrieval_table(report).rows] == ["exam"]
    assert sides_table(report).rows == (("exam", "2", "2", "0"),)


def test_seconds_stand_beside_tokens_where_they_were_measured() -> None:
    took = {"model": "tuned", "context": "retrieved", "answers": 9, "batch": 4, "seconds": 1.254}
    table = cost_table(build_report(replace(sources(), timing=[took]), examples=0))
    assert table.columns == ("Context", "Model", "Prompt tokens", "Seconds")
    assert [row[-1] for row in table.rows] == ["-", "1.25"]
    assert cost_table(build_report(sources(), examples=0)).columns == ("Context", "Model", "Prompt tokens")


def test_an_exam_made_by_a_machine_says_so_right_below_the_verdict() -> None:
    given = sources()
    made = {"questions": 2, "made": 2, "reviewed": 1, "by": {"ragraft patterns": 2}}
    side = replace(given, exam_facts={**given.exam_facts, "made_by": {"exam": made}})
    asked = replace(side, card={**given.card, "made_by": {**made, "questions": 1, "made": 1, "reviewed": 0}})
    label = "exam: {} questions made by a machine (ragraft patterns), {} reviewed by a person"
    for found, wanted in ((side, label.format("2 of 2", 1)), (asked, label.format("1 of 1", 0))):
        report = build_report(found, examples=0)
        assert report["exam"]["label"] == wanted
        assert render_table(report).notes[1] == f"E{wanted[1:]}."
    people = replace(given, card={**given.card, "made_by": {"questions": 2, "made": 0, "reviewed": 0, "by": {}}})
    assert build_report(people, examples=0)["exam"]["label"] is None
    assert "machine" not in " ".join(render_table(build_report(people, examples=0)).notes)


def test_answers_from_memory_have_a_column_where_there_are_any() -> None:
    report = build_report(sources(), examples=0)
    quoting = {"quoting_share": figure(0.9, 0.8, 1.0)}
    rows = [{"model": "base", "context": "retrieved", "metrics": quoting}]
    for share, wanted in ((0.0, []), (0.25, ["From memory, and said so"])):
        metrics = quoting | {"from_memory": figure(share, 0.0, 0.3)}
        tuned = {"model": "tuned", "context": "retrieved", "metrics": metrics}
        table = citation_table(report, [*rows, tuned])
        assert list(table.columns) == ["Context", "Model", "Answers that quote", *wanted]
    assert table.rows[1][-1] == "25.0 [0.0, 30.0]"
    assert citation_table(report, []).rows == ()
