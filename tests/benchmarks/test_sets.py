"""The benchmark of public sets: which recipes it runs, what a row holds, what it prints."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks import sets
from ragraft.errors import InputError
from ragraft.methods.report_data import Sources, build_report
from ragraft.pipeline import Event, Session
from ragraft.records import Answer, ExamQuestion, Question
from ragraft.workspace import Manifest
from ragraft.workspace.run import Place


def figure(value: float, low: float, high: float) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "n": 8, "unscored": 0, "clusters": 5}


def make_report(*, tuned: float = 0.2, labelled: bool = False) -> dict[str, Any]:
    """A report as ragraft writes it, of three models in one context."""
    scores = {"base": 0.1, "base-fewshot": 0.3, "tuned": tuned}
    conditions = [
        {"model": model, "context": "retrieved", "metrics": {"f1": figure(value, value - 0.1, value + 0.1)}}
        for model, value in scores.items()
    ]
    gain = tuned - 0.3
    differences = [
        {"metric": metric, "context": "retrieved", "a": "tuned", "b": "base-fewshot"}
        | figure(gain + more, gain + more - 0.05, gain + more + 0.05)
        for metric, more in (("f1", 0.0), ("f1_evidence_shown", 0.02))
    ]
    metrics = {"accuracy": figure(0.5, 0.4, 0.6), "macro_f1": figure(0.3, 0.2, 0.4)}
    labels = {
        "labels": ["no", "yes"],
        "n_questions": 8,
        "majority": {"label": "yes", "metrics": metrics},
        "conditions": [
            {
                "model": "tuned",
                "context": "retrieved",
                "metrics": {**metrics, "over_majority": figure(0.0, -0.1, 0.1)},
                "given": {"yes": 8},
            }
        ],
    }
    card = {
        "conditions": conditions,
        "differences": differences,
        "n_questions": 8,
        "n_clusters": 5,
        "measures": {"label": 8} if labelled else {"text": 8},
        "labels": labels if labelled else {},
    }
    question = ExamQuestion(Question("q", "What?", ("that",)), "exam", "c", ("p",))
    answers = [
        Answer("q", model, "retrieved", "that", "that", (), (), False, ("p",), True, 9, 1, {"f1": 1.0})
        for model in scores
    ]
    ranks = [
        {"side": side, "ranking": ranking, "metric": metric, "value": value, "low": 0.0, "high": 1.0, "n": 8}
        for side in ("train", "exam")
        for metric in ("recall@1", "recall@4")
        for ranking, value in (("dense", 0.25), ("hybrid", 0.75))
    ]
    return build_report(
        Sources(card, [question], answers, retrieval={"depths": [1, 4], "rows": ranks}, lessons={"lessons": 24}),
        examples=0,
    )


def make_data(folder: Path, *names: str) -> Path:
    for name in names:
        for file in sets._paths(sets.recipes()[name], folder).values():
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            Path(file).write_text("", encoding="utf-8")
    return folder


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """What is asked to run; nothing is run."""
    asked: list[tuple[str, list[str]]] = []

    def run_set(name: str, data: Path, work: Path, settings: Sequence[str]) -> dict[str, Any]:
        asked.append((name, list(settings)))
        if name == "cuad":
            raise InputError("no contract is left")
        return sets.row_of(name, make_report(), minutes=90)

    monkeypatch.setattr(sets, "run_set", run_set)
    return asked


def call(folder: Path, *more: str) -> int:
    return sets.main(["--data", str(folder), "--work", str(folder / "work"), *more])


def test_a_row_is_read_from_the_report() -> None:
    row = sets.row_of("squad", make_report(), minutes=12.34)
    assert {key: row[key] for key in ("set", "score", "rival", "outcome", "questions", "clusters", "lessons")} == {
        "set": "squad",
        "score": "token F1",
        "rival": "base-fewshot",
        "outcome": "hurt",
        "questions": 8,
        "clusters": 5,
        "lessons": 24,
    }
    assert row["recall@4"] == {"ranking": "hybrid", "value": 0.75, "low": 0.0, "high": 1.0, "n": 8}
    assert [row[model]["value"] for model in ("base", "few_shot", "tuned")] == [0.1, 0.3, 0.2]
    assert row["difference"]["value"] == pytest.approx(-0.1)
    assert row["evidence_shown"]["value"] == pytest.approx(-0.08)
    assert (row["labels"], row["minutes"]) == (None, 12.3)


def test_the_users_own_retriever_gives_the_recall() -> None:
    report = make_report()
    own = {"side": "exam", "ranking": "contexts", "metric": "recall@4", "value": 0.9, "low": 0.8, "high": 1.0, "n": 8}
    report["retrieval"]["rows"].append(own)
    assert sets.row_of("tatqa", report, minutes=1)["recall@4"]["ranking"] == "contexts"
    report["retrieval"]["rows"] = []
    assert sets.row_of("tatqa", report, minutes=1)["recall@4"] is None


def test_the_table_says_where_tuning_did_not_help() -> None:
    rows = [
        sets.row_of("squad", make_report(), minutes=30),
        sets.row_of("pubmedqa", make_report(tuned=0.6, labelled=True), minutes=60),
    ]
    head, *lines = sets.lines_of(rows)
    assert re.split(r" {2,}", head) == list(sets.COLUMNS)
    assert [" ".join(line.split()) for line in lines[:2]] == [
        "squad token F1 75.0 [0.0, 100.0] 10.0 [0.0, 20.0] 30.0 [20.0, 40.0] 20.0 [10.0, 30.0] "
        "-10.0 [-15.0, -5.0] -8.0 [-13.0, -3.0] 8 30",
        "pubmedqa label accuracy 75.0 [0.0, 100.0] 10.0 [0.0, 20.0] 30.0 [20.0, 40.0] 60.0 [50.0, 70.0] "
        "+30.0 [25.0, 35.0] +32.0 [27.0, 37.0] 8 60",
    ]
    assert lines[2:] == [
        "squad: Tuning hurt: with retrieved passages, tuned minus few-shot base is -10.0 [-15.0, -5.0] points of "
        "token F1 (8 questions in 5 clusters; 95 % interval).",
        "pubmedqa: Tuning helped: with retrieved passages, tuned minus few-shot base is +30.0 [25.0, 35.0] points of "
        "label accuracy (8 questions in 5 clusters; 95 % interval).",
        "pubmedqa, always “yes”: accuracy 50.0 [40.0, 60.0], macro-F1 30.0 [20.0, 40.0]",
        "pubmedqa, tuned: accuracy 50.0 [40.0, 60.0], macro-F1 30.0 [20.0, 40.0]",
        "1.5 hours up to the tuned models",
    ]


def test_sets_without_data_are_left_out_and_a_failed_one_stops_no_other(
    tmp_path: Path, ran: list[tuple[str, list[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    make_data(tmp_path, "squad", "cuad", "eol_2026-08-22")
    file = tmp_path / "results" / "sets.json"
    assert call(tmp_path, "--json", str(file), "--set", "train.epochs=2") == 1
    assert ran == [(name, [*sets.TABLE_ALONE, "train.epochs=2"]) for name in ("cuad", "eol_2026-08-22", "squad")]
    said = capsys.readouterr()
    assert "nq: left out, no " in said.err
    assert said.out.endswith("3.0 hours up to the tuned models\ncuad: no row: no contract is left\n")
    written = json.loads(file.read_text("utf-8"))
    assert [row["set"] for row in written["rows"]] == ["eol_2026-08-22", "squad"]
    assert written["failed"] == [{"set": "cuad", "error": "no contract is left"}]
    assert set(written) == {"rows", "failed", "quick", "settings", "versions", "machine"}
    assert not list(file.parent.glob("*.part"))


def test_rows_of_earlier_sittings_stay_and_are_not_made_again(
    tmp_path: Path, ran: list[tuple[str, list[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    make_data(tmp_path, "squad", "eol_2026-08-22")
    file = tmp_path / "sets.json"
    assert call(tmp_path, "--json", str(file), "--only", "squad") == 0
    assert call(tmp_path, "--json", str(file)) == 0
    assert [name for name, _ in ran] == ["squad", "eol_2026-08-22"]
    assert [row["set"] for row in json.loads(file.read_text("utf-8"))["rows"]] == ["eol_2026-08-22", "squad"]
    assert call(tmp_path, "--json", str(file), "--only", "squad") == 0
    assert [name for name, _ in ran][2:] == ["squad"]
    capsys.readouterr()
    assert call(tmp_path, "--json", str(file), "--set", "train.epochs=2") == 1
    assert "holds rows made under" in capsys.readouterr().err


def test_quick_runs_one_set_with_few_lessons(tmp_path: Path, ran: list[tuple[str, list[str]]]) -> None:
    make_data(tmp_path, "squad", "nq")
    assert call(tmp_path, "--quick") == 0
    (asked,) = ran
    assert asked[0] == "squad"
    assert {"synthesize.max_questions=24", "evaluate.max_questions=8"} <= set(asked[1])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--only", "squat"], "--only: squat is no recipe; known: apibench, "),
        (["--only", "squad", "nq"], "nq needs "),
        (["--only", "cuad"], "cuad needs "),
    ],
)
def test_what_cannot_run_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    assert call(make_data(tmp_path, "squad"), *more) == 1
    assert capsys.readouterr().err.startswith(f"benchmark: {message}")
    assert not (tmp_path / "work").exists()


def test_a_folder_without_any_set_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(tmp_path) == 1
    assert capsys.readouterr().err.startswith(f"benchmark: {tmp_path} holds no recipe's data, such as ")


def test_runs_are_siblings_on_the_given_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, work = make_data(tmp_path / "data", "squad"), tmp_path / "work"
    seen: list[Session] = []

    def run_table(session: Session, tell: Any) -> None:
        seen.append(session)
        tell(Event("report", "done"))

    monkeypatch.setattr(sets, "run_table", run_table)
    monkeypatch.setattr(sets, "show", lambda session, artifact, limit: make_report())
    row = sets.run_set("squad", data, work, ["evaluate.max_questions=8"])
    (session,) = seen
    assert session.run.path == (work / "runs" / "squad").resolve()
    assert session.config.documents == ((data / "squad" / "corpus.jsonl").resolve(),)
    assert session.config.evaluate.max_questions == 8
    assert row["minutes"] == 0.0
    finish(session, "10-corpus", make_manifest(seconds=90.0, stage="ingest"))
    # Of a training that was stopped, the last sitting alone took a minute.
    finish(session, "60-checkpoint", make_manifest(seconds=60.0, stage="train", summary={"minutes": 3.0}))
    finish(session, "70-scores", make_manifest(seconds=600.0, stage="evaluate"))
    assert sets.run_set("squad", data, work, [])["minutes"] == 4.5


def finish(session: Session, place: str, manifest: Manifest) -> None:
    where = Place(place, versioned=manifest.stage == "ingest")
    folder, _ = session.run.begin(where, manifest.fingerprint)
    session.run.finish(where, folder, manifest)


def make_manifest(seconds: float, stage: str, summary: Mapping[str, Any] | None = None) -> Manifest:
    return Manifest(stage, 1, "print", {}, "today", seconds, {}, summary=dict(summary or {}))
