"""Ask base and tuned model for facts that stayed, changed, came and went since the tuned one was taught.

Knows the run and its backends; what a fact is, and what its answers are worth, stands in `methods.upkeep`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ragraft.methods.asking import Arm, Room
from ragraft.methods.candidates import Candidate, Gates
from ragraft.methods.contexts import Context
from ragraft.methods.finders import Asking
from ragraft.methods.jargon import measure_jargon, sample_chunks
from ragraft.methods.mine import Miner
from ragraft.methods.oracle import Places
from ragraft.methods.outside import distinct, place
from ragraft.methods.pattern_data import languages, load_patterns
from ragraft.methods.same_question import Wording
from ragraft.methods.stats import scored_mean
from ragraft.methods.upkeep.bounds import is_above
from ragraft.methods.upkeep.currency import Fact, currency, score
from ragraft.methods.upkeep.facts import (
    Found,
    Versions,
    candidates_of,
    choose_facts,
    evidence_of,
    facts_of_questions,
    lost_facts,
    mine_facts,
)
from ragraft.pipeline.ask import MODELS, source_of
from ragraft.pipeline.estimates import Foresight
from ragraft.pipeline.runner import Session
from ragraft.pipeline.standing import Standing
from ragraft.pipeline.table import ROWS
from ragraft.pipeline.wiring import At, builder, manner, retriever
from ragraft.ports import Retriever
from ragraft.records import Answer, Chunk, ExamQuestion, Passage, to_json
from ragraft.workspace import Corpus, Exam, Folder, Index, MadeQuestions

Say = Callable[[str], None]
CONTEXTS: tuple[Context, ...] = ("retrieved", "none")
ASKED, FACTS, ANSWERS = "asked.jsonl", "facts.jsonl", "answers.jsonl"
CANDIDATES = 4
"""Mined candidates judged for each fresh fact that is wanted."""
PIECES = 24
"""Chunks of either kind whose bits are measured."""
CHOOSING = ("evaluate", "calibrate")
"""Stages that choose when a model abstains."""
STALE = 0.05
"""Share of changed facts that may be answered with their old value."""
KINDS = {"documents": "changed documents", "general text": "the others"}


@dataclass(frozen=True)
class Grounds:
    """A run with a tuned model, and its documents then and now."""

    session: Session
    old: Standing
    """The tuned model, with what it was taught and examined by."""
    versions: Versions

    @cached_property
    def at(self) -> At:
        """That model, with corpus and index as they are now."""
        made, own = self.session.at().made, {stage: self.old.run.current(ROWS[stage].place) for stage in CHOOSING}
        chosen = {stage: folder for stage, folder in own.items() if folder is not None}
        taught = {stage: self.old.folders[stage] for stage in ("examine", "synthesize", "train")}
        return self.session.at({"ingest": made["ingest"], "index": made["index"], **taught, **chosen})

    @property
    def before(self) -> At:
        """The same, with corpus and index of before."""
        return replace(self.at, made={**self.at.made, **{name: self.old.folders[name] for name in ("ingest", "index")}})

    @cached_property
    def places(self) -> Places:
        """Where evidence of now is looked for."""
        corpus = Corpus(self.at.made["ingest"])
        return Places(list(corpus.documents()), Index(self.at.made["index"]).chunks(), corpus.same())


@dataclass(frozen=True, slots=True)
class Placing:
    """Asks the user's own retriever, and sees which passages show a fact's evidence."""

    retriever: Retriever
    places: Places

    def find(self, questions: Sequence[ExamQuestion], k: int) -> list[list[Passage]]:
        found = distinct(self.retriever.retrieve([one.question.question for one in questions], k), self.places)
        return [
            place(passages, evidence_of(one, self.places), self.places)
            for one, passages in zip(questions, found, strict=True)
        ]

    def elsewhere(self, questions: Sequence[ExamQuestion], chunks: Mapping[str, Passage]) -> Mapping[str, Passage]:
        return chunks


def gather_facts(grounds: Grounds) -> Found:
    """Facts to ask about, at most `watch.facts`, and why nothing can be told of other questions."""
    at, settings = grounds.at, grounds.session.config.watch
    exam = Exam(at.made["examine"])
    made = MadeQuestions(Folder(at.made["synthesize"].file("made"))).questions("train")
    found = Found()
    for source, questions in (("exam", exam.questions("exam")), ("lessons", [*exam.questions("train"), *made])):
        part = facts_of_questions(questions, grounds.versions, grounds.places, source=source)
        found.facts += part.facts
        for reason, names in part.unclear.items():
            found.unclear.setdefault(reason, []).extend(names)
    most = min(settings.fresh, settings.facts)
    fresh = choose_facts(_mined(grounds, [*exam.questions(), *made]), most, seed=settings.seed)
    known = choose_facts(found.facts, settings.facts - len(fresh), seed=settings.seed)
    return Found([*known, *fresh], found.unclear)


def _mined(grounds: Grounds, asked: Sequence[ExamQuestion]) -> list[Fact]:
    """Fresh facts from chunks that came and from documents that are gone."""
    config, versions = grounds.session.config, grounds.versions
    if config.synthesize.language not in languages() or not config.watch.fresh:
        return []
    wordings = [Wording(one.id, one.question.question, frozenset(one.question.evidence_ids)) for one in asked]

    def passed(at: At, chunks: Sequence[Chunk], known: Mapping[str, Chunk]) -> list[Candidate]:
        if not chunks:
            return []
        miner = Miner(list(known.values()), load_patterns(config.synthesize.language))
        most = CANDIDATES * config.watch.fresh
        candidates = candidates_of(chunks, miner, most=most, seed=config.watch.seed)
        texts = (chunk.text for chunk in known.values())
        gates = Gates(known, texts, wordings, retriever=retriever(at), k=config.retrieve.k)
        return [one for one in gates.judge(candidates) if isinstance(one, Candidate)]

    came = passed(grounds.at, versions.came, versions.chunks_now)
    went = passed(grounds.before, versions.went, versions.chunks_before)
    return [*mine_facts(came, versions, grounds.places), *lost_facts(went, versions)]


def say_cost(grounds: Grounds, facts: Sequence[Fact], say: Say) -> None:
    """What asking these facts is expected to take, before it begins."""
    k = grounds.session.config.retrieve.k
    answers = len(facts) * len(MODELS) * len(CONTEXTS)
    expected = Foresight(grounds.at, grounds.session.run.runs).asking(answers, shown=k / len(CONTEXTS))
    texts = len(_pieces(grounds)[0])
    also = f", and reads {2 * texts} chunks" if texts and grounds.session.backends.scores() else ""
    say(f"Asking {len(facts)} facts of each model: {answers} answers, {expected}{also}; what was asked before is kept.")


def ask_facts(grounds: Grounds, facts: Sequence[Fact]) -> list[Answer]:
    """Each model's answers with retrieved passages and without any."""
    session, at = grounds.session, grounds.at
    config = session.config
    users = session.backends.retriever
    room = Room(
        Placing(users, grounds.places) if users else Asking(retriever(at)),
        builder(at),
        Index(at.made["index"]).passages(),
        k=config.retrieve.k,
        batch=config.evaluate.batch,
    )
    questions = [fact.question for fact in facts]
    answers = []
    for model in MODELS:
        source = source_of(session, at, model)
        arm = Arm(model, session.backends.generator(source), manner=manner(at, model))
        for context in CONTEXTS:
            shown = room.show(context, questions)
            answers += [row for row, _ in room.cell(arm, context, shown)]
        session.backends.close_models()
    return answers


