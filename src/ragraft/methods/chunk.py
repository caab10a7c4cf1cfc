"""Cut a document into chunks at heading and sentence borders. Knows offsets and a token count; knows no tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ragraft.methods.outline import Kind, blocks
from ragraft.methods.sentences import sentence_spans, trimmed
from ragraft.records import Chunk, Document

Count = Callable[[str], int]
Span = tuple[int, int]

TITLE_JOINT = " › "


@dataclass(frozen=True, slots=True)
class _Ruler:
    """A text and how it is measured."""

    text: str
    count: Count
    size: int

    def tokens(self, start: int, end: int) -> int:
        return self.count(self.text[start:end])


@dataclass(frozen=True, slots=True)
class _Unit:
    """The smallest thing that is moved whole: a sentence, a heading, a code block, a table."""

    start: int
    end: int
    tokens: int
    heading: str
    """The nearest heading: its own name where it is one."""
    is_heading: bool
    leads: bool
    """Ends in a colon: says what comes below."""


def chunk_document(document: Document, *, count: Count, size: int) -> list[Chunk]:
    """Chunks of at most `size` tokens by `count`, in order, without overlap, with only whitespace between them.

    Units (sentences, headings, whole code blocks and tables) are merged greedily. A heading starts a new chunk once
    the part before it has a third of `size`; neither it nor a sentence that ends in a colon closes a chunk while what
    follows fits below it. What is longer than `size` by itself is cut at lines, then at spaces, and only a longer word
    inside.
    """
    text = document.text
    ruler = _Ruler(text, count, size)
    units = list(_units(ruler))
    chunks = []
    at = 0
    while at < len(units):
        past, tokens = _fill(ruler, units, at)
        start, end = units[at].start, units[past - 1].end
        chunks.append(
            Chunk(
                f"{document.id}#{start}",
                document.id,
                _title(document.title, units[at:past]),
                text[start:end],
                start,
                end,
                tokens,
            )
        )
        at = past
    return chunks


def _units(ruler: _Ruler) -> Iterator[_Unit]:
    text = ruler.text
    heading = ""
    for block in blocks(text):
        heading = block.name or heading
        spans = sentence_spans(text, block.start, block.end) if block.kind == "text" else [(block.start, block.end)]
        first = True
        for span in spans:
            for (start, end), tokens in _fitting(ruler, span, block.kind):
                yield _Unit(start, end, tokens, heading, block.kind == "heading" and first, text[end - 1] == ":")
                first = False


def _fitting(ruler: _Ruler, span: Span, kind: Kind) -> Iterator[tuple[Span, int]]:
    """The span with its tokens, or its parts where it is longer than `size`."""
    tokens = ruler.tokens(*span)
    parts = _parts(ruler.text, span, kind) if tokens > ruler.size else []
    if len(parts) <= 1:
        yield span, tokens
    for part in parts:
        yield from _fitting(ruler, part, kind)


def _parts(text: str, span: Span, kind: Kind) -> list[Span]:
    sentences = sentence_spans(text, *span) if kind == "literal" else []
    if len(sentences) > 1:
        # A literal that begins with its indentation keeps it: the first sentence starts where the block does.
        return [(span[0], sentences[0][1]), *sentences[1:]]
    lines = _line_spans(text, span)
    return lines if len(lines) > 1 else _halves(text, span)


def _line_spans(text: str, span: Span) -> list[Span]:
    spans = []
    start = span[0]
    for line in text[slice(*span)].splitlines(keepends=True):
        if line.strip():
            spans.append((start, start + len(line.rstrip())))
        start += len(line)
    return spans


def _halves(text: str, span: Span) -> list[Span]:
    """Cut at the space nearest the middle; a single word in the middle itself."""
    start, end = trimmed(text, *span)
    middle = (start + end) // 2
    right = next((place for place in range(middle, end) if text[place].isspace()), None)
    left = next((place for place in range(middle - 1, start, -1) if text[place].isspace()), None)
    spaces = [place for place in (left, right) if place is not None]
    cut = min(spaces, key=lambda place: abs(place - middle), default=middle)
    return [part for part in (trimmed(text, start, cut), trimmed(text, cut, end)) if part[0] < part[1]]


def _fill(ruler: _Ruler, units: Sequence[_Unit], at: int) -> tuple[int, int]:
    """The end of the longest chunk that may begin at unit `at`, and its tokens."""
    past = _reach(ruler, units, at)
    while True:
        past = _without_last_leads(units, at, past, ruler.size)
        if past == at + 1:
            return past, units[at].tokens
        # The sum of the parts is an estimate: tokens may also span the whitespace between them.
        tokens = ruler.tokens(units[at].start, units[past - 1].end)
        if tokens <= ruler.size:
            return past, tokens
        past -= 1


def _reach(ruler: _Ruler, units: Sequence[_Unit], at: int) -> int:
    total = units[at].tokens
    past = at + 1
    while past < len(units):
        unit, above = units[past], units[past - 1]
        total += unit.tokens + ("\n" in ruler.text[above.end : unit.start])
        if total > ruler.size:
            break
        if unit.is_heading and 3 * ruler.tokens(units[at].start, above.end) >= ruler.size:
            break
        past += 1
    return past


def _without_last_leads(units: Sequence[_Unit], at: int, past: int, size: int) -> int:
    """What leads to the text below goes on with it, unless there is none or nothing else is in the chunk."""
    last = past
    while last > at and last < len(units) and _goes_below(units[last - 1], units[last], size):
        last -= 1
    return last if last > at else past


def _goes_below(unit: _Unit, below: _Unit, size: int) -> bool:
    return unit.is_heading or (unit.leads and unit.tokens + below.tokens <= size)


def _title(title: str, units: Sequence[_Unit]) -> str:
    heading = units[0].heading
    for unit in units:
        if not unit.is_heading:
            break
        heading = unit.heading
    return TITLE_JOINT.join(part for part in (title, heading if heading != title else "") if part)
