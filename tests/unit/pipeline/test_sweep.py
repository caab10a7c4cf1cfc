from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ragraft.errors import ConfigError
from ragraft.pipeline import Event, sweep
from ragraft.pipeline.events import Tell
from ragraft.workspace import Folder
from tests.conftest import Site
from tests.unit.conftest import Fakes

MakeSite = Callable[..., Site]
GRID = {"train.epochs": [1, 3], "synthesize.oracle_share": [0.8]}


def write(site: Site, **settings: object) -> Path:
    file = site.folder / "epochs.yaml"
    file.write_text(json.dumps({"grid": GRID, **settings}), encoding="utf-8")
    return file


class Told:
    """What a sweep tells."""

    def __init__(self) -> None:
        self.cells: list[tuple[str, int, int]] = []
        self.states: list[tuple[str, str]] = []

    def __call__(self, label: str, number: int, of: int) -> Tell:
        self.cells.append((label, number, of))

        def tell(event: Event) -> None:
            self.states.append((event.stage, event.state))

        return tell


def test_each_cell_is_a_run_scored_on_the_validation_side(make_site: MakeSite, fakes: Fakes) -> None:
    site = make_site()
    told = Told()
    found = sweep(write(site), told)
    labels = ["train.epochs=1, synthesize.oracle_share=0.8", "train.epochs=3, synthesize.oracle_share=0.8"]
    assert told.cells == [(labels[0], 1, 2), (labels[1], 2, 2)]
    assert [stage for stage, state in told.states if state == "taken"] == ["ingest", "index", "examine", "synthesize"]
    assert len(fakes.launcher.launched) == 2
    runs = [row["run"] for row in found.data["rows"]]
    assert {row["cell"] for row in found.data["rows"]} == set(labels)
    assert all(name.startswith("lights-") and not (site.folder / "runs" / name / "70-scores").exists() for name in runs)
    exam = Folder(site.folder / "runs" / runs[0] / "30-exam" / "versions")
    [version] = exam.path.iterdir()
    sides = {row["question"]["id"]: row["side"] for row in Folder(version).read_jsonl("questions.jsonl")}
    answers = list(Folder(found.file.parent / runs[0]).read_jsonl("answers.jsonl"))
    assert {sides[row["question_id"]] for row in answers} == {"validation"}
    assert {(row["model"], row["context"]) for row in answers} == {("tuned", "retrieved")}
    assert json.loads(found.file.read_text("utf-8"))["metric"] == "f1"
    assert [row[0] for row in found.table.rows] == [row["cell"] for row in found.data["rows"]]
    asked = len(fakes.asked)
    again = Told()
    assert sweep(write(site), again).table == found.table
    assert {state for _, state in again.states} == {"unchanged"}
    assert (len(fakes.launcher.launched), len(fakes.asked)) == (2, asked), "nothing is made or asked twice"


def test_faults_come_before_the_first_cell(make_site: MakeSite, fakes: Fakes) -> None:
    site = make_site()
    faults: list[tuple[dict[str, object], str]] = [
        ({"metric": "f2"}, r"epochs.yaml: metric: f2 is no figure of the scorecard; known: f1, em, .*abstention_f1$"),
        ({"grid": {"train.epochs": [1, 0]}}, r"train.epochs: must be greater than 0"),
        ({"grid": {"train.epoch": [1]}}, r"train.epoch: unknown; did you mean epochs\?"),
        ({"base": "other.yaml"}, r"No .*other.yaml"),
    ]
    for settings, sentence in faults:
        told = Told()
        with pytest.raises(ConfigError, match=sentence):
            sweep(write(site, **settings), told)
        assert told.cells == []
