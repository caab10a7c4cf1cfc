"""From finished cells of one data set to rows of figures: conditions, paired differences, seeds, forgetting, costs.

A row is `{"data", "arm", "context", "metric", "value", "low", "high", "n", "clusters"}`. Shares and F1 are within 0..1;
a difference has `raft - base-fewshot` as its arm. Knows answers and scorecards; knows no folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.arms.cells import Done
from ragraft.methods.comparison import Scored, answers_by_arm, common_questions, compare_runs
from ragraft.methods.scorecard import METRICS, abstention_auroc
from ragraft.methods.scorecard import Row as Asked
from ragraft.methods.stats import Floats, mean_interval, paired_difference, statistic_interval
from ragraft.records import Answer, ExamQuestion, Interval, to_json

Row = dict[str, Any]
FEWSHOT = "base-fewshot"
REPORTED = (
    *("f1", "em", "f1_evidence_shown", "f1_evidence_not_shown", "f1_all"),
    *("abstention_precision", "abstention_recall", "abstention_f1", "abstention_auroc"),
    *("over_refusal", "refusal_without_evidence"),
    *("citation_precision", "citation_recall", "quoting_share", "quote_verbatim", "prompt_tokens", "answer_tokens"),
)
ABSTENTION, AUROC = "abstention_f1", "abstention_auroc"
PAIRED = ("f1", "f1_evidence_shown", ABSTENTION, "over_refusal", "citation_precision", "quote_verbatim")
RIVALS = (
    *(("raft", "rag-sft"), ("hybrid", "rag-sft"), ("rag-sft", "sft")),
    *(("hybrid", "raft"), ("dap+hybrid", "hybrid"), ("dap", "base")),
    *(("raft+dpo", "raft"), ("hybrid+dpo", "hybrid")),
    *(("raft-rows", "raft"), ("raft-apart", "raft")),
)
"""Pairs of arms that are compared beside each arm and the few-shot base."""
POOLED = ("squad", "clapnq", "cortex_docs_v1.21.1")
"""Sets with unanswerable questions, over which abstention is pooled."""
RESAMPLES, SEED = 2000, 0


@dataclass(frozen=True, slots=True)
class Arm:
    """A model's answers in one context by question; several trainings of it are averaged question by question."""

    name: str
    seeds: tuple[Mapping[str, Asked], ...]

    def values(self, metric: str) -> dict[str, float]:
        """What each question gives, those that are scored under every seed."""
        how = METRICS[metric]
        found: list[dict[str, float]] = [
            {name: value for name, row in rows.items() if how.asks(row) and (value := how.value(row)) is not None}
            for rows in self.seeds
        ]
        common = [name for name in found[0] if all(name in other for other in found)]
        return {name: sum(one[name] for one in found) / len(found) for name in common}

    def clusters(self) -> dict[str, str]:
        return {name: row.question.cluster for name, row in self.seeds[0].items()}

    def refuses(self) -> set[str]:
        """Questions that count for F1 of abstention: refused under some seed, or to be refused."""
        return {
            name
            for rows in self.seeds
            for name, row in rows.items()
            if row.judged and (row.answer.abstained or not row.answerable)
        }

    def abstention(self, names: Sequence[str]) -> Callable[[Floats], float]:
        """F1 of abstention over these questions, each counting so many times; 0 where none was refused."""
        tables = []
        for rows in self.seeds:
            judged = [rows[name] if name in rows and rows[name].judged else None for name in names]
            refused = np.array([row.refused if row else 0.0 for row in judged])
            should = np.array([float(not row.answerable) if row else 0.0 for row in judged])
            tables.append((refused, should))

        def f1(weights: Floats) -> float:
            totals = [float(weights @ (refused + should)) for refused, should in tables]
            hits = [float(weights @ (refused * should)) for refused, should in tables]
            return sum(2 * hit / total if total else 0.0 for hit, total in zip(hits, totals, strict=True)) / len(tables)

        return f1


Arms = dict[str, dict[str, Arm]]
"""Context → name → arm."""


def rows_of(done: Sequence[Done]) -> tuple[list[Row], list[str]]:
    """All rows of a data set, and what is to be said of them."""
    data = done[0].cell.data
    runs = [one.scored for one in done]
    compared = compare_runs(runs, resamples=RESAMPLES, seed=SEED)
    rows = list(_conditions(data, compared))
    arms = arms_of(runs)
    for context, found in arms.items():
        rows += _seeds(data, context, found)
        rows += _differences(data, context, found)
    for one in done:
        rows += _forgetting(data, one)
        rows += _texts(data, one)
        rows += _training(data, one)
    unique = {(row["arm"], row["context"], row["metric"]): row for row in rows}
    return list(unique.values()), [*compared["notes"], *_unlike(done), *_unequal(done)]


