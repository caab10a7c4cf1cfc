"""What became of documents between two states of a corpus, by their contents. Knows documents; knows no folder."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ragraft.records import Document


@dataclass(frozen=True, slots=True)
class Changes:
    """Ids of documents, in the order of their corpus."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    """Other words under the same id."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """New id → the old one, whose words it has."""
    removed: tuple[str, ...] = ()
    unchanged: int = 0

    @property
    def any(self) -> bool:
        return bool(self.added or self.changed or self.renamed or self.removed)

    def counts(self) -> dict[str, int]:
        return {kind: len(getattr(self, kind)) for kind in ("added", "changed", "renamed", "removed")}


def compare_documents(before: Iterable[Document], after: Iterable[Document]) -> Changes:
    """What was added, changed, renamed and removed. A title that changes with the file's name is no change of words."""
    old = {document.id: _digest(document.text) for document in before}
    new = {document.id: _digest(document.text) for document in after}
    gone = [name for name in old if name not in new]
    by_words: dict[bytes, list[str]] = defaultdict(list)
    for name in reversed(gone):
        by_words[old[name]].append(name)
    renamed, added = dict[str, str](), list[str]()
    for name, words in new.items():
        if name in old:
            continue
        if by_words[words]:
            renamed[name] = by_words[words].pop()
        else:
            added.append(name)
    moved = set(renamed.values())
    changed = tuple(name for name, words in new.items() if name in old and old[name] != words)
    return Changes(
        added=tuple(added),
        changed=changed,
        renamed=renamed,
        removed=tuple(name for name in gone if name not in moved),
        unchanged=sum(1 for name, words in new.items() if old.get(name) == words),
    )


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8"), digest_size=16).digest()
