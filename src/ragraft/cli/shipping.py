"""Commands that put a model into service or into other programs: promote, rollback, registry, export."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ragraft.cli.app import YAML, File, FileOption, Named, Set, app, opened
from ragraft.cli.printing import print_table
from ragraft.errors import ConfigError, RefusedError


@app.command()
def promote(  # noqa: PLR0917 — options, not positions
    force: Annotated[bool, typer.Option("--force", help="Whatever the gate says; the reason is kept.")] = False,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why it is forced.")] = None,
    file: File = YAML,
    set_: Set = [],  # noqa: B006
    run_: Named = None,
) -> None:
    """Put the tuned model into service, if its exam allows it. It must be better, and harm nothing."""
    from ragraft.pipeline import promote as promote_run

    if reason is not None and not force:
        raise ConfigError("--reason belongs to --force; without it the gate decides")
    found = promote_run(opened(file, set_, run_), force=(reason or "") if force else None)
    print_table(found.table)
    if found.refused:
        raise RefusedError(
            f"{found.model} is not put into service: {', '.join(found.failed)} not passed; the table says what to do, "
            'and --force --reason "…" does it all the same'
        )
    print(f"{found.model} is in service ({found.event}); before: {found.before or 'none that was promoted'}")


@app.command()
def rollback(
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept in the log.")] = "",
    file: File = YAML,
) -> None:
    """Go back to the model that was in service before. Again, to the one before that."""
    from ragraft.pipeline import rollback as roll_back

    state = roll_back(opened(file, [], None), reason)
    print(f"in service: {state.current or 'none that was promoted; a run answers with its own model'}")


@app.command()
def registry(file: File = YAML) -> None:
    """Show the models that were put into service, and how it came."""
    from ragraft.pipeline import registry_story

    print("\n".join(registry_story(opened(file, [], None))))


@app.command()
def export(  # noqa: PLR0917 — options, not positions
    target: Annotated[Path, typer.Argument(help="A new folder.")],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="KIND",
            help="The model, with a card: merged (one plain folder for transformers), adapter (PEFT), gguf "
            "(llama.cpp), ollama, hub-folder. The exam's prompts: openai-batch. Lessons: chat (OpenAI's JSONL), "
            "prompt-completion (TRL), axolotl or llama-factory (with their configs).",
        ),
    ] = "merged",
    type_: Annotated[
        str | None, typer.Option("--type", help="Weights of gguf and ollama: f16 (default), or q8_0, half as large.")
    ] = None,
    questions: Annotated[
        Path | None, typer.Option("--questions", metavar="FILE", help="For openai-batch: these, not the exam's.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME", help="For openai-batch: what the server calls the model (tuned)."),
    ] = None,
    file: FileOption = YAML,
    run_: Named = None,
) -> None:
    """Write model, exam prompts or lessons for other programs."""
    from ragraft.pipeline import Wishes
    from ragraft.pipeline import export as export_model

    exported = export_model(opened(file, [], run_), to, target, Wishes(type_, questions, model))
    print(exported.folder)
    for note in exported.notes:
        print(f"({note})", file=sys.stderr)
