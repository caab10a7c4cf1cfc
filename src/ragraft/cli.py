"""The command line: a command per stage, and run, status, show, ask, serve, compare, demo … Parses and prints."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragraft.disk import disk_faults_told
from ragraft.errors import ConfigError, RagraftError

if TYPE_CHECKING:
    from ragraft.pipeline import Event, Session, Table, Wanted

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Fine-tune the language model inside a RAG system, and prove what changed.",
)

File = Annotated[Path, typer.Argument(help="The YAML that describes the run.")]
FileOption = Annotated[Path, typer.Option("--file", help="The YAML that describes the run.")]
Set = Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="Set a value, as in train.epochs=3.")]
Named = Annotated[str | None, typer.Option("--run", metavar="NAME", help="Another run beside the one the YAML names.")]
YAML = Path("ragraft.yaml")
IN_MINUTES = 90
INTERRUPTED = 130


def main() -> None:
    """Run a command; what a user can cause is one sentence and exit 1, Ctrl-C is 130."""
    try:
        app(prog_name="ragraft")  # not the name of a module that runs us
    except RagraftError as error:
        print(f"ragraft: {error}", file=sys.stderr)
        sys.exit(1)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:  # typer has made this of the KeyboardInterrupt
            print("ragraft: stopped; the same command goes on from here", file=sys.stderr)
        raise


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
    """Bring the whole run up to date: from documents to a tuned and examined model."""
    session = _open(file, set_, run_)
    _run(session, first=from_, last=until, dry=dry)


def _stage_command(name: str, help_text: str) -> None:
    def command(file: File = YAML, set_: Set = [], run_: Named = None) -> None:  # noqa: B006
        _run(_open(file, set_, run_), last=name)

    command.__doc__ = help_text
    app.command(name)(command)


# One phrase a stage; the pipeline's table holds the rest, and importing it here would slow --help down.
for _name, _help in {
    "ingest": "Read the documents, and stop there.",
    "index": "Up to the index: cut, embed and store the chunks.",
    "examine": "Up to the exam: place the questions, measure retrieval.",
    "diagnose": "Ask the base model what fails, and say what would pay: the verdict.",
    "synthesize": "Up to the lessons: rows of train.method from the train side.",
    "train": "Up to the checkpoint: tune the model.",
    "evaluate": "Up to the scores: ask the exam under every condition.",
    "report": "Up to the report: the table and the page.",
}.items():
    _stage_command(_name, _help)


@app.command()
def questions(  # noqa: PLR0917 — options, not positions
    file: File = YAML,
    by: Annotated[
        str, typer.Option("--by", help="patterns: no model at all; model: a generator proposes.")
    ] = "patterns",
    limit: Annotated[int, typer.Option("--limit", min=1, help="The most questions to write.")] = 200,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to write; candidates.jsonl beside the YAML.")
    ] = None,
    review: Annotated[bool, typer.Option("--review", help="Look at them on a page of this machine's own.")] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The page's port; 0: any free one.")] = 0,
    model: Annotated[
        str | None, typer.Option("--model", metavar="SOURCE", help="The model that proposes; the run's by default.")
    ] = None,
    per_chunk: Annotated[int, typer.Option("--per-chunk", min=1, help="Questions a model is asked for a chunk.")] = 3,
    check: Annotated[
        bool, typer.Option("--check", help="Also have the model answer each, with its chunk and without.")
    ] = False,
    language: Annotated[str, typer.Option("--language", help="Language of the patterns.")] = "en",
    seed: Annotated[int, typer.Option("--seed", help="Seed of the order and of the model.")] = 0,
    set_: Set = [],  # noqa: B006
    run_: Named = None,
) -> None:
    """Propose questions from the index, where you have none yet; accept, mend or drop them on a page."""
    from ragraft.pipeline import Wanted

    session = _open(file, set_, run_)
    _run(session, last="index")
    target = out or file.resolve().parent / "candidates.jsonl"
    if not (review and target.exists()):
        if by == "patterns" and model is not None:
            raise ConfigError("--model proposes nothing without --by model")
        _propose(
            session,
            Wanted(by, limit=limit, model=model, per_chunk=per_chunk, seed=seed, language=language, check=check),
            target,
        )
    if review:
        from ragraft.web import serve

        serve(session, target, port, tell=lambda line: print(line, flush=True))


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    model: Annotated[str | None, typer.Option("--model", help="tuned (default) or base.")] = None,
    file: FileOption = YAML,
    run_: Named = None,
) -> None:
    """Answer a question from the run's documents, with citations."""
    from ragraft.pipeline import ask as ask_run

    asked = ask_run(_open(file, [], run_), question, model=model)
    reply = asked.reply
    print("not in the documents" if reply.parsed.abstained else reply.parsed.answer)
    if reply.parsed.from_memory and not reply.parsed.abstained:
        print("  (from memory: it rests on no document)")
    for text, number in reply.parsed.quotes:
        print(f'  "{text}"' + (f" [{number}]" if number else ""))
    shown = reply.fitted.passages
    for number in dict.fromkeys(reply.parsed.citations):
        known = 1 <= number <= len(shown)
        source = f"{shown[number - 1].title} ({shown[number - 1].id})" if known else "is no passage that was shown"
        print(f"[{number}] {source}")
    for note in asked.notes:
        print(f"({note})", file=sys.stderr)
    print(f"({asked.model}, index {asked.index_version}, {len(shown)} passages)", file=sys.stderr)


