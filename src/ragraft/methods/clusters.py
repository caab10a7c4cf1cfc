"""Group questions that a split must not part: those that share documents. Knows places; knows nothing of sides.

A question stands in places: the work (metadata's document_id, else article, else a title that several documents
bear, else the document itself) of each evidence or given-context document, and the paragraphs that these documents
share. Clusters are the connected components. Questions that stand nowhere cluster by their wording; `bearers` finds
places for those whose metadata names one.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ragraft.methods.same_question import Wording, normalised, same_groups
from ragraft.records import Chunk, Document

PARAGRAPH = 60
"""Fewest characters of a paragraph that ties two documents together."""

_COMMON = 0.1
"""Share of the documents above which a value of metadata (a date, a language) names none of them."""
_BLANK = re.compile(r"\n\s*\n")
_REGIONS = 40
"""Regions that a long document is cut into, at most twice as many at its headings."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as far as clustering goes."""

    id: str
    text: str
    documents: tuple[str, ...]
    """Ids of evidence and given-context documents."""
    chunks: tuple[str, ...]
    """Ids of its oracle chunks."""


@dataclass(frozen=True, slots=True)
class Clusters:
    """Question id → cluster id, and what the user should know of how they were made."""

    of: dict[str, str]
    warnings: tuple[str, ...] = ()


def make_clusters(
    asked: Sequence[Asked], documents: Sequence[Document], chunks: Sequence[Chunk], *, largest: float
) -> Clusters:
    """Cluster questions by shared documents.

    A cluster of more than `largest` (a share of the questions that stand in documents) leaves nothing to cut: its
    questions are clustered by region of their documents instead, with a warning.
    """
    works, warnings = _works(documents)
    wording = _wording([question for question in asked if not question.documents])
    places = _document_places(asked, works, documents) | wording
    clusters = _components(places)
    sizes = Counter(clusters[question.id] for question in asked if question.documents)
    if sizes:
        giant, size = max(sizes.items(), key=lambda item: (item[1], item[0]))
        if size > 1 and size > largest * sizes.total():
            inside = [question for question in asked if question.documents and clusters[question.id] == giant]
            clusters |= _components(_region_places(inside, chunks))
            warnings.append(
                f"{size} of {sizes.total()} questions hang together through their documents: they are split by "
                "region of the document, so that sides share documents"
            )
    return Clusters(clusters, tuple(warnings))


def bearers(documents: Sequence[Document]) -> dict[tuple[str, str], tuple[str, ...]]:
    """(key, value) of metadata → ids of the documents that bear it; without values that very many bear."""
    found: dict[tuple[str, str], list[str]] = {}
    for document in documents:
        for pair in _pairs(document.metadata):
            found.setdefault(pair, []).append(document.id)
    return {pair: tuple(ids) for pair, ids in found.items() if len(ids) <= max(1, _COMMON * len(documents))}


def named_by(metadata: Mapping[str, Any], known: Mapping[tuple[str, str], tuple[str, ...]]) -> tuple[str, ...]:
    """Documents that bear a value which a question's metadata has under the same key, such as its contract."""
    return tuple(dict.fromkeys(name for pair in _pairs(metadata) for name in known.get(pair, ())))


def _pairs(metadata: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (key, str(value))
        for key, value in metadata.items()
        if isinstance(value, str | int) and not isinstance(value, bool) and value != ""
    ]


def _works(documents: Sequence[Document]) -> tuple[dict[str, str], list[str]]:
    """Document id → the work it belongs to."""
    borne = Counter(document.title.strip() for document in documents)
    # "Annual report: table" over hundreds of documents is a label; the title of a work cut into passages is not.
    labels = [title for title, count in borne.items() if title and count > max(100, len(documents) / 10)]
    works = {}
    warned = set()
    for document in documents:
        title = document.title.strip()
        keys = [key for key in ("document_id", "article") if document.metadata.get(key) not in (None, "")]
        if keys:
            works[document.id] = f"document {keys[0]} {document.metadata[keys[0]]}"
        elif title and borne[title] > 1 and title not in labels:
            works[document.id] = f"document title {title}"
        else:
            works[document.id] = f"document id {document.id}"
            warned |= {title} & set(labels)
    warnings = [
        f"title “{title}” is borne by {borne[title]} documents and taken as a label, not as one work; where they "
        "are one, give them the same metadata.document_id"
        for title in sorted(warned)
    ]
    return works, warnings


