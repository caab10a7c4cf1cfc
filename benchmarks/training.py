"""Questions a second of training: ragraft's token trees beside TRL and LLaMA-Factory on the same rows.

    python -m benchmarks.training --quick --json FILE         two cells, at most five minutes
    python -m benchmarks.training --json FILE                 all cells; two to three hours on two cores
    python -m benchmarks.training --device cuda --config 1b   a randomly initialised 1B Llama on a GPU

Every system trains LoRA (rank 16, all linear layers) in bf16, without gradient checkpointing, on the same token ids: a
trunk shared by some questions of 20 tokens with answers of 40, the loss on the answers only. Each run is a process of
its own whose first steps are left out; a figure is the median over the timed steps of all repeats, between which the
order of the systems turns round. What FILE holds of an earlier sitting is not run again. `flop_bound` says how many
times ragraft's floating point operations a system needs by arithmetic alone (engines/flops.py). Peers live in
environments of their own under the user's cache, made by the first run and not counted. Linux and macOS.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.ending import ended
from benchmarks.engines.environments import LLAMAFACTORY, TRL, Peer, last_words, python_of
from benchmarks.engines.flops import shape_of
from benchmarks.engines.measure import Left, Run, Setting, measure, run_module
from benchmarks.engines.systems import OURS, Cell, System, all_systems
from benchmarks.engines.table import Comparison, Row, comparisons, data_of, lines_of, rows_of
from ragraft.config import DEFAULT_MODEL
from ragraft.errors import BackendError, ConfigError
from ragraft.models.sources import resolve
from ragraft.stages.train import CPU_PACK, PACK
from ragraft.training.trees import SHORTEST_TRUNK
from ragraft.workspace import write_atomically

RANDOM = {
    "1b": {
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
    },
    "tiny": {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 512,
    },
}
"""Llamas that are made up, with tied embeddings."""
TRUNKS = {"default": (300, 600, 1500), "1b": (1500,), "tiny": (48,)}
SHARED = {"default": (1, 2, 5, 8), "1b": (1, 5), "tiny": (1, 5)}
QUICK_SYSTEMS = (OURS, "trl accumulated", "trl packing", "llamafactory accumulated")
QUICK_BUDGET, FOREVER = 280.0, 7 * 24 * 3600.0
"""Seconds for the probe and all runs; a quick run and what is around it stay under five minutes."""
Plan = tuple[Cell, list[System]]
Figures = tuple[list[Row], list[Comparison]]


def main(arguments: Sequence[str]) -> int:
    return ended(lambda: _main(_parse(arguments)))


def _main(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="ragraft-benchmark-") as name:
        folder = Path(name)
        setting = _setting(options, folder)
        facts = _facts(options, setting)
        runs, rate = _earlier(options, facts)
        plan, left = _with_environments(_plan(options), setting)
        ends = time.monotonic() + (QUICK_BUDGET if options.quick else FOREVER)
        rate = rate or _product_rate(setting, folder)
        made = Counter((run.cell, run.system) for run in runs)
        budget = ends - time.monotonic()

        def keep() -> None:
            told = {**facts, "bf16_product_flops": rate, "left_out": [_sentence(one) for one in left]}
            _keep(options.json, told, runs, _figures(runs, setting, rate))

        for result in measure(plan, setting, repeats=options.repeats, made=made, budget=budget, folder=folder):
            print(_sentence(result), file=sys.stderr)
            if isinstance(result, Run):
                runs.append(result)
            else:
                left.append(result)
            keep()
        keep()
    print("\n".join([*lines_of(*_figures(runs, setting, rate)), *(_sentence(one) for one in left)]))
    return 0 if runs else 1


def _figures(runs: Sequence[Run], setting: Setting, rate: float) -> Figures:
    shape = shape_of(setting.config)
    rows = rows_of(runs, shape, setting.rank)
    return rows, comparisons(rows, shape, setting.rank, product_rate=rate)


def _keep(file: Path | None, told: Mapping[str, Any], runs: Sequence[Run], figures: Figures) -> None:
    """Write what there is, whole or not at all: a stopped benchmark leaves the figures that it had."""
    if file:
        kept = {**data_of(*figures), **told, "runs": [_run_told(run) for run in runs]}
        write_atomically(file, (json.dumps(kept, indent=1) + "\n").encode())


def _run_told(run: Run) -> dict[str, Any]:
    cell = {"trunk_tokens": run.cell.trunk, "questions_per_trunk": run.cell.questions}
    return {"system": run.system.name, **cell, **run.told}


def _earlier(options: argparse.Namespace, facts: Mapping[str, Any]) -> tuple[list[Run], float | None]:
    """The runs that FILE holds, and the rate; raises ConfigError where they were made otherwise or elsewhere."""
    if not (options.json and options.json.is_file()):
        return [], None
    told = json.loads(options.json.read_text(encoding="utf-8"))
    systems = {system.name: system for system in all_systems(options.device)}
    other = [key for key in facts if told.get(key) != facts[key]]
    if other or any(run["system"] not in systems for run in told["runs"]):
        raise ConfigError(
            f"{options.json} holds runs of other {' and '.join(other) or 'systems'}; name another file, since figures "
            "are compared that were measured alike"
        )
    return [
        Run(systems[run.pop("system")], Cell(run.pop("trunk_tokens"), run.pop("questions_per_trunk")), run)
        for run in told["runs"]
    ], told["bf16_product_flops"]


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two cells and the main systems, at most five minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write rows, comparisons and facts here")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--config", choices=[*TRUNKS], default="default", help="the model; others than default: random")
    parser.add_argument("--trunks", type=int, nargs="+", metavar="TOKENS")
    parser.add_argument(
        "--questions", type=int, nargs="+", metavar="N", help="questions that share a trunk: 1, 2, 5, 8…"
    )
    parser.add_argument("--systems", nargs="+", metavar="NAME", help="only these")
    parser.add_argument("--seconds", type=float, help="of timed steps a run (20; quick: 5)")
    parser.add_argument("--repeats", type=int, help="runs of every system in every cell (2; quick: 1)")
    parser.add_argument("--threads", type=int, default=_threads())
    parser.add_argument(
        "--python", action="append", default=[], metavar="PEER=PATH", help="an interpreter that has the peer installed"
    )
    options = parser.parse_args(arguments)
    if options.seconds is None:
        options.seconds = 5.0 if options.quick else 20.0
    options.repeats = options.repeats or (1 if options.quick else 2)
    return options


def _threads() -> int:
    """As many as this process may use."""
    told = os.environ.get("OMP_NUM_THREADS")
    if told:
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _plan(options: argparse.Namespace) -> list[Plan]:
    """The cells, and the systems to measure in each."""
    systems = all_systems(options.device)
    names = [system.name for system in systems]
    wanted = options.systems or (QUICK_SYSTEMS if options.quick and options.device == "cpu" else names)
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise ConfigError(f"--systems: {unknown[0]!r} is none of {', '.join(names)}")
    quick = options.quick and options.config == "default"
    trunks = options.trunks or ((600,) if quick else TRUNKS[options.config])
    shared = options.questions or ((5, 1) if quick else SHARED[options.config])
    if min(trunks) < SHORTEST_TRUNK:
        raise ConfigError(f"--trunks: {min(trunks)} tokens is shorter than the {SHORTEST_TRUNK} that ragraft shares")
    if min(shared) < 1:
        raise ConfigError(f"--questions: {min(shared)} questions on a trunk cannot be; give 1 or more")
    chosen = [system for system in systems if system.name in wanted]
    return [(Cell(trunk, questions), chosen) for trunk in trunks for questions in shared]


def _with_environments(plan: Sequence[Plan], setting: Setting) -> tuple[list[Plan], list[Left]]:
    """The plan without what has no environment here, and what was left out of it; makes environments not yet there."""
    left: list[Left] = []
    lacking: set[Peer] = set()
    peers = dict.fromkeys(system.peer for _, systems in plan for system in systems)
    for peer in [one for one in peers if one and one.name not in setting.pythons]:
        try:
            python_of(peer)
        except BackendError as error:
            lacking.add(peer)
            left += [Left(one, cell, str(error)) for cell, systems in plan for one in systems if one.peer == peer]
    return [(cell, [one for one in systems if one.peer not in lacking]) for cell, systems in plan], left


def _setting(options: argparse.Namespace, folder: Path) -> Setting:
    cuda = options.device == "cuda"
    model = _random_model(options, folder) if options.config in RANDOM else resolve(DEFAULT_MODEL).path
    return Setting(
        model=str(model),
        config=json.loads((model / "config.json").read_text("utf-8")),
        device=options.device,
        threads=options.threads,
        seconds=options.seconds,
        least_steps=1 if options.quick else 2,
        # On a GPU kernels are compiled for the shapes they meet.
        warm_up=5 if cuda else 1,
        # A GPU is filled by more: a forward pass of every system then holds about 8,000 tokens.
        questions=20 if cuda else 4,
        together=5 if cuda else 4,
        pack_tokens=PACK if cuda else CPU_PACK,
        pythons=_pythons(options.python),
    )


def _random_model(options: argparse.Namespace, folder: Path) -> Path:
    """A folder with a Llama of random weights."""
    told = {**RANDOM[options.config], "tie_word_embeddings": True, "max_position_embeddings": 8192}
    given = folder / "llama.json"
    given.write_text(json.dumps(told), encoding="utf-8")
    model = folder / "model"
    command = [sys.executable, "-m", "benchmarks.engines.make_model", str(given), str(model)]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        raise BackendError(f"The {options.config} model cannot be made: {last_words(done.stderr)}")
    return model


def _pythons(given: Sequence[str]) -> dict[str, str]:
    found = {}
    for one in given:
        peer, _, path = one.partition("=")
        if peer not in (TRL.name, LLAMAFACTORY.name) or not Path(path).is_file():
            raise ConfigError(
                f"--python {one}: write {TRL.name}=PATH or {LLAMAFACTORY.name}=PATH of a Python that is there"
            )
        found[peer] = path
    return found


def _product_rate(setting: Setting, folder: Path) -> float:
    """bf16 operations a second of plain products in the model's shapes."""
    sizes = [setting.config["hidden_size"], setting.config["intermediate_size"]]
    job = {"device": setting.device, "threads": setting.threads, "sizes": sizes}
    told = run_module("benchmarks.engines.probe", job, setting, python=sys.executable, folder=folder, timeout=FOREVER)
    rate = float(told["operations_per_second"])
    print(f"bf16 products: {rate / 1e12:.3f} TFLOP/s", file=sys.stderr)
    return rate


def _sentence(result: Run | Left) -> str:
    place = f"{result.system.name}, {result.cell.questions} on {result.cell.trunk} tokens"
    if isinstance(result, Left):
        return f"{place}: no figure: {result.why}"
    steps = result.told["seconds"]
    return f"{place}: {len(steps)} steps of {result.told['questions']} questions, {median(steps):.2f} s each"


def _facts(options: argparse.Namespace, setting: Setting) -> dict[str, Any]:
    """How and on what it is measured; figures of two sittings go together where these are the same."""
    kept = ("device", "threads", "seconds", "least_steps", "warm_up", "questions", "together", "pack_tokens", "rank")
    return {
        "settings": {"config": options.config, **{key: getattr(setting, key) for key in kept}},
        "machine": {"processor": _processor(), "cores": os.cpu_count(), "system": platform.platform()},
    }


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text("utf-8").splitlines() if facts.exists() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
