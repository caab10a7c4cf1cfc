"""The benchmark of serving: its arithmetic by hand, and a tiny load on a server of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.serving import Called, Row, batching, honest, main, percentiles, row_of


def test_a_load_is_summed_up() -> None:
    called = [Called(200, 2.0, 0.5, tokens=30, read=900), Called(200, 4.0, 1.5, tokens=10, read=800)]
    called += [Called(503, 0.1, retry_after=True)]
    row = row_of("load", 3, 8.0, called)
    assert (row.answers_a_second, row.tokens_a_second, row.prompt_tokens) == (0.25, 5.0, 850.0)
    assert row.statuses == {"200": 2, "503": 1}
    assert (row.latency["p50"], row.first_words["p50"]) == (3.0, 1.0)
    assert honest(row)


@pytest.mark.parametrize("bad", [Called(500, 0.1), Called(0, 0.1), Called(429, 0.1)])
def test_a_failed_request_is_one(bad: Called) -> None:
    assert not honest(row_of("load", 1, 1.0, [Called(200, 1.0), bad]))


def test_nothing_answered_is_no_success() -> None:
    assert not honest(row_of("load", 1, 1.0, [Called(503, 0.1, retry_after=True)]))
    assert percentiles([1.0]) == {}


def test_all_is_compared_with_different_questions_one_by_one() -> None:
    rates = {"distinct, one by one": 2.0, "distinct, together": 4.0, "shared, one by one": 3.0, "shared, together": 8.0}
    rows = [Row(name, 1, 1.0, {"200": 1}, rate, 0.0, 0.0) for name, rate in rates.items()]
    assert batching(rows) == {
        "batching on distinct prompts": 2.0,
        "batching on shared passages": 4.0,
        "shared passages one by one": 1.5,
    }


@pytest.mark.enable_socket
def test_a_tiny_load_on_a_server_of_its_own(tiny_llama: Path, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    options = ["--set", 'evaluate={"generator": "echo"}', "--set", "index.chunk_tokens=2000", "--questions", "2"]
    assert main(["--model", str(tiny_llama), *options, "--seconds", "0.4", "--json", str(file)]) == 0
    data = json.loads(file.read_text("utf-8"))
    assert [row["name"] for row in data["rows"]][-2:] == ["eight clients", "load"]
    assert all(set(row["statuses"]) <= {"200", "503"} for row in data["rows"])
    assert data["peak_bytes"] > 0
