from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from ragraft.backends.launchers.here import HereLauncher
from ragraft.ports import Command, Outcome

posix = pytest.mark.skipif(os.name != "posix", reason="signals")
# The training program, with a job that only says who it is and lasts.
CHILD = """
import os, sys, threading
from ragraft.training import run
from ragraft.training.__main__ import main
def lasting(folder):
    print(os.getpid(), flush=True)
    threading.Event().wait(120)
run.run_job = lasting
sys.exit(main(["job"]))
"""
PARENT = """
import sys
from ragraft.backends.launchers.here import HereLauncher
from ragraft.ports import Command
HereLauncher().launch(Command((sys.executable, "-c", sys.argv[1])))
"""


def python(program: str, **environment: str) -> Command:
    return Command((sys.executable, "-c", program), environment)


def test_it_runs_to_the_end_with_the_commands_environment(capfd: pytest.CaptureFixture[str]) -> None:
    program = "import os; print(os.environ['COLOUR'], 'PATH' in os.environ, flush=True)"
    assert HereLauncher().launch(python(program, COLOUR="grey")) == Outcome(0)
    assert capfd.readouterr().out == "grey True\n"


def test_it_tells_how_a_command_ended() -> None:
    assert HereLauncher().launch(python("raise SystemExit(3)")) == Outcome(3, "exit code 3")


@posix
def test_it_tells_of_a_signal() -> None:
    killed = python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert HereLauncher().launch(killed) == Outcome(-9, "killed by signal 9")


@posix
def test_the_childs_input_stays_open_while_we_live() -> None:
    program = "import select, sys; sys.exit(bool(select.select([sys.stdin], [], [], 0)[0]))"
    assert HereLauncher().launch(python(program)).returncode == 0


@posix
def test_the_child_ends_when_its_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, CHILD], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        try:
            parent.send_signal(signal.SIGKILL)
            # Parent and child hold the other end of this pipe: it ends when both are gone.
            rest, _ = parent.communicate(timeout=30)
            assert rest == ""
            assert parent.returncode == -signal.SIGKILL
        except subprocess.TimeoutExpired:
            os.kill(child, signal.SIGKILL)
            pytest.fail("the child went on without its parent")
