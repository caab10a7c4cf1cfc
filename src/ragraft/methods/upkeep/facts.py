"""Facts to ask about after documents changed: what became of questions, and fresh ones mined from what is new.

A question says itself what became of its fact, or its evidence does: it still stands, or its sentence has given way to
another (`trace`), or its document is gone and its answer stands nowhere any more. Of others nothing can be told, and
they are counted by the reason. Fresh questions are mined from the chunks that are new, the value of before read from
the old document; and from documents that are gone.

Knows documents, chunks and questions; asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from ragraft.methods.candidates import Candidate, spread
from ragraft.methods.containment import Containment
from ragraft.methods.limit import spread_questions
from ragraft.methods.mine import Miner
from ragraft.methods.oracle import Evidence, Places, locate
from ragraft.methods.target import find_quotes
from ragraft.methods.upkeep.currency import STATES, Fact, State, make_fact, stated
from ragraft.methods.upkeep.evidence import Now, fate_of_question
from ragraft.methods.upkeep.trace import Pair, Traced
from ragraft.records import Chunk, ExamQuestion, Passage, Question

PROBE = "fresh"
"""The source of mined facts."""
_LONG = 10_000


@dataclass(frozen=True)
class Versions:
    """Documents and chunks before and now."""

    before: Mapping[str, str]
    """Texts by document."""
    chunks_before: Mapping[str, Chunk]
    now: Now
    chunks_now: Mapping[str, Chunk]

    @property
    def any(self) -> bool:
        """Whether the index is another than before."""
        return self.chunks_now is not self.chunks_before

    def pair(self, document: str) -> Pair | None:
        """A document of before, then and now; None where it is gone."""
        now = self.now.text(document)
        if now is None or document not in self.before:
            return None
        return self._pairs.setdefault(document, Pair(self.before[document], now))

    def back(self, document: str) -> Pair | None:
        """A document of now, now and then: to read what was said before. None where it is new."""
        old = self._names.get(document, document)
        if old not in self.before or document not in self.now.texts:
            return None
        return self._backs.setdefault(document, Pair(self.now.texts[document], self.before[old]))

    @cached_property
    def came(self) -> list[Chunk]:
        """Chunks whose words stood in no chunk before."""
        known = {chunk.text for chunk in self.chunks_before.values()}
        return [chunk for chunk in self.chunks_now.values() if chunk.text not in known]

    @cached_property
    def went(self) -> list[Chunk]:
        """Chunks of documents that are gone."""
        return [chunk for chunk in self.chunks_before.values() if self.now.text(chunk.document_id) is None]

    def stands(self, answers: Iterable[str]) -> bool:
        """Whether any chunk of now holds one of these answers."""
        return any(self._containment.holding(answer) for answer in answers)

    @cached_property
    def _containment(self) -> Containment:
        return Containment(chunk.text for chunk in self.chunks_now.values())

    @cached_property
    def _names(self) -> Mapping[str, str]:
        return {new: old for old, new in self.now.renamed.items()}

    @cached_property
    def _pairs(self) -> dict[str, Pair]:
        return {}

    @cached_property
    def _backs(self) -> dict[str, Pair]:
        return {}


@dataclass(slots=True)
class Found:
    """Facts, and why nothing can be told of other questions."""

    facts: list[Fact] = field(default_factory=list)
    unclear: dict[str, list[str]] = field(default_factory=dict)
    """Reason → ids of questions."""

    def add(self, name: str, fact: Fact | str) -> None:
        """A fact, or the reason why there is none."""
        if isinstance(fact, Fact):
            self.facts.append(fact)
        else:
            self.unclear.setdefault(fact, []).append(name)


def facts_of_questions(questions: Iterable[ExamQuestion], versions: Versions, places: Places, *, source: str) -> Found:
    """What became of the facts that these questions ask for; `places` are those of now."""
    found = Found()
    for question in questions:
        told = stated(question, source)
        found.add(question.id, _placed(told, places) if told else _fact_of(question, versions, places, source))
    return found


def _fact_of(asked: ExamQuestion, versions: Versions, places: Places, source: str) -> Fact | str:
    question = asked.question
    fate = fate_of_question(asked, versions.chunks_before, versions.now)
    if not question.answerable or fate is None:
        return "no evidence to follow"
    if fate == "kept":
        return _placed(make_fact(asked, "unchanged", source=source), places)
    if fate == "gone":
        if versions.stands(question.answers):
            return "its document is gone, and its answer stands elsewhere"
        return make_fact(_asking(asked, (), ()), "removed", old=question.answers, source=source)
    return _traced(asked, versions, places, source)


def _traced(asked: ExamQuestion, versions: Versions, places: Places, source: str) -> Fact | str:
    """Of a question whose evidence changed: by the sentence that took the place of its own."""
    question = asked.question
    for chunk in (versions.chunks_before[name] for name in asked.oracle if name in versions.chunks_before):
        pair = versions.pair(chunk.document_id)
        passage = Passage(chunk.id, chunk.document_id, chunk.title, chunk.text)
        document = versions.now.renamed.get(chunk.document_id, chunk.document_id)
        for quote in find_quotes(question, [passage], _LONG) if pair else ():
            traced = pair.trace(question.question, quote.text, question.answers) if pair else Traced("unclear")
            if traced.became not in ("unchanged", "changed"):
                continue
            same = traced.became == "unchanged"
            values = question.answers if same else (traced.value,) if traced.value else ()
            again = replace(asked, question=_evident(question, values, document, traced.sentence))
            old = () if same else question.answers
            return _placed(make_fact(again, "unchanged" if same else "changed", old=old, source=source), places)
    return "its evidence changed, and what took its place can't be told"


def _evident(question: Question, answers: Sequence[str], document: str, sentence: str) -> Question:
    """The question with the answers of now, and the evidence of now."""
    return replace(question, answers=tuple(answers), evidence=(sentence,), evidence_ids=(document,))


def _asking(asked: ExamQuestion, answers: Sequence[str], oracle: Sequence[str]) -> ExamQuestion:
    question = replace(asked.question, answers=tuple(answers))
    return replace(asked, question=question, oracle=tuple(oracle), parts=())


def _placed(fact: Fact, places: Places) -> Fact:
    """The fact with its evidence among the chunks of now, also where its value of now can't be told."""
    evidence = evidence_of(fact.question, places)
    oracle, parts = ((), ()) if evidence.weak else (evidence.chunks, evidence.parts)
    return replace(fact, question=replace(fact.question, oracle=oracle, parts=parts))


