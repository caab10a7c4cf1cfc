"""Templates of the pages, their headers and their files. Knows Jinja and HTTP; knows no run and no key."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from fastapi.responses import HTMLResponse, Response
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from ragraft.methods.report_page import lead
from ragraft.methods.report_text import context_name, model_name, phrase, plural, points, true_minus

ALLOWED = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": ALLOWED,
    # Of no-referrer's forms browsers hide the origin, by which the guard knows its own pages.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
TEXT, SCRIPT, STYLE, PICTURE = "text/plain", "text/javascript", "text/css", "image/svg+xml"
STATIC = {
    "chat.css": STYLE,
    "chat.js": SCRIPT,
    "htmx.min.js": SCRIPT,
    "icon.svg": PICTURE,
    "marks.js": SCRIPT,
    "pages.css": STYLE,
    "report.css": STYLE,
    "rooms.css": STYLE,
    "rooms.js": SCRIPT,
    "stream.js": SCRIPT,
}
ELSEWHERE = {"report.css": ("ragraft.methods", "pages")}
"""Files that lie outside of `static`: the report's look is that of the pages."""
NOT_MODIFIED, NOT_FOUND = 304, 404


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around every page."""

    run: str
    """The run that is served."""
    rooms: bool
    """Whether there are pages over the workspace."""
    asker: str = ""
    """The key that is signed in; empty where none is needed."""


@functools.cache
def _templates() -> Environment:
    made = Environment(
        # Examples look here as they do in the report.
        loader=ChoiceLoader([PackageLoader("ragraft.web"), PackageLoader("ragraft.methods", "pages")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        minute=lambda when: str(when)[:16].replace("T", " "),
        context_name=context_name, lead=lead, minus=true_minus, model_name=model_name, phrase=phrase, plural=plural,
        points=points,
    )  # fmt: skip
    return made


def html(template: str, status: int = 200, headers: Mapping[str, str] = HEADERS, **values: Any) -> HTMLResponse:
    """A page."""
    return HTMLResponse(_templates().get_template(template).render(**values), status, dict(headers))


def fault_page(status: int, message: str, headers: Mapping[str, str] | None = None, *, back: str = "") -> HTMLResponse:
    """A page that says what went wrong, in a sentence; `back` is where the list of runs is."""
    return html("fault.html.j2", status, {**HEADERS, **(headers or {})}, message=message, back=back)


def wants_page(accept: str) -> bool:
    """Whether a person's browser asks, and not a program."""
    return "text/html" in accept


def static_file(name: str, known: str | None) -> Response:
    """A file of the pages; `known` is the digest of what the browser has already."""
    if name not in STATIC:
        return Response(status_code=NOT_FOUND)
    data, digest = _file(name)
    headers = {"ETag": digest, "Cache-Control": "no-cache"}
    if known == digest:
        return Response(status_code=NOT_MODIFIED, headers=headers)
    return Response(data, headers=headers, media_type=STATIC[name])


@functools.cache
def _file(name: str) -> tuple[bytes, str]:
    package, folder = ELSEWHERE.get(name, ("ragraft.web", "static"))
    data = resources.files(package).joinpath(folder, name).read_bytes()
    return data, f'"{hashlib.sha256(data).hexdigest()[:16]}"'
