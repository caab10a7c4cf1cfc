"""Commands that look at runs: status, show, compare, traffic; and agreement, on who judges their answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ragraft.cli.app import YAML, File, FileOption, Named, Set, app, opened
from ragraft.cli.printing import print_calibration, print_diagnosis, print_report, print_table
from ragraft.disk import disk_faults_told


@app.command()
def status(file: File = YAML, set_: Set = [], run_: Named = None) -> None:  # noqa: B006
    """Say which stages are done, and where each setting came from."""
    from ragraft.pipeline import TABLE, flat_settings, in_service

    session = opened(file, set_, run_)
    print(f"{session.run.path}")
    for stage in TABLE:
        folder = session.run.current(stage.place)
        manifest = folder.manifest() if folder else None
        if manifest:
            facts = " · ".join(f"{key} {value}" for key, value in manifest.summary.items())
            expected = f" ({manifest.estimate['seconds']:.0f} s expected)" if manifest.estimate else ""
            print(f"  {stage.name:<11} {manifest.created}  {manifest.seconds:>8.1f} s{expected}  {facts}")
        else:
            print(f"  {stage.name:<11} not yet: {stage.asks}")
    service = in_service(session)
    if service:
        print(service)
    print("settings (where from):")
    for key, value in flat_settings(session.config.model_dump(mode="json")).items():
        print(f"  {key} = {value} ({session.origins.get(key, 'default')})")


@app.command()
def show(
    artifact: Annotated[
        str, typer.Argument(help="corpus, index, exam, diagnosis, lessons, checkpoint, calibration, scores or report.")
    ],
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows to show.")] = 3,
    file: FileOption = YAML,
    run_: Named = None,
) -> None:
    """Show an artifact's first rows as JSON, or a report as tables. What was found in lessons stands above them."""
    from ragraft.pipeline import lesson_table
    from ragraft.pipeline import show as show_artifact

    session = opened(file, [], run_)
    found = show_artifact(session, artifact, limit)
    if artifact == "lessons":
        print_table(lesson_table(session), error=True)
    tables = {"report": print_report, "diagnosis": print_diagnosis, "calibration": print_calibration}
    if artifact in tables:
        tables[artifact](found)
    else:
        print(json.dumps(found, ensure_ascii=False, indent=1))


@app.command()
def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN…", help="Runs of this workspace, at least two.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="Where compare.json goes.")] = None,
    file: FileOption = YAML,
) -> None:
    """Put several runs in one table. Base, then each tuned model, with differences paired by question."""
    from ragraft.pipeline import compare as compare_runs

    found = compare_runs(opened(file, [], None), runs, out)
    for table in found.tables:
        print_table(table)
    for note in found.notes:
        print(note)
    print(f"Page: {found.folder / 'compare.html'}")


@app.command()
def traffic(
    since: Annotated[str, typer.Option("--since", metavar="DATE", help="Leave out what was asked before.")] = "",
    out: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there, too.")] = None,
    file: File = YAML,
    run_: Named = None,
) -> None:
    """Compare the models that a server answered with. The one in service, the canary, shadows."""
    from ragraft.pipeline import compare_served

    run = opened(file, [], run_).run
    found = compare_served(run.runs, run.name, since)
    for table in found.tables:
        print_table(table)
    if out is not None:
        _write_json(out, found.data)


@app.command()
def agreement(
    labels: Annotated[Path, typer.Argument(metavar="LABELS", help="Claims that people have judged, as JSON lines.")],
    out: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there, too.")] = None,
    file: FileOption = YAML,
    set_: Set = [],  # noqa: B006
) -> None:
    """Measure how far the grader of answers agrees with people. It is asked about claims that they have judged."""
    from ragraft.pipeline import measure_agreement

    found = measure_agreement(opened(file, set_, None), labels)
    print_table(found.table)
    for reason, number in found.data["reasons"].items():
        print(f"  {number:>6} unscored: {reason}")
    if out is not None:
        _write_json(out, found.data)


def _write_json(out: Path, data: Mapping[str, Any]) -> None:
    with disk_faults_told(out):
        out.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
