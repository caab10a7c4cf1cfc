"""How much memory and time reading takes: ingest, index, a second build, a killed one, opening and examining.

    python -m benchmarks.reading [--quick] [--json FILE]

Makes a corpus (200,000 chunks; --quick: 20,000; the embedder is `hashing`) and runs the command line on it, each
command as a process of its own whose peak memory the system tells. Fails when a command holds more than 2 GiB, when
the second build is not skipped, or when a build killed in the middle ends in anything but the same index.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.synthetic import make_corpus

CHUNKS, QUICK_CHUNKS = 200_000, 20_000
CHARACTERS_PER_CHUNK = 345
"""Of this corpus, by the default model's tokenizer."""
LIMIT_GIB = 2.0
QUESTIONS = 300
SEED = 0
RAGRAFT = (sys.executable, "-c", "from ragraft.cli import main; main()")
# What `ask` does before its model answers: open the index, and find passages for questions one by one.
SEARCH = """
import json, sys
from itertools import islice
from pathlib import Path
from ragraft.pipeline import open_session
from ragraft.pipeline.wiring import retriever
session = open_session(Path(sys.argv[1]), run=sys.argv[2])
found = retriever(session.at())
for line in islice(open(sys.argv[3], encoding="utf-8"), 20):
    print([(hit.id, hit.score) for hit in found.retrieve([json.loads(line)["question"]], 10)[0]])
"""
PACKAGES = ("ragraft", "lancedb", "numpy", "pyarrow", "tokenizers", "transformers")
BUSY = 0.5
"""Load before the start, by processor, from which the machine counts as shared."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A named figure of the result."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that came to its end."""

    seconds: float
    cpu_seconds: float
    peak_gib: float
    out: str


@dataclass(slots=True)
class Site:
    """The corpus, its YAML and the figures so far."""

    folder: Path
    target: Path | None = None
    """Where the figures are written, after each: what was measured stays when the rest is broken off."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)

    @property
    def yaml(self) -> Path:
        return self.folder / "ragraft.yaml"

    @property
    def questions(self) -> Path:
        return self.folder / "questions.jsonl"

    def note(self, name: str, value: float, unit: str) -> None:
        self.figures.append(Figure(name, round(value, 3), unit))
        print(f"  {name:<44} {value:>12,.2f} {unit}", flush=True)
        self.write(finished=False)

    def write(self, *, finished: bool) -> None:
        """Write facts and figures, where asked."""
        if self.target:
            rows = [asdict(row) for row in self.figures]
            made = {"benchmark": "reading", "finished": finished, **self.facts, "rows": rows}
            self.target.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")

    def run(self, what: str, *command: str) -> Ended:
        """Run to the end and note time and memory."""
        ended = wait(start(*command), time.monotonic())
        self.note(f"{what}: wall", ended.seconds, "s")
        self.note(f"{what}: processor", ended.cpu_seconds, "s")
        self.note(f"{what}: peak memory", ended.peak_gib, "GiB")
        if ended.peak_gib > LIMIT_GIB:
            raise SystemExit(f"{what} held {ended.peak_gib:.2f} GiB; the limit is {LIMIT_GIB:g}")
        return ended


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the corpus, measure, and write the figures where asked."""
    asked = _parser().parse_args(arguments)
    chunks = asked.chunks or (QUICK_CHUNKS if asked.quick else CHUNKS)
    load = os.getloadavg()[0]
    shared = load > BUSY * (os.cpu_count() or 1)
    if shared:
        print(f"Other programs keep this machine busy (load {load:.1f}): wall times will be long.")
    with tempfile.TemporaryDirectory(prefix="ragraft-reading-", dir=asked.folder) as folder:
        site = Site(Path(folder), asked.json, facts(load, shared=shared))
        measure(site, chunks, asked.model)
    site.write(finished=True)


