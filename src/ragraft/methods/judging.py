"""Have a grader judge answers against the passages that they were shown. Knows ports and answers; knows no grader.

A judgement that fails or can't be read is no verdict: its answer stays unscored, and the reason is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ragraft.ports import Grader
from ragraft.records import Answer, Claim, ExamQuestion, Judgement, Passage, to_json

SUPPORTED = "supported"
"""Its place among an answer's scores."""
BATCH = 32


def judge(
    claims: Sequence[Claim], grader: Grader, tick: Callable[[int], object] = lambda number: None
) -> list[Judgement]:
    """A judgement a claim, in order, asked in batches that never change."""
    found: list[Judgement] = []
    for start in range(0, len(claims), BATCH):
        batch = claims[start : start + BATCH]
        found += grader.judge(batch)
        tick(len(batch))
    return found


def judged(rows: Sequence[Answer]) -> list[Answer]:
    """Those that can be judged: answers that were shown passages; an abstention says nothing to be supported."""
    return [row for row in rows if row.passages and not row.abstained]


def claim_of(row: Answer, question: ExamQuestion, passages: Mapping[str, Passage]) -> Claim:
    """What an answer says, and what it was shown."""
    texts = tuple(f"{passages[name].title}\n{passages[name].text}".strip() for name in row.passages)
    return Claim(row.answer, texts, question.question.question)


def with_judgements(rows: Sequence[Answer], judgements: Mapping[tuple[str, str, str], Judgement]) -> list[Answer]:
    """The rows, those that were judged with the verdict among their scores; keys are model, context and question."""
    found = []
    for row in rows:
        judgement = judgements.get((row.model, row.context, row.question_id))
        verdict = None if judgement is None or judgement.supported is None else float(judgement.supported)
        found.append(row if judgement is None else replace(row, scores={**row.scores, SUPPORTED: verdict}))
    return found


def judging_facts(name: str, judgements: Sequence[Judgement]) -> dict[str, Any]:
    """How many were judged, and why the others were not."""
    # What stands in brackets differs from case to case.
    reasons = Counter(one.reason.partition(" (")[0] for one in judgements if one.supported is None)
    return {
        "grader": name,
        "asked": len(judgements),
        "unscored": reasons.total(),
        "reasons": dict(reasons.most_common()),
    }


def judgement_row(row: Answer, claim: Claim, judgement: Judgement) -> dict[str, Any]:
    """A row of judgements.jsonl; its passages stand in answers.jsonl."""
    key = {"question_id": row.question_id, "model": row.model, "context": row.context}
    return {**key, "claim": claim.text, **to_json(judgement)}
