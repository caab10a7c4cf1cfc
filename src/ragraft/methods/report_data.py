"""Put everything that a report shows into one plain record, report.json. Knows figures and rows; renders nothing.

The terminal, the page and later the web show this record and compute nothing of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ragraft.methods.agreement import agreement_sentence
from ragraft.methods.exam_facts import known_warnings, making_sentence
from ragraft.methods.judging import SUPPORTED
from ragraft.methods.report_examples import choose_abstentions, choose_examples, example_data, pair_answers
from ragraft.methods.report_forgetting import forgetting_data, forgetting_warning
from ragraft.methods.report_significance import (
    guardrail_warnings,
    majority_warning,
    significance_sentence,
    too_small_warning,
)
from ragraft.methods.report_text import (
    VERDICTS,
    headline_sentence,
    interval,
    measure_name,
    measure_notes,
    outcome,
    phrase,
    plural,
)
from ragraft.methods.scorecard import better_base
from ragraft.records import Answer, ExamQuestion

TUNED = "tuned"
CONTEXT = "retrieved"
"""The headline's context: what the system does in use."""

GRID = ("f1", "em")
ABSTENTION = (
    "abstention_precision",
    "abstention_recall",
    "abstention_f1",
    "abstention_auroc",
    "over_refusal",
    "refusal_without_evidence",
)
CITATIONS = ("citation_precision", "citation_recall", "quoting_share", "quote_verbatim", "from_memory", SUPPORTED)
COST = ("prompt_tokens", "answer_tokens", "truncated")
SIGNIFICANCE = ("p", "p_holm", "detectable", "mcnemar")
ABSTENTIONS = 3
"""Of as many differences shown, one abstention beside them."""
UNMEASURED = "how far it agrees with people was not measured (evaluate.grader_labels, or ragraft agreement)"
ONE_SEED = "one training seed; headlines need three"
NO_FEWSHOT = "the few-shot base was not examined; part of what tuning seems to gain may be only form"


@dataclass(frozen=True, slots=True)
class Sources:
    """What the stages above left, as plain values; what they did not leave is empty."""

    card: Mapping[str, Any]
    """scorecard.json."""
    questions: Sequence[ExamQuestion]
    """The exam side."""
    answers: Sequence[Answer]
    exam_facts: Mapping[str, Any] = field(default_factory=dict)
    """The exam's facts.json: sides, known_documents, warnings."""
    retrieval: Mapping[str, Any] = field(default_factory=dict)
    """The exam's retrieval.json: depths, rows."""
    lessons: Mapping[str, Any] = field(default_factory=dict)
    """The lessons' counts.json."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """The checkpoint's card."""
    metrics: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """Folder of a method, as in `01-raft` → rows of its metrics.jsonl."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What only the pipeline knows: name, created, passages, settings, again, and anything flat worth showing."""
    forgetting: Mapping[str, Any] = field(default_factory=dict)
    """The scores' forgetting.json."""
    lint: Mapping[str, Any] = field(default_factory=dict)
    """The checkpoint's lint.json: set of lessons → what was found in it."""
    diagnosis: Mapping[str, Any] = field(default_factory=dict)
    """diagnosis.json, where `ragraft diagnose` was asked."""
    calibration: Mapping[str, Any] = field(default_factory=dict)
    """calibration.json, where `ragraft calibrate` was asked."""
    timing: Sequence[Mapping[str, Any]] = ()
    """The scores' timing.json."""


