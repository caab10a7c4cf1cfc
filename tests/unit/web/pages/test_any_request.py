"""Whatever is asked of a page, by path, query, form or header, it answers in its own words: never with a 500.

The API's own routes stand in its OpenAPI description and are tried by `test_any_body`; these are all the others.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes, urlencode

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragraft.web import app as review_app
from ragraft.web.api.keys import Keys
from ragraft.web.pages.rooms import Rooms
from tests.unit.web.api.conftest import Served
from tests.unit.web.pages.shelf import Shelf
from tests.unit.web.test_app import review

if TYPE_CHECKING:
    from ragraft import ports
    from ragraft.pipeline import Review

__all__ = ["review"]
NAMES = ("lights", "begun", "broken", "01-raft", "lessons", "validation", "rejected", "current")
KNOWN = st.sampled_from([*NAMES, "0", "1", "-1", "9" * 30, ".", ".."])
KEYS = (
    *("step", "part", "kind", "page", "context", "against", "show", "question", "before", "answer", "since"),
    *("answers", "decision", "next", "key", "x"),
)
SENT = ("origin", "cookie", "accept", "authorization", "if-none-match", "hx-request", "content-type", "referer")
RAW = st.binary(max_size=12).map(quote_from_bytes)
PART = KNOWN | RAW.filter(bool)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
QUERY = st.dictionaries(
    st.sampled_from(
        [
            "step",
            "part",
            "kind",
            "page",
            "context",
            "against",
            "show",
            "question",
            "before",
            "answer",
            "answers",
            "since",
            "next",
            "decision",
            "key",
            "x",
        ]
    ),
    KNOWN | st.sampled_from(["all", "down", "retrieved", "base", "2026-11-29", "e/0 ?&", "edit"]) | ANY_TEXT,
    max_size=4,
)
HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["origin", "cookie", "accept", "authorization", "if-none-match", "hx-request", "content-type", "referer"]
    ),
    HEADER | st.sampled_from(["http://[", "http://testserver", "null", "text/html", "ragraft-session=x", "Bearer "]),
    max_size=4,
)
BODY = st.binary(max_size=30) | QUERY.map(lambda one: urlencode(one).encode())
QUIET = settings(max_examples=25, suppress_health_check=[*HealthCheck], database=None)
HONEST = {200, 204, 303, 304, 307, 400, 401, 403, 404, 405, 406, 413, 415, 422}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    made = Shelf(tmp_path_factory.mktemp("workspace") / "runs")
    made.furnish()
    return made


@pytest.fixture
def served(tmp_path: Path, word_tokenizer: ports.Tokenizer, shelf: Shelf) -> Iterator[Served]:
    made = Served(tmp_path / "traffic", word_tokenizer)
    made.rooms = Rooms(shelf.runs, "lights")
    yield made
    made.service.close()


def undescribed(app: FastAPI) -> list[APIRoute]:
    return [route for route in routes_of(app) if not route.include_in_schema]


def routes_of(app: FastAPI) -> list[APIRoute]:
    """Those of routers too, which FastAPI keeps as they were."""
    inner = [list(getattr(one, "original_router", app).routes) for one in app.routes if hasattr(one, "original_router")]
    found = [route for route in [*app.routes, *itertools.chain(*inner)] if isinstance(route, APIRoute)]
    assert found
    return found


def test_every_route_is_a_page_or_described(served: Served) -> None:
    app = served.app()
    described = {path for path, methods in app.openapi()["paths"].items() for _ in methods}
    pages = {route.path for route in undescribed(app)}
    assert not described & pages
    assert len(described) == 9
    assert len(pages) == 14, sorted(pages)


@pytest.mark.parametrize("closed", [False, True])
def test_no_request_brings_a_page_down(served: Served, closed: bool) -> None:
    app = served.app(keys=Keys((("me", "0" * 64),)) if closed else Keys(()))
    client = TestClient(app, follow_redirects=False, raise_server_exceptions=False)
    for route in undescribed(app):
        for method in sorted(route.methods or ()):
            _try(client, method, route.path)


def test_no_request_brings_the_review_down(review: Review) -> None:
    app = review_app.make_app(review)
    client = TestClient(app, base_url="http://127.0.0.1:8000", follow_redirects=False, raise_server_exceptions=False)
    routes = routes_of(app)
    assert len(routes) == 4
    for route in routes:
        for method in sorted(route.methods or ()):
            _try(client, method, route.path)


def _try(client: TestClient, method: str, template: str) -> None:
    names = re.findall(r"\{(\w+)\}", template)

    @QUIET
    @given(data=st.data(), query=QUERY, headers=HEADERS, body=BODY)
    def answered(data: st.DataObject, query: dict[str, str], headers: dict[str, str], body: bytes) -> None:
        path = template
        for name in names:
            path = path.replace(f"{{{name}}}", data.draw(PART))
        sent: Any = {name: value.encode("latin-1") for name, value in headers.items()}
        content = body if method == "POST" else None
        response = client.request(method, f"{path}?{urlencode(query)}", headers=sent, content=content)
        assert response.status_code in HONEST, (method, path, query, headers, body, response.status_code, response.text)
        assert "Traceback" not in response.text

    answered()
