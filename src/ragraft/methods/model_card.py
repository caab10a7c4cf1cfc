"""A model card in Markdown, from report.json and the training's own cards: enough for a stranger to judge by.

What was not measured is said to be unmeasured. Knows the records; computes no figure of its own and knows no folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from ragraft.methods.model_limits import card_limits
from ragraft.methods.report_forgetting import forgetting_table
from ragraft.methods.report_table import (
    ABSTENTION,
    COST,
    EVIDENCE,
    Table,
    citation_table,
    difference_table,
    grid_table,
    label_table,
    metric_table,
    sides_table,
)
from ragraft.methods.report_text import MEANINGS, plural
from ragraft.methods.text_fit import texts_sentences

SHOWN = (
    *("method", "tuning", "rank", "alpha", "learning_rate", "epochs", "batch", "steps", "tokens", "seconds"),
    *("trainable_parameters", "validation_loss", "precision", "dtype", "device", "machine", "seed"),
)
"""Of a training's card, in this order."""
PAIR = 2
UNKNOWN = "not known to ragraft"


@dataclass(frozen=True, slots=True)
class Asking:
    """How the model was asked in its exam."""

    system: str
    k: int
    max_tokens: int
    answer_tokens: int
    abstain_above: float
    copy_quotes: bool
    rereads: bool


@dataclass(frozen=True, slots=True)
class About:
    """All that a card is written from; what is not there is empty."""

    name: str
    form: str
    """What the folder holds, as a sentence."""
    base: str
    """The base model's name where others find it, or the source as the YAML has it."""
    hub: str | None
    """Its name on the model hub."""
    licence: str | None
    asking: Asking
    library: str = "transformers"
    """What opens it."""
    report: Mapping[str, Any] = field(default_factory=dict)
    """report.json, where it is of this model."""
    cards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Folder of a method → its checkpoint.json."""
    lessons: Mapping[str, Any] = field(default_factory=dict)
    documents: Mapping[str, Any] = field(default_factory=dict)
    """Counts of documents and chunks."""
    document_licences: Mapping[str | None, int] = field(default_factory=dict)
    """Licence → documents under it; None of which nobody said."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The run's config, without places on its machine."""
    made_with: Mapping[str, str] = field(default_factory=dict)
    """Versions and fingerprints."""
    notes: tuple[str, ...] = ()
    """Of this form alone."""


