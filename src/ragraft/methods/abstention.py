"""When a tuned model abstains: the threshold on the abstention's probability, chosen on the validation side.

SQuAD 2.0's own evaluation chooses the threshold with the best F1 over all questions (Rajpurkar et al. 2018, 1806.03822;
`find_best_thresh` of its script), and on the questions that it is then scored by. Chosen on a few others, the best one
is often luck, and where half of the questions have no answer it can mean to refuse nearly everything. So over-refusal
is bounded, and 0.5 stays unless another threshold is better by more than a standard error (the rule of Breiman et al.
1984, section 3.4.3, for the simplest of the nearly best). Knows questions and replies; knows neither a folder nor a
setting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ragraft.methods.answer import Reply
from ragraft.methods.asking import answer_row
from ragraft.methods.contexts import Shown
from ragraft.methods.prompt import ABSTAIN_ABOVE
from ragraft.methods.stats import paired_difference

THRESHOLDS = tuple(step / 20 for step in range(1, 19))
"""0.05 to 0.9. A model that is surer than the last one abstains whatever the validation side says, which may hold no
question without an answer."""
FEWEST = 16
"""Questions, that anything be chosen."""
ERRORS = 4
"""Standard errors in a 95 % interval, about."""


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
    cluster: str

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
    f1_all: float = 0.0
    over_refusal: float | None = None
    """Share of the questions whose evidence was shown; None without any."""


def choose_threshold(rows: Sequence[Weighed], *, most: float, resamples: int, seed: int) -> Threshold:
    """ABSTAIN_ABOVE, or the lowest threshold above it that refuses at most the share `most` of the answerable questions
    whose evidence was shown; or, of all thresholds within that bound, the one with the best F1 over all questions, if
    its gain, paired by question, is more than its standard error over clusters.

    ABSTAIN_ABOVE where there are fewer than FEWEST rows; the highest threshold where all refuse more.
    """
    if len(rows) < FEWEST:
        return Threshold(ABSTAIN_ABOVE)
    within = [one for one in (_tried(rows, above) for above in THRESHOLDS) if (one.over_refusal or 0.0) <= most]
    plain = next((one for one in within if one.above >= ABSTAIN_ABOVE), _tried(rows, THRESHOLDS[-1]))
    clusters, before = [row.cluster for row in rows], [row.score(plain.above) for row in rows]

    def is_better(one: Threshold) -> bool:
        after = [row.score(one.above) for row in rows]
        gain = paired_difference(after, before, clusters, resamples=resamples, seed=seed)
        return gain.low is not None and gain.high is not None and gain.value > (gain.high - gain.low) / ERRORS

    better = [one for one in within if one.above != plain.above and is_better(one)]
    return max(better, key=lambda one: (one.f1_all, -abs(one.above - ABSTAIN_ABOVE)), default=plain)


def _tried(rows: Sequence[Weighed], above: float) -> Threshold:
    shown = [row.abstains(above) for row in rows if row.shown]
    f1_all = sum(row.score(above) for row in rows) / len(rows)
    return Threshold(above, len(rows), f1_all, sum(shown) / len(shown) if shown else None)


def weigh(shown: Shown, replies: Sequence[Reply]) -> list[Weighed]:
    """Replies, given with retrieved passages and without abstaining, as a threshold is chosen by them."""
    rows = []
    for (question, _), reply in zip(shown, replies, strict=True):
        row = answer_row("tuned", "retrieved", question, reply)
        answerable = question.question.answerable
        score = row.scores["f1_all"] or 0.0
        shown_it = answerable and row.evidence_shown
        rows.append(Weighed(reply.completion.turning, score, answerable, shown_it, question.cluster))
    return rows
