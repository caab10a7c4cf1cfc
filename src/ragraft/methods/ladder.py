"""Where answers are lost: a fixed ladder of conditions, whose steps add up to the loss. Knows graded answers only.

The loss of a question is 1 minus its score (F1 as SQuAD 2 counts it) under the plain prompt with retrieved passages,
as the system answers today. From there four steps lead to 1, and each step's gain is the loss of one part:

    step      from → to                                          its part
    examples  plain prompt → solved examples in the prompt       abstention where either of the two abstains, else form
    evidence  retrieved → oracle among others (oracle+N)         retrieval where the evidence was not shown, else
                                                                 distraction
    alone     oracle among others → oracle alone                 distraction
    rest      oracle alone → right                               abstention where it abstains; form as far as a right
                                                                 answer stands in its own; what is left is reading where
                                                                 the oracle holds a right answer word for word, and
                                                                 knowledge where it takes more than these words

A question whose evidence is nowhere in the documents has no oracle: after the examples, what is not form is knowledge.
One that the documents don't answer is lost to abstention alone. A part may be negative: that step hurts, as examples
can. Steps of one question add up to its loss whatever the scores are, so the parts' means add up to the mean loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ragraft.methods.containment import holds, words
from ragraft.methods.grade import measure_of
from ragraft.methods.stats import mean_interval
from ragraft.records import Answer, ExamQuestion, Interval

Part = Literal["retrieval", "reading", "distraction", "knowledge", "form", "abstention"]
StepName = Literal["examples", "evidence", "alone", "rest"]
PARTS: tuple[Part, ...] = ("retrieval", "reading", "distraction", "knowledge", "form", "abstention")
LONGEST_FORM = 40
"""Words up to which an answer that holds the right one is merely long; a longer one has only copied."""


@dataclass(frozen=True, slots=True)
class Rungs:
    """A question's answers under the conditions of the ladder."""

    question: ExamQuestion
    plain: Answer
    """Retrieved passages, no examples."""
    examples: Answer
    """Retrieved passages, with examples."""
    among: Answer | None = None
    """The oracle among others; None without an oracle, or where it does not fit."""
    alone: Answer | None = None
    """The oracle alone."""
    held: bool = False
    """The oracle passages hold a right answer word for word."""

    @property
    def upper(self) -> tuple[Answer, Answer] | None:
        """The rungs of the oracle, among others and alone, where the question has them."""
        answerable = self.question.question.answerable
        return (self.among, self.alone) if answerable and self.among and self.alone else None


@dataclass(frozen=True, slots=True)
class Step:
    """What one step up the ladder brings, and the part that it is the loss of."""

    name: StepName
    part: Part
    value: float


@dataclass(frozen=True, slots=True)
class Climbed:
    """A question with its steps."""

    id: str
    cluster: str
    steps: tuple[Step, ...]
    shown: bool
    """What it needs was among the retrieved passages; of a question without an answer, nothing is missing."""
    oracle: bool
    """It was asked with its oracle alone."""
    score: float
    """With examples and retrieved passages."""

    @property
    def loss(self) -> float:
        return sum(step.value for step in self.steps)

    def part(self, part: Part) -> float:
        return sum(step.value for step in self.steps if step.part == part)

    def step(self, name: StepName) -> float:
        return sum(step.value for step in self.steps if step.name == name)


def climb(rungs: Rungs) -> Climbed:
    """The steps of one question."""
    plain, examples = rungs.plain, rungs.examples
    answerable = rungs.question.question.answerable
    either = plain.abstained or examples.abstained
    steps = [Step("examples", "abstention" if either or not answerable else "form", _score(examples) - _score(plain))]
    if rungs.upper:
        among, alone = rungs.upper
        missing: Part = "distraction" if examples.evidence_shown else "retrieval"
        steps.append(Step("evidence", missing, _score(among) - _score(examples)))
        steps.append(Step("alone", "distraction", _score(alone) - _score(among)))
    steps += _rest(rungs)
    return Climbed(
        rungs.question.id,
        rungs.question.cluster,
        tuple(step for step in steps if step.value),
        shown=not answerable or plain.evidence_shown,
        oracle=rungs.upper is not None,
        score=_score(examples),
    )


def loss_parts(climbed: Sequence[Climbed], *, resamples: int, seed: int) -> dict[Part, Interval]:
    """The mean loss by part, each with its interval; the same clusters are drawn for all parts."""
    clusters = [one.cluster for one in climbed]
    return {
        part: mean_interval([one.part(part) for one in climbed], clusters, resamples=resamples, seed=seed)
        for part in PARTS
    }


def total_loss(climbed: Sequence[Climbed], *, resamples: int, seed: int) -> Interval:
    """The mean loss: the sum of its parts."""
    values = [min(max(one.loss, 0.0), 1.0) for one in climbed]
    return mean_interval(values, [one.cluster for one in climbed], share=True, resamples=resamples, seed=seed)


def recovered(climbed: Climbed, rates: Mapping[Part, float]) -> float:
    """What a question gains when such shares of each part are won back.

    Where search misses the evidence, a reader can only win what examples could change: it finds nothing that it is not
    shown.
    """
    return sum(
        rates.get(step.part, 0.0) * step.value
        for step in climbed.steps
        if climbed.shown or step.name == "examples" or step.part == "retrieval"
    )


def _rest(rungs: Rungs) -> list[Step]:
    last = rungs.upper[1] if rungs.upper else rungs.examples
    missing = 1.0 - _score(last)
    if not rungs.question.question.answerable or (last.abstained and last.evidence_shown):
        return [Step("rest", "abstention", missing)]
    form = forgiving(rungs.question, last) - _score(last)
    return [Step("rest", "form", form), Step("rest", _beyond(rungs, last), missing - form)]


def _beyond(rungs: Rungs, last: Answer) -> Part:
    """What a question is lost to that is neither form nor abstention."""
    if not rungs.question.oracle:
        return "knowledge"
    if rungs.upper is None and not last.evidence_shown:  # too long to be shown whole
        return "retrieval"
    return "reading" if rungs.held else "knowledge"


def forgiving(question: ExamQuestion, row: Answer) -> float:
    """The score, or 1 where the answer holds a right one and is not much longer: only its form is wrong."""
    score = _score(row)
    if row.abstained or measure_of(question.question) != "text" or len(words(row.answer)) > LONGEST_FORM:
        return score
    return max(score, float(any(holds(row.answer, answer) for answer in question.question.answers)))


def _score(row: Answer) -> float:
    return row.scores["f1_all"] or 0.0
