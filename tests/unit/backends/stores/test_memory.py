from __future__ import annotations

import math
from pathlib import Path

from ragraft.backends.stores.memory import MemoryStore
from ragraft.records import Chunk
from ragraft.testing.store import rows


def test_files_are_plain_and_the_same_in_every_process(tmp_path: Path) -> None:
    MemoryStore().write(tmp_path / "store", [rows(20)])
    files = sorted(place for place in (tmp_path / "store").rglob("*") if place.is_file())
    assert {place.suffix for place in files} == {".npy", ".json"}
    vocabulary = (tmp_path / "store/bm25/vocab.index.json").read_text(encoding="utf-8")
    assert vocabulary.replace(" ", "").startswith('{"":0,"title":1,"common":2,"words":3,"and":4,"number0":5')


def test_lexical_score_is_bm25_by_hand(tmp_path: Path) -> None:
    texts = ["walrus ice", "walrus walrus sea ice", "stapler"]
    chunks = [Chunk(str(n), "d", "", text, 0, 1, 1) for n, text in enumerate(texts)]
    MemoryStore().write(tmp_path / "store", [(chunks, rows(3)[1])])
    [hits] = MemoryStore().open(tmp_path / "store").lexical(["walrus"], 3)
    idf = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    mean = 7 / 3
    by_hand = {
        str(n): idf * times / (times + 1.5 * (1 - 0.75 + 0.75 * length / mean))
        for n, (times, length) in enumerate([(1, 2), (2, 4)])
    }
    found = {hit.id: round(hit.score, 4) for hit in hits}
    assert found == {name: round(score, 4) for name, score in by_hand.items()}
