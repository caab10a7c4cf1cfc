"""What tuning made the model forget: a table, a line, perhaps a warning. Knows forgetting.json; renders nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ragraft.methods.report_table import Table
from ragraft.methods.report_text import MISSING, Figure, bounded, interval

MUCH = 0.02
"""A rise of the NLL that is clear of this share deserves a warning."""
Forgetting = Mapping[str, Any]


def forgetting_table(found: Forgetting) -> Table:
    """A row a figure: of the base, of the tuned model, and the change."""
    columns = ("", "Base", "Tuned", "Change")
    if not found:
        return Table("General instructions", columns, ())
    nll, formats = found["nll"], found["formats"]
    rows = (
        (
            "The base's own answers, NLL a token",
            f"{nll['base']:.3f}",
            f"{nll['tuned']:.3f}",
            _percent(nll["change"]),
        ),
        ("Divergence from the base, nats a token", MISSING, _nats(found["kl"]), MISSING),
        (
            "Format instructions kept, of 100",
            interval(formats["base"]),
            interval(formats["tuned"]),
            interval(formats["difference"], signed=True),
        ),
    )
    return Table("General instructions", columns, rows)


def forgetting_data(found: Forgetting) -> dict[str, Any]:
    """The figures with their sentence, as the report keeps them; nothing where nothing was measured."""
    return {**found, "sentence": _sentence(found)} if found else {}


def _sentence(found: Forgetting) -> str:
    """`General instructions: NLL of the base's own answers +1.2 % [0.4, 2.1], formats kept 52.8 of 100 before …`"""
    formats = found["formats"]
    before, now = (f"{100 * formats[model]['value']:.1f}" for model in ("base", "tuned"))
    return (
        f"General instructions: NLL of the base's own answers {_percent(found['nll']['change'])}, "
        f"formats kept {before} of 100 before and {now} now."
    )


def forgetting_warning(found: Forgetting) -> str | None:
    """A sentence where the NLL has clearly risen by more than two percent."""
    change = found["nll"]["change"] if found else None
    if change is None or not bounded(change) or change["low"] <= MUCH:
        return None
    return (
        f"tuning made the model forget some of its general instructions (NLL of its own answers {_percent(change)}); "
        "lessons that mix in general instructions (train.method: hybrid) keep them"
    )


def _percent(change: Figure | None) -> str:
    if change is None:
        return MISSING
    value, _, ends = interval(change, signed=True).partition(" ")
    return f"{value} % {ends}"


def _nats(figure: Figure) -> str:
    ends = f" [{figure['low']:.3f}, {figure['high']:.3f}]" if bounded(figure) else ""
    return f"{figure['value']:.3f}{ends}"
