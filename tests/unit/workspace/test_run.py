from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ragraft.errors import WorkspaceError
from ragraft.workspace import Folder, Manifest, Run
from ragraft.workspace.run import Place

INDEX = Place("20-index", versioned=True)
SCORES = Place("70-scores", versioned=False)
PLACES = pytest.mark.parametrize("place", [INDEX, SCORES], ids=["versioned", "plain"])
ONE, TWO = "1" * 32, "2" * 32


def finish(run: Run, place: Place, fingerprint: str, text: str = "") -> Folder:
    folder, _ = run.begin(place, fingerprint)
    folder.write_text("result.txt", text or fingerprint)
    folder.folder("inner").write_text("deep.txt", fingerprint)
    run.finish(place, folder, Manifest("stage", 1, fingerprint, {}, "now", 0.0, {}))
    return folder


def fingerprint(run: Run, place: Place) -> str | None:
    folder = run.current(place)
    manifest = folder.manifest() if folder else None
    return manifest.fingerprint if manifest else None


@PLACES
def test_nothing_counts_before_it_is_finished(tmp_path: Path, place: Place) -> None:
    run = Run(tmp_path, "acme")
    assert run.current(place) is None
    folder, resumed = run.begin(place, ONE)
    assert not resumed
    folder.write_text("result.txt", "half")
    assert run.current(place) is None
    assert run.take(place, ONE) is None
    assert Run(tmp_path, "sibling").take(place, ONE) is None
    finish(run, place, ONE)
    assert fingerprint(run, place) == ONE


