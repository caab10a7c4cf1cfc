"""Sweeps over what is shown, as the report tells them: a table each. Knows the scorecard's figures; renders nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ragraft.methods.report_table import Table
from ragraft.methods.report_text import MISSING, interval, model_name, phrase, plural, tokens

TITLES = {
    "distractors": "Other passages around the oracle",
    "position": "The oracle's place among the passages",
    "k": "Passages retrieved",
}
AXES = {
    "distractors": "other passages beside the oracle",
    "position": "place of the oracle",
    "k": "passages retrieved (k)",
}
MEANINGS = {
    "distractors": "The oracle among more and more passages that search finds but that tell nothing of the answer. A "
    "curve that falls is a reader that they mislead.",
    "position": "The same passages in the same order, the oracle moved through them. A dip in the middle is a reader "
    "that overlooks what stands there.",
    "k": "What search finds, cut off at k: more passages hold the evidence of more questions, and mislead more.",
}


def sweep_tables(sweeps: Sequence[Mapping[str, Any]]) -> dict[str, Table]:
    """The table of each sweep that has points, by its name."""
    return {sweep["sweep"]: _table(sweep) for sweep in sweeps if sweep["points"]}


def _table(sweep: Mapping[str, Any]) -> Table:
    found = {(point["model"], point["at"]): point for point in sweep["points"]}
    models = list(dict.fromkeys(model for model, _ in found))
    contrasts = {row["model"]: row for row in sweep["contrasts"]}
    rows = [
        (
            model_name(model),
            *(interval(found[model, value]["f1"]) for value in sweep["values"]),
            interval(contrasts.get(model), signed=True),
        )
        for model in models
    ]
    length = [tokens({"value": found[models[-1], value]["prompt_tokens"]}) for value in sweep["values"]]
    rows.append(("Prompt tokens", *length, MISSING))
    columns = ("", *(str(value) for value in sweep["values"]), sweep["contrast"].capitalize())
    return Table(TITLES[sweep["sweep"]], columns, tuple(rows), tuple(_notes(sweep)))


def _notes(sweep: Mapping[str, Any]) -> list[str]:
    left = sweep["left_out"]
    asked = f"The same {plural(sweep['questions'], 'question')} at every point"
    asked += f"; {left} left out, of which not every point could be shown." if left else "."
    gone = ", ".join(map(str, sweep.get("not_shown") or ()))
    asked += f" Too few passages, or no room in the prompt, for most questions at: {gone}." if gone else ""
    told = [
        f"{sweep['contrast'].capitalize()}, {phrase(row['a'])} minus {phrase(row['b'])}: {interval(row, signed=True)}."
        for row in sweep["differences"]
        if row["a"] == "tuned"
    ]
    return [asked, *told]
