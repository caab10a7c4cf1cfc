"""Who is let in: host names, origins, keys, rates and sizes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ragraft.errors import ConfigError
from ragraft.web.api.keys import FILE, Keys, Pace, new_key, read_keys
from ragraft.web.api.server import HOSTS, rules_for

if TYPE_CHECKING:
    from tests.unit.web.api.conftest import Served, Serves

BODY = {"messages": [{"role": "user", "content": "What is Arlen?"}]}
CHAT = "/v1/chat/completions"


def test_every_answer_carries_the_strict_headers(served: Served) -> None:
    client = served.client()
    for response in (client.get("/healthz"), client.get("/nowhere"), client.post(CHAT, json=BODY)):
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in response.headers


def test_other_names_and_other_sites_pages_are_kept_out(served: Served) -> None:
    client = served.client()
    assert client.get("/v1/models", headers={"host": "evil.example"}).status_code == 403
    for origin in ("http://evil.example", "null", "http://testserver:9"):
        response = client.post(CHAT, json=BODY, headers={"origin": origin})
        assert (response.status_code, response.json()["error"]["type"]) == (403, "permission_error")
    assert client.get("/v1/models", headers={"origin": "http://testserver"}).status_code == 200
    assert served.rows == []


def test_a_named_origin_may_call_and_no_other(serves: Serves) -> None:
    client = serves(origins=["https://app.example"]).client()
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    allowed = client.options(CHAT, headers={"origin": "https://app.example", **asks})
    assert allowed.status_code == 204
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    assert "Authorization" in allowed.headers["access-control-allow-headers"]
    response = client.post(CHAT, json=BODY, headers={"origin": "https://app.example"})
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (200, "https://app.example")
    other = client.options(CHAT, headers={"origin": "https://other.example", **asks})
    assert other.status_code == 403
    assert "access-control-allow-origin" not in other.headers


def test_where_there_are_keys_one_is_needed(served: Served, tmp_path: Path) -> None:
    key = new_key(tmp_path, "app")
    client = served.client(keys=read_keys(tmp_path), hosts=())
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": key}, {"authorization": "Bearer "}):
        response = client.post(CHAT, json=BODY, headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (401, "invalid_api_key")
    for path in ("/metrics", "/v1/models", "/openapi.json"):
        assert client.get(path).status_code == 401
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
    assert client.post(CHAT, json=BODY, headers={"authorization": f"Bearer {key}"}).status_code == 200
    assert [row["asker"] for row in served.rows] == ["app"]


def test_a_key_is_kept_as_a_digest_alone(tmp_path: Path) -> None:
    first, second = new_key(tmp_path, "a"), new_key(tmp_path, "b")
    text = (tmp_path / FILE).read_text("utf-8")
    assert first not in text
    assert first.removeprefix("rg-") not in text
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0
    keys = read_keys(tmp_path)
    assert [keys.owner(f"Bearer {key}") for key in (first, second, second[:-1])] == ["a", "b", None]
    assert keys.owner(f"bearer {first}") == "a"
    for name in ("a", "../x", ""):
        with pytest.raises(ConfigError, match=r"^--new-key"):
            new_key(tmp_path, name)
    (tmp_path / FILE).write_text(json.dumps({"keys": [{"name": "x"}]}), "utf-8")
    with pytest.raises(ConfigError, match=r"\.keys\.json is no file of keys"):
        read_keys(tmp_path)


def test_a_key_has_its_share_of_a_minute() -> None:
    times: Iterator[float] = iter([0, 0, 0, 0, 10, 29, 31])
    pace = Pace(2, clock=lambda: next(times))
    assert [pace.wait("a"), pace.wait("a")] == [0, 0]
    assert pace.wait("a") == pytest.approx(30)
    assert pace.wait("b") == 0
    assert pace.wait("a") == pytest.approx(20)
    assert pace.wait("a") == pytest.approx(1)
    assert pace.wait("a") == 0


def test_who_sends_too_much_is_told_when_to_come_back(serves: Serves, tmp_path: Path) -> None:
    headers = {"authorization": f"Bearer {new_key(tmp_path, 'app')}"}
    client = serves(per_minute=2).client(keys=read_keys(tmp_path))
    statuses = [client.get("/v1/models", headers=headers) for _ in range(3)]
    assert [response.status_code for response in statuses] == [200, 200, 429]
    assert statuses[-1].json()["error"]["code"] == "rate_limit_exceeded"
    assert 1 <= int(statuses[-1].headers["retry-after"]) <= 30


def test_a_body_is_read_up_to_its_limit(serves: Serves) -> None:
    client = serves(max_body=1000).client()
    large = json.dumps({**BODY, "user": "x" * 1000}).encode()
    declared = client.post(CHAT, content=large)
    streamed = client.post(CHAT, content=iter([large[:600], large[600:]]))
    for response in (declared, streamed):
        assert response.status_code == 413
        assert "1000 bytes" in response.json()["error"]["message"]
    assert client.post(CHAT, json=BODY).status_code == 200


def test_a_long_conversation_is_refused(serves: Serves) -> None:
    client = serves(max_messages=3).client()
    response = client.post(CHAT, json={"messages": BODY["messages"] * 4})
    assert (response.status_code, "send the last 3" in response.json()["error"]["message"]) == (400, True)


def test_an_address_that_others_reach_needs_a_key() -> None:
    def rules(host: str, *digests: tuple[str, str]) -> tuple[str, ...]:
        return rules_for(host, Keys(digests), (), per_minute=1, max_body=1000).hosts

    assert rules("127.0.0.1") == rules("localhost") == rules("::1") == HOSTS
    for host in ("0.0.0.0", "::", "192.168.0.7", "example.org"):
        with pytest.raises(ConfigError, match=r"make one first: ragraft serve --new-key NAME$"):
            rules(host)
        assert rules(host, ("a", "digest")) == ()
