"""What tuning brings on public sets: the recipes, run over a folder of data, a row a set.

    python -m benchmarks.sets --data DIR --work DIR                       every recipe whose data lie in DIR
    python -m benchmarks.sets --data DIR --work DIR --only squad cuad     these
    python -m benchmarks.sets --data DIR --work DIR --quick --json FILE   one set, 24 lessons; at most five minutes

DIR holds a folder a set, as the recipes name them (`squad/corpus.jsonl`, `eol/2026-08-22/train.jsonl`). The runs are
siblings in the work folder; a stopped benchmark goes on with the same command, and a finished set is read, not run.
Rows that stand in FILE stay there, and without --only their sets are not run again: a table may take several sittings,
and machines.
Only what the table shows is asked: each model with retrieved passages. `--grid` asks the whole grid, and what was
forgotten, as `ragraft run` on the recipe does. A set's score is token F1, or what its questions ask for: label
accuracy, exact calls. `tuned - rival` is paired by question, the rival being the better of base and few-shot base;
below the table stands each report's own sentence. Minutes are those from nothing to the tuned model.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from benchmarks.ending import ended
from ragraft.errors import ConfigError, RagraftError
from ragraft.methods.report_text import interval
from ragraft.pipeline import ROWS, STAGES, Event, Session, open_session, run_table, show
from ragraft.workspace import write_atomically

RECIPES = Path(__file__).parents[1] / "recipes"
DATA = "data/"
"""How every recipe's paths begin."""
TABLE_ALONE = ("evaluate.contexts=[retrieved]", "evaluate.forgetting=false")
QUICK_SET = "squad"
QUICK = (
    "synthesize.max_questions=24",
    "synthesize.max_validation=4",
    "evaluate.max_questions=8",
    "evaluate.shot_questions=2",
)
OWN_RANKINGS = ("lexical", "dense", "hybrid")
MODELS = {"base": "base", "few_shot": "base-fewshot", "tuned": "tuned"}
COLUMNS = ("set", "score", "recall@4", "base", "few-shot", "tuned", "tuned - rival", "evidence shown", "n", "minutes")
Row = dict[str, Any]


def main(arguments: Sequence[str]) -> int:
    return ended(lambda: _main(_parse(arguments)))


def _main(options: argparse.Namespace) -> int:
    earlier = _earlier(options)
    names = names_of(options.data, options.only)
    rows, failed = dict(earlier), []
    for name in names if options.only else [name for name in names if name not in earlier]:
        try:
            rows[name] = run_set(name, options.data, options.work, options.set)
        except RagraftError as error:
            # A set that fails is told of at the end, beside the others' rows.
            failed.append({"set": name, "error": str(error)})
            print(f"{name}: {error}", file=sys.stderr)
        if options.json:
            _write(options.json, {"rows": _ordered(rows), "failed": failed, **_facts(options)})
    print("\n".join(lines_of(_ordered(rows))))
    for row in failed:
        print(f"{row['set']}: no row: {row['error']}")
    return 1 if failed else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="a folder a set")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="where the runs are kept")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these recipes; all whose data are there by default")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SET} alone, with few lessons and questions")
    parser.add_argument("--grid", action="store_true", help="ask the whole grid; about twice the answers")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also keep the rows here, set by set")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting for every recipe")
    options = parser.parse_args(arguments)
    if options.quick:
        options.only = options.only or [QUICK_SET]
        options.set = [*QUICK, *options.set]
    if not options.grid:
        options.set = [*TABLE_ALONE, *options.set]
    return options


def _earlier(options: argparse.Namespace) -> dict[str, Row]:
    """Set → its row in the file, from earlier sittings; raises ConfigError for rows under other settings."""
    if not (options.json and options.json.is_file()):
        return {}
    written = json.loads(options.json.read_text(encoding="utf-8"))
    if written["settings"] != list(options.set):
        raise ConfigError(
            f"{options.json} holds rows made under {' '.join(written['settings']) or 'no settings'}, this command asks "
            f"for {' '.join(options.set) or 'none'}; name another file"
        )
    return {row["set"]: row for row in written["rows"]}


def _ordered(rows: Mapping[str, Row]) -> list[Row]:
    return [rows[name] for name in sorted(rows)]


def names_of(data: Path, only: Sequence[str] | None) -> list[str]:
    """The recipes to run, as named or in the alphabet's order; one without data is told of, or refused if named."""
    known = recipes()
    unknown = [name for name in only or () if name not in known]
    if unknown:
        raise ConfigError(f"--only: {unknown[0]} is no recipe; known: {', '.join(known)}")
    wanted = list(only or known)
    missing = {name: gone for name in wanted if (gone := _missing(known[name], data))}
    if only and missing:
        name, gone = next(iter(missing.items()))
        raise ConfigError(f"{name} needs {gone}, which is not there; see the recipe's first lines")
    if len(missing) == len(wanted):
        raise ConfigError(f"{data} holds no recipe's data, such as {next(iter(missing.values()))}")
    for name, gone in missing.items():
        print(f"{name}: left out, no {gone}", file=sys.stderr)
    return [name for name in wanted if name not in missing]


def recipes() -> dict[str, dict[str, Any]]:
    """Name → what the recipe says."""
    return {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(RECIPES.glob("*.yaml"))}


