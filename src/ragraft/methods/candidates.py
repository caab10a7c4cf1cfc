"""Question candidates and the gates that they must pass. Knows chunks, wording and a retriever; proposes nothing."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ragraft.methods.containment import Containment, content_words, words
from ragraft.methods.lots import lot
from ragraft.methods.same_question import Wording, same_groups
from ragraft.ports import Retriever
from ragraft.records import Chunk, Question, question_to_row

TITLE_JOINT = " › "
LONGEST_TITLE = 40
"""Words of a title that may stand in a question."""
_SOURCE = r"(?:document|text|passage|context|excerpt|article|paragraph|author|source|snippet|extract)s?"
_BEFORE = r"(?:according to|based on|as \w+ (?:in|by)|in|from|by|of|does|do|did|is|are)"
_THE = r"(?:the|this|these|your|our)(?: (?:given|provided|above|following|same))*"
_AFTER = r"(?=\W*$|[,;:]| (?:say|state|mention|describe|tell|define|list|provided|given|above|below)\w*\b)"
_ACCORDING = re.compile(rf"\b{_BEFORE} {_THE} {_SOURCE}{_AFTER}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A proposed question with its chunk."""

    id: str
    question: str
    titled: str
    """The same question with its document's title in it; empty where the document has none to give."""
    bound: bool
    """It makes sense only with the title."""
    answers: tuple[str, ...]
    evidence: tuple[str, ...]
    chunk: str
    document: str
    kind: str
    made_by: str

    def row(self) -> Question:
        """As a row of a questions file; nobody has looked at it yet."""
        return Question(
            id=self.id,
            question=self.question,
            answers=self.answers,
            evidence_ids=(self.document,),
            evidence=self.evidence,
            metadata={"made_by": self.made_by, "reviewed": False, "kind": self.kind, "chunk": self.chunk},
        )


@dataclass(frozen=True, slots=True)
class Turned:
    """A candidate that did not pass, and why."""

    candidate: Candidate
    reason: str
    detail: str = ""


Verdict = Candidate | Turned


def rejected_row(turned: Turned) -> dict[str, Any]:
    """As the file of rejected candidates keeps it."""
    row = question_to_row(turned.candidate.row())
    return {"id": row["id"], "reason": turned.reason, "detail": turned.detail, "candidate": row}


def make_candidate(
    chunk: Chunk,
    question: str,
    *,
    answers: Sequence[str],
    evidence: Sequence[str],
    kind: str,
    made_by: str,
    bound: bool = False,
) -> Candidate:
    """A candidate whose id is the same whenever the same question is proposed of the same chunk."""
    digest = hashlib.blake2b(f"{made_by}\n{chunk.id}\n{question}".encode(), digest_size=6).hexdigest()
    return Candidate(
        id=f"made-{digest}",
        question=question,
        titled=_titled(question, chunk.title.partition(TITLE_JOINT)[0]),
        bound=bound,
        answers=tuple(dict.fromkeys(answers)),
        evidence=tuple(evidence),
        chunk=chunk.id,
        document=chunk.document_id,
        kind=kind,
        made_by=made_by,
    )


def spread(candidates: Iterable[Candidate], *, seed: int) -> list[Candidate]:
    """All candidates in an order whose every beginning is varied: kind after kind, chunks not yet asked about first."""
    rest: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in sorted(candidates, key=lambda one: lot(f"{seed}:{one.id}")):
        rest[candidate.kind].append(candidate)
    ranked = {}
    for kind, part in rest.items():
        asked: dict[str, int] = defaultdict(int)
        places = {}
        for candidate in part:
            places[candidate.id] = asked[candidate.chunk]
            asked[candidate.chunk] += 1
        ranked[kind] = sorted(part, key=lambda one: places[one.id])
    longest = max(map(len, ranked.values()), default=0)
    kinds = sorted(ranked)
    return [ranked[kind][row] for row in range(longest) for kind in kinds if row < len(ranked[kind])]


class Known(Protocol):
    """What must not be asked."""

    def faults(self, candidates: Sequence[Candidate]) -> dict[str, tuple[str, str]]:
        """Candidate id → reason and detail of those that ask it."""
        ...


