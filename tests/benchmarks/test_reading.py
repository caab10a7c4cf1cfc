"""The benchmark itself, on a corpus of a few hundred chunks: it runs to its end and writes what it measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.reading import Site, kill_when, start, wait

ROOT = Path(__file__).parents[2]


def test_a_small_run_writes_its_figures(tmp_path: Path, tiny_llama: Path) -> None:
    target = tmp_path / "figures.json"
    options = ["--quick", "--chunks", "300", "--model", str(tiny_llama), "--json", str(target)]
    command = [sys.executable, "-m", "benchmarks.reading", *options, "--folder", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    made = json.loads(target.read_text("utf-8"))
    assert made["finished"]
    figures = {row["name"]: row["value"] for row in made["rows"]}
    assert figures["chunks"] > 200
    for what in ("first build", "second build", "resumed build", "opening and 20 searches", "examine"):
        assert 0.01 < figures[f"{what}: peak memory"] < 2
        assert figures[f"{what}: wall"] >= 0
        assert f"{what}: peak memory" in done.stdout
    assert figures["killed after"] > 0
    assert set(made["versions"]) >= {"python", "ragraft", "lancedb"}
    assert made["machine"]["processors"] >= 1
    assert list(tmp_path.glob("ragraft-reading-*")) == [], "the corpus is removed"


PEAKS = """
import sys
from benchmarks.reading import start, wait
for mebibytes in (700, 1):
    ended = wait(start(sys.executable, "-c", f"held = b'x' * ({mebibytes} << 20); print(len(held))"), 0.0)
    assert ended.out == f"{mebibytes << 20}\\n"
    print(ended.peak_gib)
"""


def test_the_peak_is_that_of_the_process_itself() -> None:
    # In a process as small as the benchmark's own: where one begins, the system counts its parent's memory too.
    done = subprocess.run([sys.executable, "-c", PEAKS], cwd=ROOT, capture_output=True, text=True, check=True)
    large, small = map(float, done.stdout.split())
    assert large > 0.65
    assert small < large - 0.1, "a later, smaller process has its own"


def test_what_was_measured_is_written_at_once(tmp_path: Path) -> None:
    target = tmp_path / "figures.json"
    site = Site(tmp_path, target, {"versions": {"python": "3"}})
    site.note("chunks", 300.00049, "")
    wanted = {"versions": {"python": "3"}, "rows": [{"name": "chunks", "value": 300.0, "unit": ""}]}
    assert json.loads(target.read_text("utf-8")) == {"benchmark": "reading", "finished": False, **wanted}
    site.write(finished=True)
    assert json.loads(target.read_text("utf-8")) == {"benchmark": "reading", "finished": True, **wanted}


def test_too_much_memory_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.reading.LIMIT_GIB", 0.001)
    site = Site(tmp_path)
    # A child holds what its parent does until it is another program, and late in a suite that is a gigabyte.
    with pytest.raises(SystemExit, match=r"^a build held \d+\.\d\d GiB; the limit is 0.001$"):
        site.run("a build", sys.executable, "-c", "pass")
    assert [figure.name for figure in site.figures] == [f"a build: {f}" for f in ("wall", "processor", "peak memory")]


def test_a_process_that_fails_ends_it() -> None:
    with pytest.raises(SystemExit, match=r"^exit code 3: "):
        wait(start(sys.executable, "-c", "raise SystemExit(3)"), 0.0)


def test_a_kill_that_comes_too_late_is_told() -> None:
    process = start(sys.executable, "-c", "pass")
    with pytest.raises(SystemExit, match="ended before it could be killed"):
        kill_when(process, lambda: False)
