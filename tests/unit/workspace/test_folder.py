from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragraft.errors import WorkspaceError
from ragraft.workspace import Folder, Manifest, hash_file, hash_json, write_atomically

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ROWS = st.lists(st.dictionaries(st.text(), VALUES, max_size=3), max_size=5)
MANIFEST = Manifest("index", 1, "f" * 32, {"ingest": "e" * 32}, "2026-11-23T08:00:00+00:00", 1.5, {"ragraft": "0"})


def names(folder: Path) -> list[str]:
    return sorted(place.name for place in folder.iterdir())


@settings(deadline=None)
@given(data=VALUES)
def test_json_comes_back(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    folder = Folder(tmp_path_factory.mktemp("json"))
    folder.write_json("data.json", data)
    assert folder.read_json("data.json") == data
    assert names(folder.path) == ["data.json"]


@settings(deadline=None)
@given(rows=ROWS)
def test_rows_come_back_one_a_line(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> None:
    folder = Folder(tmp_path_factory.mktemp("rows"))
    assert folder.write_jsonl("rows.jsonl", rows) == len(rows)
    assert list(folder.read_jsonl("rows.jsonl")) == rows
    written = folder.file("rows.jsonl").read_bytes()
    assert written.count(b"\n") == len(rows)
    assert b"\r" not in written


def test_a_half_written_file_is_never_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(tmp_path)
    folder.write_text("note.txt", "whole")

    def rows() -> Iterator[dict[str, Any]]:
        yield {"row": 1}
        assert names(tmp_path)[-1] == "note.txt"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folder.write_jsonl("rows.jsonl", rows())
    assert not folder.has("rows.jsonl")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        folder.write_text("note.txt", "other")
    assert folder.file("note.txt").read_text("utf-8") == "whole"


def test_a_file_that_is_read_while_it_is_rewritten_stays_whole(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write_jsonl("rows.jsonl", [{"n": 1}, {"n": 2}])
    kept = folder.write_jsonl("rows.jsonl", (row for row in folder.read_jsonl("rows.jsonl") if row["n"] > 1))
    assert (kept, list(folder.read_jsonl("rows.jsonl"))) == (1, [{"n": 2}])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_json_is_refused(tmp_path: Path, value: float) -> None:
    folder = Folder(tmp_path)
    with pytest.raises(ValueError, match="not JSON compliant"):
        folder.write_json("data.json", {"value": value})
    with pytest.raises(ValueError, match="not JSON compliant"):
        folder.write_jsonl("rows.jsonl", [{"value": value}])
    assert not folder.has("data.json")
    assert not folder.has("rows.jsonl")


def test_atomic_writes_make_their_folders(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "data.bin"
    write_atomically(target, b"\0\xff")
    write_atomically(target, b"\1")
    assert target.read_bytes() == b"\1"
    assert names(target.parent) == ["data.bin"]
    assert Folder(tmp_path).folder("c").path.is_dir()


def test_a_missing_file_names_the_folder_to_remove(tmp_path: Path) -> None:
    for read in (Folder(tmp_path).read_json, lambda name: list(Folder(tmp_path).read_jsonl(name))):
        with pytest.raises(WorkspaceError) as caught:
            read("rows.jsonl")
        assert str(caught.value) == f"No {tmp_path / 'rows.jsonl'}; remove {tmp_path} and run again"


def test_the_manifest_comes_back_and_is_none_before(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert folder.manifest() is None
    folder.write_json("manifest.json", asdict(MANIFEST))
    assert folder.manifest() == MANIFEST


@pytest.mark.parametrize(
    "text", ['{"stage": "ind', "[]", '{"stage": "index"}', json.dumps({**asdict(MANIFEST), "x": 1})]
)
def test_a_damaged_manifest_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(WorkspaceError) as caught:
        Folder(tmp_path).manifest()
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'manifest.json'} is damaged (")
    assert message.endswith(f"); remove {tmp_path} and run again")
    assert "\n" not in message


@settings(deadline=None)
@given(data=st.dictionaries(st.text(), VALUES, max_size=4))
def test_hashes_do_not_depend_on_key_order(data: dict[str, Any]) -> None:
    assert hash_json(dict(reversed(data.items()))) == hash_json(data)
    assert hash_json({**data, "one more": 1}) != hash_json(data)


def test_hashes_of_files_are_of_their_bytes(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"same")
    two.write_bytes(b"same")
    assert hash_file(one) == hash_file(two)
    two.write_bytes(b"other")
    assert hash_file(one) != hash_file(two)
    assert len(hash_file(one)) == 32
