"""Whether a tuned model reads its quotes once more, and with that, when it abstains: both as the validation side says.

An answer is written before its quote, when the model has just found the place; of a table's row it often takes the
wrong cell there. The quote alone, read by the same model as its only document, tells it better. On prose it does not:
a sentence out of its paragraph says less, and what was understood before is lost. So nobody can say beforehand, and
since a second reading makes an answer take a fifth longer, it must be better beyond doubt. A reader that sees nothing
but the sentences selected for it is that of Min et al. 2018 (1805.08092, section 3); here it has selected them itself.
Knows questions and replies; knows neither a folder nor a setting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ragraft.methods.abstention import FEWEST, Threshold, Weighed, choose_threshold, weigh
from ragraft.methods.answer import NEVER
from ragraft.methods.asking import Room
from ragraft.methods.limit import spread_questions
from ragraft.methods.manner import Manner
from ragraft.methods.stats import paired_difference
from ragraft.ports import Generator
from ragraft.records import ExamQuestion, Interval


@dataclass(frozen=True, slots=True)
class Rereading:
    """What was chosen, and by what."""

    rereads: bool
    questions: int = 0
    changed: int = 0
    """Questions that the second reading scored otherwise."""
    gain: Interval | None = None
    """Of F1 over all questions, nobody abstaining; paired."""


@dataclass(frozen=True, slots=True)
class Found:
    """How a tuned model is asked, and how that was chosen; None for what was given."""

    manner: Manner
    threshold: Threshold | None = None
    rereading: Rereading | None = None


def choose_rereading(first: Sequence[Weighed], second: Sequence[Weighed], *, resamples: int, seed: int) -> Rereading:
    """Read again where that gains F1, paired by question, with an interval over clusters that is clear of zero.

    Both hold the same questions in the same order; fewer than FEWEST choose nothing.
    """
    if len(first) < FEWEST:
        return Rereading(rereads=False)
    before, after = ([row.answering for row in rows] for rows in (first, second))
    gain = paired_difference(after, before, [row.cluster for row in first], resamples=resamples, seed=seed)
    changed = sum(a != b for a, b in zip(before, after, strict=True))
    return Rereading(gain.low is not None and gain.low > 0, len(first), changed, gain)


def find_manner(
    room: Room,
    generator: Generator,
    questions: Sequence[ExamQuestion],
    *,
    given: Manner,
    number: int,
    most: float,
    resamples: int,
    seed: int,
) -> Found:
    """Ask at most `number` of the questions, of each cluster in turn, with retrieved passages and no abstention, and
    choose by their answers what `given` doesn't say; none is asked where they are too few to choose by."""
    if given.above is not None and given.rereads is not None:
        return Found(given)
    asked, _ = spread_questions(questions, number, seed=seed)
    enough = len(asked) >= FEWEST
    shown = room.show("retrieved", asked) if enough else []
    rows = weigh(shown, room.replies(shown, generator, manner=Manner(NEVER, rereads=False)))
    rereading, again = None, rows
    if given.rereads is not False:
        trial = replace(room, dropped=0)  # the same passages once more: what doesn't fit is counted already
        again = weigh(shown, trial.replies(shown, generator, manner=Manner(NEVER, rereads=True)))
        if given.rereads is None:
            rereading = choose_rereading(rows, again, resamples=resamples, seed=seed)
    rereads = rereading.rereads if rereading else bool(given.rereads)
    threshold = None
    if given.above is None:
        threshold = choose_threshold(again if rereads else rows, most=most, resamples=resamples, seed=seed)
    return Found(Manner(threshold.above if threshold else given.above, rereads), threshold, rereading)
