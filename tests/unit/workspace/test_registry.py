from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.errors import WorkspaceError
from ragraft.workspace import Folder, Registry
from ragraft.workspace.registry import State, replay


def row(event: str, model: str | None) -> dict[str, Any]:
    return {"event": event, "model": model, "reason": ""}


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Folder:
    """A finished method's folder, with what is no part of it."""
    folder = Folder(tmp_path / "60-checkpoint" / "01-raft")
    folder.write_text("adapter_model.safetensors", "weights")
    folder.write_json("checkpoint.json", {"base": "b"})
    folder.write_text(".lock", "")
    folder.folder("steps").write_text("optimizer.pt", "large")
    return folder


@given(st.lists(st.sampled_from(["a", "b", "c", "back", "refused"])))
def test_a_rollback_undoes_the_last_promotion_that_is_not_undone(happened: list[str]) -> None:
    stack: list[str] = []
    rows = []
    for event in happened:
        if event == "back":
            stack = stack[:-1]
            rows.append(row("rolled back", stack[-1] if stack else None))
        elif event == "refused":
            rows.append(row("refused", "d"))
        else:
            stack.append(event)
            rows.append(row("promoted", event))
    state = replay(rows)
    assert state.serving == tuple(stack)
    assert state.current == (stack[-1] if stack else None)
    assert set(state.models) == {event for event in happened if len(event) == 1}


def test_an_empty_registry_has_nothing_in_service(registry: Registry) -> None:
    assert registry.state() == State()
    assert registry.log() == []
    assert not registry.path.exists(), "looking writes nothing"


def test_what_was_written_is_read_again(registry: Registry) -> None:
    with registry.writing() as writer:
        writer.add(row("promoted", "a"))
        writer.add(row("forced", "b"))
        assert writer.state.current == "b"
    assert registry.state() == State(("a", "b"), ("a", "b"), 2)
    assert [one["event"] for one in registry.log()] == ["promoted", "forced"]


def test_only_one_writes(registry: Registry) -> None:
    with (
        registry.writing(),
        pytest.raises(WorkspaceError, match=r"^Another ragraft writes .*registry; wait for it to end$"),
        registry.writing(),
    ):
        pass


@pytest.mark.parametrize("kept", range(0, 56, 7))
def test_wherever_a_kill_cuts_the_log_its_whole_rows_hold(registry: Registry, kept: int) -> None:
    with registry.writing() as writer:
        writer.add(row("promoted", "a"))
        whole = (registry.path / "log.jsonl").stat().st_size
        writer.add(row("promoted", "b"))
    log = registry.path / "log.jsonl"
    log.write_bytes(log.read_bytes()[: whole + kept])
    with registry.writing() as writer:
        assert writer.state.current == "a"
        writer.add(row("rolled back", None))
    assert [one["event"] for one in registry.log()] == ["promoted", "rolled back"]
    assert registry.state().current is None


def test_a_kill_between_log_and_state_is_made_good(registry: Registry) -> None:
    with registry.writing() as writer:
        writer.add(row("promoted", "a"))
    before = registry.state_file.read_bytes()
    with registry.writing() as writer:
        writer.add(row("promoted", "b"))
    registry.state_file.write_bytes(before)
    assert registry.state().current == "a", "a server goes on with what it was told"
    with registry.writing():
        pass
    assert registry.state().current == "b"


def test_a_kept_model_survives_that_its_run_is_made_anew(registry: Registry, checkpoint: Folder) -> None:
    with registry.writing() as writer:
        writer.keep("m", [checkpoint], {"id": "m"})
    facts = registry.facts("m")
    assert sorted(facts["files"]) == ["01-raft/adapter_model.safetensors", "01-raft/checkpoint.json"]
    for file in checkpoint.path.iterdir():
        if file.is_file():
            file.unlink()
    checkpoint.write_text("adapter_model.safetensors", "other weights")
    kept = registry.checked("m")
    assert kept == registry.path / "models" / "m" / "checkpoint" / "01-raft"
    assert (kept / "adapter_model.safetensors").read_text("utf-8") == "weights"


def test_where_a_disk_knows_no_links_files_are_copied(
    registry: Registry, checkpoint: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(source: Path, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", no_link)
    with registry.writing() as writer:
        writer.keep("m", [checkpoint], {"id": "m"})
    kept = registry.checked("m") / "adapter_model.safetensors"
    assert kept.stat().st_ino != checkpoint.file("adapter_model.safetensors").stat().st_ino


def test_a_file_that_changed_or_went_is_told(registry: Registry, checkpoint: Folder) -> None:
    with registry.writing() as writer:
        writer.keep("m", [checkpoint], {"id": "m"})
    weights = registry.checkpoint("m") / "adapter_model.safetensors"
    weights.write_text("spoilt", encoding="utf-8")
    with pytest.raises(WorkspaceError, match=r"adapter_model\.safetensors is not what was promoted; promote its run"):
        registry.checked("m")
    weights.unlink()
    with pytest.raises(WorkspaceError, match=r"adapter_model\.safetensors is gone; promote its run again"):
        registry.checked("m")
    with pytest.raises(WorkspaceError, match=r"^No model n in .*registry; go back"):
        registry.checked("n")


def test_a_damaged_state_is_told(registry: Registry) -> None:
    with registry.writing() as writer:
        writer.add(row("promoted", "a"))
    registry.state_file.write_text(json.dumps({"serving": []}), encoding="utf-8")
    with pytest.raises(WorkspaceError, match=r"state\.json is damaged \(KeyError\); remove it: log\.jsonl beside it"):
        registry.state()
    registry.state_file.unlink()
    assert registry.state().current == "a"