def measure(site: Site, chunks: int, model: str | None) -> None:
    """All figures of one corpus; raises SystemExit where one breaks its law."""
    counts = make_corpus(site.folder, characters=chunks * CHARACTERS_PER_CHUNK, questions=QUESTIONS, seed=SEED)
    for name, count in counts.items():
        site.note(f"corpus: {name}", count, "")
    # Also a small corpus has shards to be killed among.
    shard = min(1024, max(16, chunks // 12))
    settings = {"documents": "documents", "questions": "questions.jsonl", "embedder": "hashing", "name": "whole"}
    settings |= {"model": model} if model else {}
    site.yaml.write_text(json.dumps({**settings, "index": {"shard": shard}}), encoding="utf-8")
    build = (*RAGRAFT, "run", str(site.yaml), "--until", "index")

    first = site.run("first build", *build)
    made = _manifest(site, "whole", "20-index")
    site.note("first build: minutes", first.seconds / 60, "min")
    for stage in ("10-corpus", "20-index"):
        site.note(f"first build: {stage}", _manifest(site, "whole", stage)["seconds"], "s")
    site.note("chunks", made["summary"]["chunks"], "")
    site.note("chunks a second", made["summary"]["chunks"] / first.seconds, "")

    second = site.run("second build", *build)
    if [line.split()[1:] for line in second.out.splitlines()[:2]] != [["unchanged"]] * 2:
        raise SystemExit(f"The second build was not skipped: {second.out}")
    found = site.run("opening and 20 searches", *_search(site, "whole"))
    _kill_and_resume(site, build, made["summary"]["chunks"], shard)
    if site.run("the same in the resumed build", *_search(site, "killed")).out != found.out:
        raise SystemExit("The resumed index finds other passages")
    examined = site.run("examine", *RAGRAFT, "examine", str(site.yaml), "--run", "killed")
    if "examine     done" not in examined.out:
        raise SystemExit(f"examine was not done: {examined.out}")


def _kill_and_resume(site: Site, build: Sequence[str], chunks: int, shard: int) -> None:
    """Build the index anew, kill -9 halfway through its vectors, build again, and compare."""
    # Out of the way: a sibling run would take it.
    aside = (site.folder / "runs" / "whole" / "20-index").rename(site.folder / "undisturbed")
    work = site.folder / "runs" / "killed" / "20-index" / "versions"
    half = -(-chunks // shard) // 2
    began = time.monotonic()
    process = start(*build, "--run", "killed")
    kill_when(process, lambda: len(list(work.glob("*/shards/*.npy"))) >= half)
    if list(work.glob("*/manifest.json")):
        raise SystemExit("The kill came too late to prove anything")
    site.note("killed after", time.monotonic() - began, "s")
    resumed = site.run("resumed build", *build, "--run", "killed")
    if "goes on where it was stopped" not in resumed.out:
        raise SystemExit(f"The killed build was not resumed: {resumed.out}")
    for name in ("chunks.parquet", "rejected.jsonl", "summary.json"):
        (one,), (other,) = aside.glob(f"versions/*/{name}"), work.glob(f"*/{name}")
        if one.read_bytes() != other.read_bytes():
            raise SystemExit(f"The resumed build's {name} is another")


def start(*command: str) -> subprocess.Popen[str]:
    """The process, its standard output kept."""
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def wait(process: subprocess.Popen[str], began: float) -> Ended:
    """Wait for the end; raises SystemExit where the process failed."""
    assert process.stdout is not None
    out = process.stdout.read()
    # Of this child alone: getrusage's RUSAGE_CHILDREN would be the largest so far.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode}: {' '.join(map(str, process.args))}")  # type: ignore[arg-type]
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    peak = usage.ru_maxrss * unit / 2**30
    return Ended(time.monotonic() - began, usage.ru_utime + usage.ru_stime, peak, out)


def kill_when(process: subprocess.Popen[str], happened: Callable[[], bool]) -> None:
    """Kill -9 as soon as something is there."""
    while not happened():
        if process.poll() is not None:
            raise SystemExit("The build ended before it could be killed")
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def _search(site: Site, run: str) -> tuple[str, ...]:
    return (sys.executable, "-c", SEARCH, str(site.yaml), run, str(site.questions))


def _manifest(site: Site, run: str, stage: str) -> dict[str, Any]:
    (file,) = (site.folder / "runs" / run / stage / "versions").glob("*/manifest.json")
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def facts(load: float, *, shared: bool) -> dict[str, Any]:
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "machine": {
            "system": platform.platform(),
            "processors": os.cpu_count(),
            "memory GiB": round(pages * size / 2**30, 1),
            "load before": round(load, 1),
            "shared with other programs": shared,
        },
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_CHUNKS:,} chunks instead of {CHUNKS:,}")
    parser.add_argument("--chunks", type=int, help="about so many")
    parser.add_argument("--model", help="whose tokenizer counts; ragraft's default when left out")
    parser.add_argument("--folder", type=Path, help="where the corpus is made; the system's temporary folder")
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser


if __name__ == "__main__":
    main()
