"""Run a command on this machine, in the foreground. Knows processes; knows nothing of training."""

from __future__ import annotations

import os
import subprocess

from ragraft.ports import Command, Outcome


class HereLauncher:
    """A child process that ends when this one does, even by `kill -9`."""

    def launch(self, command: Command) -> Outcome:
        """Run it to its end, its output going to the user's terminal."""
        environment = {**os.environ, **command.environment, "RAGRAFT_FOLLOW_STDIN": "1"}
        with subprocess.Popen(command.arguments, stdin=subprocess.PIPE, env=environment) as child:
            try:
                # Our end of the pipe stays open while we live; the system closes it however we die.
                returncode = child.wait()
            except KeyboardInterrupt:
                child.wait()
                raise
        return Outcome(returncode, _describe(returncode))


def _describe(returncode: int) -> str:
    if returncode == 0:
        return ""
    return f"killed by signal {-returncode}" if returncode < 0 else f"exit code {returncode}"
