"""The training benchmark: its arithmetic by hand, its rows, its table, and ragraft's own side on a tiny Llama."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.engines.flops import Shape, operations, row_work, shape_of, tree_work
from benchmarks.engines.measure import Left, Run, Setting, measure, turns
from benchmarks.engines.rows import ANSWER, QUESTION, SPECIAL, make_rows
from benchmarks.engines.systems import OURS, Cell, System, all_systems, work_of
from benchmarks.engines.table import comparisons, lines_of, rows_of
from benchmarks.training import main
from ragraft.models.spans import Span, visible

TINY = Shape(hidden=4, inner=6, layers=3, heads=2, groups=1, width=2, vocabulary=10)
CELL = Cell(trunk=600, questions=5)
ENOUGH = 24 * 3600.0
"""Seconds that no machine needs."""


def test_a_rows_operations_are_those_counted_by_hand() -> None:
    # A layer: queries 4x4, keys 4x2, values 4x2, outputs 4x4, gate 4x6, up 4x6, down 6x4.
    assert TINY.parameters == 3 * (16 + 8 + 8 + 16 + 24 + 24 + 24)
    assert TINY.adapter_parameters(rank=1) == 3 * (8 + 6 + 6 + 8 + 10 + 10 + 10)
    work = row_work(trunk=3, question=1, answer=1, scored=5, head_products=3)
    assert (work.tokens, work.pairs) == (5, 15)
    frozen, adapters = 4 * 360 * 5, 6 * 174 * 5
    attention = 12 * 15 * (2 * 2) * 3
    head = 3 * 2 * 5 * (4 * 10)
    assert operations(TINY, 1, work) == frozen + adapters + attention + head


def test_a_trees_operations_are_those_counted_by_hand() -> None:
    work = tree_work(trunk=4, question=1, answer=1, questions=2)
    assert (work.tokens, work.pairs, work.scored, work.head_products) == (4 / 2 + 2, 10 / 2 + 2 * 4 + 3, 1, 2)


def test_pairs_are_those_that_the_engines_mask_shows() -> None:
    trunk, branch, questions = 30, 12, 3
    ends = [trunk + branch * number for number in range(questions + 1)]
    spans = (Span(0, trunk), *(Span(end, end + branch, (0, trunk)) for end in ends[:-1]))
    work = tree_work(trunk=trunk, question=8, answer=4, questions=questions)
    assert work.pairs * questions == int(visible(spans).sum())
    assert work.tokens * questions == spans[-1].end


def test_a_lone_question_costs_its_row() -> None:
    alone = tree_work(trunk=600, question=20, answer=40, questions=1)
    assert alone == row_work(trunk=600, question=20, answer=40, scored=40, head_products=2)
    assert alone.tokens == 660


def test_the_shape_is_read_from_a_models_own_settings(tiny_model: Path) -> None:
    from transformers import AutoModelForCausalLM

    shape = shape_of(json.loads((tiny_model / "config.json").read_text("utf-8")))
    network = AutoModelForCausalLM.from_pretrained(tiny_model)
    counted = sum(module.weight.numel() for name, module in network.model.named_modules() if "_proj" in name)
    assert shape.parameters == counted
    assert shape.hidden * shape.vocabulary == network.lm_head.weight.numel()


def test_rows_of_a_group_share_their_trunk_and_a_seed_makes_them_again() -> None:
    made = {"trunk_tokens": 30, "questions_per_trunk": 5, "questions": 20, "vocabulary": 100, "seed": 0}
    rows = make_rows(**made)
    assert rows == make_rows(**made)
    assert rows != make_rows(**{**made, "seed": 1})
    assert len(rows) == 20
    trunks: dict[str, set[tuple[int, ...]]] = {}
    for row in rows:
        trunks.setdefault(row["group"], set()).add(tuple(row["ids"][:30]))
        assert len(row["ids"]) == 30 + QUESTION + ANSWER
        assert row["answer_from"] == 30 + QUESTION
        assert min(row["ids"]) >= SPECIAL
        assert max(row["ids"]) < 100
    assert [len(found) for found in trunks.values()] == [1] * 4
    assert len(set.union(*trunks.values())) == 4
    assert len({tuple(row["ids"]) for row in rows}) == 20


def test_a_peer_computes_its_head_where_its_device_lets_it() -> None:
    on_cpu, on_gpu = (
        next(system for system in all_systems(device) if system.name == "trl rows") for device in ("cpu", "cuda")
    )
    assert work_of(on_cpu, CELL).scored == 660
    assert work_of(on_gpu, CELL).scored == ANSWER
    ours = all_systems("cpu")[0]
    assert work_of(ours, CELL) == tree_work(trunk=600, question=QUESTION, answer=ANSWER, questions=5)


def test_systems_take_turns() -> None:
    first, second = System("first", ""), System("second", "")
    one, other = Cell(1, 1), Cell(2, 1)
    order = [(cell.trunk, system.name) for cell, system in turns([(one, [first, second]), (other, [first, second])], 2)]
    assert order[:4] == [(1, "first"), (1, "second"), (2, "second"), (2, "first")]
    assert order[4:] == [(1, "second"), (1, "first"), (2, "first"), (2, "second")]


def told(seconds: list[float], questions: int = 4, peak: float = 1.0) -> dict[str, Any]:
    return {"seconds": seconds, "questions": questions, "peak_gib": peak}


def test_the_table_takes_the_median_step_of_all_runs_and_the_highest_peak() -> None:
    ours, accumulated, rows, *_ = all_systems("cpu")
    runs = [
        Run(ours, CELL, told([1.0, 9.0], questions=5)),
        Run(accumulated, CELL, told([8.0], peak=2.0)),
        Run(rows, CELL, told([16.0])),
        Run(ours, CELL, told([2.0], questions=5, peak=1.5)),
    ]
    made = rows_of(runs, TINY, 16)
    assert made[0]["questions_per_second"] == 5 / 2
    assert made[0]["peak_gib"] == 1.5
    assert made[0]["flop_bound"] == 1
    ours_cost, peer_cost = (operations(TINY, 16, work_of(system, CELL)) for system in (ours, accumulated))
    assert made[1]["flop_bound"] == pytest.approx(peer_cost / ours_cost)
    assert peer_cost > 3 * ours_cost

    (compared,) = comparisons(made, TINY, 16, product_rate=10 * ours_cost)
    assert compared.fastest_peer == "trl accumulated"
    assert compared.ratio == (5 / 2) / (4 / 8)
    assert compared.flop_bound == made[1]["flop_bound"]
    assert compared.matmul_share == pytest.approx((5 / 2) / 10)

    lines = lines_of(made, [compared])
    assert len(lines) == 1 + 3 + 1
    assert lines[1].split() == ["600", "5", OURS, "2.500", "1.50", "1.00x"]
    assert lines[-1].startswith("5 on 600 tokens: ragraft trains 5.00 times the questions of trl accumulated")
    assert lines[-1].endswith("ragraft reaches 25% of the bf16 product rate.")


def setting(model: Path, **changes: Any) -> Setting:
    made: dict[str, Any] = {
        "model": str(model),
        "config": json.loads((model / "config.json").read_text("utf-8")),
        "device": "cpu",
        "threads": 1,
        "seconds": 0.0,
        "least_steps": 2,
        "warm_up": 1,
        "questions": 4,
        "together": 4,
        "pack_tokens": 512,
        "rank": 2,
    }
    return Setting(**{**made, **changes})


def test_ragraft_computes_each_trunk_once(tiny_model: Path, tmp_path: Path) -> None:
    cell = Cell(trunk=40, questions=5)
    plan = [(cell, all_systems("cpu")[:1])]
    (run,) = measure(plan, setting(tiny_model), repeats=1, budget=ENOUGH, folder=tmp_path)
    assert isinstance(run, Run), run
    assert run.told["questions"] == 5
    assert len(run.told["seconds"]) == 2
    assert run.told["attention"] == "blocks"
    assert run.told["computed_tokens"] == work_of(run.system, cell).tokens == 40 / 5 + 60
    assert 0.05 < run.told["peak_gib"] < 4


def test_a_system_that_fails_is_left_out_with_its_last_words_and_not_tried_again(
    tiny_model: Path, tmp_path: Path
) -> None:
    plan = [(Cell(20, 1), [System("broken", "benchmarks.engines.absent")])]
    (left,) = measure(plan, setting(tiny_model), repeats=3, budget=ENOUGH, folder=tmp_path)
    assert isinstance(left, Left)
    assert "No module named benchmarks.engines.absent" in left.why


def test_what_has_no_time_left_is_named(tiny_model: Path, tmp_path: Path) -> None:
    plan = [(Cell(20, 1), all_systems("cpu")[:1])]
    (left,) = measure(plan, setting(tiny_model), repeats=1, budget=-1, folder=tmp_path)
    assert isinstance(left, Left)
    assert left.why == "no time was left for it"


def test_a_whole_run_writes_rows_and_facts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "training.json"
    options = ["--config", "tiny", "--systems", OURS, "--questions", "2", "--threads", "1", "--repeats", "1"]
    assert main([*options, "--seconds", "0", "--json", str(target)]) == 0
    made = json.loads(target.read_text("utf-8"))
    (row,) = made["rows"]
    assert list(row) == [
        "system",
        "questions_per_trunk",
        "trunk_tokens",
        "questions_per_second",
        "peak_gib",
        "flop_bound",
    ]
    assert (row["system"], row["questions_per_trunk"], row["trunk_tokens"], row["flop_bound"]) == (OURS, 2, 48, 1.0)
    assert row["questions_per_second"] > 0
    assert made["comparisons"] == made["left_out"] == []
    assert made["bf16_product_flops"] > 0
    assert made["runs"][0]["versions"]["torch"]
    assert len(made["runs"][0]["seconds"]) == 2
    assert made["runs"][0]["computed_tokens"] == 48 / 2 + 60
    assert OURS in capsys.readouterr().out

    assert main([*options, "--seconds", "0", "--json", str(target)]) == 0
    assert json.loads(target.read_text("utf-8")) == made  # what stands there is read, not run
    assert main([*options, "--seconds", "1", "--json", str(target)]) == 1
    assert f"{target} holds runs of other settings; name another file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--systems", "axolotl"], "--systems: 'axolotl' is none of ragraft, trl accumulated,"),
        (["--python", "trl=/nowhere/python"], "--python trl=/nowhere/python: write trl=PATH"),
        (["--questions", "0"], "--questions: 0 questions on a trunk cannot be"),
        (["--trunks", "8"], "--trunks: 8 tokens is shorter than the 16 that ragraft shares"),
    ],
)
def test_bad_options_are_one_sentence(options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", "tiny", *options]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"benchmark: {sentence}")
    assert error.count("\n") == 1
