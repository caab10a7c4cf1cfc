"""Answers and scores kept by content: model, prompts and sampling. What is asked twice is computed once, also after a
kill.

The unit is the batch, because a row's last bits depend on the rows beside it: the same batch always gives the same
answers, whether it was computed now or before a kill.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ragraft.errors import WorkspaceError
from ragraft.ports import Generator, Scorer
from ragraft.records import Completion, LogProbs, Message, Prompt, Sampling, to_json
from ragraft.workspace import Folder, hash_json

DECODING = 4
"""Raised when the same model would answer the same prompts otherwise."""
CHARACTERS = 4.4
"""In a token, about."""


@dataclass(slots=True)
class Meter:
    """What answering took, model by model opened apart."""

    answered: int = 0
    seconds: float = 0.0
    tokens: int = 0
    """Read and written; a beginning that a batch shares counts once."""

    def clear(self) -> None:
        """Begin at nothing."""
        self.answered, self.seconds, self.tokens = 0, 0.0, 0

    def saw(
        self, prompts: Sequence[Prompt], completions: Sequence[Completion], seconds: float, *, again: bool = False
    ) -> None:
        """Count one batch; a second reading takes its time and tokens, and makes no further answer."""
        shared = sum(len(turns[0].content) for turns in _common_turns(prompts)) / CHARACTERS
        read = sum(one.prompt_tokens for one in completions) - (len(prompts) - 1) * shared
        self.answered += 0 if again else len(prompts)
        self.seconds += seconds
        self.tokens += max(round(read), 0) + sum(len(one.token_ids) for one in completions)


class KeptAnswers:
    """A Generator, and a Scorer where its model is one, that opens it only for batches that were never asked."""

    def __init__(self, folder: Path, identity: str, opens: Callable[[], Any], meter: Meter | None = None) -> None:
        self._folder, self._identity, self._opens = Folder(folder), identity, opens
        self._meter = meter or Meter()

    @cached_property
    def _model(self) -> Any:
        return self._opens()

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        """One completion a prompt, in order."""
        asked = {
            "decoding": DECODING,
            "model": self._identity,
            "prompts": [to_json(p) for p in prompts],
            "sampling": {key: value for key, value in to_json(sampling).items() if key != "again"},
        }
        name = _name(asked)
        kept = self._kept(name)
        if kept is None:
            generator: Generator = self._model
            began = time.monotonic()
            found = generator.generate(prompts, sampling)
            self._meter.saw(prompts, found, time.monotonic() - began, again=sampling.again)
            self._folder.write_json(name, [to_json(completion) for completion in found])
            kept = self._folder.read_json(name)
        return [_completion(row) for row in kept]

    def score(self, prompts: Sequence[Prompt | None], texts: Sequence[str]) -> list[LogProbs]:
        """One row a text, in order."""
        given = [to_json(prompt) if prompt else None for prompt in prompts]
        name = _name({"model": self._identity, "scored": given, "texts": list(texts)})
        kept = self._kept(name)
        if kept is None:
            scorer: Scorer = self._model
            self._folder.write_json(name, [to_json(row) for row in scorer.score(prompts, texts)])
            kept = self._folder.read_json(name)
        return [LogProbs(*(tuple(row[key]) for key in ("token_ids", "values"))) for row in kept]

    def close(self) -> bool:
        """Let go of the model; says whether it was open."""
        return self.__dict__.pop("_model", None) is not None

    def _kept(self, name: str) -> list[dict[str, Any]] | None:
        """The batch's answers; None where there are none yet, or where the disk has damaged them."""
        if not self._folder.has(name):
            return None
        try:
            rows: list[dict[str, Any]] = self._folder.read_json(name)
        except WorkspaceError:
            return None
        return rows


def _name(asked: dict[str, Any]) -> str:
    key = hash_json(asked)
    return f"{key[:2]}/{key}.json"


@dataclass(frozen=True, slots=True)
class Concurrently:
    """A Generator that asks another one prompt by prompt, several at a time: each answer is kept when it comes."""

    generator: Generator
    workers: int

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        """One completion a prompt, in order; equal prompts are asked once."""
        different = list(dict.fromkeys(prompts))
        pool = ThreadPoolExecutor(self.workers)
        try:
            alone = replace(sampling, sources=())  # an endpoint has no use for them
            found = pool.map(lambda prompt: self.generator.generate([prompt], alone)[0], different)
            answers = dict(zip(different, found, strict=True))
        finally:
            # After a failure or Ctrl-C what is under way comes to its end and is kept; the rest is not begun.
            pool.shutdown(cancel_futures=True)
        return [answers[prompt] for prompt in prompts]


def _common_turns(prompts: Sequence[Prompt]) -> Iterator[tuple[Message, ...]]:
    """The turns with which all prompts begin alike."""
    return itertools.takewhile(
        lambda turns: len(set(turns)) == 1, zip(*(one.messages for one in prompts), strict=False)
    )


def _completion(row: dict[str, Any]) -> Completion:
    tuples = ("token_ids", "logprobs")
    values: dict[str, Any] = {
        key: tuple(value) if key in tuples and isinstance(value, list) else value for key, value in row.items()
    }
    return Completion(**values)
