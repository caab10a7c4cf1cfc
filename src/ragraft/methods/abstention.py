"""When a tuned model abstains: the threshold on the abstention's probability, chosen on the validation side.

SQuAD 2.0's own evaluation chooses the threshold with the best F1 over all questions (Rajpurkar et al. 2018, 1806.03822;
`find_best_thresh` of its script). Where half of the questions have no answer that can mean to refuse nearly everything,
so over-refusal is bounded, and the best of the thresholds within that bound is taken. Knows questions and replies;
knows neither a folder nor a setting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ragraft.methods.asking import Room, answer_row
from ragraft.methods.limit import spread_questions
from ragraft.methods.prompt import ABSTAIN_ABOVE
from ragraft.ports import Generator
from ragraft.records import ExamQuestion

NEVER = 1.0
"""No probability is above it: the model says what it says otherwise."""
THRESHOLDS = tuple(step / 20 for step in range(1, 19))
"""0.05 to 0.9. A model that is surer than the last one abstains whatever the validation side says, which may hold no
question without an answer."""
FEWEST = 16
"""Questions, that anything be chosen."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A validation question, answered without abstaining, and what abstaining would have been worth."""

    probability: float | None
    """Of the abstention; None where the answer left no place for it."""
    answering: float
    """The answer's F1 as SQuAD 2 counts it."""
    answerable: bool
    shown: bool
    """Answerable, and its evidence among the passages."""

    def abstains(self, above: float) -> bool:
        return self.probability is not None and self.probability > above

    def score(self, above: float) -> float:
        """F1 over all questions: an abstention is right where there is no answer, and worth nothing elsewhere."""
        return float(not self.answerable) if self.abstains(above) else self.answering


@dataclass(frozen=True, slots=True)
class Threshold:
    """What was chosen, and how it does on the questions that it was chosen on."""

    above: float
    questions: int = 0
    f1_all: float | None = None
    over_refusal: float | None = None
    """Share of the questions whose evidence was shown; None without any."""


def choose_threshold(rows: Sequence[Weighed], *, most: float) -> Threshold:
    """The threshold with the best F1 over all questions, of those that refuse at most the share `most` of the
    answerable ones whose evidence was shown; of equals the one next to ABSTAIN_ABOVE.

    The highest one where none keeps within `most`; ABSTAIN_ABOVE where there are fewer than FEWEST rows.
    """
    if len(rows) < FEWEST:
        return Threshold(ABSTAIN_ABOVE)
    tried = [_tried(rows, above) for above in THRESHOLDS]
    within = [one for one in tried if (one.over_refusal or 0.0) <= most] or tried[-1:]
    return max(within, key=lambda one: (one.f1_all, -abs(one.above - ABSTAIN_ABOVE)))


def _tried(rows: Sequence[Weighed], above: float) -> Threshold:
    shown = [row.abstains(above) for row in rows if row.shown]
    f1_all = sum(row.score(above) for row in rows) / len(rows)
    return Threshold(above, len(rows), f1_all, sum(shown) / len(shown) if shown else None)


def weigh(
    room: Room, generator: Generator, questions: Sequence[ExamQuestion], *, number: int, seed: int
) -> list[Weighed]:
    """Ask at most `number` of the questions, of each cluster in turn, with retrieved passages and no abstention.

    None is asked where they are too few to choose by.
    """
    asked, _ = spread_questions(questions, number, seed=seed)
    if len(asked) < FEWEST:
        return []
    shown = room.show("retrieved", asked)
    replies = room.replies(shown, generator, above=NEVER)
    rows = []
    for (question, _), reply in zip(shown, replies, strict=True):
        row = answer_row("tuned", "retrieved", question, reply)
        answerable = question.question.answerable
        score = row.scores["f1_all"] or 0.0
        rows.append(Weighed(reply.completion.turning, score, answerable, answerable and row.evidence_shown))
    return rows
