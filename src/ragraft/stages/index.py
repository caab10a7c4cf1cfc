"""Make the documents findable: chunks, their vectors, and a store over both. Reads Corpus; writes Index."""

from __future__ import annotations

import hashlib
import io
import itertools
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from ragraft.config import IndexConfig
from ragraft.errors import InputError
from ragraft.methods.chunk import chunk_document
from ragraft.ports import Backends, Embedder, Matrix, Store
from ragraft.records import Chunk, Document, Rejected, to_json
from ragraft.workspace import Chunks, Corpus, Folder, Index, write_atomically

SHARDS = "shards"
CUT = "cut.json"
"""Among the shards: what was counted while cutting; written once all chunks are."""
_PIECE = re.compile(r"[A-Za-z0-9]+|\S")
"""About a token of an embedder: a word, or one sign of anything else."""


class Earlier:
    """A corpus and its index, made under the same settings: what is as it was there is taken over."""

    def __init__(self, corpus: Corpus, made: Index, store: Store) -> None:
        self._corpus, self._made, self._store = corpus, made, store

    def chunks(self, document: Document) -> list[Chunk] | None:
        """The chunks of a document that is the same to the letter; None for any other."""
        if self._documents.get(document.id) != _digest(document.title, document.text):
            return None
        first, end = self._rows.get(document.id, (0, 0))
        return self._chunks[first:end]

    def vector(self, chunk: Chunk) -> Matrix | None:
        """The vector of a chunk of the same words, whatever document it stood in."""
        row = self._vector_rows.get(_digest(chunk.title, chunk.text))
        return None if row is None else self._vectors[1][row]

    @cached_property
    def _documents(self) -> dict[str, bytes]:
        return {one.id: _digest(one.title, one.text) for one in self._corpus.documents()}

    @cached_property
    def _chunks(self) -> Chunks:
        return self._made.chunks()

    @cached_property
    def _rows(self) -> dict[str, tuple[int, int]]:
        """Of each document, where its chunks begin and end; they stand together."""
        found: dict[str, tuple[int, int]] = {}
        for row, chunk in enumerate(self._chunks):
            found[chunk.document_id] = (found.get(chunk.document_id, (row, row))[0], row + 1)
        return found

    @cached_property
    def _vectors(self) -> tuple[dict[str, int], Matrix]:
        """The row of each chunk's id, and all vectors."""
        ids, parts = list[str](), list[Matrix]()
        for names, matrix in self._store.open(self._made.store).vectors():
            ids += names
            parts.append(matrix)
        return {name: row for row, name in enumerate(ids)}, np.concatenate(parts)

    @cached_property
    def _vector_rows(self) -> dict[bytes, int]:
        rows = self._vectors[0]
        return {_digest(chunk.title, chunk.text): rows[chunk.id] for chunk in self._chunks if chunk.id in rows}


def index(
    corpus: Corpus, *, settings: IndexConfig, backends: Backends, out: Folder, earlier: Earlier | None = None
) -> Index:
    """Write chunks.parquet, rejected.jsonl (documents without text), summary.json and the store.

    Embeddings are kept in shards while the stage is at work: a killed one goes on after its last whole shard, and
    cuts nothing again once all is cut. Memory holds one shard of chunks at a time, and what the store needs. With an
    earlier index, unchanged documents are not cut and unchanged chunks not embedded again; the result is the same.
    """
    made = Index(out)
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        shards = out.folder(SHARDS)
        if not shards.has(CUT):
            task = progress.add_task("Cutting documents", total=None)
            documents = progress.track(corpus.documents(), task_id=task)
            shards.write_json(CUT, _cut(documents, made, settings=settings, backends=backends, earlier=earlier))
        summary = shards.read_json(CUT)
        if not summary["chunks"]:
            raise InputError(
                f"No text in the {summary['documents']} documents of {corpus.path}; add some and run again"
            )
        embedding = progress.add_task("Embedding chunks", total=summary["chunks"])
        work = _Embedding(settings.batch, backends, earlier, lambda n: progress.advance(embedding, n))
        vectors = _embed(made, settings.shard, work)
        shutil.rmtree(made.store, ignore_errors=True)
        stored = zip(made.chunk_batches(settings.shard), map(_load, vectors), strict=True)
        backends.store.write(made.store, stored)
    shutil.rmtree(shards.path)
    mean = round(summary["tokens"] / summary["chunks"], 1)
    out.write_json("summary.json", {**summary, "mean chunk tokens": mean})
    return made


