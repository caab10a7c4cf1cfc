"""What a user should know of an exam: counts by side, and warnings in words. Knows placed questions; reads no files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import Any

from ragraft.records import SIDES, ExamQuestion, Passage, Question, Rejected, Side

FEW_QUESTIONS = 10
FEW_CLUSTERS = 5
HEADLINE_DEPTH = 4
_SHOWN = 5


def count(rows: Sized, noun: str) -> str:
    """A number with its noun: `1 question`, `2 questions`."""
    return f"{len(rows)} {noun}{'' if len(rows) == 1 else 's'}"


def some(names: Sequence[str], separator: str = ", ") -> str:
    """The first few names, and how many more there are."""
    more = len(names) - _SHOWN
    return separator.join(names[:_SHOWN]) + (f"{separator}and {more} more" if more > 0 else "")


def side_facts(placed: Sequence[ExamQuestion]) -> dict[Side, dict[str, int]]:
    """Questions, clusters and unanswerable questions of each side."""
    parts = {side: [row for row in placed if row.side == side] for side in SIDES}
    return {
        side: {
            "questions": len(part),
            "clusters": len({row.cluster for row in part}),
            "unanswerable": sum(not row.question.answerable for row in part),
        }
        for side, part in parts.items()
    }


def made_by(question: Question) -> str:
    """The machine that made a question; nothing for a person's."""
    return str(question.metadata.get("made_by") or "")


def making(questions: Iterable[Question]) -> dict[str, Any]:
    """How many questions a machine made, which one, and how many of these a person has looked at."""
    rows = list(questions)
    made = [row for row in rows if made_by(row)]
    return {
        "questions": len(rows),
        "made": len(made),
        "reviewed": sum(bool(row.metadata.get("reviewed")) for row in made),
        "by": dict(sorted(Counter(map(made_by, made)).items())),
    }


def making_sentence(found: Mapping[str, Any] | None, side: str = "exam") -> str | None:
    """`exam: 48 of 48 questions made by a machine (ragraft patterns), 12 reviewed by a person`; None for people's."""
    if not found or not found["made"]:
        return None
    return (
        f"{side}: {found['made']} of {found['questions']} questions made by a machine ({', '.join(found['by'])}), "
        f"{found['reviewed']} reviewed by a person"
    )


