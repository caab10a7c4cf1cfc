"""Commands that carry a run out: run, one a stage, sweep, and the demo and the example to begin with."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragraft.cli.app import YAML, File, Named, Set, app, command, opened
from ragraft.cli.printing import print_calibration, print_diagnosis, print_event, print_report, print_table
from ragraft.disk import disk_faults_told

if TYPE_CHECKING:
    from ragraft.pipeline import Event, Session

CURVE = (0.125, 0.25, 0.5)
"""Shares of the questions to learn from that --curve trains on."""


@app.command()
def run(  # noqa: PLR0917 — options, not positions
    file: File = YAML,
    set_: Set = [],  # noqa: B006 — typer copies it
    run_: Named = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="STAGE", help="Rerun from here, changed or not.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="STAGE", help="Stop after this stage.")] = None,
    dry: Annotated[bool, typer.Option("--dry", help="Only say what would run.")] = False,
) -> None:
    """Bring the whole run up to date, from documents to the report."""
    session = opened(file, set_, run_)
    run_stages(session, first=from_, last=until, dry=dry)


def _stage_command(name: str, help_text: str) -> None:
    def bring(file: File = YAML, set_: Set = [], run_: Named = None) -> None:  # noqa: B006
        run_stages(opened(file, set_, run_), last=name)

    bring.__doc__ = help_text
    app.command(name)(bring)


def diagnose(  # noqa: PLR0917 — options, not positions
    file: File = YAML,
    set_: Set = [],  # noqa: B006
    run_: Named = None,
    curve: Annotated[
        bool, typer.Option("--curve", help="Measure what tuning brings on small training runs, which take a while.")
    ] = False,
    chunks: Annotated[
        str | None, typer.Option("--try-chunks", metavar="TOKENS,…", help="Try chunks of these lengths, an index each.")
    ] = None,
    embedder: Annotated[
        list[str], typer.Option("--try-embedder", metavar="SOURCE", help="Try an index of this embedding model.")
    ] = [],  # noqa: B006
) -> None:
    """Ask what the base model fails at, and say what would pay."""
    wished = [f"diagnose.curve={json.dumps(CURVE)}"] if curve else []
    wished += [f"diagnose.chunks=[{chunks}]"] if chunks else []
    wished += [f"diagnose.embedders={json.dumps(embedder)}"] if embedder else []
    run_stages(opened(file, [*set_, *wished], run_), last="diagnose")


# One phrase a stage; the pipeline's table holds the rest, and importing it here would slow --help down.
for _name, _help in {
    "ingest": "Read the documents, and stop there.",
    "index": "Up to the index: cut, embed and store the chunks.",
    "examine": "Up to the exam: place the questions, measure retrieval.",
    "diagnose": "",
    "synthesize": "Up to the lessons: rows of train.method from the train side.",
    "train": "Up to the checkpoint: tune the model.",
    "calibrate": "Learn when retrieval can be skipped, and when to abstain.",
    "evaluate": "Up to the scores: ask the exam under every condition.",
    "report": "Up to the report: the table and the page.",
}.items():
    if _name == "diagnose":
        app.command()(diagnose)
    else:
        _stage_command(_name, _help)


@app.command()
def sweep(file: Annotated[Path, typer.Argument(help="A YAML with base: and grid:.")]) -> None:
    """Try a grid of settings, best first. A cell is a sibling run, scored on the validation side."""
    from ragraft.pipeline import sweep as sweep_grid

    def tell(label: str, number: int, of: int) -> Any:
        print(f"cell {number} of {of}: {label}", flush=True)
        return print_event

    found = sweep_grid(file, tell)
    print_table(found.table)
    for note in found.notes:
        print(note)
    print(f"Written: {found.file}")


@app.command()
def new(folder: Annotated[Path, typer.Argument(help="Where to write ragraft.yaml.")]) -> None:
    """Write a ragraft.yaml to begin with."""
    from ragraft.demo import write_example

    with disk_faults_told(folder):
        written = write_example(folder)
    print(f"Wrote {written}; put your documents and questions beside it, then: {command('run', written)}")


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where to put the demo.")] = Path("ragraft-demo"),
    set_: Set = [],  # noqa: B006
) -> None:
    """Tune the embedded model on Python's language reference. No network but pip's, no key, no GPU."""
    from ragraft.demo import write_demo

    with disk_faults_told(folder):
        written = write_demo(folder)
    for note in written.notes:
        print(note, file=sys.stderr)
    run_stages(opened(written.file, set_, None))


def run_stages(
    session: Session, *, first: str | None = None, last: str | None = None, dry: bool = False, on_the_way: bool = False
) -> None:
    """Bring the run's stages up to date, telling what each does, and print the result that was asked for.

    `on_the_way`: something else was asked for, so that it is no news when there was nothing to do.
    """
    from ragraft.pipeline import changed_keys, run_table
    from ragraft.pipeline import show as show_artifact

    for line in changed_keys(session):
        print(f"changed since the last run: {line}", file=sys.stderr)
    states = []

    def tell(event: Event) -> None:
        states.append(event.state)
        print_event(event)

    run_table(session, tell, first=first, last=last, dry=dry)
    if not on_the_way and all(state in ("unchanged", "outdated", "taught") for state in states):
        print(f"Nothing to do: {session.run.path} is up to date.")
    if "taught" in states:
        print("The index is newer than the model. To teach it the documents as they are: ragraft run --from ingest")
    if last == "diagnose" and not dry:
        print_diagnosis(show_artifact(session, "diagnosis", 1))
    if last == "calibrate" and not dry:
        print_calibration(show_artifact(session, "calibration", 1))
    if last in (None, "report") and not dry:
        report = show_artifact(session, "report", 1)
        print_report(report)
        print(f"Page: {session.run.path / '80-report' / 'report.html'}")
