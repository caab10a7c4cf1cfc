"""When to tune again: the rule beside calendars, detectors and never, in worlds that it was not made on.

    python -m benchmarks.refresh [--development] [--worlds N] [--seed N] [--json FILE]

The rule (`ragraft.methods.upkeep.stopping`) was made on the worlds of `ragraft.methods.upkeep.worlds` (--development),
then frozen; the worlds here come from `benchmarks/worlds.py`, which draws other shapes by another seed. Every policy
lives through every world; costs are in re-tunes, differences are paired by world. Fails where a calendar or a detector
costs less on average than the rule, or where the rule tunes more than once a year in a world in which nothing changes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.worlds import held_out_worlds
from ragraft.methods.upkeep.simulate import KNOWING, KNOWN_DECAY, RULE, Compared, compare, policies
from ragraft.methods.upkeep.stopping import Rule
from ragraft.methods.upkeep.tables import simulation_table
from ragraft.methods.upkeep.worlds import DAYS, draw_worlds

WORLDS = 400
DEVELOPMENT_SEED, SEED = 1, 20261130
BOUNDS = (KNOWING, KNOWN_DECAY)
"""No policies that anybody could follow."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and write it where asked; 1 where the rule does not cost least."""
    asked = _parser().parse_args(arguments)
    seed = asked.seed if asked.seed is not None else DEVELOPMENT_SEED if asked.development else SEED
    worlds = (draw_worlds if asked.development else held_out_worlds)(asked.worlds, seed=seed)
    found = compare(worlds, policies(Rule()), seed=seed)
    plain = simulation_table(found, worlds=len(worlds), days=DAYS)
    drawn = Table(title=plain.title)
    for place, column in enumerate(plain.columns):
        drawn.add_column(column, justify="right" if place else "left")
    for row in plain.rows:
        drawn.add_row(*row)
    console = Console(width=150)
    console.print(drawn)
    for note in plain.notes:
        console.print(note, highlight=False)
    if asked.json:
        made = {
            "benchmark": "refresh",
            "worlds": len(worlds),
            "development": asked.development,
            "seed": seed,
            "versions": {name: version(name) for name in ("ragraft", "numpy")},
            "rows": [asdict(one) for one in found],
        }
        asked.json.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    faults = faults_of(found)
    for fault in faults:
        print(fault)
    return int(bool(faults))


def faults_of(found: Sequence[Compared]) -> list[str]:
    """What speaks against the rule."""
    rule = next(one for one in found if one.policy == RULE)
    faults = [
        f"{one.policy} costs less than the rule on average, by {-one.more.value:.2f}"
        for one in found
        if one.more and one.policy not in BOUNDS and one.more.value <= 0
    ]
    if rule.quiet > 1:
        faults.append(f"The rule tunes {rule.quiet} times within a year in a world in which nothing changes")
    return faults


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.refresh", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--development", action="store_true", help="the worlds that the rule was made on")
    parser.add_argument("--worlds", type=int, default=WORLDS, help="how many")
    parser.add_argument("--seed", type=int, help="another seed than the one that is reported")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
