"""Models side by side in what was served, as tables and sentences. Knows the figures; computes none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ragraft.methods.report_table import Table
from ragraft.methods.report_text import MISSING, bounded, interval, seconds

Data = Mapping[str, Any]
WAYS = {"default": "in service", "canary": "canary", "named": "by name"}
SHARES = {"abstains": "Abstains", "cites": "Cites a passage", "liked": "Rated good"}


def served_tables(data: Data) -> tuple[Table, ...]:
    """As they are printed and shown."""
    return (model_table(data["models"]), canary_table(data["canaries"]), shadow_table(data["shadows"]))


def model_table(models: Sequence[Data]) -> Table:
    """What each model did, by how it came to answer."""
    rows = tuple(
        (
            one["model"],
            WAYS.get(one["by"], one["by"]),
            f"{one['answers']:,}",
            f"{one['stopped']:,}",
            *(_with_n(one["figures"][name]) for name in SHARES),
            *(seconds({"value": (one["seconds"] or {}).get(name)}) for name in ("p50", "p95")),
        )
        for one in models
    )
    columns = ("Model", "Asked", "Answers", "Stopped", *SHARES.values(), "Median s", "95 % within s")
    notes = (
        "Shares are of 100, with 95 % intervals and the number of answers that they are of: those that nobody stopped, "
        "of citations those that don't abstain, of ratings those that were rated.",
    )
    return Table("Models that answered", columns, rows, notes if rows else ("No answer is in the log yet.",))


def canary_table(canaries: Sequence[Data]) -> Table:
    """Each candidate minus who was in service meanwhile."""
    compared = [one for one in canaries if one["against"]]
    rows = tuple(
        (
            one["model"],
            one["against"],
            " and ".join(f"{number:,}" for number in one["answers"]),
            *(interval(one["differences"][name], signed=True) for name in SHARES),
            _times(one["slower"]),
        )
        for one in compared
    )
    notes = [
        f"{one['model']} and {one['against']}: from {one['from'][:16]} to {one['to'][:16]} UTC." for one in compared
    ]
    notes += [f"{one['model']} answered as a canary, and nobody beside it." for one in canaries if not one["against"]]
    if rows:
        notes.append(
            "Who gets the canary is drawn by a hash, so that both answered questions of one kind; of 100, with 95 % "
            "intervals, as if conversations were independent. Time is a ratio of geometric means."
        )
    columns = ("Canary", "Minus", "Answers", *SHARES.values(), "Times as long")
    return Table("The canary beside the model in service", columns, rows, tuple(notes or [_none("serve.canary")]))


def shadow_table(shadows: Sequence[Data]) -> Table:
    """Each candidate's answers beside those that were given to the same questions."""
    rows = tuple(
        (
            one["model"],
            one["against"],
            f"{one['answers']:,}",
            interval(one["same"]),
            interval(one["same_passages"]),
            interval(one["abstains"], signed=True),
            interval(one["cites"], signed=True),
            _with_n(one["right"], signed=True),
        )
        for one in shadows
    )
    columns = (
        "Shadow", "Minus", "Questions", "Same answer", "Same passages cited", "Abstains", "Cites a passage", "F1",
    )  # fmt: skip
    notes = (
        "Question by question, of 100, with 95 % intervals. The same answer is the same but for case, articles and "
        "punctuation, or abstaining both; where content is not kept, only abstentions can be compared. F1 is against "
        "what users said would have been right. Shadows are written while nobody waits, so their time says nothing.",
    )
    return Table("Shadows, question by question", columns, rows, notes if rows else (_none("serve.shadow"),))


def _with_n(figure: Data | None, *, signed: bool = False) -> str:
    return MISSING if figure is None else f"{interval(figure, signed=signed)} of {figure['n']:,}"


def _times(figure: Data | None) -> str:
    if figure is None:
        return MISSING
    middle = f"{figure['value']:.2f}"
    return f"{middle} [{figure['low']:.2f}, {figure['high']:.2f}]" if bounded(figure) else f"{middle} (no interval)"


def _none(setting: str) -> str:
    return f"None in the log: {setting} is the share of questions that a candidate gets."
