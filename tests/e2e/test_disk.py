"""A disk that fills up, a folder that may not be written, two runs at once, Ctrl-C: a sentence, and a whole end."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ragraft import cli
from ragraft.disk import disk_faults_told
from ragraft.errors import WorkspaceError
from ragraft.pipeline import open_session
from ragraft.stages import index as stage
from ragraft.workspace import folder as written

if TYPE_CHECKING:
    from tests.conftest import Site

MakeSite = Callable[..., "Site"]
BOOKKEEPING = (".lock", "manifest.json", "started.json", "config.json", "history.jsonl")
FULL = "No space left on device; free some space there, and the same command goes on from here\n"


@pytest.fixture
def ragraft_(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[object, str]]:
    """The command line in this process: how it ends and what it says on standard error."""

    def call(*arguments: object) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["ragraft", *map(str, arguments)])
        capsys.readouterr()
        code: object = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        return code, capsys.readouterr().err

    return call


Ragraft = Callable[..., tuple[object, str]]


def digests(site: Site) -> dict[str, str]:
    files = (place for place in sorted(site.run.rglob("*")) if place.is_file() and place.name not in BOOKKEEPING)
    return {str(file.relative_to(site.run)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@contextmanager
def full_at(write: int) -> Iterator[list[int]]:
    """The disk is full when so many files were flushed to it."""
    seen: list[int] = []
    real = os.fsync

    def fsync(number: int) -> None:
        seen.append(number)
        if len(seen) > write:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(written.os, "fsync", fsync)  # type: ignore[attr-defined]
        yield seen


def test_a_run_goes_on_once_a_full_disk_has_room(make_site: MakeSite, ragraft_: Ragraft) -> None:
    whole = make_site("whole")
    with full_at(10**9) as writes:
        assert ragraft_("synthesize", whole.file) == (0, "")
    assert len(writes) > 20
    for place in range(0, len(writes), 3):
        site = make_site(f"full{place}")
        with full_at(place):
            code, said = ragraft_("synthesize", site.file)
        assert code == 1
        assert said.startswith(f"ragraft: Cannot use {site.run}: ")
        assert said.endswith(FULL)
        assert ragraft_("synthesize", site.file)[0] == 0
        assert digests(site) == digests(whole)


def test_a_folder_that_may_not_be_written_is_named(
    make_site: MakeSite, ragraft_: Ragraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site()

    def refuse(path: Path, **how: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    sentence = f"ragraft: Cannot use {site.run}: Read-only file system; change its permissions, and run again\n"
    assert ragraft_("ingest", site.file) == (1, sentence)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            RuntimeError("lance error: LanceError(IO): No space left on device (os error 28), writer.rs:258:9"),
            FULL[:-1],
        ),
        (OSError("[Errno 28] Error writing bytes to file. Detail: [errno 28] No space left on device"), FULL[:-1]),
        (PermissionError(errno.EACCES, "Permission denied", "runs/x"), "change its permissions, and run again"),
        (OSError(errno.EIO, "Input/output error"), "see whether the disk is sound, and run again"),
    ],
)
def test_what_libraries_say_of_the_disk_is_understood(tmp_path: Path, error: Exception, words: str) -> None:
    with pytest.raises(WorkspaceError, match=r"^Cannot use .+: .+; .+$") as caught, disk_faults_told(tmp_path, "!"):
        raise error
    assert str(caught.value).endswith(f"{words}!")


@pytest.mark.parametrize(
    "error", [FileNotFoundError(errno.ENOENT, "No such file", "x"), RuntimeError("shapes differ"), ValueError("28")]
)
def test_bugs_stay_bugs(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(type(error)) as caught, disk_faults_told(tmp_path):
        raise error
    assert caught.value is error


def test_numpys_half_written_array_is_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = OSError("12288 requested and 3040 written")
    with pytest.raises(OSError, match="requested"), disk_faults_told(tmp_path):
        raise short  # there is room: not the disk's fault
    monkeypatch.setattr("shutil.disk_usage", lambda place: type("Usage", (), {"free": 0})())
    with pytest.raises(WorkspaceError, match="No space left on device"), disk_faults_told(tmp_path / "not" / "there"):
        raise short


def test_two_at_once_are_told(make_site: MakeSite, ragraft_: Ragraft) -> None:
    site = make_site()
    with open_session(site.file).run.locked():
        said = ragraft_("ingest", site.file)
    assert said == (1, f"ragraft: Another ragraft is at work in {site.run}; wait for it to end\n")
    assert ragraft_("ingest", site.file) == (0, "")


def test_ctrl_c_is_told_and_the_run_goes_on(
    make_site: MakeSite, ragraft_: Ragraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, site = make_site("whole"), make_site("stopped")
    ragraft_("index", whole.file)

    def stop(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stage, "_embed_shard", stop)
        said = ragraft_("index", site.file)
    assert said == (130, "ragraft: stopped; the same command goes on from here\n")
    assert open_session(site.file).at().made.keys() == {"ingest"}
    assert ragraft_("index", site.file)[0] == 0
    assert digests(site) == digests(whole)
