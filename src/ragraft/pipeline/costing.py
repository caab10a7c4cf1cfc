"""What the actions of a diagnosis would cost this run: from its own estimates, before any of them is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from ragraft.config import MethodName, TrainConfig
from ragraft.methods.costs import FORWARD, Cost, training_flops
from ragraft.pipeline.estimates import Foresight
from ragraft.pipeline.wiring import At

TUNINGS: dict[str, tuple[MethodName, ...]] = {"raft": ("raft",), "hybrid": ("hybrid",), "dap+hybrid": ("dap", "hybrid")}
"""The actions that tune, by the chain of methods that each takes."""


def action_costs(at: At, runs: Path) -> dict[str, Cost]:
    """By action: training of each kind, and another index."""
    return {"retrieval": index_cost(at, runs), **{name: _tuning(at, runs, chain) for name, chain in TUNINGS.items()}}


def index_cost(at: At, runs: Path) -> Cost:
    """To make the index of these settings."""
    plan = Foresight(at, runs).plan("index")
    assert plan is not None, "index is a long stage"
    flops = FORWARD * at.backends.embedder_size().parameters * plan.work.tokens
    return Cost(plan.expected.seconds / 60, plan.expected.tokens, float(flops))


def _tuning(at: At, runs: Path, chain: Sequence[MethodName]) -> Cost:
    """As if this run's settings trained so, on lessons that are yet to be made."""
    made = {name: folder for name, folder in at.made.items() if name != "synthesize"}
    config = at.config.model_copy(update={"train": chained(at.config.train, chain)})
    foresight = Foresight(replace(at, config=config, made=made), runs)
    plan = foresight.plan("train")
    assert plan is not None, "train is a long stage"
    parameters = at.backends.model_size().parameters
    flops = sum(
        training_flops(parameters, tokens * step.epochs, whole=step.settled_tuning(parameters) == "full")
        for step, tokens in foresight.workload.lesson_steps()
    )
    return Cost(plan.expected.seconds / 60, plan.work.tokens, flops)


def chained(train: TrainConfig, chain: Sequence[MethodName]) -> TrainConfig:
    """The settings with this chain and nothing after it: each method's own defaults where they may stand beside it."""
    try:
        return TrainConfig.model_validate({**train.model_dump(exclude_unset=True), "method": chain, "preference": None})
    except ValidationError:  # more epochs, say, than dap allows
        return TrainConfig.model_validate({"method": chain})
