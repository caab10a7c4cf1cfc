"""Whether an answer keeps the form that an instruction asked for, decided by rule. Knows texts alone.

The rules are strict where the instruction is (nothing but JSON, exactly three words) and lenient where people are: a
full stop after a word, a code fence around JSON and blank lines between items break nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

_FENCE = re.compile(r"^```\w*\s*\n(.*?)\n?```$", re.DOTALL)
_ITEM = re.compile(r"^\s*(?:[-*•–]|\(?\d+[.):])\s*\S")
_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")

Given = tuple[str | int, ...]


def keeps_form(rule: str, given: Given, answer: str) -> bool:
    """Whether the answer keeps the rule; an empty one keeps none. Raises KeyError for an unknown rule."""
    check = RULES[rule]
    text = answer.strip()
    return bool(text) and check(text, given)


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _bare(text: str) -> str:
    """The text without the signs and marks around it."""
    return text.strip(" \t\r\n.,;:!?*_`\"'“”‘’")


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def _json_keys(text: str, given: Given) -> bool:
    fenced = _FENCE.match(text)
    try:
        found = json.loads(fenced[1] if fenced else text)
    except ValueError:
        return False
    return isinstance(found, dict) and set(found) == set(given)


def _items(text: str, given: Given) -> bool:
    """The number of lines that are items; a line of introduction may stand before them."""
    return sum(bool(_ITEM.match(line)) for line in text.splitlines()) == given[0]


def _cased(text: str, *, upper: bool) -> bool:
    letters = [sign for sign in text if sign.isalpha()]
    return bool(letters) and text == (text.upper() if upper else text.lower())


def _holds(text: str, wanted: str | int) -> bool:
    """Whether a word, or a sign, stands in the text, in any case."""
    plain = re.escape(str(wanted))
    return re.search(rf"\b{plain}\b" if str(wanted).isalnum() else plain, text, re.IGNORECASE) is not None


RULES: Mapping[str, Callable[[str, Given], bool]] = {
    "words": lambda text, given: len(_words(text)) == given[0],
    "at_most_words": lambda text, given: len(_words(text)) <= int(given[0]),
    "json_keys": _json_keys,
    "capitals": lambda text, given: _cased(text, upper=True),
    "small": lambda text, given: _cased(text, upper=False),
    "ends": lambda text, given: _bare(text).endswith(str(given[0])),
    "begins": lambda text, given: re.sub(r"[*_]", "", text).startswith(str(given[0])),
    "items": _items,
    "one_of": lambda text, given: _bare(text).lower() in given,
    "without": lambda text, given: not any(_holds(text, one) for one in given),
    "contains": lambda text, given: all(_holds(text, one) for one in given),
    "lines": lambda text, given: len(_lines(text)) == given[0],
    "number": lambda text, given: re.fullmatch(r"[+-]?\d[\d.,]*", text.rstrip(".")) is not None,
    "quoted": lambda text, given: re.fullmatch(r"[\"“][^\"“”]+[\"”]", text) is not None,
}
"""Each rule by its name: text and what it was given → kept or not."""