@PLACES
def test_the_manifest_is_written_last(tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(tmp_path, "acme")
    folder, _ = run.begin(place, ONE)

    def killed(self: Folder, name: str, data: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Folder, "write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        run.finish(place, folder, Manifest("stage", 1, ONE, {}, "now", 0.0, {}))
    assert run.current(place) is None


def test_a_kill_between_manifest_and_pointer_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(tmp_path, "acme")
    finish(run, INDEX, ONE)
    with monkeypatch.context() as patch:
        patch.setattr(Run, "switch", lambda self, place, folder: None)
        finish(run, INDEX, TWO)
    assert fingerprint(run, INDEX) == ONE
    taken = run.take(INDEX, TWO)
    assert taken is not None
    assert taken[1] == "acme"
    assert fingerprint(run, INDEX) == TWO


def test_what_a_kill_left_of_the_pointer_goes(tmp_path: Path) -> None:
    run = Run(tmp_path, "acme")
    finish(run, INDEX, ONE)
    (run.path / INDEX.folder / ".current.0a1b2c3d.part").write_text("half", encoding="utf-8")
    assert run.take(INDEX, ONE) is not None
    assert sorted(one.name for one in (run.path / INDEX.folder).iterdir()) == ["current", "history.jsonl", "versions"]


@PLACES
def test_begin_goes_on_with_the_same_fingerprint_only(tmp_path: Path, place: Place) -> None:
    run = Run(tmp_path, "acme")
    folder, _ = run.begin(place, ONE)
    folder.write_text("shard.txt", "half")
    again, resumed = run.begin(place, ONE)
    assert (again, resumed) == (folder, True)
    assert again.has("shard.txt")
    other, resumed = run.begin(place, TWO)
    assert not resumed
    assert not other.has("shard.txt")
    assert other.read_json("started.json") == {"fingerprint": TWO}


def test_begin_clears_what_another_fingerprint_left_half_done(tmp_path: Path) -> None:
    run = Run(tmp_path, "acme")
    run.begin(SCORES, ONE)[0].write_text("shard.txt", "half")
    run.begin(SCORES, TWO)
    folder, resumed = run.begin(SCORES, ONE)
    assert not resumed
    assert not folder.has("shard.txt")
    assert not (run.path / "replaced").exists()


@PLACES
def test_begin_puts_finished_results_aside_even_its_own(tmp_path: Path, place: Place) -> None:
    run = Run(tmp_path, "acme")
    finish(run, place, ONE, "first")
    folder, resumed = run.begin(place, ONE)
    assert not resumed
    assert not folder.has("result.txt")
    assert run.current(place) is None
    taken = run.take(place, ONE)
    assert taken is not None
    assert taken[0].file("result.txt").read_text("utf-8") == "first"


def test_plain_results_are_replaced_and_taken_back(tmp_path: Path) -> None:
    run = Run(tmp_path, "acme")
    finish(run, SCORES, ONE)
    finish(run, SCORES, TWO)
    kept = run.path / "replaced"
    assert [place.name for place in kept.iterdir()] == [f"70-scores-{ONE[:12]}"]
    taken = run.take(SCORES, ONE)
    assert taken == (Folder(run.path / "70-scores"), "acme")
    assert taken[0].file("result.txt").read_text("utf-8") == ONE
    assert [place.name for place in kept.iterdir()] == [f"70-scores-{TWO[:12]}"]


def test_versions_stay_beside_each_other_and_can_be_pinned(tmp_path: Path) -> None:
    run = Run(tmp_path, "acme")
    finish(run, INDEX, ONE)
    finish(run, INDEX, TWO)
    assert fingerprint(run, INDEX) == TWO
    assert (run.path / "20-index" / "current").read_text("utf-8") == f"{TWO[:12]}\n"
    assert run.pinned(INDEX, ONE[:12]).file("result.txt").read_text("utf-8") == ONE
    assert run.take(INDEX, ONE) is not None
    assert fingerprint(run, INDEX) == ONE
    assert run.pinned(INDEX, TWO[:12]).manifest() is not None


@PLACES
def test_siblings_share_by_copy(tmp_path: Path, place: Place) -> None:
    mine, theirs = Run(tmp_path, "a"), Run(tmp_path, "b")
    made = finish(theirs, place, ONE)
    (tmp_path / "a file").write_text("runs/ may hold anything", encoding="utf-8")
    assert mine.take(place, TWO) is None
    taken = mine.take(place, ONE)
    assert taken is not None
    assert taken[1] == "b"
    assert fingerprint(mine, place) == ONE
    assert taken[0].folder("inner").file("deep.txt").read_text("utf-8") == ONE
    made.write_text("result.txt", "changed")
    assert taken[0].file("result.txt").read_text("utf-8") == ONE


@PLACES
def test_half_a_copy_of_a_sibling_is_nothing(tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, theirs = Run(tmp_path, "a"), Run(tmp_path, "b")
    finish(theirs, place, ONE)
    copy = shutil.copy2

    def killed(source: Any, target: Any, **options: Any) -> Any:
        if Path(source).name in ("manifest.json", "deep.txt"):
            raise KeyboardInterrupt
        return copy(source, target, **options)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copy2", killed)
        with pytest.raises(KeyboardInterrupt):
            mine.take(place, ONE)
    assert mine.current(place) is None
    # Going on there would mistake the files that came for the stage's own.
    folder, resumed = mine.begin(place, ONE)
    assert not resumed
    assert not folder.has("result.txt")
    assert mine.take(place, ONE) is not None
    assert fingerprint(mine, place) == ONE


def test_a_damaged_manifest_stops_its_own_run_only(tmp_path: Path) -> None:
    mine, theirs = Run(tmp_path, "a"), Run(tmp_path, "b")
    damaged = finish(theirs, SCORES, ONE)
    damaged.write_text("manifest.json", "{")
    assert mine.take(SCORES, ONE) is None
    with pytest.raises(WorkspaceError, match=r"is damaged .*; remove .*70-scores and run again"):
        theirs.take(SCORES, ONE)


def test_a_run_is_held_by_one_process(tmp_path: Path) -> None:
    with Run(tmp_path, "acme").locked():
        with pytest.raises(WorkspaceError) as caught, Run(tmp_path, "acme").locked():
            pass
        assert str(caught.value) == f"Another ragraft is at work in {tmp_path / 'acme'}; wait for it to end"
        with Run(tmp_path, "other").locked():
            pass
    with Run(tmp_path, "acme").locked():
        pass


def test_a_version_can_wait_to_become_current(tmp_path: Path) -> None:
    run = Run(tmp_path, "acme")
    finish(run, INDEX, ONE)
    folder, _ = run.begin(INDEX, TWO)
    run.finish(INDEX, folder, Manifest("stage", 1, TWO, {}, "now", 0.0, {}), current=False)
    assert fingerprint(run, INDEX) == ONE
    assert run.take(INDEX, TWO, current=False) == (folder, "acme")
    assert fingerprint(run, INDEX) == ONE
    run.switch(INDEX, folder, by="hand")
    assert fingerprint(run, INDEX) == TWO
    assert [(one.version, one.note) for one in run.history(INDEX)] == [(ONE[:12], {}), (TWO[:12], {"by": "hand"})]


def test_the_history_names_each_version_when_it_becomes_current(tmp_path: Path) -> None:
    run = Run(tmp_path, "acme")
    assert run.history(INDEX) == []
    before = datetime.now(UTC) - timedelta(seconds=1)
    for name in (ONE, TWO):
        finish(run, INDEX, name)
    run.take(INDEX, ONE)
    run.take(INDEX, ONE)  # it is current already
    stood = run.history(INDEX)
    assert [one.version for one in stood] == [ONE[:12], TWO[:12], ONE[:12]]
    assert before <= stood[0].since <= stood[1].since <= stood[2].since <= datetime.now(UTC)
    finish(run, SCORES, ONE)
    assert run.history(SCORES) == []


def test_a_kill_between_pointer_and_history_loses_no_version(tmp_path: Path) -> None:
    run = Run(tmp_path, "acme")
    for name in (ONE, TWO):
        finish(run, INDEX, name)
    file = run.path / "20-index" / "history.jsonl"
    rows = file.read_text("utf-8").splitlines(keepends=True)
    for left in (rows[0], rows[0] + rows[1][:9]):  # not written, and cut short
        file.write_text(left, encoding="utf-8")
        assert [one.version for one in run.history(INDEX)] == [ONE[:12], TWO[:12]]
    run.take(INDEX, ONE)
    assert [one.version for one in run.history(INDEX)] == [ONE[:12], ONE[:12]], "what was cut short is no row"


def test_a_history_that_was_never_written_begins_with_the_manifest(tmp_path: Path) -> None:
    run = Run(tmp_path, "acme")
    folder, _ = run.begin(INDEX, ONE)
    run.finish(INDEX, folder, Manifest("stage", 1, ONE, {}, "2026-03-01T10:00:00+00:00", 0.0, {}))
    (run.path / "20-index" / "history.jsonl").unlink()
    assert [(one.version, f"{one.since:%Y-%m-%d}") for one in run.history(INDEX)] == [(ONE[:12], "2026-03-01")]
    finish(run, INDEX, TWO)
    assert [one.version for one in run.history(INDEX)] == [ONE[:12], TWO[:12]]
