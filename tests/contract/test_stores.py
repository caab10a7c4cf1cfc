from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ragraft.backends.stores.lance import LanceStore
from ragraft.backends.stores.memory import MemoryStore
from ragraft.ports import Store
from ragraft.testing.store import StoreContract, ids, rows


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()


class TestLanceStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return LanceStore()


def test_stores_agree_on_neighbours(tmp_path: Path) -> None:
    chunks, matrix = rows(300, width=16)
    # Copies of one row: ties at the border, which both must break alike.
    matrix = np.concatenate([matrix[:150], np.repeat(matrix[:1], 150, axis=0)])
    queries = np.concatenate([matrix[:3], rows(20, width=16, seed=2)[1]])
    found = []
    for name, store in (("memory", MemoryStore()), ("lance", LanceStore())):
        store.write(tmp_path / name, [(chunks, matrix)])
        found.append([ids(hits) for hits in store.open(tmp_path / name).dense(queries, 20)])
    assert found[0] == found[1]
