"""How a benchmark ends: with its own exit code, or with a fault's sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable

from ragraft.errors import RagraftError


def ended(work: Callable[[], int]) -> int:
    """The exit code of the work; 1, and one sentence, where it meets a fault."""
    try:
        return work()
    except RagraftError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
