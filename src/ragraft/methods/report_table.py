"""The report as tables of text, for the terminal and the page: plain rows. Knows no rich and no HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ragraft.methods.report_text import (
    MISSING,
    Figure,
    capital,
    context_name,
    difference_name,
    interval,
    model_name,
    seconds,
    tokens,
)
from ragraft.methods.text_fit import texts_sentences

Report = Mapping[str, Any]
Write = Callable[[Figure | None], str]

ABSTENTION = (
    ("abstention_precision", "Precision", interval),
    ("abstention_recall", "Recall", interval),
    ("abstention_f1", "F1", interval),
    ("abstention_auroc", "AUROC", interval),
    ("over_refusal", "Over-refusal", interval),
    ("refusal_without_evidence", "Refusal, no evidence", interval),
)
CITATIONS = (
    ("citation_precision", "Precision", interval),
    ("citation_recall", "Recall", interval),
    ("quoting_share", "Answers that quote", interval),
    ("quote_verbatim", "Quotes verbatim", interval),
)
SUPPORTED = ("supported", "Supported, by the grader", interval)
FROM_MEMORY = ("from_memory", "From memory, and said so", interval)
COST = (
    ("prompt_tokens", "Prompt tokens", tokens),
    ("answer_tokens", "Answer tokens", tokens),
    ("truncated", "Cut short, %", interval),
    ("seconds", "Seconds", seconds),
)
LABELS = (("accuracy", "Accuracy", interval), ("macro_f1", "Macro-F1", interval))
EVIDENCE = (
    ("f1_evidence_shown", "F1, evidence shown", interval),
    ("f1_evidence_not_shown", "F1, not shown", interval),
    ("f1_all", "F1, all questions", interval),
)


@dataclass(frozen=True, slots=True)
class Table:
    """A title, one heading a column, rows as wide as the headings, and sentences to stand below."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def measure_heading(report: Report) -> str:
    """The score's name as a heading."""
    name: str = report["headline"]["measure"]
    return capital(name)


def render_table(report: Report) -> Table:
    """The score of each model (row) in each context (column), the verdict and the warnings below."""
    return replace(score_table(report), notes=_notes(report))


def grid_table(report: Report) -> Table:
    """A row a condition: the score, exact match, the questions behind them and those that could not be scored."""
    rows = []
    for head, metrics in _by_context(report, report["grid"]["cells"]):
        f1 = metrics.get("f1") or {}
        counts = (_count(f1.get("n")), _count(f1.get("unscored")))
        rows.append((*head, interval(f1), interval(metrics.get("em")), *counts))
    return Table(
        f"{measure_heading(report)} and exact match",
        ("Context", "Model", measure_heading(report), "Exact match", "n", "Unscored"),
        tuple(rows),
    )


def metric_table(
    report: Report, cells: Sequence[Mapping[str, Any]], columns: Sequence[tuple[str, str, Write]], *, title: str
) -> Table:
    """A row a condition, a column a metric; columns that no condition has are left out."""
    kept = [column for column in columns if any(column[0] in cell["metrics"] for cell in cells)]
    rows = tuple(
        (*head, *(write(metrics.get(metric)) for metric, _, write in kept))
        for head, metrics in _by_context(report, cells)
    )
    return Table(title, ("Context", "Model", *(heading for _, heading, _ in kept)), rows)


def citation_table(report: Report, cells: Sequence[Mapping[str, Any]]) -> Table:
    """Citations and quotes; how much is answered from memory only where anything is."""
    recalled = any((cell["metrics"].get("from_memory") or {}).get("value") for cell in cells)
    columns = (*CITATIONS, SUPPORTED, *([FROM_MEMORY] if recalled else []))
    return metric_table(report, cells, columns, title="Citations")


def difference_table(report: Report) -> Table:
    """Paired differences of the score: a row a context, a column a pair of models."""
    found = {(row["context"], row["a"], row["b"]): row for row in report["differences"] if row["metric"] == "f1"}
    pairs = list(dict.fromkeys((a, b) for _, a, b in found))
    contexts = [context for context in report["grid"]["contexts"] if any(key[0] == context for key in found)]
    rows = tuple(
        (context_name(context), *(interval(found.get((context, a, b)), signed=True) for a, b in pairs))
        for context in contexts
    )
    heads = (difference_name(a, b) for a, b in pairs)
    return Table(f"Differences of {report['headline']['measure']}", ("Context", *heads), rows)


