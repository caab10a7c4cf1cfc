"""`kill -9` at ten moments of every stage: the next run always ends as one that was left in peace.

Slow (about half an hour on two cores); it prints a line of figures a stage:

    python -m pytest -m slow tests/e2e/test_killed_anywhere.py

One stage alone: add `-k evaluate`. The run is the longest that there is: given and mined questions, a chain of dap and
hybrid whose instructions the base model answers, bits per byte, forgetting.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ragraft.pipeline import TABLE

if TYPE_CHECKING:
    from tests.conftest import Site

MakeSite = Callable[..., "Site"]
PATIENCE = 600.0
KILLS = 10
BEGINS = ("…", "goes on")
SETTINGS: dict[str, Any] = {
    "index": {"store": "lance", "shard": 8},
    "synthesize": {"questions": ["given", "mine"], "max_questions": 22, "max_validation": 2, "copies": 1},
    "dap": {"force": True, "row_tokens": 128},
    "train": {"method": ["dap", "hybrid"], "rank": 4, "batch": 4, "epochs": 1, "save_every": 1},
    "diagnose": {"max_questions": 4, "batch": 2, "texts": 4, "resamples": 200},
    "calibrate": {"resamples": 200},
    "evaluate": {
        "generator": "transformers",
        "batch": 2,
        "max_questions": 3,
        "shot_questions": 2,
        "forgetting": True,
    },
}
PLACES = {stage.name: stage.place.folder for stage in TABLE}
NEEDS = {stage.name: stage.needs for stage in TABLE}
ORDER = list(PLACES)
# Times, and what differs between two equal runs for other reasons than the kill: names and numbers of a database's
# files, the lock, the day.
TIMES = {"seconds", "minutes", "created", "tokens_per_second", "estimate", "throughput"}
PASSING = ("started.json", ".lock", "manifest.json", "config.json", "current", "timing.json", "history.jsonl")


def start(site: Site, stage: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-u", "-c", "from ragraft.cli import main; main()", stage, str(site.file)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def await_stage(process: subprocess.Popen[str], stage: str) -> float:
    """The moment at which the stage says that it begins."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(f"{stage} ") and "…" in line:
            return time.monotonic()
    raise AssertionError(f"{stage} never began: {process.communicate()}")


def finish(process: subprocess.Popen[str]) -> None:
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err


def artifacts(site: Site, stage: str) -> dict[str, str]:
    """Digests of all that a stage has left, without the times in it."""
    root = site.run / PLACES[stage]
    found = {}
    for file in sorted(root.rglob("*")):
        name = file.relative_to(root).as_posix()
        if file.is_file() and file.name not in PASSING and "/store/" not in f"/{name}":
            found[name] = hashlib.sha256(_timeless(file, site)).hexdigest()
    return found


def _timeless(file: Path, site: Site) -> bytes:
    data = file.read_bytes().replace(str(site.folder).encode(), b"SITE")
    if file.suffix not in (".json", ".jsonl"):
        return b"" if file.name == "report.html" or file.suffix == ".bin" else data
    lines = data.decode("utf-8").splitlines() if file.suffix == ".jsonl" else [data.decode("utf-8")]
    return json.dumps([_without_times(json.loads(line)) for line in lines], sort_keys=True).encode()


def _without_times(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _without_times(value) for key, value in data.items() if key not in TIMES}
    return [_without_times(value) for value in data] if isinstance(data, list) else data


@pytest.mark.slow
@pytest.mark.parametrize("stage", ORDER)
def test_a_stage_killed_anywhere_ends_as_one_left_in_peace(
    make_site: MakeSite, tmp_path: Path, stage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    site = make_site("site", **SETTINGS)
    if NEEDS[stage]:
        finish(start(site, max(NEEDS[stage], key=ORDER.index)))
    else:
        site.run.mkdir(parents=True)
    kept = tmp_path / "kept"
    shutil.copytree(site.folder / "runs", kept)
    process = start(site, stage)
    began = await_stage(process, stage)
    finish(process)
    length = time.monotonic() - began
    wanted = artifacts(site, stage)
    assert wanted
    draw = random.Random(f"kill {stage}")
    landed = tried = 0
    while landed < KILLS and tried < 3 * KILLS:
        shutil.rmtree(site.folder / "runs")
        shutil.copytree(kept, site.folder / "runs")
        # One moment in each tenth of the stage.
        moment = (landed + draw.random()) / KILLS * length
        process = start(site, stage)
        began = await_stage(process, stage)
        time.sleep(max(0.0, began + moment - time.monotonic()))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=PATIENCE)
        tried += 1
        if process.returncode == -signal.SIGKILL:
            landed += 1
        else:  # it had ended: a busy machine had made the first run long
            length *= 0.9
        finish(start(site, stage))
        assert artifacts(site, stage) == wanted, f"killed after {moment:.2f} of {length:.2f} s"
    with capsys.disabled():
        print(f"\n{stage}: {landed} kills landed within {length:.1f} s; all {tried} ends were the same", flush=True)
    assert landed == KILLS, "too many kills came too late"
