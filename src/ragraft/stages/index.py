"""Make the documents findable: chunks, their vectors, and a store over both. Reads Corpus; writes Index."""

from __future__ import annotations

import io
import itertools
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from ragraft.config import IndexConfig
from ragraft.errors import InputError
from ragraft.methods.chunk import chunk_document
from ragraft.ports import Backends, Embedder, Matrix
from ragraft.records import Chunk, Document, Rejected, to_json
from ragraft.workspace import Corpus, Folder, Index, write_atomically

SHARDS = "shards"
CUT = "cut.json"
"""Among the shards: what was counted while cutting; written once all chunks are."""


def index(corpus: Corpus, *, settings: IndexConfig, backends: Backends, out: Folder) -> Index:
    """Write chunks.parquet, rejected.jsonl (documents without text), summary.json and the store.

    Embeddings are kept in shards while the stage is at work: a killed one goes on after its last whole shard, and
    cuts nothing again once all is cut. Memory holds one shard of chunks at a time, and what the store needs.
    """
    made = Index(out)
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        shards = out.folder(SHARDS)
        if not shards.has(CUT):
            task = progress.add_task("Cutting documents", total=None)
            documents = progress.track(corpus.documents(), task_id=task)
            shards.write_json(CUT, _cut(documents, made, settings=settings, backends=backends))
        summary = shards.read_json(CUT)
        if not summary["chunks"]:
            raise InputError(
                f"No text in the {summary['documents']} documents of {corpus.path}; add some and run again"
            )
        embedding = progress.add_task("Embedding chunks", total=summary["chunks"])
        vectors = _embed(made, settings, backends, lambda n: progress.advance(embedding, n))
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


def _cut(documents: Iterable[Document], made: Index, *, settings: IndexConfig, backends: Backends) -> dict[str, int]:
    """Write all chunks, and the documents that give none; returns the counts."""
    tally = _Tally()
    count = made.write_chunks(_batches(_chunks(documents, settings, backends, tally), settings.shard))
    made.folder.write_jsonl("rejected.jsonl", (to_json(row) for row in tally.rejected))
    return {
        "documents": tally.documents,
        "documents without text": len(tally.rejected),
        "chunks": count,
        "tokens": tally.tokens,
    }


def _chunks(documents: Iterable[Document], settings: IndexConfig, backends: Backends, tally: _Tally) -> Iterator[Chunk]:
    for document in documents:
        tally.documents += 1
        chunks = chunk_document(document, count=backends.tokenizer.count, size=settings.chunk_tokens)
        if not chunks:
            tally.rejected.append(Rejected(document.id, "no text to cut into chunks", document.title))
        for chunk in chunks:
            tally.tokens += chunk.tokens
            yield chunk


def _batches(chunks: Iterator[Chunk], size: int) -> Iterator[list[Chunk]]:
    while batch := list(itertools.islice(chunks, size)):
        yield batch


def _embed(made: Index, settings: IndexConfig, backends: Backends, advance: Callable[[int], None]) -> list[Path]:
    """One file of vectors for each `settings.shard` chunks, in order; those that are there already are kept."""
    shards = made.folder.folder(SHARDS)
    files = []
    for number, chunks in enumerate(made.chunk_batches(settings.shard)):
        target = shards.file(f"{number:04d}.npy")
        if target.exists():
            advance(len(chunks))
        else:
            matrix = _embed_shard(chunks, backends.embedder, settings.batch, advance)
            buffer = io.BytesIO()
            np.save(buffer, matrix, allow_pickle=False)
            write_atomically(target, buffer.getvalue())
        files.append(target)
    return files


def _embed_shard(chunks: Sequence[Chunk], embedder: Embedder, size: int, advance: Callable[[int], None]) -> Matrix:
    # Chunks of like length share a batch, so that little of it is padding.
    order = sorted(range(len(chunks)), key=lambda at: (chunks[at].tokens, at))
    parts = []
    for start in range(0, len(order), size):
        batch = [chunks[at] for at in order[start : start + size]]
        parts.append(embedder.embed([f"{chunk.title}\n{chunk.text}" for chunk in batch]))
        advance(len(batch))
    matrix = np.concatenate(parts)
    return matrix[np.argsort(order)]


def _load(shard: Path) -> Matrix:
    matrix: Matrix = np.load(shard, allow_pickle=False)
    return matrix
