"""Make the questions that lessons ask beside, or instead of, the given ones: mined from chunks or written by a model.

Knows the run and its backends; what a good question is, where it may stand and what it must not give away is known to
`methods`. Everything is written below `50-lessons/made`; a killed making goes on from the kept answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from ragraft.config import CONTEXTS, QuestionFiles, QuestionSource
from ragraft.errors import InputError
from ragraft.methods.answerable import Probe, check_answerable
from ragraft.methods.candidates import Candidate, Gates, Turned, Verdict, rejected_row
from ragraft.methods.chunk_sides import ChunkSides, place_chunks
from ragraft.methods.exam_facts import making
from ragraft.methods.fill import Filler
from ragraft.methods.held_out import HeldOut
from ragraft.methods.mine import Miner
from ragraft.methods.oracle import Places, locate
from ragraft.methods.outside import distinct, place
from ragraft.methods.pattern_data import load_patterns
from ragraft.methods.same_question import Wording
from ragraft.methods.sources import Source, gather, mined, written
from ragraft.pipeline.passages import KeptPassages
from ragraft.pipeline.wiring import At, builder, retriever
from ragraft.ports import Generator, Retriever
from ragraft.records import (
    SIDES,
    Chunk,
    Completion,
    ExamQuestion,
    Passage,
    Prompt,
    Question,
    Sampling,
    Side,
    to_json,
)
from ragraft.workspace import Corpus, Exam, Folder, Index, MadeQuestions

PATIENCE = 64
"""Chunks after which a model of whose questions none has passed is asked no more."""
MILLION = 1_000_000


@dataclass(slots=True)
class Counted:
    """A Generator that counts what it is asked and answers."""

    generator: Generator
    prompts: int = 0
    read: int = 0
    written: int = 0

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        found = self.generator.generate(prompts, sampling)
        self.prompts += len(found)
        self.read += sum(one.prompt_tokens for one in found)
        self.written += sum(len(one.token_ids) for one in found)
        return found


@dataclass(slots=True)
class _Tally:
    """What came of the making."""

    questions: list[ExamQuestion] = field(default_factory=list)
    turned: list[Turned] = field(default_factory=list)
    sources: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    chunks: Counter[str] = field(default_factory=Counter)
    looked: int = 0
    untried: int = 0


def make_questions(at: At, out: Folder, *, before: Index | None = None) -> MadeQuestions:
    """The made questions of train and, where none is given, validation side; raises InputError where none passes.

    Where a refresh goes on from the index `before`, chunks of words that stood in none of its chunks come first.
    """
    made = MadeQuestions(out)
    if out.has("counts.json"):  # written last, by a stage that was killed later on
        return made
    _Workshop(at, out, before).make()
    return made


class _Workshop:
    """What all questions are made with."""

    def __init__(self, at: At, out: Folder, before: Index | None) -> None:
        self._at, self._out = at, out
        self._known = {chunk.text for chunk in before.chunks()} if before else set()
        self._settings = at.config.synthesize
        self._chunks: Sequence[Chunk] = Index(at.made["index"]).chunks()
        self._by_id: Mapping[str, Chunk] = Index(at.made["index"]).chunks().by_id()
        self._corpus = Corpus(at.made["ingest"])
        self._placed = Exam(at.made["examine"]).questions()
        self._alone = all(one.side == "exam" for one in self._placed)
        used = "given" in self._settings.questions
        self._given = [one for one in self._placed if used and one.side == "train"]
        self._retriever = self._asked_retriever()
        self._gates = Gates(
            self._by_id,
            (chunk.text for chunk in self._chunks),
            [Wording(one.id, one.question.question, frozenset(one.question.evidence_ids)) for one in self._given],
            retriever=self._retriever,
            k=at.config.retrieve.k,
            held_out=HeldOut(self._placed),
        )
        self._generator: Counted | None = None
        self._probe: Probe | None = None

    def make(self) -> None:
        sides, tally = self._sides(), _Tally()
        for side, wanted in self._wanted().items():
            chunks = [chunk for chunk in self._chunks if sides.sides.get(chunk.id) == side]
            for name in self._settings.made:
                for part in self._fresh_first(chunks):
                    missing = wanted - sum(one.side == side for one in tally.questions)
                    if missing > 0:
                        self._fill(tally, name, part, side=side, wanted=missing, clusters=sides.clusters)
        self._out.write_jsonl("rejected.jsonl", map(rejected_row, tally.turned))
        if not any(one.side == "train" for one in tally.questions) and not self._given:
            raise InputError(self._nothing(tally))
        self._out.write_jsonl("questions.jsonl", map(to_json, tally.questions))
        if self._at.config.retrieve.retriever not in (None, CONTEXTS):
            self._out.write_jsonl("retrieved.jsonl", self._passages(tally.questions))
        self._out.write_json("counts.json", self._counts(tally, sides))

    def _fresh_first(self, chunks: Sequence[Chunk]) -> list[Sequence[Chunk]]:
        """All chunks together, or those of new words apart from the others."""
        fresh = [chunk for chunk in chunks if chunk.text not in self._known]
        known = [chunk for chunk in chunks if chunk.text in self._known]
        return [part for part in (fresh, known) if part]

    def _asked_retriever(self) -> Retriever:
        """The one that serves the model: ragraft's index, or the user's system, whose answers are kept."""
        own = self._at.backends.retriever
        return KeptPassages(self._out.folder("asked"), own) if own else retriever(self._at)

    def _sides(self) -> ChunkSides:
        config = self._at.config
        apart = isinstance(config.questions, QuestionFiles)
        tied = [one for one in self._placed if not apart or one.side != "exam" or self._settings.spare_exam_documents]
        cut = config.examine.shares
        whole = cut.train + cut.validation
        shares = dict.fromkeys(SIDES, 0.0) | {"train": cut.train / whole, "validation": cut.validation / whole}
        return place_chunks(
            self._chunks,
            list(self._corpus.documents()),
            tied,
            shares=shares if self._alone else None,
            seed=config.examine.seed,
        )

    def _wanted(self) -> dict[Side, int]:
        """How many questions are wanted on each side; the small one first, so that the large one leaves it some."""
        settings = self._settings
        room = settings.max_questions - len(self._given) if settings.max_questions else settings.max_made
        validation: dict[Side, int] = {"validation": settings.max_validation} if self._alone else {}
        return {**validation, "train": max(min(settings.max_made, room), 0)}

    def _fill(
        self,
        tally: _Tally,
        name: QuestionSource,
        chunks: Sequence[Chunk],
        *,
        side: Side,
        wanted: int,
        clusters: Mapping[str, str],
    ) -> None:
        source = self._source(name, chunks)
        judge: Callable[[Sequence[Candidate]], Sequence[Verdict]] = partial(self._judge, probed=name == "generate")
        found = gather(source, wanted, judge, patience=PATIENCE if name == "generate" else None)
        tally.turned += found.turned
        tally.untried += source.untried
        tally.looked += source.chunks
        for one in found.passed:
            oracle = self._gates.oracle(one)
            question = ExamQuestion(one.row(), side, clusters[one.chunk], oracle, parts=(oracle,))
            tally.questions.append(question)
            tally.sources[name] += 1
            tally.kinds[one.kind] += 1
            tally.chunks[one.chunk] += 1

    def _source(self, name: QuestionSource, chunks: Sequence[Chunk]) -> Source:
        settings = self._settings
        if name == "mine":
            filler = Filler(self._miner.grammar, load_patterns(settings.language))
            return mined(chunks, self._miner, filler=filler, seed=settings.seed)
        wanted = settings.generate
        return written(
            chunks,
            self._writer(),
            model=self._model,
            number=wanted.per_chunk,
            temperature=wanted.temperature,
            seed=settings.seed,
            batch=self._at.config.evaluate.batch,
        )

    @cached_property
    def _miner(self) -> Miner:
        return Miner(self._chunks, load_patterns(self._settings.language))

    @property
    def _model(self) -> str:
        return self._settings.generate.model or self._at.config.model

    def _writer(self) -> Counted:
        if self._generator is None:
            self._generator = Counted(self._at.backends.writer(self._model))
            ask = partial(check_answerable, chunks=self._by_id, builder=builder(self._at), generator=self._generator)
            self._probe = Probe(ask, self._settings.generate.check)
        return self._generator

    def _judge(self, candidates: Sequence[Candidate], *, probed: bool) -> Sequence[Verdict]:
        verdicts = self._gates.judge(candidates)
        if not (probed and self._probe):
            return verdicts
        passed = [one for one in verdicts if isinstance(one, Candidate)]
        checked = {one.id: verdict for one, verdict in zip(passed, self._probe.judge(passed), strict=True)}
        return [checked[one.id] if isinstance(one, Candidate) else one for one in verdicts]

    def _passages(self, questions: Sequence[ExamQuestion]) -> list[dict[str, Any]]:
        """What the user's system finds for each question, and the evidence that each passage shows."""
        config = self._at.config
        places = Places(list(self._corpus.documents()), self._chunks, self._corpus.same())
        depth = max(config.retrieve.pool, 1)
        found: list[list[Passage]] = []
        for start in range(0, len(questions), PATIENCE):
            batch = [one.question.question for one in questions[start : start + PATIENCE]]
            found += self._retriever.retrieve(batch, depth)
        rows = zip(questions, distinct(found, places), strict=True)
        return [
            {"question_id": one.id, "passages": list(map(to_json, place(shown, locate(one.question, places), places)))}
            for one, shown in rows
        ]

    def _nothing(self, tally: _Tally) -> str:
        reasons = Counter(one.reason for one in tally.turned).most_common(1)
        why = f"commonest reason, {reasons[0][1]} times: {reasons[0][0]}" if reasons else "there was no candidate"
        return (
            f"No question for lessons could be made from {tally.looked} chunks ({why}); all reasons: "
            f"{self._out.file('rejected.jsonl')}; name questions of your own, or another of synthesize.questions"
        )

    def _counts(self, tally: _Tally, sides: ChunkSides) -> dict[str, Any]:
        asked = Counter(tally.chunks.values())
        exam = {chunk for one in self._placed if one.side == "exam" for chunk in one.oracle}
        documents = {self._by_id[chunk].document_id for chunk in exam}
        known = sum(self._by_id[one.oracle[0]].document_id in documents for one in tally.questions if one.oracle)
        of: dict[Side, list[Question]] = {"train": [], "validation": []}
        for one in tally.questions:
            of[one.side].append(one.question)
        made = {side: making(questions) for side, questions in of.items()}
        return {
            "made": len(tally.questions),
            "train": made["train"]["made"],
            "validation": made["validation"]["made"],
            **{f"by {name}": number for name, number in tally.sources.items()},
            **{f"kind, {kind}": number for kind, number in tally.kinds.most_common()},
            "chunks": len(self._chunks),
            **{f"chunks spared for the {side} side": number for side, number in sides.spared.items()},
            "chunks looked at": tally.looked,
            **{f"chunks with {number} questions": times for number, times in sorted(asked.items())},
            "questions on documents that exam questions rest on": known,
            "rejected": len(tally.turned),
            **{f"rejected: {reason}": n for reason, n in Counter(one.reason for one in tally.turned).most_common()},
            "not tried": tally.untried,
            "made_by": made,
            **self._cost(),
        }

    def _cost(self) -> dict[str, Any]:
        if self._generator is None or self._probe is None:
            return {}
        used, prices = self._generator, self._at.config.endpoint
        cost = (used.read * prices.price_read + used.written * prices.price_written) / MILLION
        return {
            "generator": {
                "model": self._model,
                "prompts": used.prompts,
                "prompt tokens": used.read,
                "answer tokens": used.written,
                **({"cost": round(cost, 4)} if prices.price_read or prices.price_written else {}),
            },
            "tried with and without its chunk": {
                "asked": self._probe.asked,
                "not answered with it": self._probe.unread,
                "answered without it": self._probe.known,
            },
        }
