"""Render report.json as Markdown, for issues, wikis and mails. Knows the report's record; computes no figure.

It holds the page's tables in the page's order, without its charts; what stands in a table's cell is one line and can't
end it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ragraft.methods.diagnosis_table import verdict_sentence
from ragraft.methods.report_page import page_lists, page_tables
from ragraft.methods.report_table import Table
from ragraft.methods.report_text import model_name, points, true_minus
from ragraft.methods.text_fit import texts_sentences

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "What was lost before training, and what would pay": ("lost", "advice", "learned", "costs", "asked", "tried"),
    "How well each model answers": ("grid", "labels", "differences", "evidence"),
    "How the score moves with what is shown": ("sweep-distractors", "sweep-position", "sweep-k"),
    "Probes": ("probe-rgb", "probe-removal", "probe-replacement", "probe-coherence"),
    "When it says “not in the documents”": ("abstention", "selective"),
    "Citations and quotes": ("citations",),
    "When it can do without retrieval": ("routing", "errors"),
    "What it still does besides": ("forgetting",),
    "What search finds": ("retrieval",),
    "Lessons looked over": ("lint",),
    "Cost and data": ("cost", "sides"),
}
REST = "Further figures"


def render_markdown(report: Mapping[str, Any]) -> str:
    """The Markdown text."""
    tables = page_tables(report)
    placed = {name for names in SECTIONS.values() for name in names}
    rest = tuple(name for name in tables if name not in placed)
    blocks = _head(report)
    for title, names in {**SECTIONS, REST: rest}.items():
        here = [tables[name] for name in names if name in tables]
        blocks += (
            [f"## {title}", *(block for table in here for block in _table(table, alone=len(here) == 1))] if here else []
        )
    blocks += _examples(report)
    for title, rows in page_lists(report):
        blocks += [f"## {title}", "\n".join(f"- {_line(key)}: {_line(text)}" for key, text in rows)]
    return "\n\n".join(blocks) + "\n"


def _head(report: Mapping[str, Any]) -> list[str]:
    headline, label = report["headline"], report["exam"].get("label")
    name = f"{report['name']}: " if report["name"] else ""
    grader = report.get("grader") or {}
    sentences = [
        verdict_sentence(report["diagnosis"]) if report.get("diagnosis") else "",
        headline["sentence"],
        f"The headline's difference, {headline['significance']}" if headline.get("significance") else "",
        f"{label[:1].upper()}{label[1:]}." if label else "",
        *texts_sentences(report.get("texts") or {}),
        grader.get("sentence", ""),
    ]
    told = [_line(sentence) for sentence in sentences if sentence]
    warnings = "\n".join(f"- {_line(one[:1].upper() + one[1:])}." for one in report["warnings"])
    return [f"# {_line(name + headline['verdict'])}", *told, *(["Read with care:", warnings] if warnings else [])]


def _table(table: Table, *, alone: bool) -> list[str]:
    lines = [table.columns, ("---", *["---:"] * (len(table.columns) - 1)), *table.rows]
    text = "\n".join(f"| {' | '.join(_line(cell) for cell in row)} |" for row in lines)
    return [*([] if alone else [f"### {_line(table.title)}"]), text, *map(_line, table.notes)]


def _examples(report: Mapping[str, Any]) -> list[str]:
    kinds = ("wins", "losses", "abstentions")
    examples: Sequence[Mapping[str, Any]] = [one for kind in kinds for one in report["examples"].get(kind) or ()]
    blocks = ["## Where the answers differ"] if examples else []
    for example in examples:
        gold = " · ".join(map(_line, example["gold"])) or "none: the documents hold no answer"
        rows = [f"- Right answer: {gold}"]
        for answer in example["answers"]:
            said = "abstained" if answer["abstained"] else _line(answer["answer"]) or "(empty)"
            rows.append(f"- {model_name(answer['model'])} ({points(answer['f1'])}): {said}")
        blocks += [f"**{_line(example['question'])}**", "\n".join(rows)]
    return blocks


def _line(text: str) -> str:
    """One line of text that is text alone: no table, tag, link or emphasis comes of it."""
    told = true_minus(" ".join(str(text).split()))
    escaped = "".join(f"\\{sign}" if sign in "\\|<>*_`#" else sign for sign in told)
    return escaped.replace("](", "]\\(")
