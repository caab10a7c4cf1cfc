"""Commands that keep a run current: sync, watch, refresh."""

from __future__ import annotations

from typing import Annotated

import typer

from ragraft.cli.app import YAML, File, Named, Set, app, opened
from ragraft.cli.printing import print_event, print_table
from ragraft.errors import ConfigError, RefusedError

NOT_TODAY = 3
"""What watch ends with where no refresh is due."""
NAMED = 5
"""Documents of each kind that are named."""


@app.command()
def sync(file: File = YAML, set_: Set = [], run_: Named = None) -> None:  # noqa: B006
    """Bring the index up to the documents as they are now. The model stays as it is."""
    from ragraft.pipeline import sync as sync_run

    found = sync_run(opened(file, set_, run_), print_event)
    for gone in found.removed:
        until = f", current until {gone.until:%Y-%m-%d}" if gone.until else ""
        print(f"Removed {gone.stage} {gone.version}{until} ({gone.bytes / 1e6:.1f} MB): nothing needs it (sync.keep).")
    if not found.any:
        print(f"Nothing changed: index {found.after} is that of the documents as they are.")
        return
    changes = found.changes
    for kind, names in {
        "added": changes.added,
        "changed": changes.changed,
        "renamed": [f"{old} → {new}" for new, old in changes.renamed.items()],
        "removed": changes.removed,
    }.items():
        if names:
            print(f"{kind:<8} {len(names):>6}: {', '.join(names[:NAMED])}{' …' if len(names) > NAMED else ''}")
    print(f"unchanged {changes.unchanged:>5}")
    print(
        f"Index {found.before} → {found.after}: {found.fresh} of {found.chunks} chunks are new, the rest is taken over."
    )


@app.command()
def watch(  # noqa: PLR0917 — options, not positions
    file: File = YAML,
    ask: Annotated[
        bool,
        typer.Option("--ask", help="Also ask the models for facts that changed: minutes or hours, told before."),
    ] = False,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Try the rule beside others in simulated worlds, and end.")
    ] = False,
    worlds: Annotated[int, typer.Option("--worlds", min=8, help="How many worlds to simulate.")] = 200,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the worlds.")] = 0,
    set_: Set = [],  # noqa: B006
    run_: Named = None,
) -> None:
    """Say whether to tune again, and what has changed. Exit 0 if it is time to refresh, else 3."""
    from ragraft.pipeline import simulate as simulate_worlds
    from ragraft.pipeline import watch as watch_run

    if ask and simulate:
        raise ConfigError("--ask asks the models of this run, --simulate looks at none; give one of them")
    session = opened(file, set_, run_)
    if simulate:
        print_table(simulate_worlds(session, worlds, seed))
        return
    found = watch_run(session, ask=ask, say=lambda line: print(line, flush=True))
    for table in found.tables:
        print_table(table)
    print(f"Written: {found.folder.path / 'drift.json'}")
    if not found.due:
        raise typer.Exit(NOT_TODAY)


@app.command()
def refresh(
    file: File = YAML,
    dry: Annotated[bool, typer.Option("--dry", help="Only say what would be done, and what it should cost.")] = False,
    set_: Set = [],  # noqa: B006
    run_: Named = None,
) -> None:
    """Tune again for the documents as they are now. The new model goes into service if it passes the gate."""
    from ragraft.pipeline import refresh as refresh_run

    found = refresh_run(opened(file, set_, run_), print_event, dry=dry)
    for table in found.tables:
        print_table(table)
    for note in found.notes:
        print(note)
    if found.refused:
        raise RefusedError(found.says)
    print(found.says)
