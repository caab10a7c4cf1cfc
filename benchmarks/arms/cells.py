"""The cells of the methods benchmark, a data set, a method and a seed each: a sibling run, its estimate, its artifacts.

Knows recipes and runs; computes no figure.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.engines.flops import shape_of, training_operations
from benchmarks.sets import open_set
from ragraft.methods.comparison import Scored
from ragraft.models.sources import resolve
from ragraft.pipeline import TABLE, Event, Session, flat_settings, run_table
from ragraft.pipeline.compare import scored_run
from ragraft.pipeline.estimates import Foresight
from ragraft.workspace import FORGETTING, Checkpoint, Folder, Run, Scorecard

CHAINS: Mapping[str, tuple[str, ...]] = {
    "raft": ("raft",),
    "rag-sft": ("rag-sft",),
    "sft": ("sft",),
    "hybrid": ("hybrid",),
    "dap": ("dap",),
    "dap+hybrid": ("dap", "hybrid"),
}
"""Arm → its methods, in the order in which arms are run; a chain takes its first method from the arm before it."""
PREFERRING: Mapping[str, tuple[str, ...]] = {"raft+dpo": ("raft",), "hybrid+dpo": ("hybrid",)}
"""Arms that are run only where they are named: a preference stage follows the methods."""
GROUPING: Mapping[str, str] = {"raft-rows": "train.share=false", "raft-apart": "synthesize.group=1"}
"""What the training engine shares, run only where named, each trained under several seeds as raft then is: raft's
lessons read one by one, which must come to the same, and lessons that each have documents of their own."""
ARMS: Mapping[str, tuple[str, ...]] = {**CHAINS, **PREFERRING, **dict.fromkeys(GROUPING, ("raft",))}
SEEDED: Mapping[str, tuple[str, ...]] = {"covid_qa": ("raft", "rag-sft")}
"""Data set → the arms that are trained under several seeds."""
DAP_TOKENS = 100_000
"""Of text a copy that dap learns, unless `--set` names another number: a whole corpus would take hours an arm."""
OWN = (
    *("name", "evaluate.models", "train.method", "train.seed", "train.preference", "train.steps."),
    *("dap.force", "dap.max_tokens"),
    *("documents", "questions."),
    *("calibrate.", "diagnose."),
    *(setting.partition("=")[0] for setting in GROUPING.values()),
)
"""Settings in which arms differ by design, those of stages that no arm runs, and where a machine has its files."""
SHARED_STAGES = ("ingest", "index", "examine")


@dataclass(frozen=True, slots=True)
class Cell:
    """One tuned model of one data set."""

    data: str
    arm: str
    seed: int = 0
    quick: bool = False

    @property
    def label(self) -> str:
        """The arm, and its seed where that is another than 0."""
        return f"{self.arm} seed {self.seed}" if self.seed else self.arm

    @property
    def run(self) -> str:
        """The run's name."""
        seed = f".seed{self.seed}" if self.seed else ""
        return f"{'quick.' * self.quick}{self.data}.{self.arm.replace('+', '-')}{seed}"

    def open(self, data: Path, work: Path, settings: Sequence[str]) -> Session:
        """Its run, under the recipe's settings and these."""
        own = [f"train.method={json.dumps(ARMS[self.arm])}"]
        own += ["train.preference=dpo"] if self.arm in PREFERRING else []
        own += [GROUPING[self.arm]] if self.arm in GROUPING else []
        own += [f"train.seed={self.seed}"] if self.seed else []
        # Every public set here is smaller than the text from which dap pays by the literature; that is to be seen.
        own += ["dap.force=true"] if "dap" in ARMS[self.arm] else []
        bound = [f"dap.max_tokens={DAP_TOKENS}"] if "dap" in ARMS[self.arm] else []
        return open_set(self.data, data, work, [*bound, *settings, *own], run=self.run)


