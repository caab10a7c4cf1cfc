"""Fix what the system must answer, and see how well retrieval finds it. Reads Corpus, Index and the questions.

Writes Exam: every question on one side, with its cluster and oracle chunks, and what the user's own retriever finds for
it. Knows no model and no store: the rankings come in through small protocols.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ragraft.config import ExamineConfig, QuestionFiles, RetrieveConfig
from ragraft.errors import InputError
from ragraft.methods.clusters import Asked, make_clusters
from ragraft.methods.exam_facts import (
    count,
    evidence_warnings,
    headline_recalls,
    known_documents,
    known_warnings,
    learning_warnings,
    making,
    making_sentence,
    nothing_found,
    retrieved_warnings,
    same_warnings,
    side_facts,
    size_warnings,
    some,
    summary,
)
from ragraft.methods.labels import rests_on_silence
from ragraft.methods.oracle import Evidence, Places, locate
from ragraft.methods.outside import context_ids, distinct, given, place
from ragraft.methods.question_files import existing, read_question_file
from ragraft.methods.questions import QuestionRows
from ragraft.methods.recalls import Ranker, in_batches, measure_recalls
from ragraft.methods.same_question import Wording, across_sides, same_groups
from ragraft.methods.sides import cut_sides, lesson_shares
from ragraft.methods.upkeep.evidence import state_of
from ragraft.methods.upkeep.renewal import PARTS, Renewal, renew
from ragraft.ports import Retriever
from ragraft.records import SIDES, Chunk, Document, ExamQuestion, Passage, Question, Rejected, Side, to_json
from ragraft.workspace import CHANGES, RENAMED, RETRIEVED, Chunks, Corpus, Exam, Folder, Index, hash_file, hash_json

SAME_RATE = 0.05
"""Share of questions asked on two sides above which the set counts as templated: reported, not rejected."""
LOST_RATE = 0.5
"""Share of the questions with answers whose evidence is nowhere: above it, these documents are not theirs."""


@dataclass(frozen=True, slots=True)
class Posed:
    """A question as read, with where its evidence lies."""

    question: Question
    exam_only: bool
    """It comes from the exam's own file."""
    evidence: Evidence
    contexts: tuple[str, ...]
    """Ids of the documents given with it, or named by its metadata when it stands nowhere else."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """The exam that this one goes on from, with the documents that it was of."""

    corpus: Corpus
    index: Index
    exam: Exam


def examine(
    corpus: Corpus,
    index: Index,
    *,
    questions: Path | QuestionFiles,
    settings: ExamineConfig,
    retrieve: RetrieveConfig,
    retriever: Ranker,
    users: Retriever | None,
    out: Folder,
    earlier: Earlier | None = None,
) -> Exam:
    """Place every question on a side and measure retrieval on three of them.

    `retriever` is ragraft's own index, `users` the user's system: that one is asked here, once, for all questions.
    Where there is an `earlier` exam, its questions keep their sides, and those whose answers stand no more are retired.
    Raises InputError when a line of a questions file is broken, when most questions have no evidence in the corpus,
    when the train or the exam side is empty, and when no question gets a passage.
    """
    asked, warnings = read_all(questions)
    documents, chunks = list(corpus.documents()), index.chunks()
    renewed = _renew(earlier, asked, documents, chunks) if earlier else _Renewed()
    asked = [row for row in asked if row[0].id not in renewed.gone]
    places = Places(documents, chunks, {**renewed.names, **corpus.same()})
    posed, lost = _locate(asked, places)
    faults = [(row.question.id, fault) for row in posed for fault in row.evidence.faults]
    placed, notes = _place(posed, documents, chunks, settings, fixed=renewed.sides)
    placed, same, duplicates = _drop_same(placed, posed)
    _refuse_empty(placed, questions, settings, lost + same)
    known = known_documents(placed, {row.question.id: row.evidence.documents for row in posed})
    warnings += evidence_warnings(placed, lost, faults) + notes + same_warnings(duplicates)
    if renewed.gone:
        warnings.append(f"{count(renewed.gone, 'question')} of the exam before retired ({some(sorted(renewed.gone))})")
    wanted = _sides(questions, settings)
    warnings += size_warnings(placed, wanted) + learning_warnings(wanted) + known_warnings(known)
    found, unknown = _retrieve(placed, posed, documents, places, retrieve=retrieve, users=users, settings=settings)
    faults += unknown
    warnings += retrieved_warnings(retrieve.retriever, found, placed, unknown)
    rows = measure_recalls(
        placed, retriever, _depths(settings), found=found, name=retrieve.retriever, seed=settings.seed
    )
    if retrieve.retriever is not None:
        kept = ({"question_id": name, "passages": [to_json(one) for one in row]} for name, row in found.items())
        out.write_jsonl(RETRIEVED, kept)
    out.write_jsonl("questions.jsonl", map(to_json, placed))
    out.write_jsonl("rejected.jsonl", map(to_json, [*renewed.renewal.retired, *lost, *same]))
    out.write_jsonl("duplicates.jsonl", duplicates)
    out.write_jsonl("faults.jsonl", ({"question_id": name, "fault": fault} for name, fault in faults))
    out.write_json("retrieval.json", {"depths": _depths(settings), "rows": rows})
    made = {side: making(row.question for row in placed if row.side == side) for side in SIDES}
    facts = {"sides": side_facts(placed), "made_by": made, "known_documents": known, "warnings": warnings}
    out.write_json("facts.json", facts)
    figures: dict[str, Any] = headline_recalls(rows, retrieve.retriever)
    if retrieve.retriever is not None:
        figures[f"without a passage from {retrieve.retriever}"] = sum(not row for row in found.values())
    if made["exam"]["made"]:
        figures["label"] = making_sentence(made["exam"])
    if earlier:
        figures |= _write_changes(renewed, placed, out)
    out.write_json("summary.json", summary(placed, lost + same) | {"warnings": len(warnings)} | figures)
    return Exam(out)


@dataclass(frozen=True, slots=True)
class _Renewed:
    """What an earlier exam leaves to this one; nothing without one."""

    renewal: Renewal = field(default_factory=lambda: Renewal({}, ()))
    sides: Mapping[str, Side] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    """Ids of documents as questions know them → as they are called now."""

    @property
    def gone(self) -> set[str]:
        return {row.id for row in self.renewal.retired}


def _renew(
    earlier: Earlier, asked: Sequence[tuple[Question, bool]], documents: Sequence[Document], chunks: Chunks
) -> _Renewed:
    placed = earlier.exam.questions()
    now = state_of(documents, chunks, earlier.corpus.documents())
    names = {old: now.renamed.get(name, name) for old, name in earlier.exam.renamed().items()} | dict(now.renamed)
    before = earlier.index.chunks().by_id()
    renewal = renew(placed, [question for question, _ in asked], before, now)
    return _Renewed(renewal, {one.id: one.side for one in placed}, names)


def _write_changes(renewed: _Renewed, placed: Sequence[ExamQuestion], out: Folder) -> dict[str, int]:
    """Keep what became of the questions; returns the counts of the exam's own."""
    rows = renewed.renewal.renewed
    out.write_jsonl(CHANGES, (to_json(rows[one.id]) for one in placed))
    out.write_json(RENAMED, dict(renewed.names))
    parts = Counter(rows[one.id].part for one in placed if one.side == "exam")
    retired = sum(renewed.sides[row.id] == "exam" for row in renewed.renewal.retired)
    return {**{f"exam {part}": parts[part] for part in PARTS}, "exam retired": retired}


