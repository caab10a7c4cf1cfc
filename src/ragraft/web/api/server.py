"""Listen, serve a run until Ctrl-C, and end in order. Knows sockets; knows no route."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from ipaddress import ip_address

import uvicorn

from ragraft.errors import ConfigError
from ragraft.pipeline import Session, begin_with, open_service, registry_story
from ragraft.web.api.app import make_api
from ragraft.web.api.guard import Rules
from ragraft.web.api.keys import Keys, Pace, read_keys
from ragraft.web.pages.chat import Chat
from ragraft.web.pages.rooms import Rooms

HOSTS = ("127.0.0.1", "localhost", "[::1]")
BACKLOG = 1024
GRACE = 30
"""Seconds that answers under way get when the server is stopped."""


def serve_api(session: Session, host: str | None, port: int | None, *, tell: Callable[[str], None]) -> None:
    """Serve the run until Ctrl-C. Raises ConfigError for an address that cannot be had, or must not without keys."""
    settings = session.config.serve
    host, port = host or settings.host, settings.port if port is None else port
    keys = read_keys(session.run.runs)
    rules = rules_for(host, keys, settings.origins, per_minute=settings.per_minute, max_body=settings.max_body)
    with _listening(host, port) as listener:
        service = open_service(session)
        try:
            asyncio.run(service.warm())
            for note in service.notes:
                tell(f"({note})")
            address = f"{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
            guarded = f"keys: {len(keys.digests)}" if keys else "no key, for this machine alone"
            tell(f"Serving {', '.join(service.models)} at http://{address}/v1  ({guarded}; Ctrl-C ends it)")
            tell(f"A page to ask on: http://{address}/")
            server = uvicorn.Server(
                uvicorn.Config(
                    make_api(service, rules, *pages_of(session, rules)),
                    log_level="warning",
                    access_log=False,
                    server_header=False,
                    timeout_graceful_shutdown=GRACE,
                )
            )
            with suppress(KeyboardInterrupt):
                server.run(sockets=[listener])
        finally:
            service.close()


def pages_of(session: Session, rules: Rules) -> tuple[Chat, Rooms | None]:
    """What stands on the pages of this run, and the pages over its workspace where it has them."""
    settings = session.config.serve
    over = not rules.keys if settings.workspace is None else settings.workspace
    chat = Chat(
        run=session.config.name,
        rooms=over,
        feedback=settings.log,
        notes=settings.log and settings.log_content,
        earlier=min(settings.history, (settings.max_messages - 1) // 2),
        retrieval=settings.retrieval,
        retrievals=("always", "never", *(("auto",) if "calibrate" in session.at().made else ())),
        examples=begin_with(session),
    )
    rooms = Rooms(session.run.runs, session.config.name, partial(registry_story, session))
    return chat, rooms if over else None


def rules_for(host: str, keys: Keys, origins: tuple[str, ...], *, per_minute: int, max_body: int) -> Rules:
    """Who is let in at this address. Raises ConfigError for one that others reach where there is no key."""
    here = _is_loopback(host)
    if not here and not keys:
        raise ConfigError(
            f"serve.host {host} is reached from elsewhere, and there is no key yet; make one first: "
            "ragraft serve --new-key NAME"
        )
    return Rules(HOSTS if here else (), origins, keys, Pace(per_minute), max_body)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)  # who reads the address and calls at once waits, and is not refused
    except OSError as error:
        listener.close()
        raise ConfigError(f"serve.host {host}, serve.port {port}: {error.strerror}; give others") from None
    return listener
