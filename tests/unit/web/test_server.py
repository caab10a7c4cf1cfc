"""The review's server: on this machine alone, ended by Ctrl-C."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import uvicorn

from ragraft.errors import ConfigError, WorkspaceError
from ragraft.pipeline import open_session
from ragraft.web import serve

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring

MakeSite = Callable[..., "Site"]


@pytest.mark.enable_socket
def test_it_listens_here_alone_says_where_and_tells_what_was_decided(
    make_site: MakeSite, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site(questions=None)
    bring(site, last="index")
    file = site.folder / "candidates.jsonl"
    file.write_text(
        json.dumps({"id": "q", "question": "Why?", "answers": ["x"], "metadata": {"made_by": "m"}}), "utf-8"
    )
    bound: list[tuple[str, int]] = []

    def run(server: uvicorn.Server, sockets: list[socket.socket]) -> None:
        bound.append(sockets[0].getsockname())
        socket.create_connection(bound[0], timeout=5).close()  # already listens, since the address was told
        raise KeyboardInterrupt

    monkeypatch.setattr(uvicorn.Server, "run", run)
    told: list[str] = []
    serve(open_session(site.file), file, 0, tell=told.append)
    ((host, port),) = bound
    assert host == "127.0.0.1"
    assert told == [f"Review: http://127.0.0.1:{port}/  (Ctrl-C ends it)", f"1 open: {file}"]


@pytest.mark.enable_socket
def test_a_port_that_is_taken_is_one_sentence(make_site: MakeSite, bring: Bring) -> None:
    site = make_site(questions=None)
    bring(site, last="index")
    file = site.folder / "candidates.jsonl"
    file.write_text(json.dumps({"id": "q", "question": "Why?", "answers": ["x"]}), "utf-8")
    with socket.socket(socket.AF_INET) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"^--port {port}: .*; give another, or none for any free one$"):
            serve(open_session(site.file), file, port, tell=print)


def test_without_an_index_there_is_nothing_to_show(make_site: MakeSite) -> None:
    site = make_site()
    with pytest.raises(WorkspaceError, match=r"^No index in .*\. Run: ragraft index$"):
        serve(open_session(site.file), site.folder / "questions.jsonl", 0, tell=print)
