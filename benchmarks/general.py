"""What tuning does to general tests: base and tuned models on a folder of closed-book questions, by likelihood.

    python -m benchmarks.general --data DIR BASE MODEL…                 models as ragraft names them, or checkpoints
    python -m benchmarks.general --data DIR BASE MODEL --quick --json FILE      40 questions a file; minutes

DIR holds JSONL files of `{"id", "question", "answers"}` (MMLU, ARC, TruthfulQA, GSM8K, BIG-Bench Hard as in
general_eval). Nothing is generated. A question with `options` is scored by the log-probability of each option as its
answer, a byte: `accuracy` is the share in which the right one is likeliest, `margin` by how much (nats a byte, below
zero where another is likelier). Any other question gives `bits_per_byte` of its worked or first answer. Differences to
the first model are paired by question. Files whose questions have no answers (IFEval) are left out and told.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.ending import ended
from benchmarks.figures import Row, row_of, table_of
from ragraft.errors import InputError
from ragraft.methods.stats import mean_interval, paired_difference
from ragraft.ports import Scorer
from ragraft.records import Message, Prompt

QUICK = 40
EXAMPLES = "_fewshot"
"""Ends the names of files whose questions are for prompts."""
SHARES = ("accuracy",)
PACKAGES = ("ragraft", "torch", "transformers")
Scores = Mapping[str, Sequence[float]]
"""Metric → a value a question, in the order of the file."""


@dataclass(frozen=True, slots=True)
class Item:
    """A question with what is scored: its options and which of them is right, or the answer alone."""

    id: str
    question: str
    texts: tuple[str, ...]
    right: int = 0


def main(arguments: Sequence[str], opens: Callable[[str], Scorer] | None = None) -> int:
    return ended(lambda: _main(_parse(arguments), opens or open_scorer))


def _main(options: argparse.Namespace, opens: Callable[[str], Scorer]) -> int:
    rows = measure(options, opens)
    print("\n".join(table_of(rows, ("data", "metric", "model"), ".4f")))
    if options.json:
        facts = {"models": options.models, "versions": {name: version(name) for name in PACKAGES}}
        options.json.write_text(json.dumps({"rows": rows, **facts}, indent=1) + "\n", encoding="utf-8")
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="the base first: a source, or a checkpoint's folder")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="a folder of JSONL files")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these files, without .jsonl")
    parser.add_argument("--quick", action="store_true", help=f"the first {QUICK} questions of each file")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows here")
    return parser.parse_args(arguments)


def open_scorer(model: str) -> Scorer:
    """A model on this machine."""
    from ragraft.backends.generators.transformers import TransformersGenerator

    return TransformersGenerator(model)


def measure(options: argparse.Namespace, opens: Callable[[str], Scorer]) -> list[Row]:
    """A row a file, model and metric, then the differences to the first model."""
    files = read_files(options.data, options.only, most=QUICK if options.quick else None)
    found: dict[str, dict[str, Scores]] = {}
    for model in options.models:
        scorer = opens(model)
        found[model] = {}
        for name, items in files.items():
            print(f"{model}: {name}, {len(items)} questions", file=sys.stderr)
            found[model][name] = score(scorer, items)
        del scorer  # one model at a time in memory
    return list(_rows(files, found))


def read_files(data: Path, only: Sequence[str] | None, *, most: int | None) -> dict[str, list[Item]]:
    """File name → its questions. Raises InputError where there is nothing to score."""
    places = {place.stem: place for place in sorted(data.glob("*.jsonl")) if not place.stem.endswith(EXAMPLES)}
    unknown = [name for name in only or () if name not in places]
    if unknown:
        raise InputError(f"No {unknown[0]}.jsonl in {data}; there are: {', '.join(places) or 'none'}")
    files = {}
    for name in only or places:
        rows = [json.loads(line) for line in places[name].read_text(encoding="utf-8").splitlines() if line.strip()]
        able = [row for row in rows if row["answers"]]
        if len(able) < len(rows):
            print(f"{name}: {len(rows) - len(able)} of {len(rows)} questions have no answer to score", file=sys.stderr)
        if able:
            files[name] = [_item(row) for row in able[:most]]
    if not files:
        raise InputError(f"No question with answers in {data}; give a folder of JSONL files such as mmlu.jsonl")
    return files


def _item(row: Mapping[str, Any]) -> Item:
    options = row.get("options") or []
    if options:
        return Item(row["id"], row["question"], tuple(options), ord(row["answers"][0]) - ord("A"))
    return Item(row["id"], row["question"], (row.get("long_answer") or row["answers"][0],))


def score(scorer: Scorer, items: Sequence[Item]) -> Scores:
    """What the model makes of each question; options and plain answers have metrics of their own."""
    values: dict[str, list[float]] = {}
    for item in items:
        prompt = Prompt((Message("user", item.question),))
        told = scorer.score([prompt] * len(item.texts), item.texts)
        # Without the end of the turn, which tells of habit and not of knowledge.
        each = [
            math.fsum(row.values[:-1]) / max(len(text.encode()), 1) for row, text in zip(told, item.texts, strict=True)
        ]
        if len(each) == 1:
            values.setdefault("bits_per_byte", []).append(-each[0] / math.log(2))
            continue
        margin = each[item.right] - max(value for place, value in enumerate(each) if place != item.right)
        values.setdefault("accuracy", []).append(float(margin > 0))
        values.setdefault("margin", []).append(margin)
    return values


def _rows(files: Mapping[str, Sequence[Item]], found: Mapping[str, Mapping[str, Scores]]) -> Iterator[Row]:
    base, *others = found
    for name, items in files.items():
        ids = [item.id for item in items]
        for metric in found[base][name]:
            for model, scores in found.items():
                value = mean_interval(scores[name][metric], ids, share=metric in SHARES)
                yield row_of(value, data=name, model=model, metric=metric)
            for model in others:
                change = paired_difference(found[model][name][metric], found[base][name][metric], ids)
                yield row_of(change, data=name, model=f"{model} - {base}", metric=metric)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
