"""Proposing questions from a run's index."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ragraft.errors import ConfigError, InputError, WorkspaceError
from ragraft.methods.questions import read_questions
from ragraft.pipeline import Session, Wanted, open_session, propose_questions, questions
from ragraft.records import Completion, Prompt, Sampling

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring, Fakes

MakeSite = Callable[..., "Site"]


@pytest.fixture
def site(make_site: MakeSite, bring: Bring) -> Site:
    """A site with an index, whose YAML names no questions."""
    made = make_site(questions=None)
    bring(made, last="index")
    return made


def session(site: Site) -> Session:
    return open_session(site.file)


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def test_patterns_make_rows_that_examine_can_read(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "candidates.jsonl"
    found = propose_questions(session(site), Wanted(), out)
    asked = rows(out)
    assert (found.questions, found.chunks, found.file) == (
        len(asked),
        len({row["metadata"]["chunk"] for row in asked}),
        out,
    )
    assert "What is the tower of Arlen made of?" in [row["question"] for row in asked]
    for row in asked:
        assert set(row) == {"id", "question", "answers", "evidence_ids", "evidence", "metadata"}
        assert row["metadata"]["made_by"] == "ragraft patterns"
        assert row["metadata"]["reviewed"] is False
    with out.open(encoding="utf-8") as lines:
        assert len(read_questions(lines, origin="x").questions) == len(asked)
    assert found.rejected == tmp_path / "candidates.rejected.jsonl"
    assert sum(found.reasons.values()) == len(rows(found.rejected))
    again = tmp_path / "again.jsonl"
    propose_questions(session(site), Wanted(), again)
    assert again.read_bytes() == out.read_bytes()


def test_the_limit_is_kept_and_the_rest_counted(site: Site, tmp_path: Path) -> None:
    every = propose_questions(session(site), Wanted(), tmp_path / "all.jsonl")
    found = propose_questions(session(site), Wanted(limit=3), tmp_path / "three.jsonl")
    assert (every.untried, found.questions) == (0, 3)
    assert found.questions + sum(found.reasons.values()) + found.untried == every.questions + sum(
        every.reasons.values()
    )
    other = propose_questions(session(site), Wanted(limit=3, seed=5), tmp_path / "other.jsonl")
    assert rows(other.file) != rows(found.file)


def test_what_the_yaml_asks_already_is_not_proposed(make_site: MakeSite, bring: Bring, tmp_path: Path) -> None:
    site = make_site()
    bring(site, last="index")
    asked = (site.folder / "questions.jsonl").read_text("utf-8").splitlines(keepends=True)
    (site.folder / "questions.jsonl").write_text("".join(asked[:3]), encoding="utf-8")
    found = propose_questions(session(site), Wanted(), tmp_path / "new.jsonl")
    (turned,) = [row for row in rows(found.rejected) if row["reason"] == "asked already"]
    assert turned["detail"] == "same as q00"
    assert turned["candidate"]["question"] == "What is the tower of Arlen made of?"
    assert "What is the tower of Arlen made of?" not in [row["question"] for row in rows(found.file)]
    (site.folder / "questions.jsonl").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"questions.jsonl has broken lines \(line 1: broken JSON"):
        propose_questions(session(site), Wanted(), tmp_path / "more.jsonl")


class Writer:
    """Writes a good question on each chunk, and a bad one."""

    def __init__(self) -> None:
        self.asked: list[tuple[Prompt, ...]] = []

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        self.asked.append(tuple(prompts))
        return [Completion(self._write(prompt.messages[-1].content)) for prompt in prompts]

    def _write(self, text: str) -> str:
        if text.startswith("Question:"):
            return "Answer: I do not know"
        place = text.split("\n")[0].partition(" › ")[0]
        words = text.split("\n", 1)[1].split()
        return f"Question: What is told of {place}?\nAnswer: {' '.join(words[2:5])}\nQuestion: Why?\nAnswer: because"


@pytest.fixture
def writer(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> Writer:
    made = Writer()
    monkeypatch.setattr(fakes, "generator", lambda model: made)
    return made


def test_a_model_is_asked_chunk_by_chunk(site: Site, writer: Writer, tmp_path: Path) -> None:
    found = propose_questions(session(site), Wanted("model", limit=5, per_chunk=2), tmp_path / "c.jsonl")
    assert found.questions == 5
    model = session(site).config.model
    assert {row["metadata"]["made_by"] for row in rows(found.file)} == {f"model {model}"}
    assert found.reasons["the answer does not stand in the chunk"] >= 5
    assert "write 2 different questions" in writer.asked[0][0].messages[0].content
    batches = len(writer.asked)
    assert all(len(batch) <= 4 for batch in writer.asked)
    again = propose_questions(session(site), Wanted("model", limit=5, per_chunk=2), tmp_path / "d.jsonl")
    assert again.file.read_bytes() == found.file.read_bytes()
    assert len(writer.asked) == batches  # kept answers


def test_the_check_asks_with_and_without_the_chunk(site: Site, writer: Writer, tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"^None of \d+ candidates passed \(commonest reason, \d+ times: .+\); .*c.rejected.jsonl says why",
    ):
        propose_questions(session(site), Wanted(limit=5, check=True), tmp_path / "c.jsonl")
    assert "not answered with the chunk shown" in {row["reason"] for row in rows(tmp_path / "c.rejected.jsonl")}
    assert not (tmp_path / "c.jsonl").exists()


def test_a_model_that_writes_nothing_useful_is_asked_no_more(
    site: Site, writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_write", lambda text: "Sure!")
    monkeypatch.setattr(questions, "PATIENCE", 6)
    with pytest.raises(InputError, match=r"^None of 8 candidates .*; see whether --by patterns, --by model or another"):
        propose_questions(session(site), Wanted("model"), tmp_path / "c.jsonl")
    assert [len(batch) for batch in writer.asked] == [4, 4]


def test_what_cannot_be_proposed_is_one_sentence(make_site: MakeSite, site: Site, tmp_path: Path) -> None:
    taken = tmp_path / "taken.jsonl"
    taken.write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"exists already; look at it with --review, or give another --out"):
        propose_questions(session(site), Wanted(), taken)
    with pytest.raises(ConfigError, match=r"^--by magic: give patterns or model$"):
        propose_questions(session(site), Wanted("magic"), tmp_path / "x.jsonl")
    with pytest.raises(ConfigError, match=r"^No question patterns for xx"):
        propose_questions(session(site), Wanted(language="xx"), tmp_path / "x.jsonl")
    with pytest.raises(WorkspaceError, match=r"^No index in .*\. Run: ragraft index$"):
        propose_questions(session(make_site("bare")), Wanted(), tmp_path / "x.jsonl")
    assert taken.read_text("utf-8") == "mine"
