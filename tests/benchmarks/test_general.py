"""The benchmark of general tests: which questions it reads, how it scores options, what it prints."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks import general
from benchmarks.general import Item, read_files, score
from ragraft.errors import InputError
from ragraft.records import LogProbs, Prompt


class Likes:
    """Finds one letter likely in a text, and the end of a turn very unlikely."""

    def __init__(self, letter: str) -> None:
        self.letter = letter

    def score(self, prompts: Sequence[Prompt | None], texts: Sequence[str]) -> list[LogProbs]:
        assert len(set(prompts)) == 1
        rows = [tuple(math.log(0.5 if sign == self.letter else 0.25) for sign in text) for text in texts]
        return [LogProbs((0,) * (len(row) + 1), (*row, -1000.0)) for row in rows]


def write(data: Path, name: str, rows: list[dict[str, Any]]) -> None:
    data.mkdir(exist_ok=True)
    (data / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    asked = {"question": "Which?", "options": ["aaaa", "bb", "c"]}
    chosen = [{"id": f"m{n}", **asked, "answers": ["AB"[n % 2]]} for n in range(60)]
    write(folder, "mmlu", chosen)
    write(folder, "mmlu_fewshot", chosen)
    write(folder, "gsm8k", [{"id": "g", "question": "2 and 2?", "answers": ["4"], "long_answer": "aabb"}])
    write(folder, "ifeval", [{"id": "i", "question": "Write.", "answers": []}])
    return folder


def test_examples_for_prompts_and_questions_without_answers_are_left_out(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = read_files(data, None, most=None)
    assert {name: len(items) for name, items in files.items()} == {"gsm8k": 1, "mmlu": 60}
    assert files["mmlu"][1] == Item("m1", "Which?", ("aaaa", "bb", "c"), 1)
    assert files["gsm8k"][0].texts == ("aabb",)
    assert capsys.readouterr().err == "ifeval: 1 of 1 questions have no answer to score\n"
    assert len(read_files(data, ["mmlu"], most=40)["mmlu"]) == 40


def test_options_are_compared_a_byte_and_without_the_end() -> None:
    options = [Item("x", "Which?", ("aaaa", "bb", "c"), right) for right in (0, 1)]
    found = score(Likes("a"), options)
    assert found["accuracy"] == [1.0, 0.0]
    assert found["margin"] == pytest.approx([math.log(2), -math.log(2)])


def test_a_plain_answer_has_bits_a_byte() -> None:
    for text, bits in (("aabb", 1.5), ("ä", 1.0)):
        found = score(Likes("a"), [Item("g", "Which?", (text,))])
        assert list(found) == ["bits_per_byte"]
        assert found["bits_per_byte"] == pytest.approx([bits])


def test_models_are_compared_with_the_first(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "out.json"
    assert general.main(["a", "b", "--data", str(data), "--quick", "--json", str(file)], opens=Likes) == 0
    rows = {(row["data"], row["model"], row["metric"]): row for row in json.loads(file.read_text("utf-8"))["rows"]}
    assert rows["mmlu", "a", "accuracy"]["value"] == 0.5
    assert rows["mmlu", "a", "accuracy"]["n"] == 40
    assert rows["mmlu", "b - a", "accuracy"]["value"] == 0.0
    assert rows["mmlu", "b - a", "accuracy"]["low"] < 0 < rows["mmlu", "b - a", "accuracy"]["high"]
    assert rows["gsm8k", "b - a", "bits_per_byte"]["value"] == 0.0
    assert rows["gsm8k", "a", "bits_per_byte"]["low"] is None, "one question has no spread"
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(rows) == 1 + 3 * 3
    assert lines[1].split() == ["gsm8k", "bits_per_byte", "a", "1.5000", "-", "-", "1"]


def test_a_folder_without_questions_is_one_sentence(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=r"^No bbh\.jsonl in .+; there are: gsm8k, ifeval, mmlu$"):
        read_files(data, ["bbh"], most=None)
    assert general.main(["a", "--data", str(data), "--only", "ifeval"], opens=Likes) == 1
    assert "benchmark: No question with answers in" in capsys.readouterr().err