def build_report(sources: Sources, *, examples: int) -> dict[str, Any]:
    """The report as plain JSON data; `examples` is the most questions to show. Figures stay in 0..1."""
    card, facts = sources.card, sources.facts
    conditions: Sequence[Mapping[str, Any]] = card["conditions"]
    opponent = better_base(card, CONTEXT)
    headline = _headline(card, opponent)
    return {
        "name": facts.get("name"),
        "created": facts.get("created"),
        "headline": headline,
        "diagnosis": dict(sources.diagnosis),
        "calibration": dict(sources.calibration),
        "warnings": _warnings(sources),
        "exam": _exam(sources),
        "grid": {
            "models": _in_order(row["model"] for row in conditions),
            "contexts": _in_order(row["context"] for row in conditions),
            "cells": _cells(conditions, GRID),
        },
        "by_evidence": _cells(conditions, ("f1_evidence_shown", "f1_evidence_not_shown", "f1_all")),
        "differences": [dict(row) for row in card["differences"]],
        "abstention": _cells([row for row in conditions if row["context"] != "none"], ABSTENTION),
        "citations": _cells([row for row in conditions if row["context"] != "none"], CITATIONS),
        "cost": _cells(conditions, COST),
        "timing": [dict(row) for row in sources.timing],
        "selective": [dict(curve) for curve in card.get("selective") or ()],
        "grader": _grader(card.get("grader") or {}),
        "sweeps": [dict(sweep) for sweep in card.get("sweeps") or ()],
        "probes": [dict(probe) for probe in card.get("probes") or ()],
        "forgetting": forgetting_data(sources.forgetting),
        "labels": dict(card.get("labels") or {}),
        "texts": dict(card.get("texts") or {}),
        "retrieval": {
            "depths": list(sources.retrieval.get("depths", ())),
            "rows": [dict(row) for row in sources.retrieval.get("rows", ())],
        },
        "sides": dict(sources.exam_facts.get("sides", {})),
        "known_documents": sources.exam_facts.get("known_documents"),
        "lessons": dict(sources.lessons),
        "lint": dict(sources.lint),
        "training": dict(sources.training),
        "loss": {name: [dict(row) for row in rows] for name, rows in sources.metrics.items()},
        "examples": _examples(sources, opponent, examples),
        "settings": dict(facts.get("settings") or {}),
        "again": dict(facts.get("again") or {}),
        "facts": {key: value for key, value in facts.items() if key not in _OWN_PLACE},
    }


_OWN_PLACE = frozenset({"name", "created", "settings", "passages", "again"})


def _exam(sources: Sources) -> dict[str, Any]:
    """Its size, and who made its questions: of those asked, or else of the whole side."""
    card = sources.card
    made = card.get("made_by") or sources.exam_facts.get("made_by", {}).get("exam")
    return {
        "questions": card.get("n_questions"),
        "clusters": card.get("n_clusters"),
        "made_by": made,
        "label": making_sentence(made),
    }


def known_sentence(known: Mapping[str, Any] | None) -> str | None:
    """`new questions on known documents: 69 of 96`, when exam questions share documents with the lessons."""
    if not known or not known.get("exam_questions"):
        return None
    return f"new questions on known documents: {known['exam_questions']} of {known['of']}"


def _headline(card: Mapping[str, Any], opponent: str | None) -> dict[str, Any]:
    difference = _difference(card, "f1", opponent)
    shown = _difference(card, "f1_evidence_shown", opponent)
    result = outcome(difference)
    measure = measure_name(card.get("measures", {}))
    return {
        "outcome": result,
        "verdict": VERDICTS[result],
        "sentence": headline_sentence(difference, opponent, measure),
        "measure": measure,
        "context": CONTEXT,
        "opponent": opponent,
        "difference": difference,
        "evidence_shown": shown,
        "significance": significance_sentence(difference, _difference(card, "em", opponent)),
    }


def _difference(card: Mapping[str, Any], metric: str, opponent: str | None) -> dict[str, Any] | None:
    wanted = (metric, CONTEXT, TUNED, opponent)
    for row in card["differences"]:
        if (row["metric"], row["context"], row["a"], row["b"]) == wanted:
            found = {key: row.get(key) for key in ("value", "low", "high", "n", "clusters")}
            return {**found, **{key: row[key] for key in SIGNIFICANCE if key in row}}
    return None