def cells_of(names: Sequence[str], arms: Sequence[str], *, seeds: int, quick: bool = False) -> list[Cell]:
    """Data set by data set, arm by arm; further seeds last, when every arm of the set is there."""
    cells = []
    for name in names:
        cells += [Cell(name, arm, quick=quick) for arm in ARMS if arm in arms]
        several = {*SEEDED.get(name, ()), *(("raft", *GROUPING) if any(arm in GROUPING for arm in arms) else ())}
        again = [arm for arm in ARMS if arm in arms and arm in several]
        cells += [Cell(name, arm, seed, quick) for seed in range(1, seeds) for arm in again]
    return cells


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a cell is expected to take from now on; no seconds for one that is finished."""

    cell: Cell
    seconds: float
    guessed: bool = False


def forecast(cell: Cell, session: Session, before: Sequence[Forecast]) -> Forecast:
    """What is still to run of a cell; what one of `before` makes first, as index and base's answers, counts there."""
    states: dict[str, str] = {}

    def note(event: Event) -> None:
        states[event.stage] = event.state

    made = run_table(session, note, dry=True)
    wanted = [stage for stage, state in states.items() if state == "to run"]
    siblings = [one.cell.arm for one in before if one.cell.data == cell.data]
    config = session.config
    if any(one.seconds for one in before if one.cell.data == cell.data):
        wanted = [stage for stage in wanted if stage not in SHARED_STAGES]
        asked = config.evaluate.model_copy(update={"models": ("tuned",)})
        config = config.model_copy(update={"evaluate": asked})
    first, *rest = config.train.method
    if rest and first in siblings:
        config = config.model_copy(update={"train": config.train.model_copy(update={"method": tuple(rest)})})
        made.pop("synthesize", None)  # its lessons are those of the whole chain
    foresight = Foresight(replace(session, config=config).at(made), session.run.runs)
    plans = [plan.expected for stage in wanted if (plan := foresight.plan(stage))]
    return Forecast(cell, math.fsum(one.seconds for one in plans), any(one.guessed for one in plans))


@dataclass(frozen=True, slots=True)
class Done:
    """A finished cell, as it lies in the work folder."""

    cell: Cell
    scored: Scored
    """Its answers; the tuned model's arm is the cell's label."""
    card: Mapping[str, Any]
    """The scorecard."""
    forgetting: Mapping[str, Any] | None
    training: Mapping[str, float]
    """Counts over all methods of the chain."""
    settings: Mapping[str, Any]
    """Setting, as in `train.epochs`, → value, of those in which arms should agree."""
    seconds: Mapping[str, float]
    """Fingerprint → seconds of each stage that was made; what runs share has one fingerprint."""


def read_done(runs: Path, cell: Cell) -> Done | None:
    """The cell as it was last finished, or None; an earlier sitting may have made it."""
    run = Run(runs, cell.run)
    scores = run.current(_PLACES["evaluate"])
    manifest = scores.manifest() if scores else None
    if scores is None or manifest is None:
        return None
    scored = scored_run(runs, cell.run)
    found = run.find(_PLACES["train"], manifest.inputs["train"])
    settings = flat_settings(Folder(run.path).read_json("config.json"))
    return Done(
        cell,
        replace(scored, method=cell.label),
        Scorecard(scores).card(),
        scores.read_json(FORGETTING) if scores.has(FORGETTING) else None,
        _training(list(Checkpoint(found[0]).cards().values())) if found else {},
        {key: value for key, value in settings.items() if not key.startswith(OWN)},
        dict(_seconds(run)),
    )


_PLACES = {stage.name: stage.place for stage in TABLE}


def _seconds(run: Run) -> Iterator[tuple[str, float]]:
    for place in _PLACES.values():
        folder = run.current(place)
        manifest = folder.manifest() if folder else None
        if manifest:
            yield manifest.fingerprint, manifest.seconds


def _training(cards: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """What tuning took; further steps are those of texts of documents, which ask no question, and of preferences."""
    last = cards[-1]
    shape = shape_of(json.loads((resolve(last["base"]).path / "config.json").read_text("utf-8")))
    asking = [card for card in cards if card["method"] not in ("dap", "dpo")]
    return {
        "rows": sum(card["rows"] for card in cards),
        "questions_seen": sum(card["questions_seen"] for card in asking),
        "optimizer_steps": sum(card["steps"] for card in asking),
        "further_steps": sum(card["steps"] for card in cards) - sum(card["steps"] for card in asking),
        "tokens": sum(card["tokens"] for card in cards),
        "learned_tokens": sum(card["learned_tokens"] for card in cards),
        "operations": sum(
            training_operations(
                shape,
                # A preference stage reads all once more with the model that it moves away from, without a gradient.
                tokens=card["tokens"] * (1.5 if card["method"] == "dpo" else 1.0),
                learned=card["learned_tokens"],
                rank=None if card["tuning"] == "full" else card["rank"],
            )
            for card in cards
        ),
        "minutes": sum(card["seconds"] for card in cards) / 60,
    }