class Gates:
    """What a candidate must pass to be proposed; each that does not is kept with the reason.

    `texts` are those of all chunks, in the order of `chunks`; `existing` are the questions that are asked already,
    `held_out` those that lessons must not know.
    """

    def __init__(
        self,
        chunks: Mapping[str, Chunk],
        texts: Iterable[str],
        existing: Iterable[Wording],
        *,
        retriever: Retriever,
        k: int,
        held_out: Known | None = None,
    ) -> None:
        self._chunks, self._ids = chunks, list(chunks)
        self._containment = Containment(texts)
        self._asked = list(existing)
        self._retriever, self._k, self._held_out = retriever, k, held_out

    def judge(self, candidates: Sequence[Candidate]) -> list[Verdict]:
        """A verdict a candidate, in order; those that pass count as asked from then on."""
        verdicts = {one.id: self._alone(one) for one in candidates}
        verdicts |= self._secret(_passed(verdicts))
        verdicts |= self._retrieved(_passed(verdicts))
        verdicts |= self._unasked(_passed(verdicts))
        return [verdicts[one.id] for one in candidates]

    def oracle(self, candidate: Candidate) -> tuple[str, ...]:
        """The chunks that hold the candidate's evidence: its own and copies of it."""
        held = [set(self._containment.holding(quote)) for quote in candidate.evidence]
        rows = sorted(set.intersection(*held)) if held else []
        names = [self._ids[row] for row in rows]
        return tuple(name for name in names if self._shows(candidate, name, self._chunks[name].text))

    def _secret(self, candidates: Sequence[Candidate]) -> dict[str, Verdict]:
        faults = self._held_out.faults(candidates) if self._held_out else {}
        return {one.id: Turned(one, *faults[one.id]) for one in candidates if one.id in faults}

    def _alone(self, candidate: Candidate) -> Verdict:
        """The gates that need nothing but the candidate and the chunks."""
        return next((Turned(candidate, *fault) for fault in self._faults(candidate)), candidate)

    def _faults(self, candidate: Candidate) -> Iterator[tuple[str, str]]:
        text, answer = self._chunks[candidate.chunk].text, candidate.answers[0]
        if answer not in text:
            yield "the answer does not stand in the chunk", answer
        if not all(quote in text for quote in candidate.evidence):
            yield "the evidence does not stand in the chunk", candidate.evidence[0]
        source = _ACCORDING.search(candidate.question)
        if source:
            yield "the question speaks of its source", source[0]
        if holds_answer(candidate.question, answer):
            yield "the question contains its answer", answer
        known = " ".join(words(f"{self._chunks[candidate.chunk].title} {text}"))
        # Inside of a word too: a question on IVIG is one on IVIGs.
        if not any(word in known for word in content_words(candidate.question)):
            yield "the question shares no word with its chunk", candidate.question
        if not self._containment.counts(answer):
            yield "the answer is not distinctive", self._commonness(answer)
        if candidate.bound and not candidate.titled:
            yield "the question needs its document's title", "there is none, or it is too long"

    def _commonness(self, answer: str) -> str:
        return f"{answer!r} stands in {len(self._containment.holding(answer))} of {len(self._chunks)} chunks"

    def _retrieved(self, candidates: Sequence[Candidate]) -> dict[str, Verdict]:
        """Each candidate with the question that finds its chunk: as it is, or else with its document's title."""
        plain = [one for one in candidates if not one.bound]
        found = self._find(plain)
        again = [one for one in candidates if one.bound or (one.id not in found and one.titled)]
        titled = self._find([replace(one, question=one.titled, titled="") for one in again])
        missed = "the question does not find its chunk"
        detail = f"not among the first {self._k} passages"
        return {one.id: found.get(one.id) or titled.get(one.id) or Turned(one, missed, detail) for one in candidates}

    def _find(self, candidates: Sequence[Candidate]) -> dict[str, Candidate]:
        if not candidates:
            return {}
        passages = self._retriever.retrieve([one.question for one in candidates], self._k)
        return {
            one.id: one
            for one, shown in zip(candidates, passages, strict=True)
            if any(self._shows(one, passage.id, passage.text) for passage in shown)
        }

    def _shows(self, candidate: Candidate, chunk: str, text: str) -> bool:
        """Whether a passage is the candidate's chunk, or a copy of its evidence."""
        return chunk == candidate.chunk or all(quote in text for quote in candidate.evidence)

    def _unasked(self, candidates: Sequence[Candidate]) -> dict[str, Verdict]:
        """Of the questions that ask the same, the first passes, unless it was asked before."""
        new = [Wording(one.id, one.question, frozenset({one.document})) for one in candidates]
        first = {name: group[0] for group in same_groups([*self._asked, *new]) for name in group[1:]}
        self._asked += [wording for wording in new if wording.id not in first]
        return {
            one.id: Turned(one, "asked already", f"same as {first[one.id]}") if one.id in first else one
            for one in candidates
        }


def _passed(verdicts: Mapping[str, Verdict]) -> list[Candidate]:
    return [verdict for verdict in verdicts.values() if isinstance(verdict, Candidate)]


def holds_answer(question: str, answer: str) -> bool:
    """Whether a question gives its answer away: word for word, or all its content words."""
    asked, wanted = words(question), words(answer)
    content = set(content_words(answer))
    return f" {' '.join(wanted)} " in f" {' '.join(asked)} " or (bool(content) and content <= set(asked))


def _titled(question: str, title: str) -> str:
    bare = " ".join(title.replace('"', "'").split())
    if not bare or len(bare.split()) > LONGEST_TITLE or not question.endswith("?"):
        return ""
    return f"{question[:-1]} (“{bare}”)?"