def fingerprint_questions(questions: Path | QuestionFiles) -> str:
    """A digest of the questions files' bytes; raises InputError when one is missing."""
    return hash_json({part: hash_file(existing(path)) for part, path in _files(questions)})


def _files(questions: Path | QuestionFiles) -> list[tuple[Literal["all", "lessons", "exam"], Path]]:
    if isinstance(questions, QuestionFiles):
        lessons: list[tuple[Literal["lessons"], Path]] = [("lessons", questions.lessons)] if questions.lessons else []
        return [*lessons, ("exam", questions.exam)]
    return [("all", questions)]


def _sides(questions: Path | QuestionFiles, settings: ExamineConfig) -> list[Side]:
    """The sides that these files are cut into."""
    alone = isinstance(questions, QuestionFiles) and questions.lessons is None
    return ["exam"] if alone else [side for side in SIDES if getattr(settings.shares, side)]


def read_all(questions: Path | QuestionFiles) -> tuple[list[tuple[Question, bool]], list[str]]:
    """All questions, each with whether it comes from the exam's own file; and what to warn of."""
    asked: list[tuple[Question, bool]] = []
    warnings = []
    for part, path in _files(questions):
        found = _read_file(path)
        if found.unknown:
            rows = len(found.questions)
            names = ", ".join(f"{key} ({number} of {rows} rows)" for key, number in found.unknown.items())
            warnings.append(f"{path.name} has keys that ragraft does not know, kept as metadata: {names}")
        asked += [(question, part == "exam") for question in found.questions]
    twice = [name for name, times in Counter(question.id for question, _ in asked).items() if times > 1]
    if twice:
        raise InputError(f"{count(twice, 'id')} in both questions files ({some(twice)}); give each question its own")
    return asked, warnings