def _warnings(sources: Sources) -> list[str]:
    conditions = sources.card["conditions"]
    models = {row["model"] for row in conditions}
    unscored = [
        f"{plural(row['metrics']['f1']['unscored'], 'answer')} of {phrase(row['model'])} "
        f"in context {row['context']} could not be scored"
        for row in conditions
        if row["metrics"].get("f1", {}).get("unscored")
    ]
    known = sources.exam_facts.get("known_documents")
    own = [
        known_sentence(known),
        *_not_asked(sources.card),
        _rereads(sources.card.get("manner") or {}),
        *measure_notes(sources.card.get("measures", {})),
        ONE_SEED,
        None if "base-fewshot" in models else NO_FEWSHOT,
        forgetting_warning(sources.forgetting),
        majority_warning(sources.card.get("labels") or {}, CONTEXT),
        too_small_warning(_difference(sources.card, "f1", better_base(sources.card, CONTEXT))),
        *guardrail_warnings(sources.card, sources.forgetting),
    ]
    # The exam's own sentence on known documents says what known_sentence says.
    said = known_warnings(known) if known else []
    exam = [warning for warning in sources.exam_facts.get("warnings", ()) if warning not in said]
    return [warning for warning in (*own, *exam, *unscored) if warning]


def _not_asked(card: Mapping[str, Any]) -> Iterator[str]:
    """What of the exam no answer tells of."""
    found: Mapping[str, int] = card.get("budget", {})
    if left := found.get("questions left out"):
        asked = card["n_questions"]
        yield f"{left} of {plural(asked + left, 'exam question')} were not asked: evaluate.max_questions is {asked}"
    if dropped := found.get("passages dropped to fit"):
        yield f"in all prompts together {plural(dropped, 'passage')} did not fit (prompt.max_tokens)"
    if long := found.get("questions whose oracle passages do not fit"):
        yield f"oracle passages of {plural(long, 'question')} did not fit (prompt.max_tokens)"


def _rereads(found: Mapping[str, Any]) -> str | None:
    """Where the tuned model reads its quotes again: that it does, and by what that was decided."""
    if not found.get("manner", {}).get("rereads"):
        return None
    chosen = found.get("rereading")
    why = "as prompt.reread says"
    if chosen:
        gain = interval(chosen["gain"], signed=True)
        why = f"on {plural(chosen['questions'], 'question')} of the validation side that gained {gain}"
    return f"the tuned model reads the quotes of an answer once more, by themselves: {why}"


def _cells(conditions: Sequence[Mapping[str, Any]], metrics: Sequence[str]) -> list[dict[str, Any]]:
    """A row a condition with those of `metrics` that it has; conditions with none of them are left out."""
    rows = []
    for row in conditions:
        figures = {metric: dict(row["metrics"][metric]) for metric in metrics if metric in row["metrics"]}
        if figures:
            rows.append({"model": row["model"], "context": row["context"], "metrics": figures})
    return rows


def _grader(found: Mapping[str, Any]) -> dict[str, Any]:
    """Who judged, how much could not be judged, and what is known of the judge."""
    if not found:
        return {}
    told = f"{found['grader']} judged {plural(found['asked'], 'answer')}, {found['unscored']} without a verdict"
    measured = found.get("agreement")
    known = agreement_sentence(measured) if measured else UNMEASURED
    return {**found, "sentence": f"{told}; {known}."}


def _in_order(values: Any) -> list[str]:
    return list(dict.fromkeys(values))


def _examples(sources: Sources, opponent: str | None, number: int) -> dict[str, Any]:
    def answers(model: str | None) -> list[Answer]:
        return [answer for answer in sources.answers if answer.model == model and answer.context == CONTEXT]

    pairs = pair_answers(sources.questions, answers(opponent), answers(TUNED))
    wins, losses = choose_examples(pairs, number)
    silent = [pair for pair in pairs if pair.after.abstained]
    others = [pair for pair in silent if pair not in (*wins, *losses)]
    passages = sources.facts.get("passages")
    better = sum(pair.gain > 0 for pair in pairs)
    worse = sum(pair.gain < 0 for pair in pairs)
    return {
        "models": [opponent, TUNED],
        "counts": {
            "better": better,
            "worse": worse,
            "equal": len(pairs) - better - worse,
            "abstained": len(silent),
            "rightly": sum(not pair.question.question.answerable for pair in silent),
        },
        "wins": [example_data(pair, passages) for pair in wins],
        "losses": [example_data(pair, passages) for pair in losses],
        "abstentions": [example_data(pair, passages) for pair in choose_abstentions(others, number // ABSTENTIONS)],
    }