@app.command()
def serve(  # noqa: PLR0917 — options, not positions
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help="serve.port; 0: any free one.")] = None,
    host: Annotated[str | None, typer.Option("--host", help="serve.host; beyond this machine only with keys.")] = None,
    new_key: Annotated[
        str | None, typer.Option("--new-key", metavar="NAME", help="Make an API key of this name, print it, and end.")
    ] = None,
    file: FileOption = YAML,
    set_: Set = [],  # noqa: B006
    run_: Named = None,
) -> None:
    """Answer over HTTP as OpenAI's API does, from the run's documents, until Ctrl-C."""
    from ragraft.web import api

    session = _open(file, set_, run_)
    if new_key is not None:
        print(api.new_key(session.run.runs, new_key))
        print("(kept as a digest alone: this is the only time it is shown)", file=sys.stderr)
        return
    api.serve_api(session, host, port, tell=lambda line: print(line, flush=True))


@app.command()
def status(file: FileOption = YAML, set_: Set = [], run_: Named = None) -> None:  # noqa: B006
    """Say which stages are done, and where each setting came from."""
    from ragraft.pipeline import TABLE, flat_settings

    session = _open(file, set_, run_)
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
    print("settings (where from):")
    for key, value in flat_settings(session.config.model_dump(mode="json")).items():
        print(f"  {key} = {value} ({session.origins.get(key, 'default')})")


@app.command()
def show(
    artifact: Annotated[
        str, typer.Argument(help="corpus, index, exam, diagnosis, lessons, checkpoint, scores or report.")
    ],
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows to show.")] = 3,
    file: FileOption = YAML,
    run_: Named = None,
) -> None:
    """Show an artifact's first rows as JSON; report and diagnosis as tables; above lessons, what was found in them."""
    from ragraft.pipeline import lesson_table
    from ragraft.pipeline import show as show_artifact

    session = _open(file, [], run_)
    found = show_artifact(session, artifact, limit)
    if artifact == "lessons":
        _print_table(lesson_table(session), error=True)
    if artifact in ("report", "diagnosis"):
        (_print_report if artifact == "report" else _print_diagnosis)(found)
    else:
        print(json.dumps(found, ensure_ascii=False, indent=1))


@app.command()
def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN…", help="Runs of this workspace, at least two.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="Where compare.json goes.")] = None,
    file: FileOption = YAML,
) -> None:
    """Put several runs in one table: base, then each tuned model, with differences paired by question."""
    from ragraft.pipeline import compare as compare_runs

    found = compare_runs(_open(file, [], None), runs, out)
    for table in found.tables:
        _print_table(table)
    for note in found.notes:
        print(note)
    print(f"Page: {found.folder / 'compare.html'}")


@app.command()
def sweep(file: Annotated[Path, typer.Argument(help="A YAML with base: and grid:.")]) -> None:
    """Try a grid of settings: a sibling run a cell, scored on the validation side, best first."""
    from ragraft.pipeline import sweep as sweep_grid

    def tell(label: str, number: int, of: int) -> Any:
        print(f"cell {number} of {of}: {label}", flush=True)
        return _print_event

    found = sweep_grid(file, tell)
    _print_table(found.table)
    for note in found.notes:
        print(note)
    print(f"Written: {found.file}")