def measure_facts(
    grounds: Grounds, found: Found, answers: Sequence[Answer], *, day: str, out: Folder
) -> dict[str, Any]:
    """What the answers are worth: by state, model and context, and whether that asks for something by now."""
    settings = grounds.session.config.watch
    resamples, seed = grounds.session.config.evaluate.resamples, settings.seed
    data = currency(found.facts, answers, resamples=resamples, seed=seed)
    before = list(out.read_jsonl(ASKED)) if out.has(ASKED) else []
    rows = [*before, *_looked(grounds, found.facts, answers, day=day, before=before)]
    out.write_jsonl(ASKED, rows)
    out.write_jsonl(FACTS, map(to_json, found.facts))
    out.write_jsonl(ANSWERS, map(to_json, answers))
    own = [row for row in rows if row["model"] == _model(grounds)]
    stale, worse = (list(_by_look(own, key)) for key in ("stale", "worse"))
    half = settings.false_alarms / 2
    return {
        **data,
        "unclear": {reason: len(names) for reason, names in found.unclear.items()},
        "figures": {
            "stale": float(is_above(stale, STALE, false_alarms=half)) if stale else None,
            "worse": float(is_above([(value + 1) / 2 for value in worse], 0.5, false_alarms=half)) if worse else None,
            "found": _found(found.facts, answers, resamples=resamples, seed=seed),
        },
    }


