"""How well the index, and the user's own system, find the evidence of placed questions: the rows of retrieval.json.

Knows questions with their oracle chunks; the rankings come in through a small protocol.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from rich.console import Console
from rich.progress import track

from ragraft.methods.retrieval_metrics import Ranked, full_recall, recall, reciprocal_rank
from ragraft.methods.retrieve import Ranking
from ragraft.methods.stats import mean_interval
from ragraft.records import ExamQuestion, Hit, Passage, Side

T = TypeVar("T")

RANKINGS: tuple[Ranking, ...] = ("lexical", "dense", "hybrid")
MEASURED: tuple[Side, ...] = ("train", "validation", "exam")
RESAMPLES = 2000
BATCH = 64


class Ranker(Protocol):
    """The index's three rankings of chunks."""

    def rankings(self, questions: Sequence[str], k: int, /) -> dict[Ranking, list[list[Hit]]]:
        """The best `k` chunks of each question by each, best first."""
        ...


def measure_recalls(
    placed: Sequence[ExamQuestion],
    retriever: Ranker,
    depths: Sequence[int],
    *,
    found: Mapping[str, Sequence[Passage]],
    name: str | None,
    seed: int,
) -> list[dict[str, Any]]:
    """Rows of retrieval.json: each side, ranking (`name` is the user's) and metric, over questions with an oracle."""
    if not depths:
        return []
    asked = [row for row in placed if row.side in MEASURED and row.oracle]
    rankings = _rank(asked, depths[-1], retriever)
    if name:
        rankings[name] = {row.id: [passage.chunks for passage in found[row.id]] for row in asked}
    rows = []
    for ranking, ranked in rankings.items():
        for side in MEASURED:
            part = [row for row in asked if row.side == side]
            for metric, values in _values(part, ranked, depths).items():
                mean = mean_interval(values, [row.cluster for row in part], share=True, resamples=RESAMPLES, seed=seed)
                figures = {"value": mean.value, "low": mean.low, "high": mean.high, "n": mean.n}
                rows.append({"side": side, "ranking": ranking, "metric": metric} | figures)
    return rows


def in_batches(rows: Sequence[T], title: str) -> Iterable[Sequence[T]]:
    """A batch at a time, with a bar where a person looks on."""
    batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    return track(batches, title, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


def _rank(asked: Sequence[ExamQuestion], k: int, retriever: Ranker) -> dict[str, dict[str, Ranked]]:
    """Of each ranking, what it finds for each question."""
    ranked: dict[str, dict[str, Ranked]] = {ranking: {} for ranking in RANKINGS}
    for batch in in_batches(asked, "retrieval"):
        found = retriever.rankings([row.question.question for row in batch], k)
        for ranking in RANKINGS:
            ranked[ranking].update(
                (row.id, [(hit.id,) for hit in hits]) for row, hits in zip(batch, found[ranking], strict=True)
            )
    return ranked


def _values(
    part: Sequence[ExamQuestion], ranked: Mapping[str, Ranked], depths: Sequence[int]
) -> dict[str, list[float | None]]:
    """A value a question for each metric; full recall is not asked of questions with one piece of evidence."""
    found: dict[str, list[float | None]] = {}
    if not part:
        return found
    for k in depths:
        found[f"recall@{k}"] = [recall(ranked[row.id], row.oracle, k) for row in part]
    found[f"mrr@{depths[-1]}"] = [reciprocal_rank(ranked[row.id], row.oracle, depths[-1]) for row in part]
    if any(len(row.parts) > 1 for row in part):
        for k in depths:
            found[f"full_recall@{k}"] = [
                full_recall(ranked[row.id], row.parts, k) if len(row.parts) > 1 else None for row in part
            ]
    return found
