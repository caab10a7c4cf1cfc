"""The app that the commands register with, its ending, and the options that several of them take."""

from __future__ import annotations

import io
import shlex
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragraft.errors import RagraftError

if TYPE_CHECKING:
    from ragraft.pipeline import Session

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Fine-tune the language model inside a RAG system, and prove what changed.",
)

File = Annotated[Path, typer.Argument(help="The YAML that describes the run.")]
FileOption = Annotated[Path, typer.Option("--file", help="The YAML that describes the run.")]
"""For commands that have an argument of their own."""
Set = Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="Set a value, as in train.epochs=3.")]
Named = Annotated[str | None, typer.Option("--run", metavar="NAME", help="Another run beside the one the YAML names.")]
YAML = Path("ragraft.yaml")
INTERRUPTED = 130


def _tell_version(asked: bool) -> None:
    if asked:
        print(f"ragraft {version('ragraft')}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run a command; what a user can cause is one sentence and exit 1, a refusal 4, Ctrl-C 130."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a pipe on Windows knows no arrows, and texts hold anything
    try:
        app(prog_name="ragraft")  # not the name of a module that runs us
    except RagraftError as error:
        print(f"ragraft: {error}", file=sys.stderr)
        sys.exit(error.code)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:  # typer has made this of the KeyboardInterrupt
            print("ragraft: stopped; the same command goes on from here", file=sys.stderr)
        raise


def command(name: str, file: Path, *options: str) -> str:
    """A command as the user would write it, with the YAML where it is not the default one."""
    named = [] if file.resolve() == YAML.resolve() else [str(file)]
    return shlex.join(["ragraft", name, *named, *options])


def opened(file: Path, overrides: list[str], name: str | None) -> Session:
    """The run that the YAML describes, with --set's values and --run's name."""
    from ragraft.pipeline import open_session

    return open_session(file, overrides, name)
