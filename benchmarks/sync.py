"""What a sync costs where 2 % of the chunks changed, beside a whole index.

    python -m benchmarks.sync [--quick] [--json FILE]

Makes a corpus of 20,000 chunks and indexes it with the embedded embedder (--quick: `hashing`, which costs next to
nothing, so that the ratio is that of all else); then rewrites, adds, renames and removes documents until about 2 % of
the chunks changed, and runs `ragraft sync`, each command as a process of its own. A second workspace indexes the
changed documents whole: both indexes must be one. A sync killed in the middle must leave the old version in use. Fails
where one of these is not so, or (not with --quick) where the sync costs more than 5 % of the whole index.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.reading import BUSY, CHARACTERS_PER_CHUNK, RAGRAFT, SEED, Ended, facts, kill_when, start, wait
from benchmarks.synthetic import make_corpus

CHUNKS = 20_000
SHARE = 0.02
LIMIT = 0.05
STAGES = ("10-corpus", "20-index")


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the corpus, measure, and write the figures where asked; 1 where the sync costs too much."""
    asked = _parser().parse_args(arguments)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="ragraft-sync-", dir=asked.folder) as folder:
        rows = measure(Path(folder), asked.chunks, embedder="hashing" if asked.quick else None, model=asked.model)
    for name, value in rows.items():
        print(f"  {name:<44} {value:>12,.3f}")
    if asked.json:
        named = [{"name": name, "value": round(value, 4)} for name, value in rows.items()]
        made = {
            "benchmark": "sync",
            "quick": asked.quick,
            **facts(load, shared=load > BUSY * (os.cpu_count() or 1)),
            "rows": named,
        }
        asked.json.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    return int(not asked.quick and rows["sync by whole index: processor"] > LIMIT)


def measure(folder: Path, chunks: int, *, embedder: str | None, model: str | None) -> dict[str, float]:
    """All figures; raises SystemExit where the two indexes differ, or a kill changed what is in use."""
    first, second = folder / "first", folder / "second"
    first.mkdir()
    make_corpus(first, characters=chunks * CHARACTERS_PER_CHUNK, questions=1, seed=SEED)
    settings = {"documents": "documents", "name": "run"}
    settings |= {"embedder": embedder} if embedder else {}
    settings |= {"model": model} if model else {}
    (first / "ragraft.yaml").write_text(json.dumps(settings), encoding="utf-8")
    build = (*RAGRAFT, "run", str(first / "ragraft.yaml"), "--until", "index")
    # Once before, so that a model that has to be fetched is there: that is no part of an index.
    _warm(folder, settings)
    whole = wait(start(*build), time.monotonic())
    old = current(first)
    changed = change(first / "documents", SHARE, SEED)
    shutil.copytree(first, second, ignore=shutil.ignore_patterns("runs"))
    shutil.copytree(first, folder / "killed")
    synced = wait(start(*RAGRAFT, "sync", str(first / "ragraft.yaml")), time.monotonic())
    fresh, of = _told(synced.out)
    again = wait(start(*RAGRAFT, "sync", str(first / "ragraft.yaml")), time.monotonic())
    anew = wait(start(*RAGRAFT, "run", str(second / "ragraft.yaml"), "--until", "index"), time.monotonic())
    compare(first, second)
    _kill(folder / "killed", old)
    wait(start(*RAGRAFT, "sync", str(folder / "killed" / "ragraft.yaml")), time.monotonic())
    compare(folder / "killed", second)
    return {
        "chunks": of,
        "chunks that are new": fresh,
        "share of chunks that are new": fresh / of,
        **{f"documents {kind}": number for kind, number in changed.items()},
        **_costs("whole index", whole),
        **_costs("sync", synced),
        **_costs("sync of nothing", again),
        **_costs("whole index of the changed documents", anew),
        "sync by whole index: wall": synced.seconds / whole.seconds,
        "sync by whole index: processor": synced.cpu_seconds / whole.cpu_seconds,
    }


def change(documents: Path, share: float, seed: int) -> dict[str, int]:
    """Rewrite, add, rename and remove files and rows, a quarter of the share each; how many of each."""
    rng = random.Random(seed)
    counts = dict.fromkeys(("rewritten", "added", "renamed", "removed"), 0)
    for file in sorted(place for place in documents.rglob("*") if place.is_file()):
        if file.suffix == ".jsonl":
            rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
            kept: list[dict[str, Any]] = []
            for row in rows:
                kept += _changed_row(row, _drawn(rng, share), counts)
            file.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8", newline="\n")
        else:
            _change_file(file, _drawn(rng, share), counts)
    return counts


