"""Answers kept by content: model, prompts and sampling. An arm asked twice is computed once, and a killed one goes on.

The unit is the batch, because a row's last bits depend on the rows beside it: the same batch always gives the same
answers, whether it was computed now or before a kill.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ragraft.errors import WorkspaceError
from ragraft.ports import Generator
from ragraft.records import Completion, Message, Prompt, Sampling, to_json
from ragraft.workspace import Folder, hash_json

CHARACTERS = 4.4
"""In a token, about."""


@dataclass(slots=True)
class Meter:
    """What answering took, model by model opened apart."""

    answered: int = 0
    seconds: float = 0.0
    tokens: int = 0
    """Read and written; a beginning that a batch shares counts once."""

    def saw(self, prompts: Sequence[Prompt], completions: Sequence[Completion], seconds: float) -> None:
        """Count one batch."""
        shared = sum(len(turns[0].content) for turns in _common_turns(prompts)) / CHARACTERS
        read = sum(one.prompt_tokens for one in completions) - (len(prompts) - 1) * shared
        self.answered += len(prompts)
        self.seconds += seconds
        self.tokens += max(round(read), 0) + sum(len(one.token_ids) for one in completions)


class KeptAnswers:
    """A Generator that opens its model only for batches that were never answered."""

    def __init__(self, folder: Path, identity: str, opens: Callable[[], Generator], meter: Meter | None = None) -> None:
        self._folder, self._identity, self._opens = Folder(folder), identity, opens
        self._meter = meter or Meter()

    @cached_property
    def _generator(self) -> Generator:
        return self._opens()

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        """One completion a prompt, in order."""
        asked = {"model": self._identity, "prompts": [to_json(p) for p in prompts], "sampling": to_json(sampling)}
        key = hash_json(asked)
        name = f"{key[:2]}/{key}.json"
        kept = self._kept(name)
        if kept is None:
            generator = self._generator
            began = time.monotonic()
            found = generator.generate(prompts, sampling)
            self._meter.saw(prompts, found, time.monotonic() - began)
            self._folder.write_json(name, [to_json(completion) for completion in found])
            kept = self._folder.read_json(name)
        return [_completion(row) for row in kept]

    def _kept(self, name: str) -> list[dict[str, object]] | None:
        """The batch's answers; None where there are none yet, or where the disk has damaged them."""
        if not self._folder.has(name):
            return None
        try:
            rows: list[dict[str, object]] = self._folder.read_json(name)
        except WorkspaceError:
            return None
        return rows


def _common_turns(prompts: Sequence[Prompt]) -> Iterator[tuple[Message, ...]]:
    """The turns with which all prompts begin alike."""
    return itertools.takewhile(
        lambda turns: len(set(turns)) == 1, zip(*(one.messages for one in prompts), strict=False)
    )


def _completion(row: dict[str, object]) -> Completion:
    tuples = ("token_ids", "logprobs")
    values = {key: tuple(value) if key in tuples and isinstance(value, list) else value for key, value in row.items()}
    return Completion(**values)  # type: ignore[arg-type]
