"""What became of the evidence that questions and lessons rest on, since the documents changed. Knows words alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ragraft.methods.upkeep.changes import compare_documents
from ragraft.records import Chunk, Document, ExamQuestion

Fate = Literal["kept", "changed", "gone"]
"""Changed: its document is still there, and says something else in that place."""


@dataclass(frozen=True, slots=True)
class Now:
    """The documents as they are."""

    texts: Mapping[str, str]
    """By document."""
    chunks: frozenset[str]
    """The words of every chunk."""
    renamed: Mapping[str, str]
    """Old id → the new one."""

    def text(self, document: str) -> str | None:
        """A document's words now, whatever its name is; None where it is gone."""
        return self.texts.get(self.renamed.get(document, document))


def state_of(documents: Iterable[Document], chunks: Iterable[Chunk], before: Iterable[Document]) -> Now:
    """The documents as they are, cut into these chunks, and which of those before bear another name."""
    now = list(documents)
    renamed = compare_documents(before, now).renamed
    return Now(
        {document.id: document.text for document in now},
        frozenset(chunk.text for chunk in chunks),
        {old: new for new, old in renamed.items()},
    )


def fate_of_chunk(chunk: Chunk | None, now: Now) -> Fate:
    """A chunk is kept where its words stand in any chunk, or still in its document."""
    if chunk is None:
        return "gone"
    text = now.text(chunk.document_id)
    if chunk.text in now.chunks or (text is not None and chunk.text in text):
        return "kept"
    return "gone" if text is None else "changed"


def fate_of_question(asked: ExamQuestion, before: Mapping[str, Chunk], now: Now) -> Fate | None:
    """Of a question's evidence; None where it rests on none. A quote that still stands is enough."""
    parts = asked.parts or ((asked.oracle,) if asked.oracle else ())
    if not parts:
        return None
    fates = [_best([fate_of_chunk(before.get(chunk), now) for chunk in part]) for part in parts]
    if "kept" not in fates or set(fates) != {"kept"}:
        documents = [before[chunk].document_id for part in parts for chunk in part if chunk in before]
        texts = [text for text in map(now.text, documents) if text is not None]
        quotes = asked.question.evidence
        if quotes and all(any(quote in text for text in texts) for quote in quotes):
            return "kept"
    return _worst(fates)


def fates(found: Iterable[tuple[str, Fate | None]]) -> dict[str, list[str]]:
    """Ids by fate; those that rest on nothing are left out."""
    by_fate: dict[str, list[str]] = {"kept": [], "changed": [], "gone": []}
    for name, fate in found:
        if fate is not None:
            by_fate[fate].append(name)
    return by_fate


def lost_share(by_fate: Mapping[str, Sequence[str]]) -> float | None:
    """The share whose evidence changed or is gone; None where nothing rests on evidence."""
    number = sum(map(len, by_fate.values()))
    return 1 - len(by_fate["kept"]) / number if number else None


def _best(found: Sequence[Fate]) -> Fate:
    return min(found, key=_ORDER.__getitem__)


def _worst(found: Sequence[Fate]) -> Fate:
    return max(found, key=_ORDER.__getitem__)


_ORDER: Mapping[Fate, int] = {"kept": 0, "changed": 1, "gone": 2}
