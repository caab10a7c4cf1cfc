from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from ragraft.workspace.holds import HELD, hold, unheld

HOLDER = """
import sys
from pathlib import Path
from ragraft.workspace.holds import hold
with hold(Path(sys.argv[1]), "one"):
    print("held", flush=True)
    sys.stdin.read()
"""


def free(place: Path, version: str = "one") -> bool:
    with unheld(place, version) as nobody:
        return nobody


def test_a_version_is_held_as_long_as_anybody_reads_it(tmp_path: Path) -> None:
    assert free(tmp_path)
    with hold(tmp_path, "one"):
        with hold(tmp_path, "one"):
            assert not free(tmp_path)
            assert free(tmp_path, "two")
        assert not free(tmp_path), "the other still reads it"
    assert free(tmp_path)
    assert [file.name for file in (tmp_path / HELD).iterdir()] == [".lock"]


def test_what_is_begun_on_one_thread_may_be_ended_on_another(tmp_path: Path) -> None:
    held = ExitStack()
    held.enter_context(hold(tmp_path, "one"))
    ending = threading.Thread(target=held.close)
    ending.start()
    ending.join()
    assert free(tmp_path)


def test_another_process_holds_it_until_it_is_killed(tmp_path: Path) -> None:
    reader = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "held\n"
    assert not free(tmp_path)
    reader.kill()
    reader.communicate()
    assert list((tmp_path / HELD).glob("one.*")), "a kill clears nothing away"
    assert free(tmp_path)
    assert list((tmp_path / HELD).glob("one.*")) == []


def test_nobody_begins_while_somebody_removes(tmp_path: Path) -> None:
    begun = threading.Event()

    def read() -> None:
        with hold(tmp_path, "one"):
            begun.set()

    reader = threading.Thread(target=read)
    with unheld(tmp_path, "one") as nobody:
        assert nobody
        reader.start()
        assert not begun.wait(0.1)
    assert begun.wait(10)
    reader.join()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to the administrator")
def test_what_cannot_be_written_can_be_read(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with hold(tmp_path, "one"):
            pass
    finally:
        tmp_path.chmod(stat.S_IRWXU)
    assert list(tmp_path.iterdir()) == []