@app.command()
def export(
    target: Annotated[Path, typer.Argument(help="A new folder.")],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="KIND",
            help="merged: the model as one plain folder for transformers. Lessons: chat (OpenAI's JSONL), "
            "prompt-completion (TRL), axolotl or llama-factory (with their configs).",
        ),
    ] = "merged",
    file: FileOption = YAML,
    run_: Named = None,
) -> None:
    """Write the tuned model, or the lessons, for other programs."""
    from ragraft.pipeline import export as export_model

    exported = export_model(_open(file, [], run_), to, target)
    print(exported.folder)
    for note in exported.notes:
        print(f"({note})", file=sys.stderr)


@app.command()
def new(folder: Annotated[Path, typer.Argument(help="Where to write ragraft.yaml.")]) -> None:
    """Write a ragraft.yaml to begin with."""
    from ragraft.demo import write_example

    with disk_faults_told(folder):
        written = write_example(folder)
    print(f"Wrote {written}; put your documents and questions beside it, then: ragraft run")


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where to put the demo.")] = Path("ragraft-demo"),
    set_: Set = [],  # noqa: B006
) -> None:
    """Tune the embedded model on Python's own language reference: no network but pip's, no key, no GPU."""
    from ragraft.demo import write_demo

    with disk_faults_told(folder):
        written = write_demo(folder)
    for note in written.notes:
        print(note, file=sys.stderr)
    _run(_open(written.file, set_, None))


def _open(file: Path, overrides: list[str], name: str | None) -> Session:
    from ragraft.pipeline import open_session

    return open_session(file, overrides, name)


def _run(session: Session, *, first: str | None = None, last: str | None = None, dry: bool = False) -> None:
    from ragraft.pipeline import changed_keys, run_table
    from ragraft.pipeline import show as show_artifact

    for line in changed_keys(session):
        print(f"changed since the last run: {line}", file=sys.stderr)
    states = []

    def tell(event: Event) -> None:
        states.append(event.state)
        _print_event(event)

    run_table(session, tell, first=first, last=last, dry=dry)
    if all(state in ("unchanged", "outdated") for state in states):
        print(f"Nothing to do: {session.run.path} is up to date.")
    if last == "diagnose" and not dry:
        _print_diagnosis(show_artifact(session, "diagnosis", 1))
    if last in (None, "report") and not dry:
        report = show_artifact(session, "report", 1)
        _print_report(report)
        print(f"Page: {session.run.path / '80-report' / 'report.html'}")


def _propose(session: Session, wanted: Wanted, target: Path) -> None:
    from ragraft.pipeline import propose_questions

    found = propose_questions(session, wanted, target)
    for reason, number in found.reasons.items():
        print(f"  {number:>6} rejected: {reason}")
    if found.untried:
        print(f"  {found.untried:>6} more were not tried: --limit {wanted.limit}")
    print(f"{found.questions} questions on {found.chunks} of {found.of_chunks} chunks: {found.file}")
    print(f"Rejected, with reasons: {found.rejected}")
    print("They are made by a machine, and say so. Look at them with: ragraft questions --review")


def _print_event(event: Event) -> None:
    if event.state == "begun":
        line = f"{event.expected} …".strip()
    elif event.state == "resumed":
        whole = f" ({event.expected} from its beginning)" if event.expected else ""
        line = f"goes on where it was stopped{whole} …"
    elif event.state == "to run":
        line = f"to run: {event.expected}" if event.expected else "to run"
    elif event.state == "taken":
        line = f"taken from an equal run ({event.source})"
    elif event.state == "to take":
        line = f"to take from an equal run ({event.source})"
    elif event.state == "outdated":
        line = f"made under other settings, and left out; do it anew: ragraft {event.stage}"
    elif event.state == "done":
        facts = " · ".join(f"{key} {value}" for key, value in event.summary.items())
        line = f"done in {_duration(event.seconds)}: {facts}"
    else:
        line = event.state
    print(f"{event.stage:<11} {line}", flush=True)


def _print_diagnosis(diagnosis: dict[str, Any]) -> None:
    from ragraft.pipeline import diagnosis_tables

    for table in diagnosis_tables(diagnosis):
        _print_table(table)


def _print_report(report: dict[str, Any]) -> None:
    from ragraft.pipeline import report_table

    _print_table(report_table(report))


def _print_table(plain: Table, *, error: bool = False) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table as Drawn

    console = Console(stderr=error)
    table = Drawn(title=plain.title)
    for place, column in enumerate(plain.columns):
        table.add_column(column, justify="right" if place else "left")
    for row in plain.rows:
        table.add_row(*map(escape, row))
    console.print(table)
    for note in plain.notes:
        console.print(note, markup=False, highlight=False)


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < IN_MINUTES else f"{seconds / 60:.1f} min"
