"""When to skip retrieval, and when to abstain: a router fitted to questions that were answered both ways.

A question is first answered closed-book, which costs few tokens: the draft. Where the calibrated probability that the
draft is right passes one threshold, it is the answer; else passages are looked up, and where the answer from them does
not pass another threshold, the router abstains. Knows replies and grades; knows neither a model nor a folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ragraft.errors import InputError
from ragraft.methods.answer import Reply, reply_to
from ragraft.methods.asking import answer_row
from ragraft.methods.confidence import RIGHT, confidence
from ragraft.methods.probability import EVEN_CHANCES, Calibrator, Seen, calibrator_from_json, fit, out_of_fold
from ragraft.methods.prompt import ANSWER, PromptBuilder
from ragraft.methods.risk_control import NOTHING, Control, control_risk
from ragraft.methods.signals import Count, Signals, draft_signals, reply_signals
from ragraft.records import Answer, ExamQuestion

Route = Literal["skip", "retrieve", "abstain"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the router did with a question, and the calibrated probabilities that it went by."""

    route: Route
    closed_book: float | None = None
    """That the draft is right; None where none was written, since nothing depends on it."""
    with_passages: float | None = None
    """That the answer from passages is right; None where nothing was looked up."""


@dataclass(frozen=True, slots=True)
class Router:
    """Two calibrated probabilities and their thresholds."""

    closed_book: Calibrator = EVEN_CHANCES
    with_passages: Calibrator = EVEN_CHANCES
    skip_above: float = NOTHING
    answer_above: float = 0.0
    """0: it never abstains by itself."""

    @property
    def may_abstain(self) -> bool:
        return self.answer_above > 0

    @property
    def drafts(self) -> bool:
        """Whether anything depends on a draft: one that never skips and never abstains always looks up."""
        return self.skip_above < NOTHING or self.may_abstain

    def of_draft(self, question: str, draft: Reply, count: Count) -> Decision:
        """Whether the draft is the answer. Raises InputError where its generator tells no probabilities."""
        sure = _probability(self.closed_book, draft_signals(question, draft, count))
        return Decision(self._first(sure), sure)

    def of_reply(self, before: Decision, question: str, *, draft: Reply, reply: Reply, count: Count) -> Decision:
        """Whether the answer from passages stands. Raises InputError like `of_draft`."""
        sure = _probability(self.with_passages, reply_signals(question, draft, reply, count))
        return replace(before, route=self._then(sure), with_passages=sure)

    def decide(self, closed_book: float, with_passages: float) -> Decision:
        """The decision for a question whose probabilities are known."""
        first = self._first(closed_book)
        if first == "skip":
            return Decision(first, closed_book)
        return Decision(self._then(with_passages), closed_book, with_passages)

    def _first(self, sure: float) -> Route:
        return "skip" if sure > self.skip_above else "retrieve"

    def _then(self, sure: float) -> Route:
        return "retrieve" if sure > self.answer_above else "abstain"


def router_from_json(row: Mapping[str, Any]) -> Router:
    """A Router as `to_json` wrote it."""
    both = {name: calibrator_from_json(row[name]) for name in ("closed_book", "with_passages")}
    return Router(**both, skip_above=row["skip_above"], answer_above=row["answer_above"])


def _probability(calibrator: Calibrator, signals: Signals) -> float:
    try:
        return calibrator.probability(signals)
    except KeyError as missing:
        raise InputError(
            f"retrieval auto was calibrated on probabilities that this model's generator does not tell ({missing}); "
            "ask with retrieval always or never"
        ) from None


def abstaining(reply: Reply, builder: PromptBuilder) -> Reply:
    """The reply with the abstention in the place of what the model said."""
    said = replace(reply.completion, text=f"{ANSWER}{builder.abstention}")
    return reply_to(reply.fitted, said, builder)


def decided(
    question: str,
    remember: Callable[[], Reply],
    look_up: Callable[[], Reply],
    *,
    router: Router,
    builder: PromptBuilder,
) -> tuple[Reply, Decision]:
    """The answer to a question and how it came about; `remember` drafts it closed-book, `look_up` from passages."""
    if not router.drafts:
        return look_up(), Decision("retrieve")
    count, draft = builder.tokenizer.count, remember()
    first = router.of_draft(question, draft, count)
    if first.route == "skip":
        return draft, first
    reply = look_up()
    then = router.of_reply(first, question, draft=draft, reply=reply, count=count)
    return (abstaining(reply, builder) if then.route == "abstain" else reply), then


