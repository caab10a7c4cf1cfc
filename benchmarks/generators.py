"""Which generator is fastest on a CPU: ragraft's engine beside others, on prompts of 900 tokens and answers of 40.

    python -m benchmarks.generators --quick --json FILE      the main ways, few prompts, at most five minutes
    python -m benchmarks.generators --json FILE              all ways; about an hour on two cores
    python -m benchmarks.generators --only ragraft "llama.cpp q8_0"

Every generator answers the same token ids greedily, of the embedded model (--model: another), whose end token is set
to one that it never writes, so that all answers are equally long. It is asked one prompt after another, and then many
at once; no prompt twice, so that known beginnings help nobody. A prompt's reading is timed by answers of one token.
Each run is a process of its own, opening and converting not timed; generators take turns (--repeats), and a figure is
the median over all runs. Peers live in environments of their own under the user's cache, made by the first run and not
counted; one that cannot be installed, or cannot open the model, stands below the table with its reason. Linux and
macOS.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.ending import ended
from benchmarks.engines.answerers import GENERATORS, Generator, compare, lines_of, row_of
from benchmarks.engines.environments import python_of
from benchmarks.engines.measure import run_module
from benchmarks.engines.systems import Device
from benchmarks.serving import VOCABULARY
from ragraft.config import DEFAULT_MODEL
from ragraft.errors import BackendError, ConfigError, or_meant
from ragraft.models.sources import resolve

PROMPT, ANSWER = 900, 40
QUICK_BUDGET, FOREVER = 280.0, 24 * 3600.0
"""Seconds for all runs of a quick run, environments not counted."""
LONGEST = 1200.0
"""Seconds that any one run may take: what is compiled for so long answers nobody."""
TRIES = 50
"""Prompts that are written for one that has the very number of tokens."""
OWN = ("config.json", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json")
"""Files of a model that say which token ends an answer."""


@dataclass(frozen=True, slots=True)
class Where:
    """On what all of them run."""

    threads: int
    device: Device = "cpu"


@dataclass(frozen=True, slots=True)
class Counts:
    """Prompts of each kind."""

    reading: int
    alone: int
    together: int


def main(arguments: Sequence[str]) -> int:
    return ended(lambda: _main(_parser().parse_args(arguments)))


def _main(options: argparse.Namespace) -> int:
    chosen = _chosen(options)
    pythons, left = _pythons(chosen)
    counts = Counts(2, 3, 8) if options.quick else Counts(4, 8, 32)
    with tempfile.TemporaryDirectory(prefix="ragraft-benchmark-") as name:
        folder = Path(name)
        model = endless(resolve(options.model).path, folder / "model")
        job = {
            "model": str(model),
            "gguf": ggufs(model, folder) if any(one.gguf for one in chosen) else {},
            "prompts": str(write_prompts(model, folder / "prompts.json", counts, length=options.prompt)),
            "tokens": options.tokens,
            "threads": options.threads,
            "scratch": str(folder),
            "most": counts.together,
        }
        told = _measured([one for one in chosen if one.name in pythons], pythons, job, options, left=left)
    rows = {name: row_of(name, of, prompt=options.prompt, tokens=options.tokens) for name, of in told.items()}
    compare(rows, {name: of[0]["answers"] for name, of in told.items()})
    print("\n".join(lines_of(list(rows.values()), left)))
    if options.json:
        data = {**_facts(options, counts), "rows": list(rows.values()), "left_out": left}
        options.json.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return 0 if rows else 1


def _measured(
    chosen: Sequence[Generator],
    pythons: Mapping[str, str],
    job: Mapping[str, Any],
    options: argparse.Namespace,
    *,
    left: dict[str, str],
) -> dict[str, list[dict[str, Any]]]:
    """What each generator tells, run by run, forwards and backwards by turns; who fails stands in `left`."""
    ends = time.monotonic() + (QUICK_BUDGET if options.quick else FOREVER)
    told: dict[str, list[dict[str, Any]]] = {one.name: [] for one in chosen}
    for repeat in range(options.repeats):
        for one in chosen if repeat % 2 == 0 else reversed(chosen):
            if one.name in left:
                continue
            try:
                told[one.name].append(_run(one, pythons[one.name], job, timeout=ends - time.monotonic()))
                print(f"{one.name}: {told[one.name][-1]['together']:.1f} s together", file=sys.stderr)
            except BackendError as error:
                left[one.name] = str(error)
                print(f"{one.name}: {error}", file=sys.stderr)
    return {name: of for name, of in told.items() if of}


def _run(one: Generator, python: str, job: Mapping[str, Any], *, timeout: float) -> dict[str, Any]:
    if timeout <= 0:
        raise BackendError("no time was left for it")
    where = Where(job["threads"])
    given, longest = {**job, "way": one.way}, min(timeout, LONGEST)
    return run_module(one.module, given, where, python=python, folder=Path(job["scratch"]), timeout=longest)


def _chosen(options: argparse.Namespace) -> list[Generator]:
    names = [one.name for one in GENERATORS]
    for name in options.only or ():
        if name not in names:
            raise ConfigError(f"--only {name} is no generator{or_meant(name, names)}")
    if options.only:
        return [one for one in GENERATORS if one.name in options.only]
    return [one for one in GENERATORS if one.quick or not options.quick]


def _pythons(chosen: Sequence[Generator]) -> tuple[dict[str, str], dict[str, str]]:
    """The interpreter of each generator, and why some have none; makes environments that are not there yet."""
    found, left = dict[str, str](), dict[str, str]()
    for one in chosen:
        try:
            found[one.name] = str(python_of(one.peer)) if one.peer else sys.executable
        except BackendError as error:
            left[one.name] = str(error)
    return found, left


def endless(model: Path, target: Path) -> Path:
    """The model again, with an end token that it never writes: a control token that no chat has."""
    shutil.copytree(model, target, copy_function=_linked, ignore=shutil.ignore_patterns(*OWN))
    added = json.loads((model / "tokenizer.json").read_text("utf-8"))["added_tokens"]
    never = max((token for token in added if token["special"]), key=lambda token: int(token["id"]))
    for name in OWN:
        if not (model / name).exists():
            continue
        data = json.loads((model / name).read_text("utf-8"))
        if "eos_token_id" in data:
            data["eos_token_id"] = never["id"]
        if "eos_token" in data:
            data["eos_token"] = never["content"]
        if "tokenizer_class" in data:  # a name that other releases of transformers know too
            data["tokenizer_class"] = "PreTrainedTokenizerFast"
        (target / name).write_text(json.dumps(data), encoding="utf-8")
    return target


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def ggufs(model: Path, folder: Path) -> dict[str, str]:
    """The model as GGUF files, by their kind."""
    from ragraft.models.chat import load_tokenizer
    from ragraft.models.gguf_file import KINDS, write_gguf
    from ragraft.models.load import load_merged

    network, tokenizer = load_merged(model, []), load_tokenizer(model)
    made: dict[str, str] = {}
    for kind in KINDS:
        made[kind] = str(folder / f"model-{kind}.gguf")
        write_gguf(network, tokenizer, Path(made[kind]), kind, name="benchmark")
    return made


def write_prompts(model: Path, target: Path, counts: Counts, *, length: int) -> Path:
    """Prompts of so many tokens each, in the model's chat form, on places that stand in no other one."""
    from ragraft.models.chat import load_tokenizer
    from ragraft.records import Message, Prompt

    tokenizer, draw = load_tokenizer(model), random.Random(0)

    def prompt(words: Sequence[str], place: str) -> list[int]:
        asked = f"Documents:\n[1] {place}\n{' '.join(words)}\n\nQuestion: What do the documents say about {place}?"
        system = Message("system", "Answer the question from the documents.")
        return tokenizer.render(Prompt((system, Message("user", asked))))

    def made() -> list[int]:
        place = f"{''.join(draw.choices('bdfgklmnprstvz', k=3))}{''.join(draw.choices('aeiou', k=2))}".title()
        words = [place]
        while len(ids := prompt(words, place)) < length:
            # Far from the end by sentences, near it word by word.
            step = 12 if length - len(ids) > 3 * 12 else 1
            words += draw.choices(VOCABULARY.split(), k=step) if step > 1 else ["the"]
        return ids

    def several(count: int) -> list[list[int]]:
        tried = (made() for _ in range(TRIES * count))
        found = list(itertools.islice((ids for ids in tried if len(ids) == length), count))
        if len(found) < count:
            raise ConfigError(f"--prompt {length}: no prompts of that many tokens come about; give more")
        return found

    kinds = {"warm": 3, "reading": counts.reading, "alone": counts.alone, "together": counts.together}
    target.write_text(json.dumps({kind: several(count) for kind, count in kinds.items()}), encoding="utf-8")
    return target


def _facts(options: argparse.Namespace, counts: Counts) -> dict[str, Any]:
    return {
        "benchmark": "generators",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": options.model,
        "quick": options.quick,
        "settings": {
            **{key: getattr(options, key) for key in ("prompt", "tokens", "threads", "repeats")},
            **{key: getattr(counts, key) for key in ("reading", "alone", "together")},
        },
        "machine": {"system": platform.platform(), "processors": os.cpu_count(), "load": os.getloadavg()[0]},
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the main ways and few prompts, at most five minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write rows and facts here")
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="SOURCE", help="another model than the embedded one")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these, as the table names them")
    parser.add_argument("--prompt", type=int, default=PROMPT, metavar="TOKENS")
    parser.add_argument("--tokens", type=int, default=ANSWER, help="of an answer")
    parser.add_argument("--threads", type=int, default=_threads())
    parser.add_argument("--repeats", type=int, default=1, help="runs of each")
    return parser


def _threads() -> int:
    """As many as this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
