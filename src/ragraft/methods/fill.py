"""Ask what fills up lessons: for a clause's subject, and for a gap in a sentence. Knows sentences; knows no index.

A sentence that no pattern of `mine` fits can still be asked for what it is about, or with one exact span left out. Such
questions read less like a person's, so they are for lessons and no exam.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from ragraft.methods.candidates import Candidate, make_candidate
from ragraft.methods.clauses import Grammar
from ragraft.methods.containment import content_words, is_telling, words
from ragraft.methods.mine import BARE, MADE_BY, POINTERS, UNCLOSED, plain, unmarked
from ragraft.methods.pattern_data import Patterns
from ragraft.methods.prose import Sentence, is_closed, prose_sentences
from ragraft.records import Chunk

GAP, SUBJECT = "cloze", "subject"
FEWEST, MOST = 8, 30
"""Words of the sentence."""
_ASIDES = re.compile(r"[;:?!]")
_SINGULAR = frozenset({"is", "was", "has", "does", "did", "can", "could", "may", "will", "must", "should", "would"})


class Filler:
    """Asks the sentences of a chunk that nothing else asks; its grammar is that of the whole collection."""

    def __init__(self, grammar: Grammar, patterns: Patterns) -> None:
        self._grammar, self._patterns = grammar, patterns

    def fill(self, chunk: Chunk, asked: Collection[str]) -> list[Candidate]:
        """The chunk's candidates, at most one a sentence, none of the sentences `asked`."""
        found = (
            next(self._ask(chunk, sentence), None)
            for sentence in prose_sentences(chunk.text)
            if chunk.text[slice(*sentence.span)] not in asked and self._stands(sentence.text)
        )
        return [candidate for candidate in found if candidate]

    def _stands(self, text: str) -> bool:
        """Whether the sentence can be read by somebody who has not seen the one before."""
        words, named = self._patterns.words, [word.lower() for word in BARE.findall(text)]
        if not FEWEST <= len(named) <= MOST or not words.dangling.isdisjoint(named):
            return False
        points = not POINTERS.isdisjoint(named) or named[0] in words.dangling_subject
        return not points and is_closed(text) and not UNCLOSED.search(text)

    def _ask(self, chunk: Chunk, sentence: Sentence) -> Iterator[Candidate]:
        for kind, question, (start, end) in (*self._subject(sentence.text), *self._gaps(sentence.text)):
            named = {word.lower() for word in BARE.findall(question)}
            bound = self._patterns.words.bound | self._patterns.verbs.past
            yield make_candidate(
                chunk,
                question,
                answers=[chunk.text[slice(*sentence.place(start, end))]],
                evidence=[chunk.text[slice(*sentence.span)]],
                kind=kind,
                made_by=MADE_BY,
                bound=kind == SUBJECT and not bound.isdisjoint(named),  # a whole sentence tells enough
            )

    def _subject(self, text: str) -> Iterator[tuple[str, str, tuple[int, int]]]:
        """`The tower of Arlen is made of granite`: what is made of granite? One subject, and a verb that is sure."""
        subjects, found = self._patterns.subjects, self._grammar.subject_and_rest(text)
        if found is None:
            return
        subject, rest = found
        verb, phrase = rest.partition(" ")[0], BARE.findall(subject)
        single = verb in _SINGULAR or (verb.endswith("s") and self._grammar.base(verb) is not None)
        told = plain(rest)
        if (
            single
            and not _ASIDES.search(text)
            and told.split()[1:2] not in (["that"], ["to"])
            and self._is_subject(phrase)
            and len(subject.split()) <= subjects.most
            and len(content_words(told)) >= subjects.least
            and is_telling(subject)
            and is_closed(subject)
            and plain(subject) not in told  # else the question would hold its answer
        ):
            capital = (
                phrase[0].lower() not in self._patterns.words.determiners and self._grammar.lowered(subject) == subject
            )
            is_name = capital and all(word[:1].isupper() for word in phrase)
            question = (subjects.ask_name if is_name else subjects.ask).format(rest=told)
            yield SUBJECT, question, (0, len(subject))

    def _is_subject(self, phrase: list[str]) -> bool:
        words, first = self._patterns.words, phrase[0].lower() if phrase else ""
        blocked = words.not_first | words.not_subject | words.dangling_subject
        return bool(first) and first not in blocked and first[-2:] != "ly" and self._grammar.is_noun_phrase(phrase)

    def _gaps(self, text: str) -> Iterator[tuple[str, str, tuple[int, int]]]:
        """Telling spans whose words stand nowhere else in the sentence, the likeliest first."""
        gaps = self._patterns.gaps
        for pattern in gaps.spans:
            for found in reversed(list(pattern.finditer(text))):
                before, after = text[: found.start()], text[found.end() :]
                if (
                    len(content_words(before)) >= gaps.before
                    and len(found[0].split()) <= gaps.most
                    and is_telling(found[0])
                    and set(content_words(found[0])).isdisjoint(words(f"{before} {after}"))
                    and is_closed(found[0])
                    and _is_whole(before, found[0], after)
                ):
                    yield GAP, gaps.ask.format(before=unmarked(before), after=unmarked(after)), found.span()


def _is_whole(before: str, span: str, after: str) -> bool:
    """Whether a span is no part of a longer name or of a bracket, and ends where a word ends."""
    last, following = before.split()[-1], after.split()[0] if after.split() else ""
    cut_name = span[0].isupper() and (last[:1].isupper() or following[:1].isupper()) and len(before.split()) > 1
    return not cut_name and before[-1:] not in "([/" and (not after or after[0] in " ,;`”")
