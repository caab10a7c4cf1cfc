"""Answers kept by content: model, prompts and sampling. An arm asked twice is computed once, and a killed one goes on.

The unit is the batch, because a row's last bits depend on the rows beside it: the same batch always gives the same
answers, whether it was computed now or before a kill.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from ragraft.ports import Generator
from ragraft.records import Completion, Prompt, Sampling, to_json
from ragraft.workspace import Folder, hash_json


class KeptAnswers:
    """A Generator that opens its model only for batches that were never answered."""

    def __init__(self, folder: Path, identity: str, opens: Callable[[], Generator]) -> None:
        self._folder, self._identity, self._opens = Folder(folder), identity, opens

    @cached_property
    def _generator(self) -> Generator:
        return self._opens()

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        """One completion a prompt, in order."""
        asked = {"model": self._identity, "prompts": [to_json(p) for p in prompts], "sampling": to_json(sampling)}
        key = hash_json(asked)
        name = f"{key[:2]}/{key}.json"
        if not self._folder.has(name):
            found = self._generator.generate(prompts, sampling)
            self._folder.write_json(name, [to_json(completion) for completion in found])
        rows = json.loads(self._folder.file(name).read_text(encoding="utf-8"))
        return [_completion(row) for row in rows]


def _completion(row: dict[str, object]) -> Completion:
    tuples = ("token_ids", "logprobs")
    values = {key: tuple(value) if key in tuples and isinstance(value, list) else value for key, value in row.items()}
    return Completion(**values)  # type: ignore[arg-type]
