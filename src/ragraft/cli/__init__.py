"""The command line: a command per stage, and run, status, show, ask, serve, compare, demo … Parses and prints."""

from ragraft.cli import asking, keeping, looking, running, shipping  # noqa: F401 — each registers its commands
from ragraft.cli.app import app, main

__all__ = ["app", "main"]