@dataclass(frozen=True, slots=True)
class Both:
    """A question answered closed-book and with passages, graded, with the signals of both."""

    question: ExamQuestion
    closed: Answer
    shown: Answer
    draft_signals: Signals
    reply_signals: Signals
    closed_confidence: float | None
    """As the model tells it, uncalibrated."""
    shown_confidence: float | None

    @property
    def gain(self) -> float:
        """What retrieval adds to the score; below 0 where it misleads."""
        return score(self.shown) - score(self.closed)


def answered_both_ways(question: ExamQuestion, draft: Reply, reply: Reply, count: Count) -> Both:
    """Grade both replies to a question and collect their signals."""
    asked = question.question.question
    return Both(
        question,
        answer_row("tuned", "none", question, draft),
        answer_row("tuned", "retrieved", question, reply),
        draft_signals(asked, draft, count),
        reply_signals(asked, draft, reply, count),
        confidence(draft, count),
        confidence(reply, count),
    )


def score(answer: Answer) -> float:
    """Of 1, on any question: abstaining is right where the documents hold no answer."""
    return answer.scores["f1_all"] or 0.0


def right(answer: Answer) -> bool:
    """Whether an answer counts as right; so does an abstention where there is nothing to answer."""
    return score(answer) >= RIGHT


def wrong(answer: Answer) -> bool:
    """Whether something was said that is not right; to abstain says nothing."""
    return not answer.abstained and not right(answer)


def tokens(answer: Answer) -> float:
    """Read and written."""
    return float(answer.prompt_tokens + answer.answer_tokens)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A router, the probabilities out of fold that its thresholds rest on, and what they promise."""

    router: Router
    closed_book: tuple[float, ...]
    with_passages: tuple[float, ...]
    skip: Control
    """What may be skipped; the router does, where it is worth its drafts."""
    worth: bool
    answer: Control | None
    """None where nothing bounds wrong answers."""


def fit_router(
    rows: Sequence[Both],
    *,
    max_loss: float,
    max_wrong: float | None,
    folds: int,
    seed: int,
    saves: Literal["tokens", "retrievals"] = "tokens",
) -> Fitted:
    """Fit both probabilities to all rows, and choose the thresholds on those out of fold.

    Skipping costs what retrieval would have added, where it would have; answering costs 1 where the answer is wrong.
    The theorem of `risk_control` is for scores that were fixed before the rows were seen. Out of fold a row's own
    outcome is not in its score, but each fold has a fit of its own and service has the fit to all, so the bound holds
    as far as these agree: with so few weights on a hundred rows they nearly do. The second threshold is chosen with
    the first one given. Where no threshold keeps wrong answers within `max_wrong`, nothing is skipped, and if need be
    nothing answered. Where drafts are written for skipping alone and `saves` is tokens, nothing is skipped unless that
    saves more of them than all drafts cost: skipping less keeps any bound on what it loses.
    """
    drafts = [Seen(row.draft_signals, right(row.closed), row.question.cluster) for row in rows]
    replies = [Seen(row.reply_signals, right(row.shown), row.question.cluster) for row in rows]
    closed, shown = (tuple(out_of_fold(seen, folds=folds, seed=seed)) for seen in (drafts, replies))
    clusters = [row.question.cluster for row in rows]
    skip = control_risk(closed, [max(row.gain, 0.0) for row in rows], clusters, most=max_loss)
    answer = (
        _control_answers(rows, closed, shown, skip_above=skip.threshold, max_wrong=max_wrong) if max_wrong else None
    )
    if answer and not answer.promised and max_wrong:
        skip = replace(skip, threshold=NOTHING, loss=0.0, taken=0)
        answer = _control_answers(rows, closed, shown, skip_above=NOTHING, max_wrong=max_wrong)
    answer_above = answer.threshold if answer else 0.0
    saving = saves == "retrievals" or answer_above > 0 or _saves_tokens(rows, [one > skip.threshold for one in closed])
    worth = skip.taken > 0 and saving
    router = Router(fit(drafts, seed=seed), fit(replies, seed=seed), skip.threshold if worth else NOTHING, answer_above)
    return Fitted(router, closed, shown, skip, worth, answer)


def _saves_tokens(rows: Sequence[Both], skipped: Sequence[bool]) -> bool:
    """Whether skipping these saves more tokens than the drafts of all cost."""
    return sum(tokens(row.shown) for row, skips in zip(rows, skipped, strict=True) if skips) > sum(
        tokens(row.closed) for row in rows
    )


def _control_answers(
    rows: Sequence[Both], closed: Sequence[float], shown: Sequence[float], *, skip_above: float, max_wrong: float
) -> Control:
    skipped = [sure > skip_above for sure in closed]
    given = [row.closed if skips else row.shown for row, skips in zip(rows, skipped, strict=True)]
    clusters = [row.question.cluster for row in rows]
    return control_risk(shown, [float(wrong(one)) for one in given], clusters, most=max_wrong, always=skipped)
