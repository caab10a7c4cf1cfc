"""Tell API calls apart: which texts are one, and when two are the same. Knows texts only."""

from __future__ import annotations

import ast
import re
import warnings

_CALL = re.compile(r"[A-Za-z_][\w.]*\(.*[\"'].*\)\S*", re.DOTALL)
_BEGIN = re.compile(r"[A-Za-z_][\w.]*\(")
_PIECE = re.compile(r"\"[^\"]*\"|'[^']*'|\s+|[^\"'\s]+|[\"']", re.DOTALL)
_FAULTS = (SyntaxError, ValueError, RecursionError, MemoryError)


def is_call(text: str) -> bool:
    """Whether a text is an API call with a quoted name among its arguments.

    >>> is_call("hub.load('https://tfhub.dev/google/elmo/3')"), is_call("__enter__()"), is_call("gold (Au)")
    (True, False, False)
    """
    return _CALL.fullmatch(text.strip()) is not None


def same_call(prediction: str, gold: str) -> bool:
    """Whether a reply makes the very call that `gold` is: the first call in it, whatever stands around it.

    The function, the arguments and their values must agree; blanks, the kind of quotation mark, the order of keyword
    arguments and a full stop at the end don't matter.

    >>> same_call('`pipe("text", model="b", k=1)`.', "pipe('text', k = 1, model='b')")
    True
    """
    wanted = _canonical(gold.strip())
    # Calls that do not parse (a positional argument after a keyword) are compared letter by letter.
    if wanted is None:
        return _squeezed(prediction.strip(" \t\n`.")) == _squeezed(gold.strip(" \t\n`."))
    return _first_call(prediction) == wanted


def _first_call(text: str) -> str | None:
    """The first call in a text, the longest that parses where it begins."""
    for begin in _BEGIN.finditer(text):
        for end in reversed([place for place, sign in enumerate(text) if sign == ")" and place > begin.start()]):
            found = _canonical(text[begin.start() : end + 1])
            if found is not None:
                return found
    return None


def _canonical(text: str) -> str | None:
    """One spelling for a call however it is written; None where the text is no call that parses."""
    try:
        # A backslash in a file's path warns of an escape that Python does not know.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call = ast.parse(text.rstrip("."), mode="eval").body
            if not isinstance(call, ast.Call):
                return None
            call.keywords.sort(key=lambda keyword: keyword.arg or "")
            return ast.unparse(call)
    except _FAULTS:
        return None


def _squeezed(text: str) -> str:
    """Without blanks outside quoted strings, and with one kind of quotation mark."""
    pieces = (piece for piece in _PIECE.findall(text) if not piece.isspace())
    return "".join(pieces).replace('"', "'")
