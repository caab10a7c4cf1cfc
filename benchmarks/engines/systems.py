"""What is measured: ragraft and its peers, each in the ways that its users could choose. Knows no numbers yet."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

from benchmarks.engines.environments import LLAMAFACTORY, TRL, Peer
from benchmarks.engines.flops import Work, row_work, tree_work
from benchmarks.engines.rows import ANSWER, QUESTION

Device = Literal["cpu", "cuda"]
OURS = "ragraft"


@dataclass(frozen=True, slots=True)
class Cell:
    """How many questions share how long a trunk."""

    trunk: int
    questions: int


@dataclass(frozen=True, slots=True)
class System:
    """An engine and the way it is told to form its forward passes."""

    name: str
    module: str
    peer: Peer | None = None
    """Whose environment it runs in; None: ragraft's own."""
    way: str = "rows"
    alone: bool = False
    """One row a forward pass, accumulated to the step."""
    attention: str | None = None
    head_everywhere: bool = True
    """Whether the head is computed at every position rather than at learned ones."""
    head_products: int = 2


def all_systems(device: Device) -> list[System]:
    """Every system that runs on a device."""
    # TRL computes its head in chunks, and again in the backward pass; at learned positions only where it has Triton.
    trl = partial(
        System, module="benchmarks.engines.run_trl", peer=TRL, head_products=3, head_everywhere=device == "cpu"
    )
    ours = System(OURS, "benchmarks.engines.run_ragraft", head_everywhere=False)
    rows = trl("trl rows")
    packing = [trl("trl packing", way="packing"), trl("trl padding-free", way="padding-free")]
    if device == "cuda":
        return [ours, rows, *packing, trl("trl packing flex", way="packing", attention="flex_attention")]
    factory = partial(System, module="benchmarks.engines.run_llamafactory", peer=LLAMAFACTORY)
    return [
        ours,
        trl("trl accumulated", alone=True),
        rows,
        *packing,
        factory("llamafactory accumulated", alone=True),
        factory("llamafactory rows"),
    ]


def work_of(system: System, cell: Cell) -> Work:
    """What a question costs the system."""
    if system.name == OURS:
        return tree_work(trunk=cell.trunk, question=QUESTION, answer=ANSWER, questions=cell.questions)
    scored = cell.trunk + QUESTION + ANSWER if system.head_everywhere else ANSWER
    return row_work(
        trunk=cell.trunk, question=QUESTION, answer=ANSWER, scored=scored, head_products=system.head_products
    )
