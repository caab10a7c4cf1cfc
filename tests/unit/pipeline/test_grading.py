"""A grader in a run: its labels, its identity, its agreement; what it judged stands in scores and report."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ragraft.errors import ConfigError, InputError
from ragraft.pipeline import measure_agreement, open_session
from ragraft.pipeline.backends import ConfiguredBackends
from ragraft.pipeline.grading import grading_identity, read_labels
from ragraft.records import Claim, Judgement
from tests.conftest import write_rows

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring

MakeSite = Callable[..., "Site"]
LABELS = [
    {"id": str(n), "claim": f"The tower is of stone {n}.", "evidence": [f"Stone {n}."], "label": label}
    for n, label in enumerate(["supported", "not_supported", "partially_supported"] * 4)
]


def graded(make_site: MakeSite, model: Path, **evaluate: Any) -> Site:
    site = make_site(evaluate={"grader": f"entailment@{model}", "grader_labels": "labels.jsonl", **evaluate})
    write_rows(site.folder / "labels.jsonl", LABELS)
    return site


class Half:
    """Believes every second claim, and can't read the last one."""

    def judge(self, claims: Sequence[Claim]) -> list[Judgement]:
        verdicts: list[bool | None] = [place % 2 == 0 for place in range(len(claims))]
        return [Judgement(one, reason="" if one is not None else "?") for one in [*verdicts[:-1], None]]


def test_a_grader_in_a_run(
    make_site: MakeSite,
    bring: Bring,
    save_cross_encoder: Callable[[int], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = graded(make_site, save_cross_encoder(2))
    # The tiny model's window of 64 tokens has no room for these answers.
    monkeypatch.setattr(ConfiguredBackends, "grader", Half())
    bring(site)
    card = json.loads((site.run / "70-scores" / "scorecard.json").read_text("utf-8"))
    assert card["grader"]["asked"] > 0
    assert card["grader"]["agreement"]["claims"] == len(LABELS)
    report = json.loads((site.run / "80-report" / "report.json").read_text("utf-8"))
    assert report["grader"]["sentence"].startswith("entailment@")
    assert "it agreed with people on" in report["grader"]["sentence"]
    retrieved = [row for row in report["citations"] if row["context"] == "retrieved"]
    judged = [row["metrics"]["supported"] for row in retrieved if "supported" in row["metrics"]]
    assert judged
    assert 0 < sum(figure["n"] for figure in judged) == card["grader"]["asked"] - card["grader"]["unscored"]
    write_rows(site.folder / "labels.jsonl", LABELS[:6])
    assert bring(site)["evaluate"] == "done", "other labels are another measurement"


def test_without_a_grader_nothing_is_read_and_nothing_judged(make_site: MakeSite) -> None:
    session = open_session(make_site().file)
    assert read_labels(session.config) == []
    assert grading_identity(session.config, session.backends) == [None, None]
    with pytest.raises(ConfigError, match=r"^evaluate.grader: there is no grader to measure; "):
        measure_agreement(session, Path("labels.jsonl"))


def test_agreement_is_measured_on_any_file(make_site: MakeSite, save_cross_encoder: Callable[[int], Path]) -> None:
    site = graded(make_site, save_cross_encoder(2), grader_labels=None)
    with pytest.raises(InputError, match=r"^No file gone\.jsonl; name one of claims that people have judged$"):
        measure_agreement(open_session(site.file), Path("gone.jsonl"))
    found = measure_agreement(open_session(site.file), site.folder / "labels.jsonl")
    assert (found.data["claims"], found.data["unscored"], found.data["labels"]) == (12, 0, "labels.jsonl")
    assert sum(found.data["counts"].values()) == 12
    assert found.table.rows[0][4:] == ("12", "0")
