"""What every generator is asked, in whatever environment it runs: a job in, a line of JSON out. Needs only Python.

A job names the model's folder, a file of prompts (token ids, all of one length, none asked twice), how many tokens an
answer has, and which way the generator is to go. A generator opens the model and answers one prompt, or several at a
time; what it takes to open and to convert is not timed.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

GIB = 2**30
Ids = list[int]


class Answerer(Protocol):
    """A generator with the model open, greedy; its end token counts like any other."""

    def one(self, prompt: Ids, tokens: int) -> Ids:
        """The answer to a prompt by itself."""
        ...

    def many(self, prompts: Sequence[Ids], tokens: int) -> list[Ids]:
        """The answers to several that come at once."""
        ...


def main(opens: Callable[[dict[str, Any]], Answerer], *packages: str) -> None:
    """Do the job that the command line names, and print what came of it."""
    job: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    prompts: dict[str, list[Ids]] = json.loads(Path(job["prompts"]).read_text("utf-8"))
    tokens = int(job["tokens"])
    began = time.perf_counter()
    answerer = opens(job)
    opened = time.perf_counter() - began
    answerer.one(prompts["warm"][0], 4)
    answerer.many(prompts["warm"][1:], 4)
    reading = [_timed(lambda ids=ids: answerer.one(ids, 1)) for ids in prompts["reading"]]  # type: ignore[misc]
    alone = [_timed(lambda ids=ids: answerer.one(ids, tokens)) for ids in prompts["alone"]]  # type: ignore[misc]
    together, answers = _timed(lambda: answerer.many(prompts["together"], tokens))
    told = {
        "opened": opened,
        "reading": [seconds for seconds, _ in reading],
        "alone": [seconds for seconds, _ in alone],
        "together": together,
        "answers": {"alone": [answer[:tokens] for _, answer in alone], "together": [one[:tokens] for one in answers]},
        "peak_gib": peak_bytes() / GIB,
        "versions": {"python": sys.version.split()[0], **_versions(packages)},
    }
    print(json.dumps(told), flush=True)
    os._exit(0)  # threads that some generators leave behind are not waited for


def peak_bytes() -> int:
    """The most that this process held."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the launching process held before it started this one
        kilobytes = next(line for line in status.read_text("utf-8").splitlines() if line.startswith("VmHWM"))
        return int(kilobytes.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts bytes


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    found = work()
    return time.perf_counter() - began, found


def _versions(packages: Sequence[str]) -> dict[str, str]:
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
