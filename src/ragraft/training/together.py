"""`python -m ragraft.training.together TORCHRUN_ARGUMENTS`: torchrun that ends with a sentence and no traceback.

The processes leave their sentence in torchrun's error file, so that what all of them say is said once. Knows processes;
knows no training.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

ERROR_FILE = "TORCHELASTIC_ERROR_FILE"
"""Environment variable that torchrun gives each process."""


def tell(sentence: str) -> None:
    """Say why this process ends: to torchrun where it was started by it, else to the user."""
    place = os.environ.get(ERROR_FILE)
    if place:
        Path(place).write_text(json.dumps({"message": sentence, "timestamp": int(time.time())}), encoding="utf-8")
    else:
        print(f"ragraft: {sentence}", file=sys.stderr)


def main(arguments: list[str]) -> int:
    # What torchrun logs of a process that failed is told here in its own words.
    logging.disable(logging.ERROR)
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    try:
        run(parse_args(arguments))
    except ChildFailedError as error:
        told = sentence_of(*error.get_first_failure())
        if told:
            print(f"ragraft: {told}", file=sys.stderr)
        return 1
    except SignalException as stopped:
        return 128 + int(stopped.sigval)
    return 0


def sentence_of(rank: int, failure: Any) -> str:
    """Why a process ended: its own sentence, or the signal; empty where it has printed its traceback itself."""
    said = failure.error_file_data.get("message")
    if Path(failure.error_file).is_file() and isinstance(said, str):
        return said
    return f"Training process {rank} was killed ({failure.signal_name()})" if failure.exitcode < 0 else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
