"""`kill -9` while a registry is written: what was acknowledged is there, and the next writer goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ragraft.workspace import Registry
from ragraft.workspace.registry import replay

WRITES = """
import sys
from pathlib import Path
from ragraft.workspace import Registry

registry = Registry(Path(sys.argv[1]))
number = len(registry.log())
while True:
    with registry.writing() as writer:
        back = number % 3 == 2
        writer.add({"event": "rolled back" if back else "promoted", "model": f"m{number}", "reason": "x" * 500})
    print(number, flush=True)
    number += 1
"""


@pytest.mark.parametrize("acknowledged", [1, 7, 40])
def test_what_was_acknowledged_survives(tmp_path: Path, acknowledged: int) -> None:
    registry = Registry(tmp_path / "registry")
    for _ in range(2):  # killed, gone on with, and killed again
        with subprocess.Popen(
            [sys.executable, "-c", WRITES, str(registry.path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            numbers = [int(process.stdout.readline()) for _ in range(acknowledged)]
            process.send_signal(signal.SIGKILL)
        log = registry.log()
        assert [row["model"] for row in log] == [f"m{number}" for number in range(len(log))]
        assert len(log) > numbers[-1]
        assert registry.state() in [replay(log[:rows]) for rows in (len(log) - 1, len(log))]
        with registry.writing() as writer:
            assert writer.state == replay(registry.log())
        assert registry.state() == replay(registry.log())
