"""What the commands print: a line for what a stage does, tables, durations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ragraft.pipeline import Event, Table

IN_MINUTES = 90


def print_event(event: Event) -> None:
    print(f"{event.stage:<11} {_told(event)}", flush=True)
    for note in event.notes:
        print(f"{'':<11} note: {note}", flush=True)


def _told(event: Event) -> str:
    if event.state == "begun":
        line = f"{event.expected} …".strip()
    elif event.state == "resumed":
        whole = f" ({event.expected} from its beginning)" if event.expected else ""
        line = f"goes on where it was stopped{whole} …"
    elif event.state == "tries":
        line = f"tries {event.source}" + (f": {event.expected} …" if event.expected else " …")
    elif event.state == "to run":
        line = f"to run: {event.expected}" if event.expected else "to run"
    elif event.state == "taken":
        line = f"taken from an equal run ({event.source})"
    elif event.state == "to take":
        line = f"to take from an equal run ({event.source})"
    elif event.state == "taught":
        line = "as the model learned it; ragraft sync has put a newer one in its place, which answers"
    elif event.state == "outdated":
        line = f"made under other settings, and left out; do it anew: ragraft {event.stage}"
    elif event.state == "done":
        facts = " · ".join(f"{key} {value}" for key, value in event.summary.items())
        line = f"done in {_duration(event.seconds)}: {facts}"
    else:
        line = event.state
    return line


def print_diagnosis(diagnosis: dict[str, Any]) -> None:
    from ragraft.pipeline import diagnosis_tables

    for table in diagnosis_tables(diagnosis):
        print_table(table)


def print_calibration(calibration: dict[str, Any]) -> None:
    from ragraft.pipeline import calibration_tables

    for table in calibration_tables(calibration):
        print_table(table)


def print_report(report: dict[str, Any]) -> None:
    from ragraft.pipeline import report_table

    print_table(report_table(report))


def print_table(plain: Table, *, error: bool = False) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table as Drawn

    console = Console(stderr=error)
    table = Drawn(title=plain.title)
    for place, column in enumerate(plain.columns):
        table.add_column(column, justify="right" if place else "left", overflow="fold")
    for row in plain.rows:
        table.add_row(*map(escape, row))
    if plain.rows:
        console.print(table)
    for note in plain.notes:
        console.print(note, markup=False, highlight=False)


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < IN_MINUTES else f"{seconds / 60:.1f} min"
