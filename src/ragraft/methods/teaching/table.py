"""THE METHODS: every way to make lessons, by the name that `train.method` has. A new one is a module and a row here.

A row here needs the name in `config.training.MethodName`, and own training defaults, if any, in `OWN_DEFAULTS` there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ragraft.methods.teaching import dap, hybrid, raft, rag_sft, sft
from ragraft.methods.teaching.materials import Make


@dataclass(frozen=True, slots=True)
class Method:
    """How a method's lessons are made."""

    make: Make
    from_questions: bool = True
    """Whether each lesson comes of a question, so that questions over the limits are rejections of it."""
    shows_retrieved: bool = False
    """Whether its lessons show what the exam's retrieved arm shows, so that `retrieve.k` decides them too."""
    uses_instructions: bool = False
    """Whether it mixes in general instructions."""
    asks_base: bool = False
    """Whether the base model's own answers are among its lessons."""
    designed: bool = False
    """Whether what the base model knows, and what a teacher writes, decide what its lessons want."""


METHODS: Mapping[str, Method] = {
    "sft": Method(sft.make),
    "rag-sft": Method(rag_sft.make, shows_retrieved=True),
    "raft": Method(raft.make, designed=True),
    "dap": Method(dap.make, from_questions=False, uses_instructions=True),
    "hybrid": Method(hybrid.make, uses_instructions=True, asks_base=True, designed=True),
}
PROBED = 200


def probe_size(wanted: int | None, *, grounded_only: bool, methods: Iterable[str]) -> int:
    """How many questions the base model is asked before lessons; by default none where no lesson depends on it."""
    if wanted is not None:
        return wanted
    return PROBED if not grounded_only and any(METHODS[name].designed for name in methods) else 0
