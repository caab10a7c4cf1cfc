"""Whatever a client sends, the server answers in its own words: never with a 500."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.unit.web.api.conftest import Served

ANY_TEXT = st.text(st.characters(), max_size=30)  # lone surrogates and control characters too
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3)
)
TURNS = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system", "developer"])},
    optional={
        "content": ANY_TEXT | st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": ANY_TEXT}), max_size=2),
        "name": ANY_TEXT | ANYTHING,
    },
)
COMMON: dict[str, st.SearchStrategy[Any]] = {
    "model": st.sampled_from(["tuned", ""]) | ANY_TEXT,
    "stream": st.booleans() | st.none(),
    "stream_options": st.fixed_dictionaries({}, optional={"include_usage": st.booleans()}) | ANYTHING,
    "max_tokens": st.integers() | ANYTHING,
    "temperature": st.floats(0, 2) | ANYTHING,
    "seed": st.integers(),
    "n": st.integers(1, 2),
    "user": ANY_TEXT,
    "metadata": st.dictionaries(ANY_TEXT, ANYTHING, max_size=2),
    "ragraft": st.fixed_dictionaries(
        {},
        optional={"retrieval": st.sampled_from(["always", "never", "auto"]), "k": st.integers(), "text": st.booleans()},
    ),
}
BODIES: dict[str, st.SearchStrategy[Any]] = {
    "/v1/chat/completions": st.fixed_dictionaries({"messages": st.lists(TURNS, max_size=4)}, optional=COMMON),
    "/v1/completions": st.fixed_dictionaries({"prompt": ANY_TEXT | st.lists(ANY_TEXT, max_size=3)}, optional=COMMON),
    "/v1/retrieve": st.fixed_dictionaries({"query": ANY_TEXT}, optional={"k": st.integers() | ANYTHING}),
    "/v1/feedback": st.fixed_dictionaries(
        {"id": st.just(f"chatcmpl-{'0' * 32}") | ANY_TEXT},
        optional={"rating": st.sampled_from(["up", "down"]) | ANYTHING, "comment": ANY_TEXT, "answer": ANY_TEXT},
    ),
}
HONEST = {200, 400, 404, 405, 413, 422}


@pytest.mark.parametrize("path", BODIES)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_no_body_of_the_right_form_or_nearly_so_brings_it_down(path: str, data: st.DataObject, served: Served) -> None:
    _answered(served, path, json.dumps(data.draw(BODIES[path])).encode())


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    path=st.sampled_from([*BODIES]), body=st.binary(max_size=60) | ANYTHING.map(lambda one: json.dumps(one).encode())
)
def test_no_other_body_brings_it_down(path: str, body: bytes, served: Served) -> None:
    _answered(served, path, body)


def _answered(served: Served, path: str, body: bytes) -> None:
    response = served.client().post(path, content=body, headers={"content-type": "application/json"})
    assert response.status_code in HONEST, response.text
    if response.status_code != 200:
        assert set(response.json()["error"]) == {"message", "type", "param", "code"}
    assert "server_error" not in response.text


def test_no_request_that_its_own_description_allows_brings_it_down(served: Served) -> None:
    served.held.go_on.set()
    described = schemathesis.openapi.from_asgi("/openapi.json", served.app(hosts=()))
    operations = [found.ok() for found in described.get_all_operations()]
    assert len(operations) == 9
    for operation in operations:
        _try(operation)


def _try(operation: Any) -> None:
    @settings(max_examples=12, suppress_health_check=[*HealthCheck], database=None)
    @given(case=operation.as_strategy())
    def answered(case: Any) -> None:
        assert case.call().status_code < 500, case

    answered()
