"""Chunks as a table: what a list of them would give, by row, by slice, in order and by id."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.records import Chunk, to_json
from ragraft.workspace.chunks import CHUNK_SCHEMA, Chunks

ROWS = [Chunk(f"d{n // 3}#{n}", f"d{n // 3}", f"Títle {n}", f"text {n}", n, n + 6, 2) for n in range(25)]


def table(sizes: list[int]) -> Chunks:
    """The first chunks in parts of these sizes, as a file's row groups are."""
    parts, start = [], 0
    for size in sizes:
        parts.append(pa.Table.from_pylist([to_json(chunk) for chunk in ROWS[start : start + size]], CHUNK_SCHEMA))
        start += size
    return Chunks(pa.concat_tables(parts) if parts else CHUNK_SCHEMA.empty_table())


@given(st.lists(st.integers(0, 5), max_size=5), st.slices(25))
def test_equals_the_list(sizes: list[int], part: slice) -> None:
    found, wanted = table(sizes), ROWS[: sum(sizes)]
    assert len(found) == len(wanted)
    assert list(found) == wanted
    assert [found[row] for row in range(len(wanted))] == wanted
    assert [found[-row - 1] for row in range(len(wanted))] == wanted[::-1]
    assert found[part] == wanted[part]
    assert list(found.ids()) == [chunk.id for chunk in wanted]
    assert dict(found.by_id()) == {chunk.id: chunk for chunk in wanted}
    assert list(found.by_id()) == [chunk.id for chunk in wanted]


@pytest.mark.parametrize("row", [7, -8, 100])
def test_a_row_that_is_not_there(row: int) -> None:
    with pytest.raises(IndexError):
        table([3, 0, 4])[row]


def test_an_id_that_is_not_there() -> None:
    chunks = table([3, 4]).by_id()
    assert "d0#1" in chunks
    assert "gone" not in chunks
    with pytest.raises(KeyError):
        chunks["gone"]