@dataclass(slots=True)
class _Tally:
    """What is counted while documents stream by."""

    documents: int = 0
    tokens: int = 0
    rejected: list[Rejected] = field(default_factory=list)


def _cut(
    documents: Iterable[Document],
    made: Index,
    *,
    settings: IndexConfig,
    backends: Backends,
    earlier: Earlier | None,
) -> dict[str, int]:
    """Write all chunks, and the documents that give none; returns the counts."""
    tally = _Tally()

    def chunks_of(document: Document) -> list[Chunk]:
        known = earlier.chunks(document) if earlier else None
        if known is not None:
            return known
        return chunk_document(document, count=backends.tokenizer.count, size=settings.chunk_tokens)

    count = made.write_chunks(_batches(_chunks(documents, chunks_of, tally), settings.shard))
    made.folder.write_jsonl("rejected.jsonl", (to_json(row) for row in tally.rejected))
    return {
        "documents": tally.documents,
        "documents without text": len(tally.rejected),
        "chunks": count,
        "tokens": tally.tokens,
    }


def _chunks(
    documents: Iterable[Document], chunks_of: Callable[[Document], list[Chunk]], tally: _Tally
) -> Iterator[Chunk]:
    for document in documents:
        tally.documents += 1
        chunks = chunks_of(document)
        if not chunks:
            tally.rejected.append(Rejected(document.id, "no text to cut into chunks", document.title))
        for chunk in chunks:
            tally.tokens += chunk.tokens
            yield chunk


def _batches(chunks: Iterator[Chunk], size: int) -> Iterator[list[Chunk]]:
    while batch := list(itertools.islice(chunks, size)):
        yield batch


@dataclass(frozen=True, slots=True)
class _Embedding:
    """How chunks get their vectors."""

    batch: int
    backends: Backends
    earlier: Earlier | None
    advance: Callable[[int], None]


def _embed(made: Index, size: int, work: _Embedding) -> list[Path]:
    """One file of vectors for each `size` chunks, in order; those that are there already are kept."""
    shards = made.folder.folder(SHARDS)
    files = []
    for number, chunks in enumerate(made.chunk_batches(size)):
        target = shards.file(f"{number:04d}.npy")
        if target.exists():
            work.advance(len(chunks))
        else:
            buffer = io.BytesIO()
            np.save(buffer, _shard(chunks, work), allow_pickle=False)
            write_atomically(target, buffer.getvalue())
        files.append(target)
    return files


def _shard(chunks: Sequence[Chunk], work: _Embedding) -> Matrix:
    """The vectors of these chunks: taken over where an earlier index has them, and made now."""
    found = [work.earlier.vector(chunk) if work.earlier else None for chunk in chunks]
    missing = [at for at, vector in enumerate(found) if vector is None]
    work.advance(len(chunks) - len(missing))
    if missing:
        fresh = _embed_shard([chunks[at] for at in missing], work.backends.embedder, work.batch, work.advance)
        if len(missing) == len(chunks):
            return fresh
        for at, vector in zip(missing, fresh, strict=True):
            found[at] = vector
    return np.stack([vector for vector in found if vector is not None])


def _embed_shard(chunks: Sequence[Chunk], embedder: Embedder, size: int, advance: Callable[[int], None]) -> Matrix:
    # Texts of like length share a batch, so that little of it is padding. An embedder's tokens are words and marks
    # rather than the generator's, which merges marks in code.
    texts = [f"{chunk.title}\n{chunk.text}" for chunk in chunks]
    order = sorted(range(len(texts)), key=[len(_PIECE.findall(text)) for text in texts].__getitem__)
    parts = []
    for start in range(0, len(order), size):
        batch = [texts[at] for at in order[start : start + size]]
        parts.append(embedder.embed(batch))
        advance(len(batch))
    matrix = np.concatenate(parts)
    return matrix[np.argsort(order)]


def _digest(title: str, text: str) -> bytes:
    return hashlib.blake2b(f"{title}\0{text}".encode(), digest_size=16).digest()


def _load(shard: Path) -> Matrix:
    matrix: Matrix = np.load(shard, allow_pickle=False)
    return matrix
