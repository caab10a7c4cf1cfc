"""The user's own retriever, asked with care: its answers are checked, and kept batch by batch until the stage is done.

A killed stage goes on with the answers that it has: a retriever need not answer alike twice. Knows no stage.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from ragraft.errors import BackendError
from ragraft.ports import Retriever
from ragraft.records import Passage, passage_from_json, to_json
from ragraft.workspace import Folder, hash_json


@dataclass(frozen=True, slots=True)
class CheckedRetriever:
    """A Retriever of somebody else's that keeps the port's promises, or says which one it breaks."""

    name: str
    retriever: Retriever

    def retrieve(self, questions: Sequence[str], k: int) -> list[list[Passage]]:
        found = self.retriever.retrieve(questions, k)
        if len(found) != len(questions):
            raise BackendError(f"Retriever {self.name} gives {len(found)} lists for {len(questions)} questions")
        for passages in found:
            wrong = next((one for one in passages if not isinstance(one, Passage)), None)
            if wrong is not None:
                raise BackendError(f"Retriever {self.name} gives a {type(wrong).__name__} where a Passage belongs")
        return [list(passages[:k]) for passages in found]


@dataclass(frozen=True, slots=True)
class KeptPassages:
    """A Retriever whose answers stay in a folder: what was asked once is not asked again."""

    folder: Folder
    retriever: Retriever

    def retrieve(self, questions: Sequence[str], k: int) -> list[list[Passage]]:
        """One list a question; a call is the unit that is kept."""
        name = f"{hash_json([list(questions), k])}.json"
        if not self.folder.has(name):
            found = self.retriever.retrieve(questions, k)
            self.folder.write_json(name, [[to_json(passage) for passage in passages] for passages in found])
        return [[passage_from_json(row) for row in rows] for rows in self.folder.read_json(name)]

    def clear(self) -> None:
        """Forget all, when the stage has written what it made of them."""
        shutil.rmtree(self.folder.path, ignore_errors=True)
