"""General instructions that every user has, from a data file: some to learn from, others only ever to probe with.

`replay` seeds may be trained on (the base model's own answers to them, in hybrid lessons), and so may `documents`
seeds, which are asked of passages and have a rule. `probe` and `format` seeds never are: what a tuned model has
forgotten is measured on them, by likelihood and by rule. Knows no model.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal

from ragraft.records import Message, Prompt

Use = Literal["replay", "documents", "probe", "format"]
HELD_OUT: tuple[Use, ...] = ("probe", "format")


@dataclass(frozen=True, slots=True)
class Seed:
    """One instruction, and what it may be used for."""

    id: str
    use: Use
    kind: str
    """What it asks for: explain, rewrite, list, translate, arithmetic, code…"""
    prompt: str
    rule: str = ""
    """The rule that an answer to a `format` or `documents` seed must keep; see `format_rules`."""
    given: tuple[str | int, ...] = ()
    """What the rule needs: a number, words, keys."""

    def ask(self) -> Prompt:
        """The instruction as a chat turn, without a system text: as a user would ask the bare model."""
        return Prompt((Message("user", self.prompt),))


@functools.cache
def load_seeds(language: str = "en") -> tuple[Seed, ...]:
    """All seeds of a language, in the order of the file."""
    text = resources.files("ragraft.methods").joinpath("seeds", f"{language}.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    return tuple(Seed(**{**row, "given": tuple(row.get("given", ()))}) for row in rows)


def seeds_for(use: Use, seeds: Sequence[Seed] | None = None) -> list[Seed]:
    """The seeds of one use."""
    return [seed for seed in (load_seeds() if seeds is None else seeds) if seed.use == use]


def asks_held_out(prompt: Prompt) -> bool:
    """Whether a chat asks, in any turn, what forgetting is measured on, however it is spaced and cased."""
    return any(_plain(turn.content) in _held_out() for turn in prompt.messages if turn.role == "user")


@functools.cache
def _held_out() -> frozenset[str]:
    return frozenset(_plain(seed.prompt) for use in HELD_OUT for seed in seeds_for(use))


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