def _paths(recipe: Mapping[str, Any], data: Path) -> dict[str, str]:
    """The recipe's files as they lie in `data`, by setting."""
    given = {"documents": recipe["documents"], **{f"questions.{k}": v for k, v in recipe["questions"].items()}}
    return {key: str(data.resolve() / path.removeprefix(DATA)) for key, path in given.items()}


def _missing(recipe: Mapping[str, Any], data: Path) -> str | None:
    return next((path for path in _paths(recipe, data).values() if not Path(path).is_file()), None)


def run_set(name: str, data: Path, work: Path, settings: Sequence[str]) -> Row:
    """Bring the set's run up to date, and its row."""
    session = open_set(name, data, work, settings)

    def tell(event: Event) -> None:
        print(f"{name}: {event.stage} {event.state}", file=sys.stderr, flush=True)

    run_table(session, tell)
    return row_of(name, show(session, "report", 1), minutes=_minutes(session))


def open_set(name: str, data: Path, work: Path, settings: Sequence[str], *, run: str | None = None) -> Session:
    """The recipe's run in the work folder, on the data as they lie; or a sibling of it."""
    text = (RECIPES / f"{name}.yaml").read_text(encoding="utf-8")
    file = work / f"{name}.yaml"
    work.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8", newline="\n")
    paths = [f"{key}={json.dumps(path)}" for key, path in _paths(yaml.safe_load(text), data).items()]
    return open_session(file, [*paths, *settings], run)


def _minutes(session: Session) -> float:
    """From nothing to the tuned model, of training all sittings.

    The exam isn't counted: its answers are kept by content, so that its last sitting tells nothing of what it costs.
    """
    stages = STAGES[: STAGES.index("train") + 1]
    folders = [folder for name in stages if (folder := session.run.current(ROWS[name].place))]
    made = [manifest for folder in folders if (manifest := folder.manifest())]
    return sum(one.summary["minutes"] if one.stage == "train" else one.seconds / 60 for one in made)


def row_of(name: str, report: Mapping[str, Any], *, minutes: float) -> Row:
    """A set's figures, out of its report.json."""
    headline = report["headline"]
    context = headline["context"]
    found = {cell["model"]: cell["metrics"].get("f1") for cell in report["grid"]["cells"] if cell["context"] == context}
    labels = report["labels"]
    return {
        "set": name,
        "score": headline["measure"],
        "recall@4": _recall(report["retrieval"]["rows"]),
        **{key: found.get(model) for key, model in MODELS.items()},
        "rival": headline["opponent"],
        "difference": headline["difference"],
        "evidence_shown": headline["evidence_shown"],
        "outcome": headline["outcome"],
        "sentence": headline["sentence"],
        "labels": {
            "majority": labels["majority"],
            **{
                key: row["metrics"]
                for key, model in MODELS.items()
                for row in labels["conditions"]
                if (row["model"], row["context"]) == (model, context)
            },
        }
        if labels
        else None,
        "questions": report["exam"]["questions"],
        "clusters": report["exam"]["clusters"],
        "lessons": report["lessons"].get("lessons"),
        "minutes": round(minutes, 1),
    }


def _recall(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Of the ranking that the reader is shown: the user's own where there is one, else the hybrid one."""
    found = {row["ranking"]: row for row in rows if (row["side"], row["metric"]) == ("exam", "recall@4")}
    own = [ranking for ranking in found if ranking not in OWN_RANKINGS]
    row = found.get((own or ["hybrid"])[0])
    return None if row is None else {key: row[key] for key in ("ranking", "value", "low", "high", "n")}


def lines_of(rows: Sequence[Row]) -> list[str]:
    """The table, each set's sentence, the labels' figures beside their majority, and the hours."""
    lines = aligned([COLUMNS, *(_cells(row) for row in rows)])
    lines += [f"{row['set']}: {row['sentence']}" for row in rows]
    lines += [line for row in rows if row["labels"] for line in _label_lines(row)]
    return [*lines, f"{sum(row['minutes'] for row in rows) / 60:.1f} hours up to the tuned models"]


def aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]


def _cells(row: Row) -> tuple[str, ...]:
    figures = (interval(row[key]) for key in ("recall@4", *MODELS))
    differences = (interval(row[key], signed=True) for key in ("difference", "evidence_shown"))
    return (row["set"], row["score"], *figures, *differences, str(row["questions"]), f"{row['minutes']:.0f}")


def _label_lines(row: Row) -> Iterator[str]:
    majority = row["labels"]["majority"]
    figures = {f"always “{majority['label']}”": majority["metrics"]}
    figures |= {key.replace("_", "-"): row["labels"][key] for key in MODELS if key in row["labels"]}
    for name, metrics in figures.items():
        accuracy, macro = interval(metrics["accuracy"]), interval(metrics["macro_f1"])
        yield f"{row['set']}, {name}: accuracy {accuracy}, macro-F1 {macro}"


def _facts(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "quick": options.quick,
        "settings": list(options.set),
        "versions": {"ragraft": version("ragraft"), "python": platform.python_version()},
        "machine": {"system": platform.platform(), "processors": os.cpu_count()},
    }


def _write(file: Path, data: Mapping[str, Any]) -> None:
    """Whole or not at all: a stopped benchmark leaves the rows that it had."""
    write_atomically(file, (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode())


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