def _drawn(rng: random.Random, share: float) -> str:
    kinds = ("rewritten", "rewritten", "added", "renamed", "removed")
    # A rename gives no new chunk and a removal none: more are drawn, so that the share of new ones comes near.
    return rng.choice(kinds) if rng.random() < share * 5 / 3 else ""


def _changed_row(row: dict[str, Any], kind: str, counts: dict[str, int]) -> list[dict[str, Any]]:
    if kind:
        counts[kind] += 1
    if kind == "rewritten":
        return [{**row, "text": _reworded(row["text"])}]
    if kind == "added":
        return [row, {**row, "id": f"{row['id']}-added", "text": _reworded(row["text"])}]
    if kind == "renamed":
        return [{**row, "id": f"{row['id']}-renamed"}]
    return [] if kind == "removed" else [row]


def _change_file(file: Path, kind: str, counts: dict[str, int]) -> None:
    if not kind:
        return
    counts[kind] += 1
    if kind in ("rewritten", "added"):
        target = file if kind == "rewritten" else file.with_name(f"{file.stem}-added{file.suffix}")
        target.write_text(_reworded(file.read_text("utf-8")), encoding="utf-8", newline="\n")
    elif kind == "renamed":
        file.rename(file.with_name(f"{file.stem}-renamed{file.suffix}"))
    else:
        file.unlink()


def _reworded(text: str) -> str:
    """Every fifth word another, so that every chunk is."""
    words = text.split(" ")
    return " ".join(word[::-1] if number % 5 == 0 else word for number, word in enumerate(words))


def current(site: Path) -> dict[str, str]:
    """The versions in use."""
    return {stage: (site / "runs" / "run" / stage / "current").read_text("utf-8").strip() for stage in STAGES}


def compare(first: Path, second: Path) -> None:
    """Raises SystemExit unless both have the same versions of the same rows."""
    if current(first) != current(second):
        raise SystemExit(f"The synced versions {current(first)} are not those of a whole run {current(second)}")
    for name in ("chunks.parquet", "rejected.jsonl", "summary.json"):
        one, other = (
            site / "runs/run/20-index/versions" / current(site)["20-index"] / name for site in (first, second)
        )
        if one.read_bytes() != other.read_bytes():
            raise SystemExit(f"The synced index's {name} is another than a whole run's")


def _kill(site: Path, old: dict[str, str]) -> None:
    """Kill -9 a sync as soon as it is at the index."""
    versions = site / "runs/run/20-index/versions"
    process = start(*RAGRAFT, "sync", str(site / "ragraft.yaml"))
    kill_when(process, lambda: len(list(versions.iterdir())) > 1)
    if current(site) != old or len(list(versions.glob("*/manifest.json"))) > 1:
        raise SystemExit("The kill came too late, or changed what is in use")


def _warm(folder: Path, settings: dict[str, str]) -> None:
    place = folder / "warm"
    (place / "documents").mkdir(parents=True)
    (place / "documents" / "one.txt").write_text("A word.", encoding="utf-8")
    (place / "ragraft.yaml").write_text(json.dumps(settings), encoding="utf-8")
    wait(start(*RAGRAFT, "run", str(place / "ragraft.yaml"), "--until", "index"), time.monotonic())


def _told(out: str) -> tuple[int, int]:
    """Of the last line: how many of how many chunks are new."""
    words = out.splitlines()[-1].split(": ")[1].split()
    return int(words[0]), int(words[2])


def _costs(what: str, ended: Ended) -> dict[str, float]:
    return {
        f"{what}: wall, s": ended.seconds,
        f"{what}: processor, s": ended.cpu_seconds,
        f"{what}: peak memory, GiB": ended.peak_gib,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sync", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="the embedder `hashing`")
    parser.add_argument("--chunks", type=int, default=CHUNKS, help="about so many")
    parser.add_argument("--model", help="whose tokenizer counts; ragraft's default when left out")
    parser.add_argument("--folder", type=Path, help="where the corpus is made; the system's temporary folder")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
