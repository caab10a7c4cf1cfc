"""`ragraft questions` on the command line, and its label down to the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ragraft.web

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Fakes, Ragraft

MakeSite = Callable[..., "Site"]


def test_from_documents_alone_to_a_labelled_report(ragraft_: Ragraft, make_site: MakeSite, fakes: Fakes) -> None:
    site = make_site(questions=None)
    code, out, _ = ragraft_("questions", site.file)
    assert code == 0
    file = site.folder / "candidates.jsonl"
    lines = out.splitlines()
    assert any(line.endswith("rejected: the answer is not distinctive") for line in lines)
    assert lines[-3].endswith(f"chunks: {file}")
    assert lines[-2] == f"Rejected, with reasons: {site.folder / 'candidates.rejected.jsonl'}"
    assert lines[-1].startswith("They are made by a machine, and say so. Look at them with: ")
    assert lines[-1].endswith(f": ragraft questions {site.file} --review")
    again = ragraft_("questions", site.file)
    assert again[0] == 1
    assert again[2] == f"ragraft: {file} exists already; look at it with --review, or give another --out\n"

    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    rows[0]["metadata"]["reviewed"] = True
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    shares = {"train": 0.2, "validation": 0.2, "calibration": 0, "exam": 0.6}
    site.configure(questions="candidates.jsonl", examine={"shares": shares})
    code, out, _ = ragraft_("run", site.file)
    assert code == 0
    placed = map(json.loads, exam_file(site).read_text("utf-8").splitlines())
    exam = [row["question"] for row in placed if row["side"] == "exam"]
    reviewed = sum(row["metadata"]["reviewed"] for row in exam)
    label = (
        f"{len(exam)} of {len(exam)} questions made by a machine (ragraft patterns), {reviewed} reviewed by a person"
    )
    assert f"label exam: {label}" in out
    assert f"Exam: {label}." in out
    report = json.loads((site.run / "80-report" / "report.json").read_text("utf-8"))
    assert report["exam"]["label"] == f"exam: {label}"
    card = json.loads((site.run / "70-scores" / "scorecard.json").read_text("utf-8"))
    assert card["made_by"] == report["exam"]["made_by"]


def exam_file(site: Site) -> Path:
    versions = site.run / "30-exam"
    return versions / "versions" / (versions / "current").read_text("utf-8").strip() / "questions.jsonl"


def test_review_proposes_only_what_is_not_there(
    ragraft_: Ragraft, make_site: MakeSite, fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[tuple[Path, int]] = []
    monkeypatch.setattr(ragraft.web, "serve", lambda session, file, port, tell: served.append((file, port)))
    site = make_site(questions=None)
    out = site.folder / "mine.jsonl"
    first = ragraft_("questions", site.file, "--review", "--limit", "2", "--out", out)
    kept = out.read_bytes()
    assert len(kept.splitlines()) == 2
    assert "more were not tried: --limit 2" in first[1]
    second = ragraft_("questions", site.file, "--review", "--port", "8123", "--out", out)
    assert (first[0], second[0]) == (0, 0)
    assert "rejected" not in second[1]
    assert served == [(out, 0), (out, 8123)]
    assert out.read_bytes() == kept


def test_a_model_is_named_only_where_it_proposes(ragraft_: Ragraft, make_site: MakeSite, fakes: Fakes) -> None:
    site = make_site(questions=None)
    refused = ragraft_("questions", site.file, "--model", "hf:a/b")
    assert (refused[0], refused[2]) == (1, "ragraft: --model proposes nothing without --by model\n")
    echoed = ragraft_("questions", site.file, "--by", "model")
    assert echoed[0] == 1
    assert echoed[2].startswith("ragraft: None of ")
