"""The benchmark of sync, on a few hundred chunks: it changes what it says, compares, and writes what it measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.sync import change, compare
from benchmarks.synthetic import make_corpus

ROOT = Path(__file__).parents[2]


def test_a_small_run_writes_its_figures(tmp_path: Path, tiny_llama: Path) -> None:
    target = tmp_path / "figures.json"
    options = ["--quick", "--chunks", "400", "--model", str(tiny_llama), "--json", str(target)]
    command = [sys.executable, "-m", "benchmarks.sync", *options, "--folder", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = {row["name"]: row["value"] for row in json.loads(target.read_text("utf-8"))["rows"]}
    assert figures["chunks"] > 300
    assert 0 < figures["chunks that are new"] < 0.2 * figures["chunks"]
    assert figures["sync: processor, s"] > 0
    assert list(tmp_path.glob("ragraft-sync-*")) == [], "the corpus is removed"


def test_changes_are_of_all_kinds_and_repeat(tmp_path: Path) -> None:
    counts = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        make_corpus(tmp_path / name, characters=400_000, questions=5, seed=0)
        counts.append(change(tmp_path / name / "documents", 0.2, 1))
    assert counts[0] == counts[1]
    assert all(number > 0 for number in counts[0].values())
    texts = [
        {
            file.relative_to(tmp_path / name): file.read_bytes()
            for file in (tmp_path / name).rglob("*.*")
            if file.is_file()
        }
        for name in ("one", "two")
    ]
    assert texts[0] == texts[1]


def test_two_indexes_that_differ_end_it(tmp_path: Path) -> None:
    for name in ("one", "two"):
        for stage in ("10-corpus", "20-index"):
            place = tmp_path / name / "runs" / "run" / stage
            place.mkdir(parents=True)
            (place / "current").write_text(f"version of {name}", encoding="utf-8")
    with pytest.raises(SystemExit, match="are not those of a whole run"):
        compare(tmp_path / "one", tmp_path / "two")
