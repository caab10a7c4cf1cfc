"""The methods benchmark: which cells it runs, over several sittings, and the figures that it makes of them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks import methods, sets
from benchmarks.arms import cells, kept, rows
from benchmarks.arms.cells import Cell, Done, cells_of
from benchmarks.arms.table import lines_of
from benchmarks.engines.flops import Shape, training_operations
from ragraft.methods.comparison import Scored
from ragraft.methods.grade import grade
from ragraft.pipeline import backends, checks
from ragraft.ports import Command, Outcome
from ragraft.records import Answer, ExamQuestion, Parsed, Question
from ragraft.stages import report
from tests.conftest import SETTINGS, lighthouse_questions, lighthouses, write_rows
from tests.unit.conftest import FakeLauncher, Fakes, FakeTrainer

FIGURES = {"rows": 8, "questions_seen": 16, "learned_tokens": 90, "trainable_parameters": 5}
ABSENT = "not in the documents."


class WholeLauncher(FakeLauncher):
    """Writes a card with all that the benchmark reads of it."""

    def launch(self, command: Command) -> Outcome:
        outcome = super().launch(command)
        card = self.launched[-1] / "checkpoint.json"
        if card.exists():
            job = json.loads((self.launched[-1] / "job.json").read_text("utf-8"))
            told = {**job, **json.loads(card.read_text("utf-8")), **FIGURES}
            card.write_text(json.dumps(told), encoding="utf-8")
        return outcome


@dataclass
class Bench:
    """The benchmark over one set of lighthouses, with everything slow replaced."""

    folder: Path
    fakes: Fakes

    def run(self, *more: str) -> int:
        return methods.main(["--data", str(self.folder), "--work", str(self.folder / "work"), *more])

    def written(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "methods.json").read_text("utf-8"))
        return found


@pytest.fixture
def bench(tmp_path: Path, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    fakes = Fakes(launcher=WholeLauncher())
    real = backends.load

    def load(port: str, name: str, also: Sequence[str] = ()) -> Any:
        fake: dict[tuple[str, str], Any] = {
            ("trainers", "transformers"): FakeTrainer,
            ("launchers", "here"): lambda: fakes.launcher,
            ("generators", "echo"): fakes.generator,
        }
        return fake.get((port, name)) or real(port, name, also)

    monkeypatch.setattr(backends, "load", load)
    monkeypatch.setattr(report, "render_page", lambda data: f"<h1>{data['name']}</h1>")
    monkeypatch.setattr(sets, "RECIPES", tmp_path)
    monkeypatch.setattr(methods, "SETS", ("lights",))
    monkeypatch.setattr(rows, "RESAMPLES", 50)
    monkeypatch.setattr(cells, "SEEDED", {"lights": ("raft", "rag-sft")})
    files = {"lessons": "data/lights/train.jsonl", "exam": "data/lights/dev.jsonl"}
    recipe = {**SETTINGS, "name": "lights", "documents": "data/lights/corpus.jsonl", "questions": files}
    (tmp_path / "lights.yaml").write_text(json.dumps({**recipe, "model": str(tiny_llama)}), encoding="utf-8")
    (tmp_path / "lights").mkdir()
    texts = [{"id": place, "title": place, "text": text} for place, text in lighthouses()]
    write_rows(tmp_path / "lights" / "corpus.jsonl", texts)
    asked = [{**row, "evidence_ids": [row["evidence_ids"][0].removesuffix(".md")]} for row in lighthouse_questions()]
    write_rows(tmp_path / "lights" / "train.jsonl", asked[:24])
    write_rows(tmp_path / "lights" / "dev.jsonl", asked[24:])
    return Bench(tmp_path, fakes)


def test_cells_go_set_by_set_and_further_seeds_come_last() -> None:
    found = cells_of(["covid_qa", "squad"], ["sft", "raft", "dap+hybrid"], seeds=3)
    assert [(cell.data, cell.label) for cell in found] == [
        *(("covid_qa", name) for name in ("raft", "sft", "dap+hybrid", "raft seed 1", "raft seed 2")),
        *(("squad", name) for name in ("raft", "sft", "dap+hybrid")),
    ]
    assert [cell.run for cell in found[2:4]] == ["covid_qa.dap-hybrid", "covid_qa.raft.seed1"]
    assert Cell("squad", "raft", quick=True).run == "quick.squad.raft"


def test_what_is_shared_is_measured_under_the_same_seeds() -> None:
    assert [cell.label for cell in cells_of(["nq"], ["raft", "raft-rows", "raft-apart"], seeds=2)] == [
        *("raft", "raft-rows", "raft-apart"),
        *("raft seed 1", "raft-rows seed 1", "raft-apart seed 1"),
    ]


def test_every_arm_is_a_sibling_run_and_the_base_is_asked_once(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        bench.run("--arm", "raft", "sft", "hybrid", "--seeds", "2", "--json", str(bench.folder / "methods.json")) == 0
    )
    said = capsys.readouterr()
    plan = said.out.splitlines()
    assert [line.partition(": about ")[0] for line in plan[:4]] == [
        f"lights, {name}" for name in ("raft", "sft", "hybrid", "raft seed 1")
    ]
    assert plan[4].startswith("4 of 4 cells to run, about ")
    assert "lights, sft: index taken" in said.err
    assert len(bench.fakes.launcher.launched) == 4
    assert len(bench.fakes.asked) == len(set(bench.fakes.asked))  # no batch twice, so the base's only once
    written = bench.written()
    assert written["cells"] == [f"lights, {name}" for name in ("raft", "sft", "hybrid", "raft seed 1")]
    found = {(row["arm"], row["context"], row["metric"]): row for row in written["rows"]}
    arms = {"base", "base-fewshot", "raft", "sft", "hybrid", "raft seed 1", "raft, 2 seeds"}
    assert {arm for arm, context, metric in found if (context, metric) == ("retrieved", "f1")} >= arms
    first = found["raft", "none", "f1"]
    assert list(first) == ["data", "arm", "context", "metric", "value", "low", "high", "n", "clusters"]
    assert (first["data"], first["n"]) == ("lights", 12)
    assert found["raft - base-fewshot", "retrieved", "f1"]["n"] == 12
    assert found["raft", "training", "optimizer_steps"]["value"] == 3
    table = said.out.splitlines()[5:]
    assert re.split(r" {2,}", table[0])[:5] == ["data", "context", "arm", "score", "score - base-fewshot"]
    assert [line.split()[:3] for line in table[1:4]] == [
        ["lights", "none", name] for name in ("base", "base-fewshot", "sft")
    ]


def test_a_finished_cell_is_read_and_a_stopped_one_goes_on(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.fakes.dies_at = 5
    with pytest.raises(KeyboardInterrupt):
        bench.run("--arm", "raft", "sft", "--seeds", "1")
    bench.fakes.dies_at = None
    assert bench.run("--arm", "raft", "--seeds", "1") == 0
    asked = len(bench.fakes.asked)
    capsys.readouterr()
    assert bench.run("--arm", "raft", "--seeds", "1") == 0
    assert "lights, raft: finished\n0 of 1 cells to run, about 0.0 hours in all\n" in capsys.readouterr().out
    assert (len(bench.fakes.asked), len(bench.fakes.launcher.launched)) == (asked, 1)
    assert len(set(bench.fakes.asked)) == asked


def test_a_preference_stage_takes_its_method_from_the_arm_before(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "find_spec", lambda name: name)
    file = str(bench.folder / "methods.json")
    assert bench.run("--arm", "raft+dpo", "raft", "--seeds", "1", "--json", file) == 0
    assert [place.name for place in bench.fakes.launcher.launched] == ["01-raft", "02-dpo"]
    found = {
        (row["arm"], row["metric"]): row["value"] for row in bench.written()["rows"] if row["context"] == "training"
    }
    assert (found["raft+dpo", "optimizer_steps"], found["raft+dpo", "further_steps"]) == (3, 3)
    assert found["raft+dpo", "tokens"] == 2 * found["raft", "tokens"]
    assert found["raft+dpo", "operations"] > 2 * found["raft", "operations"]
    assert "raft+dpo - raft" in {row["arm"] for row in bench.written()["rows"]}
    assert bench.written()["notes"] == []


def test_rows_of_earlier_sittings_stay_and_other_settings_are_told(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(bench.folder / "methods.json")
    assert bench.run("--arm", "raft", "--seeds", "1") == 0
    assert bench.run("--arm", "sft", "--seeds", "1", "--set", "train.epochs=3", "--json", file) == 0
    assert {row["arm"] for row in bench.written()["rows"]} >= {"raft", "sft", "sft - base-fewshot"}
    note = "lights: sft was made under other settings than raft: train.epochs 3.0 and not 2.0"
    assert bench.written()["notes"] == [note]
    capsys.readouterr()
    assert bench.run("--table") == 0
    said = capsys.readouterr().out
    assert f"Note: {note}.\n" in said
    assert said.startswith("data ")


def test_another_machine_goes_on_from_the_kept_scores_and_asks_the_base_nothing(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = bench.folder / "kept"
    asked = ("--arm", "raft", "sft", "--seeds", "1", "--kept", str(kept), "--json", str(bench.folder / "methods.json"))
    assert bench.run(*asked) == 0
    whole = bench.written()
    assert str(bench.folder) not in (kept / "lights.sft.json").read_text("utf-8")
    (kept / "lights.sft.json").unlink()
    (bench.folder / "work").rename(bench.folder / "elsewhere")
    first_machine = len(bench.fakes.asked)
    capsys.readouterr()
    assert bench.run(*asked) == 0
    said = capsys.readouterr().out
    assert said.startswith("lights, sft: about ")
    assert "1 of 1 cells to run" in said
    assert len(bench.fakes.asked) - first_machine < first_machine / 2  # neither base nor few-shot base
    again = bench.written()
    assert again["cells"] == whole["cells"]
    assert again["notes"] == []
    assert [row for row in again["rows"] if row["metric"] != "minutes"] == [
        row for row in whole["rows"] if row["metric"] != "minutes"
    ]
    (kept / "lights.raft.json").write_text("{}", encoding="utf-8")
    assert bench.run(*asked) == 1
    assert "lights.raft.json is no finished cell" in capsys.readouterr().err


def test_what_is_kept_holds_no_text_and_gives_the_same_figures(tmp_path: Path) -> None:
    done = [make_done("raft", 4, ["u0", "q7"]), make_done("sft", 3)]
    for one in done:
        kept.keep(tmp_path, one)
    written = "".join(file.read_text("utf-8") for file in sorted(tmp_path.iterdir()))
    assert not any(text in written for text in ("What", "word 1", ABSENT, "nothing"))
    read = [again for one in done if (again := kept.read_kept(tmp_path, one.cell))]
    assert rows.rows_of(read) == rows.rows_of(done)
    assert {one.model for one in read[1].scored.answers} == {"tuned"}
    assert kept.read_kept(tmp_path, Cell("squad", "hybrid")) is None


def test_labels_are_kept(tmp_path: Path) -> None:
    questions = [
        ExamQuestion(Question(f"q{n}", f"Is {n} odd?", ("yes" if n % 2 else "no",), type="yes/no"), "exam", f"c{n}")
        for n in range(6)
    ]
    told = [
        Answer(one.id, model, "retrieved", "Yes, it is.", "Yes, it is.", (), (), False, ("p",), True, 9, 3, scores)
        for one in questions
        for model in ("base", "tuned")
        if (scores := grade(one, Parsed("Yes, it is.", (), (), False), passages=(), evidence_shown=True))
    ]
    done = Done(Cell("pubmedqa", "raft"), Scored("pubmedqa.raft", "raft", questions, told), {}, None, {}, {}, {})
    kept.keep(tmp_path, done)
    read = kept.read_kept(tmp_path, done.cell)
    assert read
    assert rows.rows_of([read]) == rows.rows_of([done])
    assert found_in(rows.rows_of([read])[0])["raft", "accuracy"]["value"] == 0.5


def test_a_cell_that_fails_stops_no_other(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(bench.folder / "methods.json")
    assert bench.run("--arm", "raft", "dap", "--seeds", "1", "--json", file) == 1
    said = capsys.readouterr()
    assert [row["arm"] for row in bench.written()["failed"]] == ["dap"]
    assert "lights, raft" in bench.written()["cells"]
    assert said.out.splitlines()[-1].startswith("lights, dap: no row: ")


def test_what_is_not_there_is_one_sentence(
    bench: Bench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(methods.DATA_VARIABLE, raising=False)
    assert methods.main(["--work", str(bench.folder / "work")]) == 1
    assert methods.DATA_VARIABLE in capsys.readouterr().err
    assert bench.run("--table") == 1
    assert (
        capsys.readouterr().err
        == f"benchmark: No finished cell in {bench.folder / 'work'}; run without --table first\n"
    )
    assert bench.run("--only", "light") == 1
    assert capsys.readouterr().err == "benchmark: --only: light is no recipe; known: lights\n"


QUESTIONS = [
    *(ExamQuestion(Question(f"q{n}", f"What {n}?", (f"word {n}",)), "exam", f"c{n // 2}", ("p",)) for n in range(8)),
    *(ExamQuestion(Question(f"u{n}", f"Why {n}?", ()), "exam", f"d{n}") for n in range(4)),
]


def answers_of(model: str, right: int, refused: Sequence[str], context: str = "retrieved") -> list[Answer]:
    """The first so many questions right, those named refused, the rest wrong."""
    found = []
    for place, question in enumerate(QUESTIONS):
        absent = question.id in refused
        text = ABSENT if absent else f"word {place}" if place < right else "nothing"
        scores = grade(question, Parsed(text, (), (), absent), passages=(), evidence_shown=True)
        row = Answer(
            question.id, model, context, text, text, (), (), absent, ("p",), question.id[0] == "q", 9, 3, scores
        )
        found.append(row)
    return found


def make_done(arm: str, right: int, refused: Sequence[str] = (), *, seed: int = 0, data: str = "squad") -> Done:
    cell = Cell(data, arm, seed)
    told = [*answers_of("base", 1, ()), *answers_of("base-fewshot", 2, ["u0"]), *answers_of("tuned", right, refused)]
    return Done(cell, Scored(cell.run, cell.label, QUESTIONS, told), {}, None, {}, {}, {})


def found_in(made: Sequence[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["arm"], row["metric"]): row for row in made}


def test_seeds_are_averaged_question_by_question_and_paired() -> None:
    done = [
        make_done("raft", 4),
        make_done("rag-sft", 3),
        make_done("raft", 6, seed=1),
        make_done("rag-sft", 3, seed=1),
    ]
    found = found_in(rows.rows_of(done)[0])
    assert found["raft", "f1"]["value"] == 0.5
    assert found["raft, 2 seeds", "f1"]["value"] == 0.625
    spread = found["raft, 2 seeds", "f1, standard deviation over seeds"]
    assert (spread["low"], spread["high"], spread["n"]) == (0.5, 0.75, 2)
    assert found["raft, 2 seeds - rag-sft, 2 seeds", "f1"]["value"] == 0.25
    assert found["raft, 2 seeds - base-fewshot", "f1"]["value"] == 0.375
    row = found["raft seed 1 - base-fewshot", "f1"]
    assert (row["value"], row["n"], row["clusters"]) == (0.5, 8, 4)
    assert row["low"] <= 0.5 <= row["high"]


def test_abstention_is_paired_and_pooled_over_sets() -> None:
    """Right in 2 of 4 and wrong once: precision 2/3, recall 1/2, F1 4/7; the few-shot base: 1, 1/4, 2/5."""
    done = make_done("raft", 4, ["u0", "u1", "q7"])
    found = found_in(rows.rows_of([done])[0])
    assert found["raft", "abstention_f1"]["value"] == pytest.approx(4 / 7, abs=1e-5)
    assert found["raft - base-fewshot", "abstention_f1"]["value"] == pytest.approx(4 / 7 - 2 / 5, abs=1e-5)
    assert found["raft - base-fewshot", "over_refusal"]["value"] == 1 / 8
    assert rows.pooled_rows({"squad": [done]}) == []
    other = make_done("raft", 4, ["u0", "u1", "u2", "u3"], data="clapnq")
    pooled = found_in(rows.pooled_rows({"squad": [done], "clapnq": [other], "nq": [done]}))
    row = pooled["raft", "abstention_f1"]
    assert (row["data"], row["value"]) == ("pooled: squad, clapnq", pytest.approx(2 * 6 / (7 + 8), abs=1e-5))
    assert pooled["raft", "over_refusal"] | {"low": 0, "high": 0} == {
        **{"data": "pooled: squad, clapnq", "arm": "raft", "context": "retrieved", "metric": "over_refusal"},
        **{"value": 1 / 16, "low": 0, "high": 0, "n": 16, "clusters": 8},
    }


def test_texts_forgetting_and_costs_have_rows() -> None:
    figure = {"value": -0.1, "low": -0.2, "high": 0.0, "n": 9, "unscored": 0, "clusters": 9}
    texts = {"held-out documents": {"bits_per_byte": {"base": figure, "01-dap": figure}, "change": {"01-dap": figure}}}
    lost = {"nll": {"change": figure}, "kl": figure, "formats": dict.fromkeys(("base", "tuned", "difference"), figure)}
    dap = make_done("dap", 3)
    done = Done(dap.cell, dap.scored, {"texts": texts}, lost, {"rows": 7, "tokens": 5e6, "minutes": 3}, {}, {"x": 7200})
    made, notes = rows.rows_of([done])
    found = found_in(made)
    assert notes == []
    for key in (("dap", "bits_per_byte_change"), ("base", "bits_per_byte"), ("dap", "nll_change"), ("dap", "kl")):
        assert found[key]["value"] == -0.1
    assert found["dap - base", "formats_kept"]["context"] == "general"
    assert (found["dap", "tokens"]["value"], found["dap", "tokens"]["n"]) == (5e6, 7)
    *_, head, untuned, costs = lines_of(made)
    assert re.split(r" {2,}", head) == [
        *("data", "arm", "tokens, thousands", "minutes", "NLL of own answers, %", "formats kept"),
        "held-out bits per byte, %",
    ]
    assert re.split(r" {2,}", untuned)[:6] == ["squad", "base", "-", "-", "-", "-10.0 [-20.0, 0.0]"]
    assert re.split(r" {2,}", costs)[:5] == ["squad", "dap", "5,000.0", "3", "-10.0 [-20.0, 0.0]"]


def test_unequal_steps_are_told() -> None:
    done = [make_done("raft", 4), make_done("sft", 3)]
    counted = [
        Done(one.cell, one.scored, {}, None, {"rows": 1, "questions_seen": 8, "optimizer_steps": steps}, {}, {})
        for one, steps in zip(done, (4, 5), strict=True)
    ]
    assert rows.rows_of(counted)[1] == ["optimizer_steps are not alike: raft 4, sft 5"]


def test_tuning_all_weights_takes_a_third_product() -> None:
    shape = Shape(hidden=4, inner=6, layers=3, heads=2, groups=1, width=2, vocabulary=10)
    assert training_operations(shape, tokens=5, learned=2, rank=None) == 6 * 360 * 5 + 6 * 40 * 2
    assert training_operations(shape, tokens=5, learned=2, rank=1) == 4 * 360 * 5 + 6 * 174 * 5 + 4 * 40 * 2
