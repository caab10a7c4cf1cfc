"""What a full, read-only or forbidden disk raises, in whatever library, as one sentence. Knows no folder's meaning."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ragraft.errors import WorkspaceError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)
_BROKEN = (errno.EIO,)
# Rust and C++ libraries wrap the system's words into exceptions of their own.
_WORDS = {os.strerror(code): code for code in (*_FULL, *_FORBIDDEN, *_BROKEN)}
_LITTLE = 1 << 20


@contextmanager
def disk_faults_told(place: Path, otherwise: str = "") -> Iterator[None]:
    """Raise WorkspaceError for what the disk did to a block that writes under `place`; bugs pass as they are.

    `otherwise` is a second way out, such as another place to write.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        code = _code(error, place)
        if code is None:
            raise
        where = getattr(error, "filename", None) or place
        raise WorkspaceError(f"Cannot use {where}: {os.strerror(code)}; {_way_out(code)}{otherwise}") from error


def _code(error: OSError | RuntimeError, place: Path) -> int | None:
    """The system's number for it; None where the disk had no part in it."""
    known = (*_FULL, *_FORBIDDEN, *_BROKEN)
    number = getattr(error, "errno", None)
    if number is not None:
        return number if number in known else None
    said = next((code for words, code in _WORDS.items() if words in str(error)), None)
    # numpy says only how many items of how many it could write.
    full = isinstance(error, OSError) and shutil.disk_usage(_existing(place)).free < _LITTLE
    return said or (errno.ENOSPC if full else None)


def _existing(place: Path) -> Path:
    return next(folder for folder in (place, *place.resolve().parents) if folder.exists())


def _way_out(code: int) -> str:
    if code in _FULL:
        return "free some space there, and the same command goes on from here"
    if code in _FORBIDDEN:
        return "change its permissions, and run again"
    return "see whether the disk is sound, and run again"
