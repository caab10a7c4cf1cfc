"""What retrieval: auto saves on public sets, what it loses, and whether its promise holds on the exam: a row a figure.

    python -m benchmarks.adaptive --data DIR --json benchmarks/results/adaptive.json    nq, squad, cortex_docs; hours
    python -m benchmarks.adaptive --data DIR --only squad --set calibrate.max_questions=150
    python -m benchmarks.adaptive --data DIR --quick                                    few lessons and questions

DIR (or RAGRAFT_BENCHMARK_DATA) holds a folder a set, as the recipes name them. The models are those of the raft arm of
`benchmarks.methods`, in the same work folder: what one of the two has made, the other doesn't make again. `ragraft
calibrate` then asks each the calibration side, which no lesson shows, and chooses when memory may be trusted; the exam,
on which nothing is chosen, says what came of it. `best router` knows beforehand what retrieval would bring. A stopped
benchmark goes on with the same command; rows of sets that are not named stay in FILE.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.ending import ended
from benchmarks.figures import Row, row_of, table_of
from benchmarks.methods import PACKAGES, QUICK_SET, data_folder, work_folder
from benchmarks.methods import QUICK as QUICK_METHODS
from benchmarks.sets import names_of, open_set
from ragraft.errors import ConfigError
from ragraft.methods.routing_table import sentences
from ragraft.pipeline import Event, Session, run_table
from ragraft.records import Interval
from ragraft.workspace import Calibration, write_atomically

SETS = ("nq", "squad", "cortex_docs_v1.21.1")
QUICK = (
    *QUICK_METHODS,
    "evaluate.threshold_questions=6",
    "calibrate.max_questions=12",
    "calibrate.max_loss=0.2",
)
FIGURES = {
    "skipped": "retrievals saved",
    "tokens_saved": "tokens saved",
    "always": "F1 always",
    "never": "F1 never",
    "auto": "F1 auto",
    "lost": "F1 lost",
    "loss": "loss (bounded)",
    "oracle_skipped": "best router saves",
    "oracle": "F1 of the best router",
}
"""Name in calibration.json → name in a row."""
SIDES = ("calibration", "exam")


def main(arguments: Sequence[str]) -> int:
    return ended(lambda: _main(_parse(arguments)))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", type=Path, metavar="DIR", help="a folder a set")
    add("--work", type=Path, metavar="DIR", help="the work folder of benchmarks.methods; in ragraft's cache by default")
    add("--only", nargs="+", metavar="NAME", help=f"these recipes instead of {', '.join(SETS)}")
    add("--quick", action="store_true", help=f"{QUICK_SET} alone, with few lessons and questions")
    add("--json", type=Path, metavar="FILE", help="also keep the rows here, set by set")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting for every set")
    options = parser.parse_args(arguments)
    options.work = work_folder(options.work)
    options.only = options.only or ([QUICK_SET] if options.quick else list(SETS))
    options.set = [*(QUICK if options.quick else ()), *options.set]
    return options


def _main(options: argparse.Namespace) -> int:
    data = data_folder(options.data)
    told = _earlier(options)
    for name in names_of(data, options.only):
        run = f"{'quick.' * options.quick}{name}.adaptive"
        settings = [*options.set, 'train.method=["raft"]']
        told[name] = measure(name, open_set(name, data, options.work, settings, run=run))
        if options.json:
            facts = {"benchmark": "adaptive", "quick": options.quick, "settings": options.set}
            versions = {package: version(package) for package in PACKAGES}
            text = json.dumps({**facts, "versions": versions, "sets": told}, indent=1)
            write_atomically(options.json, (text + "\n").encode())
        print("\n".join(lines_of(name, told[name])), flush=True)
    return 0


def _earlier(options: argparse.Namespace) -> dict[str, Any]:
    """What the file holds of earlier sittings; raises ConfigError where they ran under other settings."""
    if not (options.json and options.json.is_file()):
        return {}
    written = json.loads(options.json.read_text(encoding="utf-8"))
    if (written["quick"], written["settings"]) != (options.quick, options.set):
        asked = " ".join(written["settings"]) or "none"
        raise ConfigError(f"{options.json} holds rows made under other settings ({asked}); name another file")
    found: dict[str, Any] = written["sets"]
    return found


def measure(name: str, session: Session) -> dict[str, Any]:
    """Bring a set's calibration up to date, and its figures."""

    def tell(event: Event) -> None:
        print(f"{name}: {event.stage} {event.state} {event.expected}".rstrip(), file=sys.stderr, flush=True)

    return told_of(Calibration(run_table(session, tell, last="calibrate")["calibrate"]).data())


def told_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """A calibration's rows, and what it says of its promise in sentences."""
    return {
        "questions": {side: data[side]["n"] for side in SIDES if data.get(side)},
        "skip": data["skip"],
        "rows": list(_rows(data)),
        "sentences": sentences(data),
    }


def _rows(data: Mapping[str, Any]) -> Iterator[Row]:
    for side in SIDES:
        for key, label in FIGURES.items() if data.get(side) else ():
            yield row_of(Interval(**data[side]["figures"][key]), side=side, figure=label)


def lines_of(name: str, told: Mapping[str, Any]) -> list[str]:
    """A set's table, in points of 100, and its sentences."""
    return [f"{name}:", *table_of(told["rows"], ("side", "figure"), ".1f", 100), *told["sentences"]]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