def known_documents(placed: Sequence[ExamQuestion], evidence: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """How many exam questions rest on documents that the train side rests on too, or on clusters that it has too.

    `evidence` maps question id to the ids of its evidence documents.
    """
    train = [row for row in placed if row.side == "train"]
    exam = [row for row in placed if row.side == "exam"]
    documents = {name for row in train for name in evidence[row.id]}
    clusters = {row.cluster for row in train}
    return {
        "exam_questions": sum(any(name in documents for name in evidence[row.id]) for row in exam),
        "exam_questions_in_known_clusters": sum(row.cluster in clusters for row in exam),
        "of": len(exam),
    }


def known_warnings(known: Mapping[str, int]) -> list[str]:
    if not known["exam_questions"]:
        return []
    return [
        f"{known['exam_questions']} of {known['of']} exam questions rest on documents that train-side questions rest "
        "on too: the exam asks new questions on known documents"
    ]


def evidence_warnings(
    placed: Sequence[ExamQuestion], lost: Sequence[Rejected], faults: Sequence[tuple[str, str]]
) -> list[str]:
    """What questions name and the documents lack, and where evidence is only guessed."""
    warnings = []
    if lost:
        names = some([f"{row.id} ({row.detail})" for row in lost], "; ")
        warnings.append(f"{count(lost, 'question')} without evidence in the documents, rejected: {names}")
    if faults:
        names = some([f"{name}: {fault}" for name, fault in faults], "; ")
        warnings.append(f"{count(faults, 'piece')} of evidence not found: {names}; all are in faults.jsonl")
    silent = [row.id for row in placed if row.question.answerable and not row.oracle]
    if silent:
        warnings.append(
            f"{count(silent, 'question')} answered by a label and without evidence: the label rests on what the "
            f"documents lack, and there is no oracle context: {some(silent)}"
        )
    located = [row.id for row in placed if row.located]
    if located:
        warnings.append(f"{count(located, 'question')} without evidence, located by the answer: {some(located)}")
    weak = [row.id for row in placed if row.weak]
    if weak:
        warnings.append(
            f"{count(weak, 'question')} whose evidence document shows neither quote nor telling answer: its "
            f"best-ranked chunk is taken: {some(weak)}"
        )
    return warnings


def retrieved_warnings(
    name: str | None, found: Mapping[str, Sequence[Passage]], placed: Sequence[ExamQuestion], faults: Sequence[Any]
) -> list[str]:
    """What is missing from the passages of the user's own retriever, `name`."""
    warnings = []
    if faults:
        names = some([f"{question}: {fault}" for question, fault in faults], "; ")
        warnings.append(f"{count(faults, 'given context')} not found: {names}; all are in faults.jsonl")
    without = [question for question, passages in found.items() if not passages]
    if without:
        warnings.append(
            f"{count(without, 'question')} without a passage from {name}, asked without documents where retrieved "
            f"passages are shown: {some(without)}"
        )
    answerable = [row for row in placed if row.oracle and row.id in found]
    blind = [row.id for row in answerable if not any(passage.shows for passage in found[row.id])]
    if blind:
        warnings.append(
            f"the evidence of {len(blind)} of {count(answerable, 'question')} stands in no passage from {name}: "
            f"{some(blind)}"
        )
    return warnings


def nothing_found(name: str, asked: int, faults: Sequence[tuple[str, str]]) -> str:
    """Why there is nothing to show: no question has a passage, neither its own nor one from retriever `name`."""
    if name != "contexts":
        return f"retrieve.retriever {name} finds no passage for any of {asked} questions; see whether it is filled"
    wrong = f" ({faults[0][0]}: {faults[0][1]})" if faults else ""
    return (
        f"retrieve.retriever is contexts, but none of {asked} questions carries a passage{wrong}; give contexts or "
        "metadata.context_ids, or leave the setting out"
    )


def same_warnings(duplicates: Sequence[Mapping[str, Any]]) -> list[str]:
    if not duplicates:
        return []
    pairs = some([f"{row['kept']} ({row['side']}) = {row['other']} ({row['other_side']})" for row in duplicates])
    done = (
        "the one farther from the exam is rejected"
        if duplicates[0]["rejected"]
        else "so many that the set looks templated: none is rejected"
    )
    return [f"{count(duplicates, 'question')} asked on two sides, {done}: {pairs}"]


def size_warnings(placed: Sequence[ExamQuestion], wanted: Sequence[Side]) -> list[str]:
    """An exam too small to tell much, and sides of those `wanted` that came out empty."""
    facts = side_facts(placed)
    warnings = [f"the {side} side is empty" for side in wanted if not facts[side]["questions"]]
    exam = facts["exam"]
    if exam["questions"] < FEW_QUESTIONS or exam["clusters"] < FEW_CLUSTERS:
        warnings.append(
            f"the exam has {count(range(exam['questions']), 'question')} in "
            f"{count(range(exam['clusters']), 'cluster')}: its "
            "intervals will be wide; "
            f"have at least {FEW_QUESTIONS} questions in {FEW_CLUSTERS} clusters"
        )
    return warnings


def learning_warnings(wanted: Sequence[Side]) -> list[str]:
    """What the user should know where the exam's file stands alone."""
    made = "no questions to learn from are given: train and validation side are made by a machine from the documents"
    return [] if "train" in wanted else [made]


def headline_recalls(rows: Sequence[Mapping[str, Any]], name: str | None) -> dict[str, float]:
    """The headline of retrieval: ragraft's own and the user's."""
    return {
        f"{row['ranking']} {row['metric']} on the exam": round(row["value"], 3)
        for row in rows
        if row["side"] == "exam" and row["metric"] == f"recall@{HEADLINE_DEPTH}" and row["ranking"] in ("hybrid", name)
    }


def summary(placed: Sequence[ExamQuestion], rejected: Sequence[Rejected]) -> dict[str, Any]:
    """The facts printed after the stage."""
    sides = {f"{side} questions": sum(row.side == side for row in placed) for side in SIDES}
    clusters = {"exam clusters": len({row.cluster for row in placed if row.side == "exam"})}
    counts = {
        "unanswerable": sum(not row.question.answerable for row in placed),
        "weak or located oracles": sum(row.weak or row.located for row in placed),
        "rejected": len(rejected),
    }
    return {**sides, **clusters, **counts}
