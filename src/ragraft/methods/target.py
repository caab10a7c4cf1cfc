"""What a model should answer: verbatim quotes with their numbers, then the answer; or the abstention.

Knows questions and passages; knows no model, no tokens and no seed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ragraft.methods.prompt import ANSWER
from ragraft.methods.sentences import sentence_spans
from ragraft.records import Passage, Question

# An extractive answer this long is its own quote.
OWN_QUOTE_WORDS = 12
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Quote:
    """An exact span of a passage."""

    passage: str
    text: str


def abstain(abstention: str) -> str:
    """The wanted text where the documents shown hold no answer."""
    return f"{ANSWER}{abstention}"


def write_target(question: Question, shown: Sequence[Passage], oracle: Sequence[str], quote_words: int) -> str:
    """The wanted text for a question whose oracle passages are among those shown: two lines."""
    numbers = {passage.id: number for number, passage in enumerate(shown, start=1)}
    quotes = find_quotes(question, [passage for passage in shown if passage.id in oracle], quote_words)
    if quotes:
        first = " ".join(f'"{quote.text}" [{numbers[quote.passage]}]' for quote in quotes)
    else:  # yes/no, API calls: nothing stands there word for word
        first = " ".join(f"[{number}]" for number in sorted(numbers[name] for name in oracle))
    return f"{first}\n{wanted_line(question)}"


def wanted_line(question: Question) -> str:
    """The line with the first answer that has any text."""
    answers = [" ".join(answer.split()) for answer in question.answers]
    return f"{ANSWER}{next(answer for answer in answers if answer)}"


def find_quotes(question: Question, passages: Sequence[Passage], quote_words: int) -> list[Quote]:
    """One quote a passage: a long answer itself, the evidence as quoted, else the shortest sentence with the answer."""
    quotes = []
    for passage in passages:
        span = _quote_span(question, passage.text, quote_words)
        if span:
            quotes.append(Quote(passage.id, passage.text[slice(*span)]))
    return quotes


def _quote_span(question: Question, text: str, quote_words: int) -> tuple[int, int] | None:
    answers = [span for answer in question.answers for span in _places(answer, text)]
    for span in answers:
        if len(_WORD.findall(text[slice(*span)])) >= OWN_QUOTE_WORDS:
            return span
    given = [span for quote in question.evidence for span in _places(quote, text)]
    holding = [span for span in given if any(span[0] <= a and b <= span[1] for a, b in answers)] or given
    if not holding and answers:
        spans = sentence_spans(text)
        holding = [span for span in spans if any(span[0] <= a and b <= span[1] for a, b in answers)] or answers[:1]
    if not holding:
        return None
    shortest = min(holding, key=lambda span: (span[1] - span[0], span[0]))
    inside = next(((a, b) for a, b in answers if shortest[0] <= a and b <= shortest[1]), None)
    return _shortened(text, shortest, inside, quote_words)


def _shortened(text: str, span: tuple[int, int], answer: tuple[int, int] | None, limit: int) -> tuple[int, int]:
    """At most `limit` words of the span, at word borders, around the answer (from its beginning without one)."""
    words = [(span[0] + m.start(), span[0] + m.end()) for m in _WORD.finditer(text[slice(*span)])]
    if len(words) <= limit:
        return span
    first = next((i for i, (_, end) in enumerate(words) if answer and end > answer[0]), 0)
    last = next((i for i, (_, end) in enumerate(words) if answer and end >= answer[1]), first)
    spare = max(0, limit - (last - first + 1))
    begin = max(0, min(first - spare // 2, len(words) - limit))
    end = min(len(words), max(begin + limit, last + 1))
    return words[begin][0], words[end - 1][1]


def _places(wanted: str, text: str) -> list[tuple[int, int]]:
    """The places of `wanted` in `text` as whole words, whatever the white space; in any case where none agrees."""
    parts = [re.escape(part) for part in wanted.split()]
    if not parts:
        return []
    pattern = r"\s+".join(parts)
    left = r"(?<!\w)" if wanted.strip()[0].isalnum() else ""
    right = r"(?!\w)" if wanted.strip()[-1].isalnum() else ""
    whole = left + pattern + right
    found = list(re.finditer(whole, text)) or list(re.finditer(whole, text, re.IGNORECASE))
    return [match.span() for match in found]
