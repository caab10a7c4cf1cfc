"""Say on which side a chunk may be asked about: questions on the same documents never stand on two sides.

Chunks are clustered as questions are, together with the questions that are placed already. Knows clusters and sides;
knows no candidates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ragraft.methods.clusters import Asked, make_clusters
from ragraft.methods.sides import cut_sides
from ragraft.records import SIDES, Chunk, Document, ExamQuestion, Side

_CHUNK = "chunk "


@dataclass(frozen=True, slots=True)
class ChunkSides:
    """Chunk id → its side and its cluster; a chunk without a side is spared."""

    sides: Mapping[str, Side]
    clusters: Mapping[str, str]
    spared: Mapping[Side, int]
    """Chunks that are asked about on no side, by the side to whose documents they belong."""


def place_chunks(
    chunks: Sequence[Chunk],
    documents: Sequence[Document],
    placed: Iterable[ExamQuestion],
    *,
    shares: Mapping[Side, float] | None,
    seed: int,
) -> ChunkSides:
    """The sides of all chunks.

    `placed` are the questions whose documents tie chunks to their side: those of another side than train spare theirs.
    With `shares` the chunks of train are cut anew, by cluster, into these sides.
    """
    questions = list(placed)
    asked = [Asked(f"{_CHUNK}{one.id}", "", (one.document_id,), (one.id,)) for one in chunks]
    made = make_clusters([*asked, *_asked(questions, chunks, documents)], documents, chunks, largest=_largest(shares))
    clusters = {one.id: made.of[f"{_CHUNK}{one.id}"] for one in chunks}
    held: dict[str, set[Side]] = defaultdict(set)
    for question in questions:
        held[made.of[question.id]].add(question.side)
    taken = {cluster: _nearest_exam(sides) for cluster, sides in held.items()}
    free = {name: cluster for name, cluster in clusters.items() if taken.get(cluster, "train") == "train"}
    sides: dict[str, Side] = cut_sides(free, free, shares, seed=seed) if shares else dict.fromkeys(free, "train")
    spared: dict[Side, int] = defaultdict(int)
    for name in clusters.keys() - free.keys():
        spared[taken[clusters[name]]] += 1
    return ChunkSides(sides, clusters, dict(sorted(spared.items())))


def _asked(questions: Sequence[ExamQuestion], chunks: Sequence[Chunk], documents: Sequence[Document]) -> list[Asked]:
    """The placed questions with the documents of their oracle, evidence and given contexts."""
    holder = {chunk.id: chunk.document_id for chunk in chunks}
    known = {document.id for document in documents}
    found = []
    for one in questions:
        given = (*one.question.evidence_ids, *(holder.get(name, name) for name in one.question.contexts))
        names = dict.fromkeys([*(holder[name] for name in one.oracle), *(name for name in given if name in known)])
        found.append(Asked(one.id, one.question.question, tuple(names), one.oracle))
    return found


def _nearest_exam(sides: Iterable[Side]) -> Side:
    found = set(sides)
    return next((side for side in reversed(SIDES) if side in found and side != "train"), "train")


def _largest(shares: Mapping[Side, float] | None) -> float:
    """As the exam's own cut has it: what is larger leaves no other side a cluster."""
    return 1 - max((share for side, share in (shares or {}).items() if side != "train"), default=0.0)
