"""What was found in sets of lessons, as a table. Knows lint.json's data; renders nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ragraft.methods.report_table import Table

STATES = {"fine": "", "look": "look", "grave": "grave"}
COLUMNS = ("Set", "Finding", "Lessons", "Of", "Share, %", "Allowed, %", "State", "First")


def lint_table(found: Mapping[str, Mapping[str, Any]]) -> Table:
    """A row a set and finding; below, the shares and the lengths of each set. `found`: set → its lint data."""
    rows = tuple(_row(name, finding) for name, data in found.items() for finding in data["findings"])
    notes = tuple(note for name, data in found.items() for note in _notes(name, data))
    return Table("Lessons looked over", COLUMNS, rows, notes)


def _row(name: str, finding: Mapping[str, Any]) -> tuple[str, ...]:
    example = finding["examples"][0] if finding["state"] != "fine" and finding["examples"] else None
    first = f"{example['id']}: {example['detail']}".removesuffix(": ") if example else ""
    allowed = "any" if finding["limit"] is None else f"{100 * finding['limit']:g}"
    counts = (f"{finding['count']:,}", f"{finding['of']:,}", f"{100 * finding['share']:.1f}", allowed)
    return (name, finding["name"], *counts, STATES[finding["state"]], first)


def _notes(name: str, data: Mapping[str, Any]) -> list[str]:
    shares = ", ".join(f"{label} {100 * share:.1f} %" for label, share in data["shares"].items())
    lengths = [
        f"{kind} " + ", ".join(f"{value:,} ({place})" for place, value in places.items())
        for kind, places in data["lengths"].items()
    ]
    todo = [f"{finding['name']}: {finding['todo']}" for finding in data["findings"] if finding["state"] != "fine"]
    found = [f"shares: {shares}"] if shares else []
    return [f"{name}, {text}" for text in (f"{data['lessons']:,} lessons", *found, *lengths, *todo)]
