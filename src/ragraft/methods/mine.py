"""Propose questions from chunks by a language's patterns: no teacher, no model. Knows sentences; knows no index.

Answers and evidence are exact spans of their chunk. A question must stand by itself: what points outside of it is
turned down here; whether it finds its chunk is another's to judge (see `candidates`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ragraft.methods.abbreviations import abbreviations
from ragraft.methods.candidates import Candidate, make_candidate
from ragraft.methods.clauses import Grammar
from ragraft.methods.containment import content_words
from ragraft.methods.pattern_data import Pattern, Patterns
from ragraft.methods.prose import Sentence, is_closed, prose_sentences
from ragraft.methods.same_question import exact_terms
from ragraft.methods.sentences import sentence_spans, trimmed
from ragraft.records import Chunk

MADE_BY = "ragraft patterns"
LONGEST_QUESTION = 28
LONGEST_SUBJECT = 12
FEWEST_AIM = 3
"""Words of an answer such as `to sort lists`."""

_BLANKS = re.compile(r"\s+")
_EMPHASIS = re.compile(r"\*{1,2}([^*\s](?:[^*]*[^*\s])?)\*{1,2}|(?<!\w)_([^_\s](?:[^_]*[^_\s])?)_(?!\w)")
_LINK = re.compile(r"!?\[([^\]]+)\]\([^)]*\)")
_ASIDE = re.compile(r"\s*(?:\[[#\d][^\]]*\]_?|(?<=\s)\([^()]*\)|(?<=\s)\(\d[\d,\s–-]*\))")
BARE = re.compile(r"[\w'’/-]+(?:\.\w+)*")
# Marks that lost their other half.
UNCLOSED = re.compile(r"\*\*|(?<!\w)['‘](?!\w+\b[^'’]*['’](?!\w))|(?<![\w'’])['’](?=\w)(?![^'’]*\w['’](?!\w))")
# A sentence cut short at an initial.
_INITIAL = re.compile(r"\w \w+ [A-Z]$")
# "the method", "the length of the tuple", "the value n": which one, only the text before says.
_DEFINITE = re.compile(r"[Tt]he [a-z]+(?: (?:of|in|for|between) (?:the )?[a-z]+)?(?: [a-z])?")
# A list's letter, or emphasis that began outside.
_LOOSE = re.compile(r"[A-Z]\. |_(?!_)")
POINTERS = frozenset(
    {"above", "below", "following", "previous", "section", "figure", "fig", "table", "herein", "hereof"}
)


class Miner:
    """Proposes the questions of a chunk; its grammar is learned from the whole collection first."""

    def __init__(self, chunks: Sequence[Chunk], patterns: Patterns) -> None:
        self._patterns = patterns
        self.grammar = Grammar((chunk.text for chunk in chunks), patterns.verbs, patterns.words)

    def mine(self, chunk: Chunk) -> list[Candidate]:
        """The chunk's candidates: at most one a sentence, each abbreviation, each setting."""
        found = [*self._settings(chunk), *self._abbreviations(chunk)]
        for sentence in prose_sentences(chunk.text):
            candidate = next(self._ask(chunk, sentence), None)
            if candidate:
                found.append(candidate)
        return list({candidate.question: candidate for candidate in reversed(found)}.values())[::-1]

    def _settings(self, chunk: Chunk) -> Iterator[Candidate]:
        for pattern in self._patterns.blocks:
            for found in pattern.find.finditer(chunk.text):
                question = pattern.ask.format(**found.groupdict())
                yield self._made(
                    chunk, question, kind=pattern.name, answers=[found["answer"]], evidence=found["evidence"]
                )

    def _abbreviations(self, chunk: Chunk) -> Iterator[Candidate]:
        spans = sentence_spans(chunk.text)
        for short, (start, end) in abbreviations(chunk.text):
            evidence = next((chunk.text[a:b] for a, b in spans if a <= start and end <= b), None)
            if evidence:
                question = self._patterns.abbreviation.format(subject=short)
                long = chunk.text[start:end]
                made = self._made(chunk, question, kind="abbreviation", answers=[long], evidence=evidence)
                yield replace(made, titled="")  # who has met the short form needs no title

    def _ask(self, chunk: Chunk, sentence: Sentence) -> Iterator[Candidate]:
        """The sentence's candidates, the likeliest pattern first."""
        for pattern in self._patterns.sentences:
            found = pattern.find.match(sentence.text)
            if not found:
                continue
            values = self._values(found)
            answer = _answer_span(sentence, found)
            if values is None or answer is None:
                continue
            question = _tidied(pattern.ask.format(**values))
            answers = [chunk.text[slice(*answer)]]
            if pattern.also:
                answers.append(found[pattern.also])
            if self._fits(pattern, answers[0]) and self._stands(question, values, pattern.least):
                evidence = chunk.text[slice(*sentence.span)]
                yield self._made(
                    chunk, question, kind=pattern.name, answers=answers, evidence=evidence, bound=pattern.bound
                )

    def _values(self, found: re.Match[str]) -> dict[str, str] | None:
        """What the pattern's question may name; None where the clause cannot be turned or the subject points back."""
        values = {key: plain(value) for key, value in found.groupdict().items() if value and key != "answer"}
        if "clause" in values:
            clause = self.grammar.take_apart(values["clause"])
            if clause is None:
                return None
            values |= {"asked": clause.asked, "subject": clause.subject}
        elif "subject" in values:
            values["subject"] = self.grammar.lowered(values["subject"])
        if "verb" in values:
            values["do"], values["base"] = self.grammar.support(values["verb"])
        if "when" in values:
            values["when"] = values["when"].lower()
        return values

    def _fits(self, pattern: Pattern, answer: str) -> bool:
        """Whether the answer is whole and says something by itself."""
        words = self._patterns.words
        named = [word.lower() for word in BARE.findall(answer)]
        if not content_words(answer) or len(answer.split()) > pattern.most or not named:
            return False
        if named[0] in words.dangling or not POINTERS.isdisjoint(named) or UNCLOSED.search(answer):
            return False
        if named[-1] in words.not_first | words.determiners | words.stops:
            return False
        if (named[0] == "to" and len(named) < FEWEST_AIM) or _INITIAL.search(answer):
            return False
        if pattern.clause and not self.grammar.take_apart(answer):
            return False
        return not pattern.noun or (named[0] not in words.not_first and self.grammar.begins_thing(named[0]))

    def _stands(self, question: str, values: Mapping[str, str], least: int) -> bool:
        """Whether the question can be asked by somebody who has not seen the sentence."""
        words = self._patterns.words
        named = [word.lower() for word in BARE.findall(question)]
        if len(named) > LONGEST_QUESTION or not words.dangling.isdisjoint(named):
            return False
        told = len(content_words(question)) + bool(exact_terms(question))  # a name tells more than a word
        if told < least or not is_closed(question) or UNCLOSED.search(question):
            return False
        condition = self.grammar.take_apart(values["condition"]) if "condition" in values else None
        if "condition" in values and (condition is None or not self._is_subject(condition.subject, "")):
            return False
        return "subject" not in values or self._is_subject(values["subject"], values.get("verb", values.get("be", "")))

    def _is_subject(self, text: str, verb: str) -> bool:
        words = self._patterns.words
        phrase = BARE.findall(text)
        subject = [word.lower() for word in phrase]
        if not subject or len(subject) > LONGEST_SUBJECT or subject[-1] in words.not_first:
            return False
        if subject[0] in words.not_first | words.not_subject or not words.dangling_subject.isdisjoint(subject):
            return False
        if not self.grammar.is_noun_phrase(phrase) or (verb and not self.grammar.agrees(phrase, verb)):
            return False
        if _LOOSE.match(text):
            return False
        # A number at its end is mostly a reference's; an adverb before it belongs to another word.
        if (len(subject) > 1 and subject[-1].isdigit()) or subject[0].endswith("ly"):
            return False
        return not _DEFINITE.fullmatch(text)

    def _made(
        self, chunk: Chunk, question: str, *, kind: str, answers: Sequence[str], evidence: str, bound: bool = False
    ) -> Candidate:
        named = {word.lower() for word in BARE.findall(question)}
        return make_candidate(
            chunk,
            question,
            answers=answers,
            evidence=[evidence],
            kind=kind,
            made_by=MADE_BY,
            # What happened once happened in the work that tells it.
            bound=bound or not (self._patterns.words.bound | self._patterns.verbs.past).isdisjoint(named),
        )


def _answer_span(sentence: Sentence, found: re.Match[str]) -> tuple[int, int] | None:
    """The answer in the chunk, without the references and commas at its end."""
    start, end = found.span("answer")
    while start < end:
        aside = next((m for m in _ASIDE.finditer(sentence.text, start, end) if m.end() == end), None)
        if aside:
            end = aside.start()
        elif sentence.text[end - 1] in " ,;:-–":
            end -= 1
        else:
            break
    start, end = trimmed(sentence.text, start, end)
    answer = sentence.text[start:end]
    return sentence.place(start, end) if answer and is_closed(answer) else None


def plain(text: str) -> str:
    """Without emphasis, links, references and bracketed asides, and without the blanks and commas at both ends."""
    return unmarked(text).strip(" ,;")


def unmarked(text: str) -> str:
    """Without emphasis, links, references and bracketed asides."""
    text = _EMPHASIS.sub(lambda found: found[1] or found[2], _LINK.sub(r"\1", text))
    return _BLANKS.sub(" ", _ASIDE.sub("", text))


def _tidied(question: str) -> str:
    text = _BLANKS.sub(" ", question).replace(" ?", "?").replace(" ,", ",")
    return text[:1].upper() + text[1:]