def pooled_rows(found: Mapping[str, Sequence[Done]]) -> list[Row]:
    """Abstention over the sets that have unanswerable questions, of the arms that all of them have."""
    names = [name for name in POOLED if found.get(name)]
    each = {name: arms_of([one.scored for one in found[name]]) for name in names}
    rows: list[Row] = []
    if len(names) < 2:  # noqa: PLR2004 — one set by itself has its rows already
        return rows
    data = f"pooled: {', '.join(names)}"
    for context in ("retrieved", "oracle"):
        have = [each[name].get(context, {}) for name in names]
        for arm in [name for name in have[0] if all(name in other for other in have)]:
            whole = _joined(arm, {name: each[name][context][arm] for name in names})
            rows += [
                _row(data, arm, context, metric, figure=figure)
                for metric in (ABSTENTION, AUROC, "abstention_precision", "abstention_recall", "over_refusal")
                if (figure := figure_of(whole, metric))
            ]
    return rows


def arms_of(runs: Sequence[Scored]) -> Arms:
    """The answers by context and arm; arms with several seeds have one more, over all of them."""
    questions = common_questions(runs)
    answers, _ = answers_by_arm(runs, set(questions))
    found: Arms = {}
    for name, rows in answers.items():
        for context, asked in _by_context(rows, questions).items():
            found.setdefault(context, {})[name] = Arm(name, (asked,))
    for arms in found.values():
        for name in list(arms):
            again = [arm for label, arm in arms.items() if label.startswith(f"{name} seed ")]
            if again:
                whole = f"{name}, {1 + len(again)} seeds"
                arms[whole] = Arm(whole, tuple(rows for arm in (arms[name], *again) for rows in arm.seeds))
    return found


def figure_of(arm: Arm, metric: str) -> Interval | None:
    """An arm's figure, or None where nothing is scored."""
    clusters = arm.clusters()
    if metric == ABSTENTION:
        names = sorted(arm.refuses())
        if not any(not arm.seeds[0][name].answerable for name in names):
            return None
        return statistic_interval(
            arm.abstention(names),
            [clusters[name] for name in names],
            share=True,
            resamples=RESAMPLES,
            seed=SEED,
        )
    if metric == AUROC:
        return abstention_auroc(list(arm.seeds[0].values()), resamples=RESAMPLES, seed=SEED)
    values = arm.values(metric)
    return (
        mean_interval(
            list(values.values()),
            [clusters[name] for name in values],
            share=METRICS[metric].share,
            resamples=RESAMPLES,
            seed=SEED,
        )
        if values
        else None
    )


def difference_of(a: Arm, b: Arm, metric: str) -> Interval | None:
    """a - b, paired by question; None where no question is scored on both sides."""
    clusters = a.clusters()
    if metric == ABSTENTION:
        names = sorted((a.refuses() | b.refuses()) & clusters.keys() & b.clusters().keys())
        if not any(not a.seeds[0][name].answerable for name in names):
            return None
        first_f1, second_f1 = a.abstention(names), b.abstention(names)
        return statistic_interval(
            lambda weights: first_f1(weights) - second_f1(weights),
            [clusters[name] for name in names],
            resamples=RESAMPLES,
            seed=SEED,
        )
    first, second = a.values(metric), b.values(metric)
    names = [name for name in first if name in second]
    if not names:
        return None
    return paired_difference(
        [first[name] for name in names],
        [second[name] for name in names],
        [clusters[name] for name in names],
        resamples=RESAMPLES,
        seed=SEED,
    )


def _by_context(answers: Sequence[Answer], questions: Mapping[str, ExamQuestion]) -> dict[str, dict[str, Asked]]:
    found: dict[str, dict[str, Asked]] = {}
    for answer in sorted(answers, key=lambda one: one.question_id):
        found.setdefault(answer.context, {})[answer.question_id] = Asked(answer, questions[answer.question_id])
    return found


def _joined(name: str, arms: Mapping[str, Arm]) -> Arm:
    """One arm over several sets, whose questions and clusters keep their set's name; of the first seed alone."""
    rows = {
        f"{data}|{question}": Asked(row.answer, replace(row.question, cluster=f"{data}|{row.question.cluster}"))
        for data, arm in arms.items()
        for question, row in arm.seeds[0].items()
    }
    return Arm(name, (rows,))


def _conditions(data: str, compared: Mapping[str, Any]) -> Iterator[Row]:
    for cell in compared["grid"]["cells"]:
        for metric in REPORTED:
            if metric in cell["metrics"]:
                yield _row(data, cell["model"], cell["context"], metric, figure=cell["metrics"][metric])
    labels = compared["labels"]
    if labels:
        for cell in labels["conditions"]:
            for metric, figure in cell["metrics"].items():
                yield _row(data, cell["model"], cell["context"], metric, figure=figure)
        for metric, figure in labels["majority"]["metrics"].items():
            yield _row(data, f"majority ({labels['majority']['label']})", "any", metric, figure=figure)


