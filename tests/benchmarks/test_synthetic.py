"""The made-up corpus: the same again from its seed, with all its kinds and questions on what stands there."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.synthetic import COPIES, make_corpus

CHARACTERS = 400_000


def contents(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()
    }


def texts(folder: Path) -> dict[str, str]:
    """The rows' texts by id, and the files' by name."""
    found: dict[str, str] = {}
    for file in (folder / "documents").rglob("*"):
        if file.suffix == ".jsonl":
            found |= {row["id"]: row["text"] for row in map(json.loads, file.read_text("utf-8").splitlines())}
        elif file.is_file():
            found[file.relative_to(folder / "documents").as_posix()] = file.read_text("utf-8")
    return found


def test_a_seed_makes_one_corpus(tmp_path: Path) -> None:
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        (tmp_path / name).mkdir()
        make_corpus(tmp_path / name, characters=CHARACTERS, questions=20, seed=seed)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert contents(tmp_path / "one") != contents(tmp_path / "other")


def test_it_holds_what_it_says(tmp_path: Path) -> None:
    counts = make_corpus(tmp_path, characters=CHARACTERS, questions=20, seed=0)
    found = texts(tmp_path)
    assert len(found) == counts["documents"]
    assert CHARACTERS <= counts["characters"] < 2 * CHARACTERS
    assert all(counts[kind] > 0 for kind, _ in COPIES)
    assert {file.suffix for file in (tmp_path / "documents").rglob("*.*")} == {".jsonl", ".md", ".txt", ".html"}
    questions = [json.loads(line) for line in (tmp_path / "questions.jsonl").read_text("utf-8").splitlines()]
    assert len(questions) == counts["questions"] > 5
    assert any("evidence" in question for question in questions)
    for question in questions:
        (name,), (answer,) = question["evidence_ids"], question["answers"]
        assert answer.split()[0] in found[name]
        assert all(quote in found[name] for quote in question.get("evidence", ()))
