"""What a diagnosis tries beside its own conditions: other indexes, and small runs of the tuning that rules want."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ragraft.methods.costs import Cost
from ragraft.methods.diagnosis_table import curve_table, diagnosis_tables, search_table, verdict_sentence
from ragraft.methods.finders import Asking
from ragraft.methods.learning_curve import SmallRuns
from ragraft.methods.search_trial import OtherIndex
from ragraft.ports import Generator, Tokenizer
from ragraft.records import Completion, ExamQuestion, Passage, Prompt, Sampling
from tests.unit.stages.test_diagnose import TOWNS, Ranked, World, bring, question

WHOLE, SIZES, SCALE = 80, (10, 20, 40), 30


@dataclass
class Pupil:
    """Answers as one that is taught so many questions: a growing share of the towns in form, the others as before."""

    knows: int
    asked: list[Prompt] = field(default_factory=list)

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        self.asked += prompts
        made = World(in_form="never").generate(prompts, sampling)
        return [
            Completion(f"Answer: t{town}mill [1]", (1,), None, "stop", 100)
            if (town := _town(prompt)) % TOWNS < self.knows
            else one
            for prompt, one in zip(prompts, made, strict=True)
        ]


def _town(prompt: Prompt) -> int:
    return int(prompt.messages[-1].content.rpartition("has t")[2].partition("?")[0])


@dataclass
class Classroom:
    """Makes pupils, and notes what for."""

    level: float
    made: list[tuple[str, int]] = field(default_factory=list)
    pupils: list[Pupil] = field(default_factory=list)

    def tuned(self, action: str, questions: int) -> Generator:
        self.made.append((action, questions))
        taught = 8 + round(32 * self.level * (1 - math.exp(-questions / SCALE)))
        self.pupils.append(Pupil(taught))
        return self.pupils[-1]

    @property
    def runs(self) -> SmallRuns:
        return SmallRuns(WHOLE, SIZES, self.tuned)


def test_small_runs_take_the_place_of_the_rules_shares(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    room = Classroom(0.6)
    made = bring(tmp_path, World(in_form="never"), word_tokenizer, learning=room.runs)
    data = made.data()
    assert room.made == [("raft", 10), ("raft", 20), ("raft", 40)]
    first, curve = data["verdict"][0], data["curve"]
    assert (first["action"], first["measured"]) == ("raft", "small runs")
    assert [row.get("measured") for row in data["verdict"][1:]] == [None] * (len(data["verdict"]) - 1)
    lost = data["total_loss"]["value"]
    assert first["gain"] == curve["foretold"]
    assert first["gain"]["value"] == pytest.approx(0.6 * (1 - math.exp(-WHOLE / SCALE)) * lost, abs=0.06)
    assert first["gain"]["value"] != pytest.approx(0.8 * lost, abs=0.05), "the rules' own share of form"
    assert [row["questions"] for row in curve["points"]] == list(SIZES)
    assert [row["gain"]["n"] for row in curve["points"]] == [32] * 3
    rows = list(made.folder.read_jsonl("curve.jsonl"))
    assert {(row["model"], row["context"]) for row in rows} == {(f"raft on {size}", "retrieved") for size in SIZES}
    assert {row["question_id"] for row in rows} == {f"q{n}" for n in range(8, TOWNS)}, "the validation side alone"
    assert "of 100 (measured on small runs), at most" in verdict_sentence(data)
    table = curve_table(data)
    assert [row[0] for row in table.rows] == ["10", "20", "40", "80 (all)"]
    assert table in diagnosis_tables(data)


def test_tuning_that_gains_nothing_in_small_runs_is_not_advised(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    data = bring(tmp_path, World(in_form="never"), word_tokenizer, learning=Classroom(0.0).runs).data()
    assert (data["decision"]["action"], data["decision"]["rule"]) == ("leave", "nothing pays")
    told = {row["action"]: row for row in data["verdict"]}
    assert told["raft"]["measured"] == "small runs"
    assert told["raft"]["gain"]["value"] == pytest.approx(0.0, abs=0.01)


def test_where_no_rule_wants_tuning_nothing_is_trained(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    room = Classroom(0.6)
    data = bring(tmp_path, World(knows=True), word_tokenizer, learning=room.runs).data()
    assert (room.made, data["curve"]) == ([], {"action": None})
    assert curve_table(data).notes == ("No small runs were made for a learning curve: no rule wants tuning.",)
    assert bring(tmp_path / "b", World(knows=True), word_tokenizer).data()["curve"] == {}


def halves(place: int, *, evidence: bool = True) -> OtherIndex:
    """An index of smaller chunks: two a town, of which the second holds the answer."""
    chunks = {
        f"t{n}#0": Passage(f"t{n}#1", f"t{n}", f"Title of t{n}", f"The mill of t{n} is t{n}mill.") for n in range(TOWNS)
    }
    placed: dict[str, ExamQuestion] = {}
    for n in range(TOWNS):
        one = question(n)
        oracle = (f"t{n}#1",) if evidence else ()
        placed[one.id] = ExamQuestion(one.question, one.side, one.cluster, oracle, parts=(oracle,) if oracle else ())
    return OtherIndex("chunks of 6 tokens", Asking(Ranked(chunks, place)), placed, Cost(3, 5000, 1e11))


def test_another_index_is_tried_for_what_search_finds_in_it(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    data = bring(tmp_path, World(place=30), word_tokenizer, indexes=[halves(0)]).data()
    settings = {row["setting"]: row for row in data["retrieval"]["settings"]}
    found = settings["chunks of 6 tokens, k 2"]
    assert (found["evidence shown"]["value"], found["change"]["value"]) == (1.0, 1.0)
    assert found["tokens"] < settings["as it is, k 2"]["tokens"]
    first = data["verdict"][0]
    assert (first["rule"], first["setting"]) == ("another search setting", "chunks of 6 tokens, k 2")
    assert (first["cost"]["minutes"], first["cost"]["tokens"]) == (3, 5000)
    assert first["cost"]["tokens_an_answer"] < 0
    assert search_table(data).rows[-3][:4] == ("chunks of 6 tokens, k 2", "-", "100.0 [77.9, 100.0]", "-")


def test_an_index_that_holds_no_evidence_tells_nothing(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    data = bring(tmp_path, World(place=30), word_tokenizer, indexes=[halves(0, evidence=False)]).data()
    assert [row["setting"] for row in data["retrieval"]["settings"]] == [f"as it is, k {k}" for k in (2, 4, 8)]
    assert data["decision"]["rule"] == "search misses the evidence"
