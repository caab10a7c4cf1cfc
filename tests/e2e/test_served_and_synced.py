"""A server under load while the documents change: nothing is refused, and answers come to rest on the newer index."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from ragraft.pipeline import ROWS, open_session, run_table, sync
from ragraft.workspace import Run, read_traffic
from tests.e2e.test_served_and_killed import PATIENCE, Caller, serve

if TYPE_CHECKING:
    from tests.conftest import Site

MakeSite = Callable[..., "Site"]
QUESTIONS = ["Who keeps the lamp of Esker?", "Who keeps the lamp of Arlen?"]
EACH = 6
"""Answers that each caller gets before and after the documents change."""


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


@pytest.mark.enable_socket
def test_a_server_under_load_follows_a_sync(make_site: MakeSite) -> None:
    site = make_site(index={"store": "lance", "chunk_tokens": 48})
    run_table(open_session(site.file), lambda event: None, last="index")
    process, host = serve(site)
    try:
        callers = [Caller(host, QUESTIONS) for _ in range(3)]
        for caller in callers:
            caller.start()
        wait_for(lambda: all(len(caller.answers) >= EACH for caller in callers))
        text = (site.folder / "docs" / "Esker.md").read_text("utf-8")
        (site.folder / "docs" / "Esker.md").write_text(text.replace("Edda", "Zenobia"), encoding="utf-8")
        session = open_session(site.file)
        synced = sync(session, lambda event: None)
        wait_for(lambda: index_of(host) == synced.after)
        wait_for(lambda: removed(session.run, synced.before))  # a question that began with it may still look up
        asked = [len(caller.answers) for caller in callers]
        wait_for(lambda: all(len(one.answers) >= before + EACH for one, before in zip(callers, asked, strict=True)))
        assert threading.active_count() > len(callers), "all of them still ask"
        assert [caller.failed for caller in callers] == [[], [], []]
    finally:
        process.kill()
        _, told = process.communicate()
    assert f"index {synced.after} answers now; before: {synced.before}" in told
    rows = [row for row in read_traffic(site.run / "90-traffic") if row["kind"] == "answer"]
    versions = [row["index"] for row in rows]
    assert set(versions) == {synced.before, synced.after}
    assert not any(row.get("finish_reason") == "cancelled" for row in rows)


def removed(run: Run, version: str) -> bool:
    with run.unheld(ROWS["index"].place, version) as nobody:
        if nobody:
            shutil.rmtree(run.pinned(ROWS["index"].place, version).path)
    return nobody


def index_of(host: str) -> str:
    connection = http.client.HTTPConnection(host, timeout=PATIENCE)
    connection.request("GET", "/readyz")
    found = str(json.loads(connection.getresponse().read())["index"])
    connection.close()
    return found
