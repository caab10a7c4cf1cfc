"""A server killed under load: every answer and every feedback that it acknowledged is in the log of the next one."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from ragraft.pipeline import open_session, run_table
from ragraft.workspace import read_traffic
from tests.conftest import lighthouse_questions

if TYPE_CHECKING:
    from tests.conftest import Site

MakeSite = Callable[..., "Site"]
COMMAND = [sys.executable, "-c", "from ragraft.cli import main; main()", "serve", "--port", "0"]
PATIENCE = 300.0
ENOUGH = 40
"""Acknowledged feedback rows before the kill."""


class Caller(threading.Thread):
    """Asks, and tells what it thinks of the answer, until the server is gone; notes what was acknowledged."""

    def __init__(self, host: str, questions: list[str]) -> None:
        super().__init__(daemon=True)
        self._host, self._questions = host, questions
        self.answers: list[str] = []
        self.feedback: list[str] = []
        self.failed: list[str] = []

    def run(self) -> None:
        for number in range(10_000):
            try:
                name = self._ask(self._questions[number % len(self._questions)], stream=number % 2 == 1)
                self.answers.append(name)
                self._post("/feedback", {"id": name, "rating": "up", "comment": f"number {number}"})
                self.feedback.append(name)
            except (OSError, http.client.HTTPException):  # the server is gone
                return
            except ValueError as error:
                self.failed.append(str(error))
                return

    def _ask(self, question: str, *, stream: bool) -> str:
        body = {"messages": [{"role": "user", "content": question}], "stream": stream}
        text = self._post("/chat/completions", body)
        if not stream:
            return str(json.loads(text)["id"])
        events = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
        if events[-1] != "[DONE]":
            raise OSError("cut short")
        return str(json.loads(events[0])["id"])

    def _post(self, path: str, body: dict[str, Any]) -> str:
        connection = http.client.HTTPConnection(self._host, timeout=PATIENCE)
        try:
            connection.request("POST", f"/v1{path}", json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise ValueError(f"{response.status}: {text}")
        return text


def serve(site: Site) -> tuple[subprocess.Popen[str], str]:
    """A server of its own, and its host and port once it answers."""
    process = subprocess.Popen(
        [*COMMAND, str(site.file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("Serving base at http://127.0.0.1:"), (line, process.communicate())
    return process, line.partition("http://")[2].partition("/")[0]


@pytest.mark.enable_socket
def test_every_acknowledged_row_is_there_after_a_kill(make_site: MakeSite) -> None:
    site = make_site()
    run_table(open_session(site.file), lambda event: None, last="index")
    questions = [row["question"] for row in lighthouse_questions()]
    acknowledged: set[tuple[str, str]] = set()
    for _ in range(2):
        process, host = serve(site)
        try:
            callers = [Caller(host, questions[start::4]) for start in range(4)]
            for caller in callers:
                caller.start()
            deadline = time.monotonic() + PATIENCE
            while sum(len(caller.feedback) for caller in callers) < ENOUGH and time.monotonic() < deadline:
                assert all(caller.is_alive() for caller in callers), [caller.failed for caller in callers]
                time.sleep(0.01)
        finally:
            process.kill()
            process.communicate()
        for caller in callers:
            caller.join(PATIENCE)
            assert caller.failed == []
            acknowledged |= {("answer", name) for name in caller.answers}
            acknowledged |= {("feedback", name) for name in caller.feedback}
    assert len(acknowledged) >= 4 * ENOUGH
    kept = [(row["kind"], row["id"]) for row in read_traffic(site.run / "90-traffic")]
    assert acknowledged <= set(kept)
    assert len(kept) == len(set(kept))
    assert len(kept) <= len(acknowledged) + 2 * 4 * 2, "more was kept than could have been under way"
