"""Probes, as the report tells them: a table each. Knows the scorecard's figures; renders nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ragraft.methods.report_table import Table
from ragraft.methods.report_text import interval, model_name, phrase

TITLES = {
    "rgb": "RGB's four abilities",
    "removal": "When the cited document is gone",
    "replacement": "When the document says otherwise",
    "coherence": "Whole and steady answers",
}
MEANINGS = {
    "rgb": "Noise: passages that search finds and that hold no answer. Robust is who still answers, rejecting who then "
    "abstains, integrating who puts several documents together. Counterfactual: the answer in the documents was "
    "exchanged; a reader that goes by its documents tells neither the true one nor the error.",
    "removal": "Asked again without the passages that the answer cited, where nothing else holds the answer: only "
    "abstaining is right then, and an answer that stays the same was not taken from its document.",
    "replacement": "The oracle with its answer exchanged for another of the same kind: whoever reads says the new one.",
    "coherence": "Told without a judge: replies that say the same again and again, end at the token limit or are in a "
    "script that neither question nor passages have; and how alike answers stay when the passages change their order.",
}


def probe_tables(probes: Sequence[Mapping[str, Any]]) -> dict[str, Table]:
    """The table of each probe that found anything, by its name."""
    return {probe["probe"]: _table(probe) for probe in probes if probe["figures"] or probe["notes"]}


def _table(probe: Mapping[str, Any]) -> Table:
    """A row a figure, a column a model, and the difference of the tuned model from its better rival that is there."""
    found = {(row["figure"], row["model"]): row for row in probe["figures"]}
    models = list(dict.fromkeys(model for _, model in found))
    rival = next((row["b"] for row in probe["differences"] if row["a"] == "tuned" and row["b"] != "base"), "base")
    minus = {row["figure"]: row for row in probe["differences"] if (row["a"], row["b"]) == ("tuned", rival)}
    rows = []
    for figure in dict.fromkeys(figure for figure, _ in found):
        here = [found.get((figure, model)) for model in models]
        difference = [interval(minus.get(figure), signed=True)] if minus else []
        counts = [_each([row[key] for row in here if row]) for key in ("n", "unscored")]
        rows.append((figure[:1].upper() + figure[1:], *map(interval, here), *difference, *counts))
    head = [f"{model_name('tuned')} minus {phrase(rival)}"] if minus else []
    columns = ("", *map(model_name, models), *head, "n", "Unscored")
    return Table(
        TITLES[probe["probe"]], columns, tuple(rows), tuple(f"{note[:1].upper()}{note[1:]}." for note in probe["notes"])
    )


def _each(counts: Sequence[int]) -> str:
    """One count where all models have the same, else each model's."""
    return " / ".join(map(str, counts if len(set(counts)) > 1 else counts[:1]))
