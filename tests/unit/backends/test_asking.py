"""What all backends keep to that ask over HTTP: the secret, the patience, and one sentence for what goes wrong."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import pytest
import stamina

from ragraft.backends.generators import openai
from ragraft.backends.generators.openai import OpenAiGenerator
from ragraft.backends.retrievers import http
from ragraft.backends.retrievers.http import HttpRetriever
from ragraft.errors import BackendError
from ragraft.records import Message, Prompt, Sampling

Handler = Callable[[httpx2.Request], httpx2.Response]


@dataclass(frozen=True)
class Kind:
    """A backend that asks over HTTP: how it is made, asked and answered."""

    make: Callable[[str, httpx2.BaseTransport | None], Any]
    ask: Callable[[Any, str], str]
    """Asks one question; what was answered."""
    reply: Callable[[Any], Any]
    """An answer to what was sent that holds the question itself."""
    path: str
    """What it puts behind its URL."""
    secret: str
    attempts: int
    mend: str
    """What to do where nobody answers."""
    wants: str
    """How a sentence on an answer of the wrong shape ends."""

    def over(self, handler: Handler) -> Any:
        return self.make("http://there.test", httpx2.MockTransport(handler))

    @property
    def url(self) -> str:
        return f"http://there.test{self.path}"

    def sentence(self, backend: Any) -> str:
        with pytest.raises(BackendError) as caught:
            self.ask(backend, "Where?")
        return str(caught.value)


ENDPOINT = Kind(
    make=lambda url, transport: OpenAiGenerator("small", url, transport=transport),
    ask=lambda backend, text: str(backend.generate([Prompt((Message("user", text),))], Sampling())[0].text),
    reply=lambda sent: {"choices": [{"message": {"content": sent["messages"][-1]["content"]}}]},
    path="/chat/completions",
    secret=openai.KEY,
    attempts=openai.ATTEMPTS,
    mend="start the endpoint or correct endpoint.url, then run again",
    wants="it must speak OpenAI's chat completions",
)
RETRIEVER = Kind(
    make=HttpRetriever,
    ask=lambda backend, text: str(backend.retrieve([text], 1)[0][0].text),
    reply=lambda sent: {"passages": [[{"id": "a", "text": text}] for text in sent["questions"]]},
    path="",
    secret=http.TOKEN,
    attempts=http.ATTEMPTS,
    mend="start your retriever or correct retrieve.url, then run again",
    wants="docs/using.md says what ragraft expects",
)


@pytest.fixture(params=[ENDPOINT, RETRIEVER], ids=["endpoint", "retriever"])
def kind(request: pytest.FixtureRequest) -> Iterator[Kind]:
    found: Kind = request.param
    with stamina.set_testing(True, attempts=found.attempts, cap=True):
        yield found


def test_the_secret_is_sent_and_told_nobody(
    kind: Kind, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str | None] = []

    def serve(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers.get("Authorization"))
        return httpx2.Response(500, json={"error": {"message": "the key s3cret is overworked"}})

    caplog.set_level(logging.DEBUG)
    backend = kind.over(serve)
    monkeypatch.setenv(kind.secret, " s3cret\n")
    told = kind.sentence(backend)
    assert "s3cret" not in told + caplog.text + repr(vars(backend))
    monkeypatch.delenv(kind.secret)
    kind.sentence(kind.over(serve))
    assert seen == ["Bearer s3cret"] * kind.attempts + [None] * kind.attempts


@pytest.mark.parametrize("secret", ["s3crét", "s3\ncret", "s3\tcret"])
def test_a_secret_that_no_header_can_carry_is_named_and_not_told(
    kind: Kind, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    asked: list[httpx2.Request] = []

    def serve(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(200)

    monkeypatch.setenv(kind.secret, secret)
    told = kind.sentence(kind.over(serve))
    assert told == f"{kind.secret} holds signs that no header can carry; put the bare key or token into it"
    assert asked == []


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_what_may_pass_is_asked_again(kind: Kind, status: int) -> None:
    statuses = iter([status, 200])

    def serve(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(next(statuses), json=kind.reply(json.loads(request.content)))

    assert kind.ask(kind.over(serve), "Where?") == "Where?"


@pytest.mark.parametrize("error", [httpx2.ConnectError("Connection refused"), httpx2.ReadTimeout("timed out")])
def test_no_answer_is_asked_again_and_told(kind: Kind, error: httpx2.TransportError) -> None:
    asked = []

    def serve(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        raise error

    assert kind.sentence(kind.over(serve)) == f"No answer from {kind.url} ({error}); {kind.mend}"
    assert len(asked) == kind.attempts


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (500, "answered 500 Internal Server Error; see its own log, then run again"),
        (307, "answered 307 Temporary Redirect; see its own log"),
    ],
)
def test_a_bad_status_is_one_sentence(kind: Kind, status: int, told: str) -> None:
    asked = []

    def serve(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(status, headers={"Location": "http://elsewhere.test"})

    assert kind.sentence(kind.over(serve)) == f"{kind.url} {told}"
    assert len(asked) == (kind.attempts if status == 500 else 1)


def test_what_is_no_json_is_one_sentence(kind: Kind) -> None:
    page = kind.over(lambda request: httpx2.Response(200, text="<html>\n  Welcome"))
    told = f"The answer of {kind.url} is no JSON (it begins “<html> Welcome”); {kind.wants}"
    assert kind.sentence(page) == told


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_real_server_answers_until_it_is_gone(kind: Kind) -> None:
    busy = iter([429, 503])

    class Server(BaseHTTPRequestHandler):
        """Over real sockets, and busy at first."""

        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(kind.reply(sent)).encode()
            self.send_response(next(busy, 200))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    backend = kind.make(url, None)
    try:
        assert [kind.ask(backend, text) for text in ("Where?", "Whence?")] == ["Where?", "Whence?"]
    finally:
        server.shutdown()
        server.server_close()
    assert kind.sentence(kind.make(url, None)).startswith(f"No answer from {url}{kind.path} (")
