"""Serve the review to this machine alone. Knows sockets and the run; knows no page."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import uvicorn

from ragraft.errors import ConfigError, WorkspaceError
from ragraft.pipeline import Session, open_review
from ragraft.web.app import make_app
from ragraft.workspace import Index

HOST = "127.0.0.1"


def serve(session: Session, file: Path, port: int, *, tell: Callable[[str], None]) -> None:
    """Show the questions of `file` until Ctrl-C, then say what was decided. Port 0 is any free one."""
    made = session.at().made
    if "index" not in made:
        raise WorkspaceError(f"No index in {session.run.path}. Run: ragraft index")
    with open_review(file, Index(made["index"]).chunks().by_id()) as review, _listening(port) as listener:
        tell(f"Review: http://{HOST}:{listener.getsockname()[1]}/  (Ctrl-C ends it)")
        server = uvicorn.Server(uvicorn.Config(make_app(review), log_level="warning", access_log=False))
        with suppress(KeyboardInterrupt):  # the way to end it: every decision is on disk
            server.run(sockets=[listener])
        states = Counter(item.state for item in review.items)
        tell(", ".join(f"{number} {state}" for state, number in sorted(states.items())) + f": {file}")


def _listening(port: int) -> socket.socket:
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()  # whoever reads the address and goes there at once waits, and is not refused
    except OSError as error:
        listener.close()
        raise ConfigError(f"--port {port}: {error.strerror}; give another, or none for any free one") from None
    return listener