def model_card(about: About) -> str:
    """README.md: front matter as the hub reads it, then the card."""
    method = " then ".join(step.partition("-")[2] for step in about.cards) or "tuning"
    parts = [
        _front_matter(about),
        f"# {about.name}\n\n{about.form} It is {about.base}, tuned by {method} with "
        "[ragraft](https://pypi.org/project/ragraft/) to answer questions from passages that a retriever found in one "
        "collection of documents: briefly, with a quotation and its passage's number, or by saying that they hold no "
        "answer.",
        _section("Intended use", _uses()),
        _section("How to ask it", _how(about.asking)),
        _section("Scores", _scores(about.report)),
        _section("Abstention and citations", _behaviour(about.report)),
        _section("What tuning made it forget", _forgotten(about.report)),
        _section("Limits", _bullets(card_limits(about.report, about.asking, about.notes))),
        _section("Data", _data(about)),
        _section("Training", _training(about.cards)),
        _section("How to reproduce it", _reproduce(about)),
        _section("Licences", _licences(about)),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(about: About) -> str:
    data: dict[str, Any] = {
        **({"license": about.licence} if about.licence else {}),
        **({"base_model": about.hub} if about.hub else {}),
        "library_name": about.library,
        "pipeline_tag": "text-generation",
        "tags": ["rag", "retrieval-augmented-generation", "question-answering", "ragraft"],
    }
    return f"---\n{yaml.safe_dump(data, sort_keys=False, allow_unicode=True)}---"


def _uses() -> str:
    return (
        "For questions on the documents that it was tuned for, each asked together with passages from them. Somebody "
        "should be able to read the passage that an answer cites.\n\n"
        "Not for open conversation, for questions without passages, or for documents of another field: none of that is "
        "what it was examined in. Not for decisions on people."
    )


def _how(asking: Asking) -> str:
    decoding = [
        *(
            [f"the abstention was given where it is likelier than {asking.abstain_above:g}, all answers taken together"]
            if asking.abstain_above > 0
            else []
        ),
        *(["quotations were copied word for word from the passages"] if asking.copy_quotes else []),
        *(["each answer was read once more from its quotations alone"] if asking.rereads else []),
    ]
    listed = " and ".join([", ".join(decoding[:-1]), decoding[-1]] if len(decoding) > PAIR else decoding)
    none = "none of this" if len(decoding) > PAIR else "neither"
    own = f" In its exam {listed}; other programs do {none}." if decoding else ""
    return (
        f"The system turn:\n\n```text\n{asking.system}\n```\n\nThe user turn, with {plural(asking.k, 'passage')}, best "
        "first:\n\n```text\nDocuments:\n\n[1] TITLE\nTEXT\n\n[2] TITLE\nTEXT\n\nQuestion: QUESTION\n```\n\n"
        f"Greedy decoding (temperature 0), at most {asking.answer_tokens} tokens of answer, {asking.max_tokens} with "
        f"the prompt.{own}"
    )


def _scores(report: Mapping[str, Any]) -> str:
    if not report:
        return "It was not examined, so nothing is known of how well it answers."
    headline, exam = report["headline"], report["exam"]
    counted = f"{plural(exam['questions'], 'question')} in {plural(exam['clusters'], 'cluster')} of shared documents"
    measure = headline["measure"]
    evidence = metric_table(report, report["by_evidence"], EVIDENCE, title="")
    tables = [grid_table(report), difference_table(report), evidence, label_table(report)]
    return "\n\n".join(
        [
            f"**{headline['sentence']}**",
            f"The exam: {counted}. {measure[:1].upper()}{measure[1:]} {MEANINGS[measure]}. Brackets are 95 % intervals "
            "over clusters. *Retrieved passages* is what a user would get; *oracle passages* are those that hold the "
            "answer; without documents the model is asked from memory.",
            *(_table(table) for table in tables if table.rows),
        ]
    )


def _behaviour(report: Mapping[str, Any]) -> str:
    if not report:
        return "Not measured."
    tables = [
        metric_table(report, report["abstention"], ABSTENTION, title="Abstention, of 100"),
        citation_table(report, report["citations"]),
        metric_table(report, report["cost"], COST, title="Cost"),
    ]
    return "\n\n".join(_table(table, title=True) for table in tables if table.rows) or "Not measured."


def _forgotten(report: Mapping[str, Any]) -> str:
    parts = []
    if report and report.get("forgetting"):
        parts += [report["forgetting"]["sentence"], _table(forgetting_table(report["forgetting"]))]
    parts += texts_sentences(report.get("texts") or {}) if report else []
    return "\n\n".join(parts) or "Not measured."


def _data(about: About) -> str:
    rows = [
        *((f"{key}", value) for key, value in about.documents.items()),
        *((key, about.lessons[key]) for key in ("lessons", "validation lessons", "copies") if key in about.lessons),
        *((key, count) for key, count in about.lessons.items() if key.startswith("lessons, ")),
    ]
    parts = [_table(Table("", ("Documents and lessons", "Number"), tuple((key, _told(value)) for key, value in rows)))]
    if about.report and (sides := sides_table(about.report)).rows:
        parts += ["Questions were cut into sides by the documents that they rest on:", _table(sides)]
    return "\n\n".join(parts)


def _training(cards: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [key for key in SHOWN if any(card.get(key) is not None for card in cards.values())]
    if not rows:
        return "Nothing was kept of it."
    table = Table("", ("", *cards), tuple((key, *(_told(card.get(key)) for card in cards.values())) for key in rows))
    return _table(table)


def _reproduce(about: About) -> str:
    versions = _bullets(f"{key}: {value}" for key, value in about.made_with.items())
    settings = yaml.safe_dump(dict(about.settings), sort_keys=False, allow_unicode=True)
    return (
        "`ragraft run` with the same documents and questions, these settings and these versions gives the same rows, "
        f"weights and answers on the same kind of machine.\n\n{versions}\n\n"
        "<details><summary>ragraft.yaml, without documents and questions</summary>\n\n"
        f"```yaml\n{settings}```\n\n</details>"
    )


def _licences(about: About) -> str:
    return _bullets(
        [
            f"base model {about.base}: {about.licence or UNKNOWN + '; look it up before you pass this model on'}",
            f"the documents that it was tuned on: {_document_licences(about.document_licences)}; a tuned model can "
            "repeat sentences of them",
            "ragraft itself: Apache-2.0",
        ]
    )


def _document_licences(found: Mapping[str | None, int]) -> str:
    """The only one, or each with its documents, those of most first; what nobody said comes last."""
    known = sorted(((name, count) for name, count in found.items() if name), key=lambda one: (-one[1], one[0]))
    if not known:
        return UNKNOWN
    if len(found) == 1:
        return known[0][0]
    told = [f"{name} ({plural(count, 'document')})" for name, count in known]
    return ", ".join([*told, *([f"of {plural(found[None], 'document')} {UNKNOWN}"] if found.get(None) else [])])


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}"


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(table: Table, *, title: bool = False) -> str:
    rows: Sequence[Sequence[str]] = (table.columns, ["---"] * len(table.columns), *table.rows)
    lines = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)
    return f"**{table.title}**\n\n{lines}" if title else lines


def _told(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
