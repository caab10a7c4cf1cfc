from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ragraft.backends.stores.lance import LanceStore
from ragraft.records import Chunk
from ragraft.testing.store import ids, rows


def test_stop_words_and_long_names_are_terms(tmp_path: Path) -> None:
    name = "a_very_long_name" * 5
    texts = ["the for statement", "the if statement", f"calls {name.replace('_', '')} here"]
    chunks = [Chunk(str(n), "d", "", text, 0, 1, 1) for n, text in enumerate(texts)]
    LanceStore().write(tmp_path / "store", [(chunks, rows(3)[1])])
    opened = LanceStore().open(tmp_path / "store")
    assert [ids(hits) for hits in opened.lexical(["for", "if", name.replace("_", "")], 3)] == [["0"], ["1"], ["2"]]


def test_stems_are_found(tmp_path: Path) -> None:
    chunks = [Chunk("0", "d", "", "running statements", 0, 1, 1)]
    LanceStore().write(tmp_path / "store", [(chunks, rows(1)[1])])
    assert ids(LanceStore().open(tmp_path / "store").lexical(["run statement"], 3)[0]) == ["0"]


def test_no_thread_stays_for_a_store(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    names: list[list[str]] = []
    for n in range(3):
        LanceStore().write(tmp_path / str(n), [rows(5)])
        opened = LanceStore().open(tmp_path / str(n))
        opened.dense(rows(1)[1], 2)
        opened.lexical(["common"], 2)
        names.append(sorted(thread.name for thread in threading.enumerate()))
    assert names[0] == names[1] == names[2]
    assert capfd.readouterr() == ("", "")
