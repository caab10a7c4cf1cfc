"""The chunks of an index as a table in memory: a Chunk is made when it is asked for. Knows columns; knows no file."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, overload

import pyarrow as pa

from ragraft.records import Chunk

CHUNK_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("document_id", pa.string()),
        ("title", pa.string()),
        ("text", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("tokens", pa.int32()),
    ]
)
_AT_ONCE = 1024


class Chunks(Sequence[Chunk]):
    """All chunks in the order of the index; as Python objects they would take several times the memory."""

    def __init__(self, table: pa.Table) -> None:
        self._batches = table.to_batches(max_chunksize=_AT_ONCE)
        self._ends = list(accumulate(batch.num_rows for batch in self._batches))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, row: int) -> Chunk: ...
    @overload
    def __getitem__(self, row: slice) -> list[Chunk]: ...
    def __getitem__(self, row: int | slice) -> Chunk | list[Chunk]:
        if isinstance(row, slice):
            return [self[place] for place in range(*row.indices(len(self)))]
        place = row + len(self) if row < 0 else row
        if not 0 <= place < len(self):
            raise IndexError(row)
        number = bisect_right(self._ends, place)
        batch = self._batches[number]
        inside = place - self._ends[number] + batch.num_rows
        values: list[Any] = [column[inside].as_py() for column in batch.columns]
        return Chunk(*values)

    def __iter__(self) -> Iterator[Chunk]:
        for batch in self._batches:
            for row in batch.to_pylist():
                yield Chunk(**row)

    def ids(self) -> Iterator[str]:
        for batch in self._batches:
            yield from batch.column("id").to_pylist()

    def by_id(self) -> Mapping[str, Chunk]:
        """The chunks by their ids, in the same order."""
        return _ById(self)


class _ById(Mapping[str, Chunk]):
    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self._rows = {name: row for row, name in enumerate(chunks.ids())}

    def __getitem__(self, name: str) -> Chunk:
        return self._chunks[self._rows[name]]

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)
