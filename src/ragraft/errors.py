"""What can go wrong, as a tree. A RagraftError is one sentence: a fact, a place and a next step.

RagraftError
├── ConfigError       the YAML, a flag or a setting
├── InputError        the user's documents or questions
├── WorkspaceError    runs/ on disk: missing, locked, half-written by somebody else
├── SourceError       a model or package that cannot be fetched or opened
├── BackendError      a backend that is missing, lacks an ability, or failed
├── TrainingError     the training process stopped
└── RefusedError      a model that did not pass the gate
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class RagraftError(Exception):
    """Anything a user can cause; printed as one sentence. Bugs are not of this tree."""

    code: ClassVar[int] = 1
    """What the command line ends with."""


class ConfigError(RagraftError):
    """The configuration is wrong; carries every fault found, each with its path."""


class InputError(RagraftError):
    """A document, question or path of the user's cannot be used."""


class WorkspaceError(RagraftError):
    """Something expected under runs/ is missing, locked or of another kind."""


class SourceError(RagraftError):
    """A model source cannot be fetched, checked or opened."""


class BackendError(RagraftError):
    """A backend is unknown, not installed, or lacks an ability that a stage needs."""


class TrainingError(RagraftError):
    """The training process ended without a checkpoint."""


class RefusedError(RagraftError):
    """All went well, and the answer is no: the model has not shown what the gate asks for."""

    code: ClassVar[int] = 4


def or_meant(name: str, known: Iterable[str]) -> str:
    """How a sentence on an unknown name ends: with the known name that is nearly it, or else with all of them.

    >>> or_meant("traim", ["index", "train"])
    '; did you mean train?'
    """
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(names) or 'none'}"
