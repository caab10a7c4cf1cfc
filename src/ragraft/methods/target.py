"""What a model should answer: the answer, then verbatim quotes with their numbers; or the abstention.

The answer comes first because a small model finds it better so (ARCHITECTURE.md, "Decisions worth knowing").

Knows questions and passages; knows no model, no tokens and no seed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ragraft.methods.answer import bare_answer, parse
from ragraft.methods.grade import measure_of
from ragraft.methods.prompt import ANSWER, FROM_MEMORY
from ragraft.methods.sentences import sentence_spans
from ragraft.records import Passage, Question

# An extractive answer this long is its own quote.
OWN_QUOTE_WORDS = 12
# A sentence of a long answer that is shorter than this may stand anywhere.
PIECE_WORDS = 6
ROW = "|"
_LINE = re.compile(r"\S[^\n]*\S|\S")
_WORD = re.compile(r"\S+")
# `7.5` is one word, and the one that tells a row of a table from the next.
_PART = re.compile(r"\d+(?:\.\d+)*|[^\W_]{2,}")


@dataclass(frozen=True, slots=True)
class Quote:
    """An exact span of a passage."""

    passage: str
    text: str


def abstain(abstention: str) -> str:
    """The wanted text where the documents shown hold no answer."""
    return f"{ANSWER}{abstention}"


def answer_from_memory(question: Question) -> str:
    """The wanted text where the documents shown hold no answer and the model is to give its own."""
    return FROM_MEMORY + wanted_line(question).removeprefix(ANSWER)


def write_target(question: Question, shown: Sequence[Passage], oracle: Sequence[str], quote_words: int) -> str:
    """The wanted text for a question whose oracle passages are among those shown: two lines.

    Every oracle passage is cited: those with nothing to quote (yes/no, an API call, the first of two documents that
    lead to an answer) by their numbers alone.
    """
    numbers = {passage.id: number for number, passage in enumerate(shown, start=1)}
    holding = [passage for passage in shown if passage.id in oracle]
    quotes = tuple((quote.text, numbers[quote.passage]) for quote in find_quotes(question, holding, quote_words))
    cited = sorted(numbers[name] for name in oracle)
    line = wanted_line(question, [passage.text for passage in holding])
    target = f"{line}\n{_evidence_line(quotes, cited)}"
    # A sentence with quotation marks and numbers of its own, which nobody could tell from the form's, is not quoted.
    return target if parse(target, "").quotes == quotes else f"{line}\n{_evidence_line((), cited)}"


def _evidence_line(quotes: Sequence[tuple[str, int]], cited: Sequence[int]) -> str:
    quoted = {number for _, number in quotes}
    parts = [f'"{text}" [{number}]' for text, number in quotes]
    return " ".join([*parts, *(f"[{number}]" for number in cited if number not in quoted)])


def reads_back(target: str, shown: Sequence[Passage], oracle: Sequence[str]) -> bool:
    """Whether a model that answers just so would be understood: its answer, that it is one, and what it cites."""
    parsed = parse(target, "")
    cited = {shown[number - 1].id for number in parsed.citations if 1 <= number <= len(shown)}
    said = target.partition("\n")[0].removeprefix(FROM_MEMORY if parsed.from_memory else ANSWER)
    # An answer may have quotation marks of its own, such as a title's.
    held = all(
        shown[number - 1].id in oracle and text in shown[number - 1].text
        if number and number <= len(shown)
        else number is None and text in said
        for text, number in parsed.quotes
    )
    return held and parsed.answer == bare_answer(said) and not parsed.abstained and cited == set(oracle)


def wanted_line(question: Question, texts: Sequence[str] = ()) -> str:
    """The line with the first answer that stands in one of `texts`, else with the first that has any text.

    Of several ways to write a date that of the document is wanted.
    """
    answers = [answer for answer in question.answers if answer.strip()]
    standing = (answer for answer in answers if any(places(answer, text) for text in texts))
    return f"{ANSWER}{' '.join(next(standing, answers[0]).split())}"


def find_quotes(question: Question, passages: Sequence[Passage], quote_words: int) -> list[Quote]:
    """One quote a passage: a long answer itself, the evidence as quoted, else the sentence with the answer.

    Of several such sentences the one that shares most words with the question, of equals the shortest; without any,
    what the long answer or a sentence of an answer points to.
    None for an API call: it stands in the answer already.
    """
    quotes: list[Quote] = []
    if measure_of(question) == "call":
        return quotes
    for passage in passages:
        span = _quote_span(question, passage.text, quote_words)
        if span:
            quotes.append(Quote(passage.id, passage.text[slice(*span)]))
    return quotes


def _quote_span(question: Question, text: str, quote_words: int) -> tuple[int, int] | None:
    # "no" stands in many a sentence that says nothing of the question.
    labelled = measure_of(question) == "label"
    answers = [] if labelled else [span for answer in question.answers for span in places(answer, text)]
    for span in answers:
        if _length(text, span) >= OWN_QUOTE_WORDS:
            return span
    given = [span for quote in question.evidence for span in places(quote, text)]
    holding = [span for span in given if any(span[0] <= a and b <= span[1] for a, b in answers)] or given
    if not holding and answers:
        sentences = sentence_units(text)
        holding = [span for span in sentences if any(span[0] <= a and b <= span[1] for a, b in answers)] or answers
    marked = _said_at_length(question, text)
    holding = [span for span in holding if any(span[0] < b and a < span[1] for a, b in marked)] or holding or marked
    if not holding:
        return None
    asked = word_set(question.question)

    def fitness(span: tuple[int, int]) -> tuple[int, int, int]:
        # Of the sentences with "30s" the one on what was asked; the shortest of equals.
        return len(asked & word_set(text[slice(*span)])), span[0] - span[1], -span[0]

    best = max(holding, key=fitness)
    inside = next(((a, b) for a, b in answers if best[0] <= a and b <= best[1]), None)
    return shortened(text, best, inside, quote_words)


def _said_at_length(question: Question, text: str) -> list[tuple[int, int]]:
    """Where the long answer or a sentence of an answer stands, but for one that is most of the text.

    A clause that an annotator marked is the evidence of its date or its yes; an ellipsis joins marked pieces.
    """
    pieces = (question.long_answer or "").split("…")
    sentences = [answer[slice(*span)] for answer in question.answers for span in sentence_spans(answer)]
    pieces += [sentence for sentence in sentences if _length(sentence, (0, len(sentence))) >= PIECE_WORDS]
    found = [span for piece in pieces for span in places(piece, text) if 2 * (span[1] - span[0]) < len(text)]
    long = [span for span in found if _length(text, span) >= PIECE_WORDS]
    around = [unit for unit in sentence_units(text) if any(unit[0] <= a and b <= unit[1] for a, b in found)]
    return long or around or found


def sentence_units(text: str) -> list[tuple[int, int]]:
    """What can be quoted: sentences, and the rows of a table one by one."""
    units = []
    for start, end in sentence_spans(text):
        lines = [(start + line.start(), start + line.end()) for line in _LINE.finditer(text[start:end])]
        rows = [span for span in lines if text[span[0]] == ROW]
        units += lines if len(rows) == len(lines) else [(start, end), *rows]
    return units


def word_set(text: str) -> set[str]:
    """The words and numbers of a text, in small letters."""
    return {word.lower() for word in _PART.findall(text)}


def _length(text: str, span: tuple[int, int]) -> int:
    return len(_WORD.findall(text[slice(*span)]))


def shortened(text: str, span: tuple[int, int], answer: tuple[int, int] | None, limit: int) -> tuple[int, int]:
    """At most `limit` words of the span, at word borders, around the answer (from its beginning without one)."""
    words = [(span[0] + m.start(), span[0] + m.end()) for m in _WORD.finditer(text[slice(*span)])]
    # Half a row of a table says nothing: the name of what is counted stands first.
    if len(words) <= limit or text[span[0]] == ROW:
        return span
    first = next((i for i, (_, end) in enumerate(words) if answer and end > answer[0]), 0)
    last = next((i for i, (_, end) in enumerate(words) if answer and end >= answer[1]), first)
    spare = max(0, limit - (last - first + 1))
    begin = max(0, min(first - spare // 2, len(words) - limit))
    end = min(len(words), max(begin + limit, last + 1))
    return words[begin][0], words[end - 1][1]


def places(wanted: str, text: str) -> list[tuple[int, int]]:
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
