"""The server of a run: where it listens, what it says, and how it ends."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import uvicorn

from ragraft.errors import ConfigError, WorkspaceError
from ragraft.pipeline import open_service, open_session
from ragraft.web.api import new_key, serve_api
from ragraft.web.api.guard import Rules
from ragraft.web.api.keys import Keys
from ragraft.web.api.server import pages_of, rules_for

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring

MakeSite = Callable[..., "Site"]
pytestmark = pytest.mark.enable_socket


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Where the server would listen; it is ended by Ctrl-C at once."""
    found: list[tuple[str, int]] = []

    def run(server: uvicorn.Server, sockets: list[socket.socket]) -> None:
        found.append(sockets[0].getsockname())
        raise KeyboardInterrupt

    monkeypatch.setattr(uvicorn.Server, "run", run)
    return found


def test_it_listens_here_alone_and_says_where(make_site: MakeSite, bring: Bring, bound: list[tuple[str, int]]) -> None:
    site = make_site()
    bring(site, last="index")
    told: list[str] = []
    serve_api(open_session(site.file), None, 0, tell=told.append)
    ((host, port),) = bound
    assert host == "127.0.0.1"
    assert told == [
        f"Serving base at http://127.0.0.1:{port}/v1  (no key, for this machine alone; Ctrl-C ends it)",
        f"A page to ask on: http://127.0.0.1:{port}/",
    ]
    open_service(open_session(site.file)).close()  # nothing is held any more


def test_where_keys_are_needed_pages_over_the_workspace_must_be_asked_for(make_site: MakeSite) -> None:
    session = open_session(make_site().file)
    rules = rules_for("127.0.0.1", Keys(()), (), per_minute=1, max_body=1000)
    guarded = rules_for("127.0.0.1", Keys((("app", "digest"),)), (), per_minute=1, max_body=1000)

    def rooms(rules: Rules, *settings: str) -> bool:
        chat, found = pages_of(open_session(session.run.runs.parent / "ragraft.yaml", settings), rules)
        assert chat.rooms == (found is not None)
        return chat.rooms

    assert [rooms(rules), rooms(guarded)] == [True, False]
    assert [rooms(one, "serve.workspace=true") for one in (rules, guarded)] == [True, True]
    assert [rooms(one, "serve.workspace=false") for one in (rules, guarded)] == [False, False]
    chat, _ = pages_of(open_session(session.run.runs.parent / "ragraft.yaml", ["serve.log_content=false"]), rules)
    assert (chat.feedback, chat.notes, chat.examples) == (True, False, ())


def test_beyond_this_machine_it_needs_a_key(make_site: MakeSite, bring: Bring, bound: list[tuple[str, int]]) -> None:
    site = make_site(serve={"host": "0.0.0.0"})
    bring(site, last="index")
    with pytest.raises(ConfigError, match="there is no key yet"):
        serve_api(open_session(site.file), None, 0, tell=print)
    assert bound == []
    new_key(site.folder / "runs", "app")
    told: list[str] = []
    serve_api(open_session(site.file), None, 0, tell=told.append)
    ((host, _),) = bound
    assert host == "0.0.0.0"
    assert told[0].endswith("(keys: 1; Ctrl-C ends it)")


def test_a_port_that_is_taken_is_one_sentence(make_site: MakeSite) -> None:
    site = make_site()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"^serve\.host 127\.0\.0\.1, serve\.port {port}: .*; give others$"):
            serve_api(open_session(site.file), None, port, tell=print)


def test_without_an_index_there_is_nothing_to_serve(make_site: MakeSite) -> None:
    with pytest.raises(WorkspaceError, match=r"^No index in .*\. Run: ragraft run --until index$"):
        serve_api(open_session(make_site().file), None, 0, tell=print)
