"""The rows as text: a table of conditions and one of what tuning took. Computes no figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.arms.rows import ABSTENTION, AUROC, FEWSHOT, Row
from benchmarks.sets import aligned
from ragraft.methods.report_text import MISSING, interval

ORDER = ("majority", "base", FEWSHOT, "sft", "rag-sft", "dap", "raft", "raft+dpo", "hybrid", "hybrid+dpo", "dap+hybrid")
CONTEXTS = ("any", "none", "retrieved", "oracle")
SHOWN = (
    ("f1", "score"),
    ("f1_evidence_shown", "evidence shown"),
    ("accuracy", "accuracy"),
    ("macro_f1", "macro-F1"),
    (ABSTENTION, "abstention F1"),
    (AUROC, "AUROC"),
    ("over_refusal", "over-refusal"),
    ("citation_precision", "citations"),
    ("quoting_share", "quoting"),
    ("quote_verbatim", "verbatim"),
)
MINUS = f"score - {FEWSHOT}"
TOOK = (
    ("questions_seen", "questions", 1.0),
    ("optimizer_steps", "steps", 1.0),
    ("further_steps", "further steps", 1.0),
    ("tokens", "tokens, thousands", 1e3),
    ("learned_tokens", "learned, thousands", 1e3),
    ("operations", "TFLOP", 1e12),
    ("minutes", "minutes", 1.0),
)
Found = Mapping[tuple[str, str, str, str], Row]
"""(data, arm, context, metric) → row."""


def lines_of(rows: Sequence[Row]) -> list[str]:
    """Both tables; columns that no row fills are left out."""
    found = {(row["data"], row["arm"], row["context"], row["metric"]): row for row in rows}
    return [*_filled(_conditions(found)), "", *_filled(_costs(found))]


def _conditions(found: Found) -> list[list[str]]:
    places = dict.fromkeys(
        (data, arm, context) for data, arm, context, _ in found if context in CONTEXTS and " - " not in arm
    )
    table = [
        [
            "data",
            "context",
            "arm",
            *(title for _, title in SHOWN[:1]),
            MINUS,
            *(t for _, t in SHOWN[1:]),
            "n",
            "clusters",
        ]
    ]
    for data, arm, context in sorted(places, key=lambda place: _order(found, place)):
        cells = [interval(found.get((data, arm, context, metric))) for metric, _ in SHOWN]
        minus = interval(found.get((data, f"{arm} - {FEWSHOT}", context, "f1")), signed=True)
        figures: list[Row] = [row for metric, _ in SHOWN if (row := found.get((data, arm, context, metric)))]
        counts = [str(figures[0][key]) for key in ("n", "clusters")] if figures else [MISSING, MISSING]
        table.append([data, context, arm, cells[0], minus, *cells[1:], *counts])
    return table


def _costs(found: Found) -> list[list[str]]:
    places = dict.fromkeys(
        (data, arm) for data, arm, context, _ in found if context in ("training", "general") and " - " not in arm
    )
    titles = ["data", "arm", *(title for _, title, _ in TOOK), "NLL of own answers, %", "formats kept"]
    table = [[*titles, "held-out bits per byte, %", "general bits per byte, %"]]
    for data, arm in sorted(places, key=lambda place: _order(found, (*place, "training"))):
        took = [_number(found.get((data, arm, "training", metric)), unit) for metric, _, unit in TOOK]
        lost = interval(found.get((data, arm, "general", "nll_change")), signed=True)
        formats = interval(found.get((data, arm, "general", "formats_kept")))
        texts = [
            interval(found.get((data, arm, text, "bits_per_byte_change")), signed=True)
            for text in ("held-out documents", "general text")
        ]
        table.append([data, arm, *took, lost, formats, *texts])
    return table


def _order(found: Found, place: tuple[str, str, str]) -> tuple[Any, ...]:
    """Data sets as they came, contexts and arms in their order, seeds below their arm."""
    data, arm, context = place
    sets = list(dict.fromkeys(name for name, *_ in found))
    stem = arm.split(" ")[0].rstrip(",")
    return (
        sets.index(data),
        CONTEXTS.index(context) if context in CONTEXTS else len(CONTEXTS),
        ORDER.index(stem) if stem in ORDER else len(ORDER),
        arm,
    )


def _filled(table: Sequence[Sequence[str]]) -> list[str]:
    head, *rows = table
    kept = [place for place in range(len(head)) if any(row[place] != MISSING for row in rows)]
    return aligned([[row[place] for place in kept] for row in table]) if rows else []


def _number(row: Row | None, unit: float) -> str:
    if row is None:
        return MISSING
    value = row["value"] / unit
    return f"{value:,.1f}" if unit != 1.0 or value != int(value) else f"{value:,.0f}"