def _read_file(path: Path) -> QuestionRows:
    found = read_question_file(path)
    faults = some([f"{row.detail}: {row.reason}" for row in found.rejected], "; ")
    if not found.questions:
        why = f" ({faults})" if faults else ""
        raise InputError(f"{path} holds no questions{why}; write one JSON object a line, or a table and name it .csv")
    if found.rejected:
        raise InputError(
            f"{path} has {count(found.rejected, 'broken line')} ({faults}); correct or remove them, then run again"
        )
    return found


def _locate(asked: Sequence[tuple[Question, bool]], places: Places) -> tuple[list[Posed], list[Rejected]]:
    """Questions with their evidence, and those with answers whose evidence is nowhere."""
    posed, lost = [], []
    for question, exam_only in asked:
        evidence = locate(question, places)
        if question.answerable and not evidence.chunks and not rests_on_silence(question):
            detail = "; ".join(evidence.faults) or "it names no evidence and no answer of its points to a document"
            lost.append(Rejected(question.id, "no evidence found", detail))
            continue
        contexts, _ = places.known(_given(question, places))
        # "Has this contract such a clause? No" shows no passage, yet belongs to the questions on that contract.
        named = () if evidence.documents or contexts else places.named_by(question.metadata)
        posed.append(Posed(question, exam_only, evidence, (*contexts, *named)))
    answerable = sum(question.answerable for question, _ in asked)
    if len(lost) > LOST_RATE * answerable:
        raise InputError(
            f"{len(lost)} of {answerable} questions with answers have no evidence in these documents (first: "
            f"{lost[0].id}: {lost[0].detail}); see whether documents: and questions: in the YAML belong together"
        )
    return posed, lost


def _given(question: Question, places: Places) -> list[str]:
    """What may be ids of documents given with the question; passages given as text match no document."""
    named = (places.holder(name) for name in context_ids(question))
    return [*named, *(() if question.answerable else question.evidence_ids)]


def _retrieve(
    placed: Sequence[ExamQuestion],
    posed: Sequence[Posed],
    documents: Sequence[Document],
    places: Places,
    *,
    retrieve: RetrieveConfig,
    users: Retriever | None,
    settings: ExamineConfig,
) -> tuple[dict[str, list[Passage]], list[tuple[str, str]]]:
    """Question id → passages that it carries or the user's system finds, and what is wrong with those it carries."""
    if retrieve.retriever is None:
        return {}, []
    questions = [row.question for row in placed]
    faults: list[tuple[str, str]] = []
    if users is None:
        found, faults = given(questions, documents, places)
    else:
        depth = max(retrieve.pool, *settings.recall_at, 1)
        asked = in_batches(questions, f"retrieval: {retrieve.retriever}")
        found = [row for batch in asked for row in users.retrieve([one.question for one in batch], depth)]
    if not any(found):
        raise InputError(nothing_found(retrieve.retriever, len(questions), faults))
    evidence = {row.question.id: row.evidence for row in posed}
    rows = zip(questions, distinct(found, places), strict=True)
    return {question.id: place(passages, evidence[question.id], places) for question, passages in rows}, faults


