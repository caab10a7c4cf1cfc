"""The review's pages: one question a page, plain forms. Knows HTTP; knows no file and no index.

Nothing is fetched from elsewhere, and nobody else is let in: other host names and other sites' forms are refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import resources
from urllib.parse import parse_qs

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.middleware.trustedhost import TrustedHostMiddleware

from ragraft.errors import RagraftError
from ragraft.pipeline import DECISIONS, Review
from ragraft.web.origins import is_foreign
from ragraft.web.page import Page, page_of

HOSTS = ("127.0.0.1", "localhost")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
STATIC = {"review.css": "text/css", "review.js": "text/javascript"}
SEE_OTHER, BAD, FORBIDDEN, NOT_FOUND = 303, 400, 403, 404

_templates = Environment(
    loader=PackageLoader("ragraft.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def make_app(review: Review) -> FastAPI:
    """The review as an app; it holds no state beside `review`."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS))

    @app.middleware("http")
    async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        foreign = is_foreign(request.headers.get("origin"), request.headers.get("host"))
        response = Response(status_code=FORBIDDEN) if foreign else await call_next(request)
        response.headers.update(HEADERS)
        return response

    @app.get("/")
    def first() -> RedirectResponse:
        return RedirectResponse(f"/q/{(review.next_open(0) or 0) + 1}", SEE_OTHER)

    @app.get("/q/{number}")
    def show(number: int) -> HTMLResponse:
        return _html(_page(review, number))

    @app.post("/q/{number}")
    async def decide(number: int, request: Request) -> Response:
        _page(review, number)  # 404 before anything is decided
        try:
            form = parse_qs((await request.body()).decode("utf-8"), keep_blank_values=True)
        except ValueError:
            raise HTTPException(BAD, "This is no form") from None
        decision = form.get("decision", [""])[0]
        if decision not in DECISIONS:
            raise HTTPException(BAD, f"{decision or 'nothing'} is no decision")
        text, answers = form.get("question", [""])[0], form.get("answers", [""])[0].splitlines()
        try:
            review.decide(number - 1, decision, text=text, answers=answers)
        except RagraftError as error:
            return _html(_page(review, number, problem=str(error)), BAD)
        following = review.next_open(number - 1)
        return RedirectResponse(f"/q/{(number - 1 if following is None else following) + 1}", SEE_OTHER)

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in STATIC:
            raise HTTPException(NOT_FOUND)
        text = resources.files("ragraft.web").joinpath("static", name).read_text(encoding="utf-8")
        return Response(text, media_type=STATIC[name])

    return app


def _page(review: Review, number: int, *, problem: str = "") -> Page:
    if not 1 <= number <= len(review.items):
        raise HTTPException(NOT_FOUND, f"There are questions 1 to {len(review.items)}")
    return page_of(review, number - 1, problem=problem)


def _html(page: Page, status: int = 200) -> HTMLResponse:
    return HTMLResponse(_templates.get_template("review.html.j2").render(page=page), status)
