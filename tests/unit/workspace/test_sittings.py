from __future__ import annotations

import time
from pathlib import Path

import pytest

from ragraft.workspace import Folder, clocked, sittings


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    found = Folder(tmp_path)
    found.write_json("started.json", {"fingerprint": "f"})
    return found


def seconds(folder: Folder) -> float:
    return float(folder.read_json("started.json")["seconds"])


def test_a_later_sitting_counts_on(folder: Folder) -> None:
    with clocked(folder) as clock:
        time.sleep(0.05)
    first = clock.seconds()
    assert 0.05 <= seconds(folder) <= first
    with clocked(folder) as clock:
        assert clock.seconds() >= 0.05
    assert folder.read_json("started.json")["fingerprint"] == "f"


def test_a_failed_sitting_counts(folder: Folder) -> None:
    def interrupted() -> None:
        with clocked(folder):
            time.sleep(0.05)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert seconds(folder) >= 0.05


def test_what_a_kill_would_leave_is_no_older_than_a_beat(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sittings, "BEAT", 0.02)
    with clocked(folder) as clock:
        deadline = time.monotonic() + 10
        while "seconds" not in folder.read_json("started.json"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert 0 < seconds(folder) <= clock.seconds()


def test_a_count_that_cannot_be_kept_stops_nothing(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Folder, "write_json", full)
    with clocked(folder) as clock:
        pass
    assert clock.seconds() >= 0
