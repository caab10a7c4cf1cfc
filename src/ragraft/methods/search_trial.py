"""What search brings by depth, and what other settings or another index would. Knows finders, prompts; asks no model.

Evidence counts as brought where the prompt would show all of it: passages that no longer fit are not read. Passages
suffice where they show all the evidence, or hold a right answer that is long enough to mean something.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ragraft.methods.containment import holds, is_telling
from ragraft.methods.costs import Cost
from ragraft.methods.finders import Finder
from ragraft.methods.ladder import Climbed
from ragraft.methods.lots import lot
from ragraft.methods.prompt import PromptBuilder
from ragraft.methods.stats import mean_interval, paired_difference
from ragraft.records import ExamQuestion, Passage, to_json

DEPTHS = (1, 2, 4, 8, 16, 32)
DEEPER = (2, 4)
"""How many times as many passages are tried."""
FOLDS = 5
DIGITS = 9
"""Sums that agree to so many digits are alike, and the setting that was tried first is taken."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A way to search that was tried, and whether it would show each question's evidence."""

    name: str
    shows: Mapping[str, bool]
    passages: float
    """Passages shown, on average."""
    tokens: float = 0.0
    """Tokens of these passages, on average."""
    cost: Cost = field(default_factory=Cost)
    """What it takes once: another index, where it needs one."""


@dataclass(frozen=True, slots=True)
class OtherIndex:
    """An index made otherwise from the same documents, to be tried beside the one in use."""

    name: str
    finder: Finder
    placed: Mapping[str, ExamQuestion]
    """Question id → the question with its evidence in the chunks of this index."""
    cost: Cost


def by_depth(
    questions: Sequence[ExamQuestion], finder: Finder, *, pool: int, k: int, resamples: int, seed: int
) -> list[dict[str, Any]]:
    """Recall of any and of all evidence, and sufficiency, among the first passages found; a row a depth."""
    asked = [question for question in questions if question.oracle and question.question.answerable]
    if not asked:
        return []
    found = finder.find(asked, pool)
    clusters = [question.cluster for question in asked]

    def share(values: Sequence[bool]) -> dict[str, Any]:
        rows = [float(value) for value in values]
        return to_json(mean_interval(rows, clusters, share=True, resamples=resamples, seed=seed))

    rows = []
    for depth in sorted({*(one for one in DEPTHS if one <= pool), min(k, pool)}):
        pairs = [(question, passages[:depth]) for question, passages in zip(asked, found, strict=True)]
        rows.append(
            {
                "k": depth,
                "recall": share([not _chunks(passages).isdisjoint(question.oracle) for question, passages in pairs]),
                "full recall": share([question.shown_by(_chunks(passages)) for question, passages in pairs]),
                "sufficient": share([_suffices(question, passages) for question, passages in pairs]),
            }
        )
    return rows


def try_settings(
    questions: Sequence[ExamQuestion], finders: Mapping[str, Finder], *, builder: PromptBuilder, k: int, pool: int
) -> list[Setting]:
    """Each finder at k passages and deeper; the first one's own k is what is in use, and comes first."""
    asked = [question for question in questions if question.oracle and question.question.answerable]
    depths = [k, *(min(times * k, pool) for times in DEEPER if min(times * k, pool) > k)]
    found = []
    for name, finder in finders.items():
        ranked = finder.find(asked, max(depths)) if asked else []
        for depth in dict.fromkeys(depths):
            shown = [
                builder.fit(question.question.question, passages[:depth]).passages
                for question, passages in zip(asked, ranked, strict=True)
            ]
            shows = {one.id: one.shown_by(_chunks(passages)) for one, passages in zip(asked, shown, strict=True)}
            number, tokens = _mean_size(shown, builder)
            found.append(Setting(f"{name}, k {depth}", shows, number, tokens))
    return found


def try_indexes(
    questions: Sequence[ExamQuestion], indexes: Sequence[OtherIndex], *, builder: PromptBuilder, k: int, pool: int
) -> list[Setting]:
    """Each other index at k passages and deeper; a question that it holds no evidence of is not among its `shows`."""
    found = []
    for one in indexes:
        placed = [one.placed[question.id] for question in questions if question.id in one.placed]
        settings = try_settings(placed, {one.name: one.finder}, builder=builder, k=k, pool=pool)
        found += [replace(setting, cost=one.cost) for setting in settings]
    return found


