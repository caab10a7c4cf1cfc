"""The benchmark of generators: its prompts, its arithmetic and table, and ragraft's own side on a tiny Llama."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import generators
from benchmarks.engines.answerers import GENERATORS, OURS, REFERENCE, agreement, compare, lines_of, row_of
from benchmarks.engines.environments import Peer
from benchmarks.generators import Counts, endless, ggufs, main, write_prompts
from ragraft.errors import BackendError, ConfigError
from ragraft.models.chat import load_tokenizer


def test_every_generator_has_a_runner_and_a_name_of_its_own() -> None:
    names = [one.name for one in GENERATORS]
    assert len(set(names)) == len(names)
    assert {OURS, REFERENCE} <= {one.name for one in GENERATORS if one.quick}
    root = Path(generators.__file__).parents[1]
    assert all((root / f"{one.module.replace('.', '/')}.py").exists() for one in GENERATORS)


def test_prompts_are_of_one_length_and_none_is_asked_twice(tiny_llama: Path, tmp_path: Path) -> None:
    made = write_prompts(tiny_llama, tmp_path / "prompts.json", Counts(2, 3, 4), length=120)
    kinds: dict[str, list[list[int]]] = json.loads(made.read_text("utf-8"))
    assert {kind: len(prompts) for kind, prompts in kinds.items()} == {
        "warm": 3, "reading": 2, "alone": 3, "together": 4,
    }  # fmt: skip
    everything = [tuple(ids) for prompts in kinds.values() for ids in prompts]
    assert len(set(everything)) == len(everything) == 12
    assert {len(ids) for ids in everything} == {120}
    again = write_prompts(tiny_llama, tmp_path / "again.json", Counts(2, 3, 4), length=120)
    assert again.read_text("utf-8") == made.read_text("utf-8")
    with pytest.raises(ConfigError, match=r"^--prompt 9: no prompts of that many tokens come about; give more$"):
        write_prompts(tiny_llama, tmp_path / "short.json", Counts(1, 1, 1), length=9)


def test_an_endless_model_is_the_same_but_for_its_end_token(tiny_llama: Path, tmp_path: Path) -> None:
    made = endless(tiny_llama, tmp_path / "model")
    assert {file.name for file in made.iterdir()} == {file.name for file in tiny_llama.iterdir()}
    assert (made / "model.safetensors").read_bytes() == (tiny_llama / "model.safetensors").read_bytes()
    before, after = (json.loads((place / "config.json").read_text("utf-8")) for place in (tiny_llama, made))
    assert {key for key in before if before[key] != after[key]} <= {"eos_token_id"}
    tokenizer, own = load_tokenizer(made), load_tokenizer(tiny_llama)
    assert tokenizer.end == after["eos_token_id"]
    assert tokenizer.plain_ids("a tower") == own.plain_ids("a tower")
    files = ggufs(made, tmp_path)
    assert [Path(file).exists() for file in files.values()] == [True, True]


def told(reading: float, alone: list[float], together: float, answers: list[list[int]]) -> dict[str, Any]:
    return {
        "reading": [reading], "alone": alone, "together": together, "peak_gib": 1.0, "versions": {},
        "answers": {"alone": answers[:1], "together": answers},
    }  # fmt: skip


def test_figures_are_medians_and_ratios_are_of_ours() -> None:
    answers = [[1, 2, 3, 4], [5, 6, 7, 8]]
    runs = {
        REFERENCE: [told(1.0, [3.0], 4.0, answers)],
        OURS: [told(0.5, [1.5, 9.0], 2.0, answers), told(0.5, [1.5], 4.0, answers)],
        "other": [told(0.25, [1.0], 1.0, [[1, 2, 9, 4], [5, 6, 7, 8]])],
    }
    rows = {name: row_of(name, of, prompt=900, tokens=4) for name, of in runs.items()}
    compare(rows, {name: of[0]["answers"] for name, of in runs.items()})
    ours, other = rows[OURS], rows["other"]
    assert (ours["read_tokens_a_second"], ours["written_tokens_a_second"]) == (1800, 3 / 1.0)
    assert (ours["answers_a_second"], ours["answers_a_second_together"]) == (1 / 1.5, 2 / 3.0)
    assert other["answers_a_second_ratio"] == pytest.approx(1.5)
    assert other["answers_a_second_together_ratio"] == pytest.approx(3.0)
    assert other["agreement"] == {
        "alone": {"same": 0.0, "begun": 0.5, "n": 1},
        "together": {"same": 0.5, "begun": 0.75, "n": 2},
    }
    lines = lines_of(list(rows.values()), {"vllm eager": "it cannot be installed"})
    assert " ".join(lines[3].split()) == "other 3,600 4.0 1.000 1.50 2.000 3.00 0.00 0.50 0.50 1.00"
    assert lines[-1] == "vllm eager: no figure: it cannot be installed"


def test_answers_of_other_lengths_agree_as_far_as_they_go() -> None:
    assert agreement([[1, 2], [1, 2, 3]], [[1, 2, 3, 4], [1, 2, 3]]) == {"same": 0.5, "begun": 0.75, "n": 2}


def test_without_ours_there_are_no_ratios() -> None:
    rows = {"other": row_of("other", [told(1.0, [2.0], 3.0, [[1]])], prompt=9, tokens=1)}
    compare(rows, {"other": {"alone": [[1]], "together": [[1]]}})
    assert lines_of(list(rows.values()), {})[1].split()[4] == "-"


def test_a_peer_that_cannot_be_installed_is_a_row_and_no_end(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nowhere(peer: Peer) -> Path:
        raise BackendError(f"The environment of {peer.name} cannot be made: there is no index")

    monkeypatch.setattr(generators, "python_of", nowhere)
    found = tmp_path / "found.json"
    sizes = ["--prompt", "130", "--tokens", "6", "--threads", "1", "--quick"]
    chosen = ["--only", REFERENCE, OURS, "llama.cpp q8_0", "ctranslate2 int8"]
    assert main(["--model", str(tiny_llama), *sizes, "--json", str(found), *chosen]) == 0
    data = json.loads(found.read_text("utf-8"))
    assert [row["generator"] for row in data["rows"]] == [REFERENCE, OURS]
    assert data["rows"][0]["agreement"]["together"] == {"same": 1.0, "begun": 1.0, "n": 8}
    assert data["left_out"] == {
        "llama.cpp q8_0": "The environment of llama-cpp cannot be made: there is no index",
        "ctranslate2 int8": "The environment of ctranslate2 cannot be made: there is no index",
    }
    assert "llama.cpp q8_0: no figure: The environment" in capsys.readouterr().out
    assert main(["--only", "llama.cp"]) == 1
    assert "is no generator; did you mean" in capsys.readouterr().err