def _document_places(
    asked: Sequence[Asked], works: Mapping[str, str], documents: Sequence[Document]
) -> dict[str, set[str]]:
    used = {name for question in asked for name in question.documents}
    shared = _shared_paragraphs([document for document in documents if document.id in used])
    return {
        question.id: {place for name in question.documents for place in (works[name], *shared.get(name, ()))}
        for question in asked
        if question.documents
    }


def _shared_paragraphs(documents: Sequence[Document]) -> dict[str, list[str]]:
    """Document id → its paragraphs that other documents have too; what stands in very many is boilerplate."""
    held = {document.id: _paragraphs(document.text) for document in documents}
    spread = Counter(paragraph for paragraphs in held.values() for paragraph in paragraphs)
    most = max(3.0, len(documents) / 20)
    return {name: [found for found in paragraphs if 1 < spread[found] <= most] for name, paragraphs in held.items()}


def _paragraphs(text: str) -> list[str]:
    found = (" ".join(part.split()) for part in _BLANK.split(text))
    return sorted({f"paragraph {_digest(part)}" for part in found if len(part) >= PARAGRAPH})


def _wording(asked: Sequence[Asked]) -> dict[str, set[str]]:
    """Places of questions that stand in no document: their own text, and those of questions that ask the same."""
    own = {question.id: f"question {normalised(question.text)}" for question in asked}
    places = {name: {place} for name, place in own.items()}
    for group in same_groups([Wording(question.id, question.text) for question in asked]):
        for name in group:
            places[name] |= {own[other] for other in group}
    return places


def _region_places(asked: Sequence[Asked], chunks: Sequence[Chunk]) -> dict[str, set[str]]:
    """Places of questions by region of their oracle chunks; those without any stand for themselves."""
    wanted = {chunk for question in asked for chunk in question.chunks}
    named = {chunk.document_id for chunk in chunks if chunk.id in wanted}
    regions = cut_regions([chunk for chunk in chunks if chunk.document_id in named])
    places = {question.id: {regions[chunk] for chunk in question.chunks} for question in asked if question.chunks}
    return places | _wording([question for question in asked if not question.chunks])


def cut_regions(chunks: Sequence[Chunk]) -> dict[str, str]:
    """Chunk id → region: runs of neighbouring chunks, cut where the chunks' title, which holds the heading, changes.

    A document has at most about 80 regions, whose borders depend on the document alone.
    """
    by_document: dict[str, list[Chunk]] = {}
    for chunk in chunks:
        by_document.setdefault(chunk.document_id, []).append(chunk)
    regions = {}
    for name, found in by_document.items():
        fewest = -(-len(found) // _REGIONS)
        region, length, title = 0, 0, ""
        for chunk in sorted(found, key=lambda chunk: chunk.start):
            if length >= 2 * fewest or (length >= fewest and chunk.title != title):
                region, length = region + 1, 0
            regions[chunk.id] = f"document id {name} region {region:03d}"
            length, title = length + 1, chunk.title
    return regions


def _components(places: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Question id → cluster id, the digest of the cluster's first place.

    "document …" sorts before "paragraph …": the id comes from the documents and stays when questions are added.
    """
    parent: dict[str, str] = {}

    def root(place: str) -> str:
        parent.setdefault(place, place)
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for found in places.values():
        first, *rest = sorted(found)
        for place in rest:
            low, high = sorted((root(first), root(place)))
            parent[high] = low
    return {name: _digest(root(min(found))) for name, found in places.items()}


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