def _mean_size(shown: Sequence[Sequence[Passage]], builder: PromptBuilder) -> tuple[float, float]:
    """How many passages are shown, and how many tokens they have."""
    asked = max(len(shown), 1)
    texts = {passage.id: passage.text for passages in shown for passage in passages}
    tokens = {name: builder.tokenizer.count(text) for name, text in texts.items()}
    number = sum(map(len, shown))
    return number / asked, sum(tokens[passage.id] for passages in shown for passage in passages) / asked


def gain_by_setting(climbed: Climbed, setting: Setting, used: Setting) -> float:
    """What a question gains by the setting: the loss to retrieval where it newly shows the evidence, and where it shows
    it no longer, minus what the question scores now."""
    before, now = used.shows.get(climbed.id), setting.shows.get(climbed.id)
    if before is None or now is None or before == now:
        return 0.0
    return climbed.part("retrieval") if now else -climbed.score


def best_setting(climbed: Sequence[Climbed], settings: Sequence[Setting]) -> Setting | None:
    """The one that would gain most; the one in use where none gains, None where nothing was tried."""
    if not settings:
        return None
    used = settings[0]
    return max(settings, key=lambda one: sum(gain_by_setting(question, one, used) for question in climbed))


def gains_of_choosing(climbed: Sequence[Climbed], settings: Sequence[Setting], *, seed: int) -> list[float]:
    """What each question gains by the setting that is the best one on the clusters of other folds.

    Settings chosen on the questions that they are judged on look better than they are: of twenty alike the best seems
    to gain half as much again. Chosen on other folds they don't; more folds than these would make the mean shaky.
    """
    if not settings:
        return [0.0] * len(climbed)
    each = [[gain_by_setting(question, one, settings[0]) for question in climbed] for one in settings]
    clusters = sorted({question.cluster for question in climbed}, key=lambda name: (lot(f"{seed}:{name}"), name))
    fold = {cluster: place % FOLDS for place, cluster in enumerate(clusters)}
    found = [0.0] * len(climbed)
    for number in range(min(FOLDS, len(clusters))):
        own = [place for place, question in enumerate(climbed) if fold[question.cluster] == number]
        beside = [math.fsum(gains) - math.fsum(gains[place] for place in own) for gains in each]
        best = max(range(len(settings)), key=lambda one: round(beside[one], DIGITS))
        for place in own:
            found[place] = each[best][place]
    return found


def settings_told(
    climbed: Sequence[Climbed], settings: Sequence[Setting], *, resamples: int, seed: int
) -> list[dict[str, Any]]:
    """Each setting with the share of questions whose evidence it shows, and that share against the one in use.

    A question that another index holds no evidence of is unscored there.
    """
    asked = [one for one in climbed if settings and one.id in settings[0].shows]
    if not asked:
        return []
    clusters = [one.cluster for one in asked]
    used = [float(settings[0].shows[one.id]) for one in asked]
    rows = []
    for setting in settings:
        known = [setting.shows.get(one.id) for one in asked]
        shows = [None if one is None else float(one) for one in known]
        if all(one is None for one in shows):
            continue
        change = paired_difference(shows, used, clusters, resamples=resamples, seed=seed)
        share = mean_interval(shows, clusters, share=True, resamples=resamples, seed=seed)
        rows.append(
            {
                "setting": setting.name,
                "evidence shown": to_json(share),
                "change": to_json(change),
                "passages": round(setting.passages, 2),
                "tokens": round(setting.tokens, 1),
            }
        )
    return rows


def _chunks(passages: Sequence[Passage]) -> set[str]:
    return {name for passage in passages for name in passage.chunks}


def _suffices(question: ExamQuestion, passages: Sequence[Passage]) -> bool:
    if question.shown_by(_chunks(passages)):
        return True
    telling = [answer for answer in question.question.answers if is_telling(answer)]
    return any(holds(passage.text, answer) for passage in passages for answer in telling)
