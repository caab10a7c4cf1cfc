"""The words of a collection's field: long, met again and again in it, and no word of the model's own vocabulary.

AdaptLLM compares a vocabulary trained on the domain with the model's (2309.09530, appendix B); what the model's
tokenizer has to put together from pieces, and the collection uses often, is the same without training another one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache

LETTERS = 8
"""Of the shortest: most words of the field are long, and few of those that all fields share."""
SEEN = 3
"""Times that a word of the collection was met."""

_WORD = re.compile(r"\b\w(?:[\w-]*\w)?\b")


class DomainWords:
    """Tells the words of the field in a sentence."""

    def __init__(self, texts: Iterable[str], count: Callable[[str], int]) -> None:
        """`count` tells the tokens of a text, by the model's tokenizer."""
        self._seen = Counter(word.casefold() for text in texts for word in _long_words(text))
        # With the blank before it, so it stands in a text; small, for capitals make pieces of every word.
        self._pieces = cache(lambda word: count(f" {word}"))

    def of(self, sentence: str) -> list[str]:
        """The sentence's words of the field, each once, in their order and as it writes them."""
        found: dict[str, str] = {}
        for word in _long_words(sentence):
            if self._seen[word.casefold()] >= SEEN and self._pieces(word.casefold()) > 1:
                found.setdefault(word.casefold(), word)
        return list(found.values())


def _long_words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text) if sum(map(str.isalpha, word)) >= LETTERS]