def evidence_of(asked: ExamQuestion, places: Places) -> Evidence:
    """Where the evidence of now lies."""
    question = asked.question
    # Evidence is sought for what has answers: any do where a sentence is named.
    return locate(question if question.answers else replace(question, answers=question.evidence), places)


def mine_facts(candidates: Sequence[Candidate], versions: Versions, places: Places) -> list[Fact]:
    """Facts of candidates mined from chunks of now that passed the gates: unchanged, changed or added."""
    facts = []
    for candidate in candidates:
        back = versions.back(candidate.document)
        traced = back.trace(candidate.question, candidate.evidence[0], candidate.answers) if back else Traced("gone")
        if traced.became == "unclear":
            continue
        state: State = "added" if traced.became == "gone" else traced.became
        old = (traced.value,) if traced.value else ()
        fact = make_fact(_probe(candidate), state, old=old, source=PROBE)
        facts.append(_placed(fact, places))
    return facts


def lost_facts(candidates: Sequence[Candidate], versions: Versions) -> list[Fact]:
    """Facts of candidates mined from documents that are gone, and whose answers stand nowhere any more."""
    return [
        make_fact(_asking(_probe(candidate), (), ()), "removed", old=candidate.answers, source=PROBE)
        for candidate in candidates
        if not versions.stands(candidate.answers)
    ]


def _probe(candidate: Candidate) -> ExamQuestion:
    return ExamQuestion(candidate.row(), "exam", candidate.document)


def candidates_of(chunks: Sequence[Chunk], miner: Miner, *, most: int, seed: int) -> list[Candidate]:
    """Candidates that patterns make of these chunks, in a varied order; at most so many."""
    return spread((one for chunk in chunks for one in miner.mine(chunk)), seed=seed)[:most]


def choose_facts(facts: Sequence[Fact], most: int, *, seed: int) -> list[Fact]:
    """At most so many, of each state as many as of the others where there are, one of each cluster in turn."""
    by_state = {state: [fact for fact in facts if fact.state == state] for state in STATES}
    wanted = dict.fromkeys(STATES, 0)
    while sum(wanted.values()) < most:
        short = [state for state in STATES if wanted[state] < len(by_state[state])]
        if not short:
            break
        wanted[min(short, key=lambda state: wanted[state])] += 1
    kept: list[Fact] = []
    for state, part in by_state.items():
        names, _ = spread_questions([fact.question for fact in part], wanted[state], seed=seed)
        chosen = {question.id for question in names}
        kept += [fact for fact in part if fact.id in chosen]
    return kept