def _place(
    posed: Sequence[Posed],
    documents: Sequence[Document],
    chunks: Sequence[Chunk],
    settings: ExamineConfig,
    *,
    fixed: Mapping[str, Side],
) -> tuple[list[ExamQuestion], list[str]]:
    """Every question on its side; the exam's own file is clustered by itself, so that it ties no lessons together.

    Of the `fixed` sides none makes a lessons file's question the exam's: which file it is in was the user's to say.
    """
    shares: dict[Side, float] = {side: getattr(settings.shares, side) for side in SIDES}
    if any(row.exam_only for row in posed):
        shares = lesson_shares(shares)
        fixed = {name: side for name, side in fixed.items() if side != "exam"}
    largest = 1 - max(share for side, share in shares.items() if side != "train")
    clusters: dict[str, str] = {}
    sides: dict[str, Side] = {}
    warnings: list[str] = []
    for exam_only in (False, True):
        part = [row for row in posed if row.exam_only == exam_only]
        asked = [
            Asked(row.question.id, row.question.question, row.evidence.documents + row.contexts, row.evidence.chunks)
            for row in part
        ]
        made = make_clusters(asked, documents, chunks, largest=largest)
        answerable = {row.question.id for row in part if row.question.answerable}
        clusters |= made.of
        cut = cut_sides(made.of, answerable, shares, seed=settings.seed, fixed=fixed)
        sides |= dict.fromkeys(made.of, "exam") if exam_only else cut
        warnings += [warning for warning in made.warnings if warning not in warnings]
    placed = [
        ExamQuestion(
            row.question,
            sides[row.question.id],
            clusters[row.question.id],
            row.evidence.chunks,
            row.evidence.weak,
            row.evidence.located,
            row.evidence.parts,
        )
        for row in posed
    ]
    return placed, warnings


def _drop_same(
    placed: Sequence[ExamQuestion], posed: Sequence[Posed]
) -> tuple[list[ExamQuestion], list[Rejected], list[dict[str, Any]]]:
    """The questions without those that a side nearer the exam asks too, unless these are too many to be chance."""
    wordings = [
        Wording(row.question.id, row.question.question, frozenset(row.evidence.documents or row.contexts))
        for row in posed
    ]
    sides = {row.id: row.side for row in placed}
    pairs = across_sides(same_groups(wordings), sides)
    drop = len(pairs) <= SAME_RATE * len(placed)
    rows = [
        {"kept": pair.kept, "side": sides[pair.kept], "other": pair.other, "other_side": sides[pair.other]}
        | {"rejected": drop}
        for pair in pairs
    ]
    dropped = {pair.other: pair for pair in pairs} if drop else {}
    rejected = [
        Rejected(name, "asked on another side too", f"same as {pair.kept} ({sides[pair.kept]})")
        for name, pair in dropped.items()
    ]
    return [row for row in placed if row.id not in dropped], rejected, rows


def _refuse_empty(
    placed: Sequence[ExamQuestion],
    questions: Path | QuestionFiles,
    settings: ExamineConfig,
    rejected: Sequence[Rejected],
) -> None:
    lost = f", {len(rejected)} more rejected (first: {rejected[0].id}: {rejected[0].reason})," if rejected else ""
    for side in ("exam", "train"):
        if side not in _sides(questions, settings) or any(row.side == side for row in placed):
            continue
        clusters = count({row.cluster for row in placed}, "cluster")
        names = " and ".join(path.name for _, path in _files(questions))
        raise InputError(
            f"The {side} side is empty: {count(placed, 'question')} of {names} in {clusters} (of shared "
            f"documents){lost} cannot be cut into sides (seed {settings.seed}); add questions on other documents, or "
            "change examine.shares"
        )


def _depths(settings: ExamineConfig) -> list[int]:
    return sorted(set(settings.recall_at))