def measure_language(grounds: Grounds) -> dict[str, Any]:
    """Bits per byte and tokens a word of changed documents under the tuned model, beside the others'."""
    session, at = grounds.session, grounds.at
    came, rest = _pieces(grounds)
    if not came or not rest:
        return {}
    scorer = session.backends.scorer(source_of(session, at, "tuned")) if session.backends.scores() else None
    try:
        found = measure_jargon(
            came,
            rest,
            scorer=scorer,
            count=session.backends.tokenizer.count,
            resamples=session.config.evaluate.resamples,
            seed=session.config.watch.seed,
        )
    finally:
        session.backends.close_models()
    return {what: {KINDS.get(kind, kind): told for kind, told in row.items()} for what, row in found.items()}


def _pieces(grounds: Grounds) -> tuple[list[Any], list[Any]]:
    versions, seed = grounds.versions, grounds.session.config.watch.seed
    came = versions.came
    new = {chunk.id for chunk in came}
    rest = (chunk for name, chunk in versions.chunks_now.items() if name not in new)
    return sample_chunks(came, PIECES, seed=seed), sample_chunks(rest, PIECES, seed=seed)


def _model(grounds: Grounds) -> str:
    manifest = grounds.at.made["train"].manifest()
    return manifest.fingerprint[:12] if manifest else ""


def _looked(
    grounds: Grounds,
    facts: Sequence[Fact],
    answers: Sequence[Answer],
    *,
    day: str,
    before: Sequence[Mapping[str, Any]],
) -> Iterator[dict[str, Any]]:
    """A row for each fact that this model was not asked before: asked again, it would only say the same."""
    model = _model(grounds)
    known = {(row["model"], row["fact"], tuple(row["now"])) for row in before}
    by_model = {(row.model, row.question_id): row for row in answers if row.context == "retrieved"}
    for fact in facts:
        now = fact.question.question.answers
        if (model, fact.id, now) in known:
            continue
        base, tuned = (score(fact, by_model[name, fact.id]) for name in MODELS)
        worse = None if base["right"] is None or tuned["right"] is None else base["right"] - tuned["right"]
        found = {"stale": tuned["stale_shown"] if fact.state == "changed" else None, "worse": worse}
        yield {"day": day, "model": model, "fact": fact.id, "now": now, "cluster": fact.question.cluster, **found}


def _by_look(rows: Sequence[Mapping[str, Any]], key: str) -> Iterator[float]:
    """The mean of each cluster at each look, in order: facts of one document are no two observations."""
    by_look: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row[key] is not None:
            by_look.setdefault((row["day"], row["cluster"]), []).append(row[key])
    for values in by_look.values():
        yield sum(values) / len(values)


def _found(facts: Sequence[Fact], answers: Sequence[Answer], *, resamples: int, seed: int) -> dict[str, Any] | None:
    """The share of changed and new facts of which retrieval shows the evidence."""
    by_id = {fact.id: fact for fact in facts if fact.state in ("changed", "added")}
    rows = [row for row in answers if (row.model, row.context) == ("tuned", "retrieved") and row.question_id in by_id]
    values = [score(by_id[row.question_id], row)["shown"] for row in rows]
    clusters = [by_id[row.question_id].question.cluster for row in rows]
    found = scored_mean(values, clusters, share=True, resamples=resamples, seed=seed)
    return None if found is None else to_json(found)
