"""Finished cells as small files beside the figures, so that another machine goes on where this one stopped.

A file holds scores, no text: of a question its id, cluster and kind, of an answer what the metrics read. Words stand as
their digests, enough to see whether two cells asked and answered alike. What base and few-shot base answered stands in
one file of a data set. Delete a cell's file to have it made again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.arms.cells import Cell, Done
from ragraft.errors import InputError
from ragraft.methods.comparison import BASES, Scored
from ragraft.methods.grade import CALL_TYPE, label_of, label_set, measure_of
from ragraft.records import Answer, ExamQuestion, Question
from ragraft.workspace import write_atomically

DIGITS = 5
WHOLE = ("training", "settings", "seconds", "forgetting")
"""What is kept as it is."""


def file_of(folder: Path, cell: Cell) -> Path:
    return folder / f"{cell.run}.json"


def keep(folder: Path, done: Done) -> None:
    """Write the cell's file; the base's answers only where no other file of its data set has them."""
    elsewhere = base_kept(folder, done.cell, but=lambda cell: cell == done.cell)
    asked = {question.id: question for question in done.scored.questions}
    answers = [one for one in done.scored.answers if not (elsewhere and one.model in BASES)]
    told = {answer.question_id for answer in answers}
    scores = list(dict.fromkeys(name for answer in answers for name in answer.scores))
    facts = {
        **{"data": done.cell.data, "arm": done.cell.arm, "seed": done.cell.seed, "quick": done.cell.quick},
        **{key: getattr(done, key) for key in WHOLE},
        "texts": done.card.get("texts", {}),
        "questions": [_question_row(asked[name]) for name in asked if name in told],
        "scores": scores,
        "answers": [
            {"model": model, "context": context, "rows": [_answer_row(one, asked, scores) for one in rows]}
            for (model, context), rows in groupby(sorted(answers, key=_condition), key=_condition)
        ],
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(file_of(folder, done.cell), _written(facts).encode())


def base_kept(folder: Path, cell: Cell, *, but: Callable[[Cell], bool]) -> bool:
    """Whether a file of the cell's data set, other than of cells that `but` names, has what the base answered."""
    files = sorted(folder.glob(f"{'quick.' * cell.quick}{cell.data}.*.json"))
    others = (done for file in files if not but((done := _read(file)).cell))
    return any(answer.model in BASES for done in others for answer in done.scored.answers)


def read_kept(folder: Path, cell: Cell) -> Done | None:
    """The cell as it was kept, or None. Raises InputError for a file that is none of these."""
    file = file_of(folder, cell)
    return _read(file) if file.is_file() else None


def _read(file: Path) -> Done:
    try:
        told = json.loads(file.read_text("utf-8"))
        cell = Cell(*(told[key] for key in ("data", "arm", "seed", "quick")))
        scored = Scored(cell.run, cell.label, [_question(row) for row in told["questions"]], list(_answers(told)))
        return Done(cell, scored, {"texts": told["texts"]}, **{key: told[key] for key in WHOLE})
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} is no finished cell ({error}); delete it to have the cell made again") from error


def _condition(answer: Answer) -> tuple[str, str]:
    return answer.model, answer.context


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:12]


def _question_row(placed: ExamQuestion) -> list[Any]:
    """Id, cluster, words, the right label or the right answers' digest (none where the documents have none), kind."""
    question = placed.question
    labels = label_set(question)
    right = list(question.answers) if labels else [_digest(*question.answers)] if question.answers else []
    kind = "/".join(labels) or (CALL_TYPE if measure_of(question) == "call" else None)
    return [placed.id, placed.cluster, _digest(question.question), right, kind]


def _question(row: Sequence[Any]) -> ExamQuestion:
    identifier, cluster, words, right, kind = row
    return ExamQuestion(Question(identifier, words, tuple(right), type=kind), "exam", cluster)


def _answer_row(answer: Answer, asked: Mapping[str, ExamQuestion], scores: Sequence[str]) -> list[Any]:
    labels = label_set(asked[answer.question_id].question)
    told = [answer.scores.get(name) for name in scores]
    return [
        *(answer.question_id, label_of(answer.answer, labels) if labels else None, _digest(answer.text)),
        *(_digest(*answer.passages), int(answer.abstained), int(answer.evidence_shown)),
        *(answer.prompt_tokens, answer.answer_tokens, answer.finish_reason),
        *(None if value is None else round(value, DIGITS) for value in told),
    ]


def _answers(told: Mapping[str, Any]) -> Iterator[Answer]:
    for condition in told["answers"]:
        for row in condition["rows"]:
            identifier, label, words, passages, abstained, shown, prompt, length, reason, *values = row
            answer = Answer(
                *(identifier, condition["model"], condition["context"], label or "", words, (), ()),
                *(bool(abstained), (passages,), bool(shown), prompt, length),
                finish_reason=reason,
            )
            yield replace(answer, scores=dict(zip(told["scores"], values, strict=True)))


def _written(facts: Mapping[str, Any]) -> str:
    """As JSON, a question and an answer a line."""
    whole = {key: value for key, value in facts.items() if key not in ("questions", "answers")}
    head = json.dumps(whole, ensure_ascii=False, indent=1).removesuffix("\n}")
    conditions = (
        f'{{"model": {json.dumps(one["model"])}, "context": {json.dumps(one["context"])}, '
        f'"rows": {_lines(one["rows"])}}}'
        for one in facts["answers"]
    )
    return f'{head},\n "questions": {_lines(facts["questions"])},\n "answers": [{", ".join(conditions)}]\n}}\n'


def _lines(rows: Sequence[Any]) -> str:
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows) + "\n]"
