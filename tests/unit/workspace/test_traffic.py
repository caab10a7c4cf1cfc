from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ragraft.errors import WorkspaceError
from ragraft.workspace import TrafficLog, count_traffic, hash_file, read_back, read_traffic

DAY = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.time = DAY

    def __call__(self) -> datetime:
        return self.time

    def row(self, name: str) -> dict[str, Any]:
        return {"id": name, "at": self.time.isoformat(timespec="milliseconds"), "text": "über \u2028 alles"}


Opens = Callable[..., TrafficLog]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opens(tmp_path: Path, clock: Clock) -> Opens:
    def open_log(**settings: Any) -> TrafficLog:
        return TrafficLog(tmp_path / "90-traffic", **{"keep_days": None, "now": clock, **settings})

    return open_log


def ids(log: TrafficLog) -> list[str]:
    return [row["id"] for row in read_traffic(log.folder)]


def test_rows_come_back_as_they_were_and_in_order(opens: Opens, clock: Clock) -> None:
    log = opens()
    rows = [clock.row(name) for name in "abc"]
    for row in rows:
        log.append(row)
    assert list(read_traffic(log.folder)) == rows
    log.close()
    again = opens()
    again.append(clock.row("d"))
    assert ids(again) == ["a", "b", "c", "d"]
    assert [file.name for file in again.folder.glob("*.jsonl")] == ["open.jsonl"]


def test_a_line_that_a_kill_cut_short_goes_and_the_next_is_whole(opens: Opens, clock: Clock) -> None:
    log = opens()
    log.append(clock.row("a"))
    log.close()
    with (log.folder / "open.jsonl").open("ab") as out:
        out.write(b'{"id": "torn", "te')
    assert ids(log) == ["a"]
    again = opens()
    again.append(clock.row("b"))
    assert ids(again) == ["a", "b"]


def test_a_day_that_is_over_is_sealed_with_its_manifest(opens: Opens, clock: Clock) -> None:
    log = opens()
    log.append(clock.row("a"))
    clock.time += timedelta(hours=2)
    log.append(clock.row("b"))
    clock.time += timedelta(days=1)
    log.append(clock.row("c"))
    sealed = log.folder / "2026-11-25-0001.jsonl"
    manifest = json.loads(sealed.with_suffix(".json").read_text("utf-8"))
    assert manifest == {
        "rows": 2,
        "first": "2026-11-25T08:00:00.000+00:00",
        "last": "2026-11-25T10:00:00.000+00:00",
        "blake2b": hash_file(sealed),
        "sealed": "2026-11-26T10:00:00+00:00",
    }
    assert ids(log) == ["a", "b", "c"]


def test_a_full_segment_is_sealed(opens: Opens, clock: Clock) -> None:
    log = opens(full=100)
    for number in range(9):
        log.append(clock.row(str(number)))
    segments = sorted(log.folder.glob("*-*.jsonl"))
    assert [file.name for file in segments] == [f"2026-11-25-{number:04d}.jsonl" for number in range(1, 5)]
    assert all(file.with_suffix(".json").exists() and file.stat().st_size < 300 for file in segments)
    assert ids(log) == list("012345678")


def test_what_was_killed_between_name_and_manifest_is_brought_to_its_end(opens: Opens, clock: Clock) -> None:
    log = opens()
    log.append(clock.row("a"))
    log.close()
    (log.folder / "open.jsonl").rename(log.folder / "2026-11-25-0001.jsonl")
    again = opens()
    assert json.loads((again.folder / "2026-11-25-0001.json").read_text("utf-8"))["rows"] == 1
    again.append(clock.row("b"))
    clock.time += timedelta(days=1)
    again.tidy()
    assert sorted(file.name for file in again.folder.glob("*-*.jsonl")) == [
        "2026-11-25-0001.jsonl",
        "2026-11-25-0002.jsonl",
    ]
    assert ids(again) == ["a", "b"]


def test_only_what_is_older_than_the_days_kept_is_removed(opens: Opens, clock: Clock) -> None:
    log = opens(keep_days=7)
    log.append(clock.row("old"))
    clock.time += timedelta(days=3)
    log.append(clock.row("newer"))
    clock.time += timedelta(days=4, hours=-1)
    log.tidy()
    assert ids(log) == ["old", "newer"]
    clock.time += timedelta(hours=2)
    log.tidy()
    assert ids(log) == ["newer"]
    assert not list(log.folder.glob("2026-11-25-*"))
    log.close()
    clock.time += timedelta(days=30)
    assert ids(opens(keep_days=7)) == []


def test_one_process_writes(opens: Opens) -> None:
    first = opens()
    with pytest.raises(
        WorkspaceError, match=r"^Another ragraft serves this run, and writes .*90-traffic; end that one"
    ):
        opens()
    first.close()
    opens().close()


def test_a_damaged_row_is_told_with_its_file(opens: Opens, clock: Clock) -> None:
    log = opens()
    log.append(clock.row("a"))
    (log.folder / "open.jsonl").write_bytes(b"no json\n")
    with pytest.raises(WorkspaceError, match=r"open\.jsonl is damaged"):
        ids(log)


def test_rows_are_read_back_from_any_place_whatever_was_sealed(opens: Opens, clock: Clock) -> None:
    log = opens(full=150)
    assert (count_traffic(log.folder), list(read_back(log.folder))) == (0, [])
    names = "abcdefghijk"
    for name in names:
        log.append(clock.row(name))
    assert len(list(log.folder.glob("*-*.jsonl"))) > 2
    assert count_traffic(log.folder) == len(names)
    numbered = [(number, row["id"]) for number, row in read_back(log.folder)]
    assert numbered == list(reversed(list(enumerate(names))))
    for before in range(len(names) + 2):
        assert [row["id"] for _, row in read_back(log.folder, before)] == list(reversed(names[:before]))
    clock.time += timedelta(days=1)
    log.append(clock.row("l"))  # what was open is sealed, and every number stays
    assert [row["id"] for _, row in read_back(log.folder, 3)] == ["c", "b", "a"]


def test_segments_that_are_not_read_into_are_not_opened(opens: Opens, clock: Clock) -> None:
    log = opens(full=150)
    for name in "abcdefghi":
        log.append(clock.row(name))
    first, *_, last = sorted(log.folder.glob("*-*.jsonl"))
    last.write_text("broken\n" * int(json.loads(last.with_suffix(".json").read_text("utf-8"))["rows"]), "utf-8")
    assert [row["id"] for _, row in read_back(log.folder, 1)] == ["a"]
    with pytest.raises(WorkspaceError, match="is damaged"):
        list(read_back(log.folder))
    assert first != last
