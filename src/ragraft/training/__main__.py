"""`python -m ragraft.training JOB_FOLDER`: carry out a training job, or go on with it."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from ragraft.errors import RagraftError


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m ragraft.training JOB_FOLDER", file=sys.stderr)
        return 2
    if os.environ.get("RAGRAFT_FOLLOW_STDIN"):
        threading.Thread(target=_end_with_parent, daemon=True).start()
    from ragraft.training.run import run_job
    from ragraft.training.together import tell

    try:
        run_job(Path(arguments[0]))
    except RagraftError as error:
        tell(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _end_with_parent() -> None:
    """Stop when the launching process is gone, however it went: its end of our standard input closes then."""
    # Read without Python's buffer, whose lock could block the interpreter's own shutdown.
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
