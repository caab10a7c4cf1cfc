"""The chat's page, the way in with a key, and the pages' files. Knows HTTP; the answers come from the API beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response

from ragraft.pipeline import Retrieval
from ragraft.web.pages.rendering import HEADERS, Frame, html, static_file
from ragraft.web.pages.sessions import ASKER, COOKIE, Sessions, token_in

SIGN_IN = "/sign-in"
OPEN = (SIGN_IN, "/static/")
"""What needs no key: how paths begin under which nothing of a run is told."""
SEE_OTHER, UNAUTHORIZED = 303, 401
# The chat's script makes its elements one by one: the browser is told to let no text become markup there.
CHAT_HEADERS = {
    **HEADERS,
    "Content-Security-Policy": HEADERS["Content-Security-Policy"]
    + "; require-trusted-types-for 'script'; trusted-types 'none'",
}


@dataclass(frozen=True, slots=True)
class Chat:
    """What the chat's page needs to know of the run."""

    run: str
    rooms: bool
    """Whether there are pages over the workspace."""
    feedback: bool
    """Whether ratings are kept."""
    notes: bool
    """Whether comments and right answers are kept with them."""
    earlier: int
    """Earlier exchanges that a model is shown."""
    retrieval: Retrieval = "always"
    """What the server does about looking up where a request says nothing."""
    retrievals: tuple[Retrieval, ...] = ("always", "never")
    """What may be asked of it."""
    examples: tuple[str, ...] = ()
    """Questions to begin with."""


@dataclass(frozen=True, slots=True)
class Door:
    """Who is let in: by a key, once, and by its session after that."""

    closed: bool
    """Whether a key is needed."""
    owner: Callable[[str], str | None]
    """The name of the key in an Authorization header."""
    sessions: Sessions


def add_chat(app: FastAPI, chat: Chat, door: Door) -> None:
    """The routes of the chat, of signing in and out, and of the pages' files."""

    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> Response:
        frame = Frame(chat.run, chat.rooms, signed_in(request))
        return html("chat.html.j2", headers=CHAT_HEADERS, frame=frame, chat=chat)

    @app.get("/static/{name}", include_in_schema=False)
    async def static(name: str, request: Request) -> Response:
        return static_file(name, request.headers.get("if-none-match"))

    @app.get(SIGN_IN, include_in_schema=False)
    async def sign_in(request: Request) -> Response:
        target = within(request.query_params.get("next", ""))
        if not door.closed:
            return RedirectResponse(target, SEE_OTHER)
        return html("sign_in.html.j2", target=target, problem="")

    @app.post(SIGN_IN, include_in_schema=False)
    async def enter(request: Request) -> Response:
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        target, key = within(form.get("next", [""])[0]), form.get("key", [""])[0].strip()
        owner = door.owner(f"Bearer {key}") if door.closed else ""
        if owner is None:
            problem = "This is no key of this server; look whether all of it was copied"
            return html("sign_in.html.j2", UNAUTHORIZED, target=target, problem=problem)
        response = RedirectResponse(target, SEE_OTHER)
        if owner:
            response.set_cookie(
                COOKIE,
                door.sessions.begin(owner),
                httponly=True,
                samesite="strict",
                secure=request.url.scheme == "https",
            )
        return response

    @app.post("/sign-out", include_in_schema=False)
    async def leave(request: Request) -> Response:
        door.sessions.end(token_in(request.headers.get("cookie", "")))
        response = RedirectResponse(SIGN_IN, SEE_OTHER)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response


def signed_in(request: Request) -> str:
    """The name of the key whose session this is; empty where there is no session."""
    has_cookie = bool(token_in(request.headers.get("cookie", "")))
    return str(request.scope.get(ASKER, "")) if has_cookie else ""


def to_sign_in(path: str, query: str) -> Response:
    """To the page that asks for a key, and from there back."""
    target = f"{path}?{query}" if query else path
    return RedirectResponse(f"{SIGN_IN}?{urlencode({'next': target})}", SEE_OTHER)


def within(target: str) -> str:
    """A path of this server; the chat's where somebody sends people elsewhere."""
    own = target.startswith("/") and not target.startswith("//") and "\\" not in target and target.isprintable()
    return target if own else "/"