def pair_table(report: Report) -> Table:
    """Paired differences of the score: a row a pair of models, a column a context."""
    found = {(row["a"], row["b"], row["context"]): row for row in report["differences"] if row["metric"] == "f1"}
    contexts = report["grid"]["contexts"]
    rows = tuple(
        (
            difference_name(a, b),
            *(interval(found.get((a, b, one)), signed=True) for one in contexts),
        )
        for a, b in dict.fromkeys((a, b) for a, b, _ in found)
    )
    title = f"Differences of {report['headline']['measure']}, paired by question"
    return Table(title, ("", *map(context_name, contexts)), rows)


def score_table(report: Report) -> Table:
    """The score of each model (row) in each context (column)."""
    grid = report["grid"]
    found = {(cell["model"], cell["context"]): cell["metrics"].get("f1") for cell in grid["cells"]}
    return Table(
        title=f"{measure_heading(report)} (of 100) with 95 % intervals",
        columns=("", *(context_name(context) for context in grid["contexts"])),
        rows=tuple(
            (model_name(model), *(interval(found.get((model, context))) for context in grid["contexts"]))
            for model in grid["models"]
        ),
    )


def cost_table(report: Report) -> Table:
    """Tokens an answer, and the seconds that one took where any was computed."""
    took = {
        (row["model"], row["context"]): {"seconds": {"value": row["seconds"]}} for row in report.get("timing") or ()
    }
    cells = [
        {**cell, "metrics": {**cell["metrics"], **took.get((cell["model"], cell["context"]), {})}}
        for cell in report["cost"]
    ]
    return metric_table(report, cells, COST, title="Cost")


def label_table(report: Report) -> Table:
    """Yes/no/maybe questions: a row a condition, and below what always giving the commonest label would score."""
    labels = report["labels"]
    if not labels:
        return Table("Labels", (), ())
    table = metric_table(report, labels["conditions"], LABELS, title="Labels")
    majority = labels["majority"]
    figures = (interval(majority["metrics"].get(metric)) for metric, _, _ in LABELS)
    last = ("Any", f"Always “{majority['label']}”", *figures)
    return Table(table.title, table.columns, (*table.rows, last))


def retrieval_table(report: Report) -> Table:
    """How well each ranking finds the oracle chunks of the exam side's questions; of every side's, if it has none."""
    measured = report["retrieval"]["rows"]
    kept = [row for row in measured if row["side"] == "exam"] or measured
    found = {(row["side"], row["ranking"], row["metric"]): row for row in kept}
    metrics = list(dict.fromkeys(metric for _, _, metric in found))
    places = list(dict.fromkeys((side, ranking) for side, ranking, _ in found))
    rows = tuple(
        (side, ranking, *(interval(found.get((side, ranking, metric))) for metric in metrics))
        for side, ranking in places
    )
    return Table("Retrieval", ("Side", "Ranking", *map(_retrieval_heading, metrics)), rows)


def sides_table(report: Report) -> Table:
    """How many questions, clusters and unanswerable questions each side has."""
    keys = ("questions", "clusters", "unanswerable")
    rows = tuple((side, *(_count(row.get(key)) for key in keys)) for side, row in report["sides"].items())
    return Table("Sides", ("Side", *(key.capitalize() for key in keys)), rows)


def _by_context(
    report: Report, cells: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
    found = {(cell["context"], cell["model"]): cell["metrics"] for cell in cells}
    for context in report["grid"]["contexts"]:
        for model in report["grid"]["models"]:
            if (context, model) in found:
                yield (context_name(context), model_name(model)), found[context, model]


def _retrieval_heading(metric: str) -> str:
    return metric.upper() if metric.startswith("mrr") else metric.replace("_", " ").capitalize()


def _count(value: int | None) -> str:
    return MISSING if value is None else f"{value:,}"


def _notes(report: Report) -> tuple[str, ...]:
    headline = report["headline"]
    label = report["exam"].get("label")
    notes = [headline["sentence"], *([f"{capital(label)}."] if label else [])]
    shown = headline["evidence_shown"]
    if shown is not None:
        notes.append(f"Where the evidence was shown: {interval(shown, signed=True)}, n = {shown['n']}.")
    notes += [headline["significance"]] if headline.get("significance") else []
    grader = report.get("grader")
    notes += [grader["sentence"]] if grader else []
    forgetting = report.get("forgetting")
    notes += [forgetting["sentence"]] if forgetting else []
    notes += texts_sentences(report.get("texts") or {})
    notes += [f"Note: {warning}." for warning in report["warnings"]]
    return tuple(notes)
