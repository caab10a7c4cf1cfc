"""The embedded store: a LanceDB table of vectors and full text. Knows LanceDB; knows no embedder and no fusion."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ragraft.errors import BackendError
from ragraft.ports import Matrix
from ragraft.records import Chunk, Hit

if TYPE_CHECKING:
    from lancedb.table import Table

TABLE = "chunks"
_DIGITS = 6
_QUERIES = 64


class LanceStore:
    """Vectors searched exactly, by cosine; title and text by BM25, English stems, no stop words taken out."""

    def write(self, folder: Path, batches: Iterable[tuple[Sequence[Chunk], Matrix]]) -> None:
        """Write all rows as one table, batch by batch, then its full-text index."""
        import lancedb
        from lancedb.index import FTS

        rows = iter(batches)
        first = next(rows, None)
        if first is None:
            raise BackendError(f"No chunks to write into {folder}; add documents and run: ragraft ingest")
        width = first[1].shape[1]
        schema = pa.schema([("id", pa.string()), ("body", pa.string()), ("vector", pa.list_(pa.float32(), width))])
        reader = pa.RecordBatchReader.from_batches(schema, _record_batches(schema, chain([first], rows)))
        table = lancedb.connect(str(folder)).create_table(TABLE, reader)
        # icu/split finds words in Chinese and Japanese too, and the parts of snake_case and dotted names. In technical
        # text the stop words are terms (`for`, `is`, `not`) and long tokens are names.
        table.create_index(
            "body", config=FTS(base_tokenizer="icu/split", remove_stop_words=False, max_token_length=None)
        )

    def open(self, folder: Path) -> OpenLanceStore:
        """The table that `write` left in `folder`."""
        import lancedb

        if not folder.is_dir():
            raise BackendError(f"No store in {folder}. Run: ragraft index")
        try:
            return OpenLanceStore(lancedb.connect(str(folder)).open_table(TABLE))
        except (ValueError, FileNotFoundError) as error:
            raise BackendError(f"No LanceDB table in {folder}. Run: ragraft index") from error


class OpenLanceStore:
    """A table open for search; many threads and processes may read at once."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def dense(self, vectors: Matrix, k: int) -> list[list[Hit]]:
        """Score is the cosine, rounded to six digits."""
        found: list[list[Hit]] = []
        for start in range(0, len(vectors), _QUERIES):
            block = vectors[start : start + _QUERIES]
            for at, hits in enumerate(self._nearest(block, k + 1)):
                found.append(_whole_ties(hits, k, partial(self._nearest_one, block[at : at + 1])))
        return found

    def lexical(self, texts: Sequence[str], k: int) -> list[list[Hit]]:
        """Score is BM25, rounded to six digits. The text is data: nothing in it is an operator."""

        def best(text: str) -> list[Hit]:
            return _whole_ties(self._matches(text, k + 1), k, partial(self._matches, text))

        with ThreadPoolExecutor() as pool:  # a query is answered outside of Python
            return list(pool.map(best, texts))

    def vectors(self) -> Iterator[tuple[list[str], Matrix]]:
        """Batch by batch, as the table is read."""
        query: Any = self._table.search(None)
        for batch in query.select(["id", "vector"]).limit(self._table.count_rows()).to_batches():
            flat = batch.column("vector").flatten().to_numpy(zero_copy_only=False)
            yield batch.column("id").to_pylist(), flat.reshape(batch.num_rows, -1)

    def _nearest_one(self, vector: Matrix, limit: int) -> list[Hit]:
        return self._nearest(vector, limit)[0]

    def _nearest(self, vectors: Matrix, limit: int) -> list[list[Hit]]:
        # One query at a time has no query_index column, so that a lone vector goes in beside itself.
        block = vectors if len(vectors) > 1 else np.repeat(vectors, 2, axis=0)
        query: Any = self._table.search(block, vector_column_name="vector", query_type="vector")
        rows = query.distance_type("cosine").select(["id", "_distance"]).limit(limit).to_arrow()
        found: list[list[Hit]] = [[] for _ in range(len(block))]
        for row in rows.to_pylist():
            found[row["query_index"]].append(Hit(row["id"], round(1 - row["_distance"], _DIGITS)))
        return [_sorted(hits) for hits in found[: len(vectors)]]

    def _matches(self, text: str, limit: int) -> list[Hit]:
        from lancedb.query import MatchQuery

        match: Any = MatchQuery
        query: Any = self._table.search(match(text, "body"), query_type="fts")
        rows = query.select(["id", "_score"]).limit(limit).to_arrow().to_pylist()
        return _sorted([Hit(row["id"], round(row["_score"], _DIGITS)) for row in rows])


def _record_batches(schema: pa.Schema, batches: Iterable[tuple[Sequence[Chunk], Matrix]]) -> Iterator[pa.RecordBatch]:
    for chunks, matrix in batches:
        flat = pa.array(np.ascontiguousarray(matrix, dtype=np.float32).ravel())
        columns: list[pa.Array] = [
            pa.array([chunk.id for chunk in chunks], pa.string()),
            pa.array([f"{chunk.title}\n{chunk.text}" for chunk in chunks], pa.string()),
            pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1]),
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _whole_ties(hits: list[Hit], k: int, search: Callable[[int], list[Hit]]) -> list[Hit]:
    """The best `k`, ties by id, also where the k-th and later rows have one score: then it looks further."""
    limit = k + 1
    while len(hits) == limit and hits[-1].score == hits[k - 1].score:
        limit *= 4
        hits = search(limit)
    return hits[:k]


def _sorted(hits: list[Hit]) -> list[Hit]:
    return sorted(hits, key=lambda hit: (-hit.score, hit.id))
