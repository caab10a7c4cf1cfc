"""Whether answers keep the form that was asked for. Knows graded answers; knows nothing of what is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ragraft.methods.answer import names_answer
from ragraft.methods.stats import mean_interval
from ragraft.records import Answer, to_json


def form_validity(rows: Sequence[Answer], clusters: Mapping[str, str], *, resamples: int, seed: int) -> dict[str, Any]:
    """Shares of answers that say `Answer:`, come to an end, cite a passage shown (or abstain), and do all three.

    `clusters` are those of the questions, by id.
    """
    checks = {
        "named": [names_answer(row.text) for row in rows],
        "ended": [row.finish_reason == "stop" for row in rows],
        "cited": [row.abstained or bool(row.citations) for row in rows],
    }
    checks["valid"] = [all(kept) for kept in zip(*checks.values(), strict=True)]
    of = [clusters[row.question_id] for row in rows]
    return {
        name: to_json(mean_interval([float(one) for one in kept], of, share=True, resamples=resamples, seed=seed))
        for name, kept in checks.items()
    }