def _seeds(data: str, context: str, arms: Mapping[str, Arm]) -> Iterator[Row]:
    """Figures of the arms over seeds, and how far the seeds lie apart."""
    for name, arm in arms.items():
        if len(arm.seeds) == 1:
            continue
        for metric in REPORTED:
            figure = figure_of(arm, metric)
            each = [one.value for rows in arm.seeds if (one := figure_of(Arm(name, (rows,)), metric))]
            if figure:
                yield _row(data, name, context, metric, figure=figure)
            if len(each) > 1:
                spread = {"value": float(np.std(each, ddof=1)), "low": min(each), "high": max(each), "n": len(each)}
                yield _row(data, name, context, f"{metric}, standard deviation over seeds", figure=spread)


def _differences(data: str, context: str, arms: Mapping[str, Arm]) -> Iterator[Row]:
    for a, b in _pairs(list(arms)):
        for metric in PAIRED:
            figure = difference_of(arms[a], arms[b], metric)
            if figure:
                yield _row(data, f"{a} - {b}", context, metric, figure=figure)


def _pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Each arm and the few-shot base, the rivals, and those over seeds as the arms they are of."""
    found = [(name, FEWSHOT) for name in names if name not in ("base", FEWSHOT)] if FEWSHOT in names else []
    for a, b in RIVALS:
        over = [name for one in (a, b) for name in names if name.startswith(f"{one}, ")]
        found += [(a, b)] if {a, b} <= set(names) else []
        found += [(over[0], over[1])] if len(over) == 2 else []  # noqa: PLR2004 — one of each
    return found


def _forgetting(data: str, done: Done) -> Iterator[Row]:
    """On built-in general instructions: likelihood of the base's own answers, divergence, formats kept."""
    if done.forgetting is None:
        return
    nll, arm = done.forgetting["nll"], done.cell.label
    if nll["change"]:
        yield _row(data, arm, "general", "nll_change", figure=nll["change"])
    yield _row(data, arm, "general", "kl", figure=done.forgetting["kl"])
    formats = done.forgetting["formats"]
    yield _row(data, "base", "general", "formats_kept", figure=formats["base"])
    yield _row(data, arm, "general", "formats_kept", figure=formats["tuned"])
    yield _row(data, f"{arm} - base", "general", "formats_kept", figure=formats["difference"])


def _texts(data: str, done: Done) -> Iterator[Row]:
    """Bits per byte, of the base and of what the chain's last method made."""
    for text, found in done.card.get("texts", {}).items():
        final = list(found["bits_per_byte"])[-1]
        yield _row(data, "base", text, "bits_per_byte", figure=found["bits_per_byte"]["base"])
        yield _row(data, done.cell.label, text, "bits_per_byte", figure=found["bits_per_byte"][final])
        yield _row(data, done.cell.label, text, "bits_per_byte_change", figure=found["change"][final])


def _training(data: str, done: Done) -> Iterator[Row]:
    for metric, value in done.training.items():
        if metric != "rows":
            figure = {"value": value, "low": None, "high": None, "n": done.training["rows"]}
            yield _row(data, done.cell.label, "training", metric, figure=figure)


def _unlike(done: Sequence[Done]) -> Iterator[str]:
    """Settings in which cells differ that should agree: of another sitting, or of another version."""
    first = done[0]
    for one in done[1:]:
        keys = sorted(
            key for key in {*first.settings, *one.settings} if first.settings.get(key) != one.settings.get(key)
        )
        if keys:
            each = ", ".join(f"{key} {one.settings.get(key)} and not {first.settings.get(key)}" for key in keys)
            yield f"{one.cell.label} was made under other settings than {first.cell.label}: {each}"


def _unequal(done: Sequence[Done]) -> Iterator[str]:
    """Arms that learned from other numbers of questions or steps: their lessons did not all fit."""
    asking = [one for one in done if one.training.get("questions_seen")]
    for key in ("questions_seen", "optimizer_steps"):
        counts = {one.cell.label: int(one.training[key]) for one in asking}
        if len(set(counts.values())) > 1:
            yield f"{key} are not alike: {', '.join(f'{name} {count}' for name, count in counts.items())}"


def _row(data: str, arm: str, context: str, metric: str, *, figure: Interval | Mapping[str, Any]) -> Row:
    told = to_json(figure) if isinstance(figure, Interval) else figure
    ends = {key: None if told[key] is None else round(told[key], 5) for key in ("value", "low", "high")}
    names = {"data": data, "arm": arm, "context": context, "metric": metric}
    return {**names, **ends, "n": told["n"], "clusters": told.get("clusters")}
