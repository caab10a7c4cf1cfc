"""Instructions that the base model answers itself, and is to go on answering so when tuned; it needs no teacher.

Answers are greedy. One that doesn't come to its end is of no use, since an end would be learned; one on documents must
keep the form that was asked for. Knows a generator as a port; knows no lesson and no folder.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ragraft.methods.format_rules import keeps_form
from ragraft.methods.instructions import Instruction
from ragraft.methods.prompt import documents_part
from ragraft.methods.seeds import Seed, seeds_for
from ragraft.ports import Generator
from ragraft.records import Completion, Message, Passage, Prompt, Rejected, Sampling

ANSWER_TOKENS = 256
"""Room for an answer; what is longer is mostly a loop."""
BATCH = 16
SHOWN = (1, 3)
"""Fewest and most passages that an instruction on documents shows."""
LEARNED, KEPT = 32, 0.5
"""About how many tokens are learned of a usable answer on passages, and the share of answers that are usable."""
TRIED, USABLE = 64, 1 / 8
"""After so many answers, the share that must be of use; else the model can't do it, and is asked no more."""


@dataclass(slots=True)
class Answered:
    """Instructions with the base model's answers, and those whose answers are of no use."""

    kept: list[Instruction] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    @property
    def hopeless(self) -> bool:
        """Whether asking on would bring next to nothing."""
        tried = len(self.kept) + len(self.rejected)
        return tried >= TRIED and len(self.kept) < USABLE * tried


@dataclass(frozen=True, slots=True)
class _Asked:
    id: str
    seed: Seed
    prompt: Prompt


def number_of_seeds() -> int:
    """How many answers `answer_seeds` asks for."""
    return len(seeds_for("replay"))


def number_on_passages(learned: float) -> int:
    """About how many answers on passages bring so many learned tokens."""
    return round(learned / (LEARNED * KEPT))


def answer_seeds(base: Generator) -> Answered:
    """The base model's answers to the seeds that may be learned from."""
    found = Answered()
    asked = [_Asked(seed.id, seed, seed.ask()) for seed in seeds_for("replay")]
    for start in range(0, len(asked), BATCH):
        _ask(base, asked[start : start + BATCH], found)
    return found


def answer_on_passages(
    base: Generator,
    passages: Sequence[Passage],
    *,
    fits: Callable[[Prompt, int], bool],
    enough: Callable[[Sequence[Instruction]], bool],
    seed: str,
) -> Answered:
    """Answers to instructions on drawn passages, until there are enough, or each passage was asked each instruction.

    `fits` says whether a prompt leaves room for so many tokens.
    """
    found = Answered()
    drawn = (one for one in _draw(passages, seed) if fits(one.prompt, ANSWER_TOKENS))
    while not (found.hopeless or enough(found.kept)):
        batch = list(itertools.islice(drawn, BATCH))
        if not batch:
            break
        _ask(base, batch, found)
    return found


def _draw(passages: Sequence[Passage], seed: str) -> Iterator[_Asked]:
    """Each instruction once on each passage; others from anywhere may stand beside it."""
    order = random.Random(f"{seed}|documents")
    seeds, first = seeds_for("documents"), order.sample(passages, len(passages))
    for turn in range(len(seeds)):
        for place, passage in enumerate(first):
            one = seeds[(turn + place) % len(seeds)]
            others = order.sample(passages, min(len(passages), order.randint(*SHOWN)))
            shown = [passage, *(other for other in others if other.id != passage.id)][: len(others)]
            prompt = Prompt((Message("user", documents_part(shown) + one.prompt),))
            yield _Asked(f"{one.id}~{passage.id}.{turn}", one, prompt)


def _ask(base: Generator, asked: Sequence[_Asked], found: Answered) -> None:
    answers = base.generate([one.prompt for one in asked], Sampling(ANSWER_TOKENS))
    for one, answer in zip(asked, answers, strict=True):
        reason = _fault(one.seed, answer)
        if reason:
            found.rejected.append(Rejected(one.id, reason, answer.text))
        else:
            found.kept.append(Instruction(one.id, one.prompt, answer.text.strip()))


def _fault(seed: Seed, answer: Completion) -> str | None:
    if answer.finish_reason != "stop":
        return f"the base model's own answer doesn't end within {ANSWER_TOKENS} tokens"
    if not answer.text.strip():
        return "the base model gives no answer"
    if seed.rule and not keeps_form(seed.rule, seed.given, answer.text):
        return "the base model's own answer doesn't keep the form that was asked for"
    return None
