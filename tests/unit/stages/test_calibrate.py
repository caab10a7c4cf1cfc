"""The stage on made-up worlds, through the ports: what memory knows decides what is skipped."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ragraft.config import CalibrateConfig, EvaluateConfig, PromptConfig, RetrieveConfig
from ragraft.errors import InputError
from ragraft.methods.finders import Asking
from ragraft.methods.prompt import PromptBuilder
from ragraft.ports import Tokenizer
from ragraft.records import Chunk, Completion, ExamQuestion, Passage, Prompt, Question, Sampling, Side, to_json
from ragraft.stages.calibrate import calibrate
from ragraft.workspace import Calibration, Exam, Folder, Index

TOWNS, EXAM = 200, 60
ABSTENTION = "not in the documents."


@dataclass
class World:
    """A model that remembers some mills, reads the rest, and is surer of what is right."""

    knows: float = 0.5
    reads: float = 0.9
    sure: bool = True
    asked: list[tuple[Prompt, ...]] = field(default_factory=list)

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        self.asked.append(tuple(prompts))
        return [self._answer(prompt) for prompt in prompts]

    def _answer(self, prompt: Prompt) -> Completion:
        turn = prompt.messages[-1].content
        found = re.search(r"Which mill has t(\d+)\?", turn)
        assert found
        town, reading = int(found[1]), "Documents:" in turn
        draw = random.Random(f"{town} {reading}")
        right = draw.random() < (self.reads if reading else self.knows)
        text = f"Answer: t{town}mill" if right else "Answer: another one"
        value = math.log(draw.betavariate(8, 2) if right else draw.betavariate(2, 5))
        read = sum(len(message.content.split()) for message in prompt.messages)
        return Completion(text, (1, 2), (value, value) if self.sure else None, "stop", read)


class Own:
    """Finds the town's own chunk first."""

    def retrieve(self, questions: Sequence[str], k: int) -> list[list[Passage]]:
        towns = [int(question.split("has t")[1].rstrip("?")) for question in questions]
        return [[passage(n, 0.9), passage((n + 1) % TOWNS, 0.4)][:k] for n in towns]


def passage(n: int, score: float) -> Passage:
    text = f"The mill of t{n} is t{n}mill. " + "It mills grain. " * 9
    return Passage(f"t{n}#0", f"t{n}", f"Title of t{n}", text, score)


def question(n: int) -> ExamQuestion:
    side: Side = "exam" if n < EXAM else "calibration"
    return ExamQuestion(Question(f"q{n}", f"Which mill has t{n}?", (f"t{n}mill",)), side, f"c{n}", (f"t{n}#0",))


def bring(
    folder: Path, world: World, tokenizer: Tokenizer, rows: Sequence[ExamQuestion] | None = None, **settings: Any
) -> Calibration:
    place = Folder(folder)
    index, exam = Index(place.folder("index")), Exam(place.folder("exam"))
    shown = [passage(n, 0.0) for n in range(TOWNS)]
    index.write_chunks([[Chunk(p.id, p.document_id, p.title, p.text, 0, 9, 12) for p in shown]])
    exam.folder.write_jsonl("questions.jsonl", map(to_json, rows or [question(n) for n in range(TOWNS)]))
    return calibrate(
        index,
        exam,
        world,
        settings=CalibrateConfig(**{"resamples": 100, "max_loss": 0.03, **settings}),
        asking=EvaluateConfig(batch=16),
        prompt=PromptConfig(),
        validation=(),
        retrieve=RetrieveConfig(k=2, pool=12),
        finder=Asking(Own()),
        builder=PromptBuilder(tokenizer, ABSTENTION, 2048, 40),
        out=place.folder("calibration"),
    )


def figures(made: Calibration, side: str) -> dict[str, float]:
    return {name: figure["value"] for name, figure in made.data()[side]["figures"].items()}


def test_a_memory_that_knows_all_skips_nearly_all(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    made = bring(tmp_path, World(knows=1.0, reads=0.9), word_tokenizer)
    for side in ("calibration", "exam"):
        found = figures(made, side)
        assert found["skipped"] >= 0.95
        assert found["loss"] == 0.0
        assert found["tokens_saved"] > 0.5


def test_a_memory_that_knows_nothing_skips_nothing(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    made = bring(tmp_path, World(knows=0.0, reads=1.0), word_tokenizer)
    for side in ("calibration", "exam"):
        found = figures(made, side)
        assert found["skipped"] == 0.0
        assert found["tokens_saved"] == 0.0, "nothing depends on a draft, so none is written"
    assert "Not even the surest answers" in made.folder.read_json("summary.json")["auto"]


def test_half_a_memory_saves_some_and_calibration_mends_the_error(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    made = bring(tmp_path, World(), word_tokenizer)
    found = figures(made, "exam")
    assert 0.1 < found["skipped"] < 0.7
    assert found["loss"] <= 0.1
    errors = made.data()["exam"]["calibration"]["closed_book"]
    assert errors["after"]["ece"]["value"] < errors["before"]["ece"]["value"]


def test_the_exam_and_the_train_side_decide_nothing(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    one = bring(tmp_path / "a", World(), word_tokenizer)
    other_sides: list[ExamQuestion] = [
        ExamQuestion(q.question, "train" if q.side == "exam" and int(q.id[1:]) % 2 else q.side, q.cluster, q.oracle)
        for q in map(question, range(TOWNS))
    ]
    world = World()
    two = bring(tmp_path / "b", world, word_tokenizer, other_sides)
    assert one.data()["router"] == two.data()["router"]
    assert (one.data()["exam"]["n"], two.data()["exam"]["n"]) == (60, 30)
    asked = {prompt.messages[-1].content.split("has ")[1] for batch in world.asked for prompt in batch}
    assert asked.isdisjoint({f"t{n}?" for n in range(EXAM) if n % 2}), "no train question is asked"
    unchecked = World()
    three = bring(tmp_path / "c", unchecked, word_tokenizer, exam=False)
    assert (three.data()["router"], three.data()["exam"]) == (one.data()["router"], {})
    assert sum(map(len, unchecked.asked)) == 2 * (TOWNS - EXAM)


def test_every_answer_stands_with_its_probability(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    made = bring(tmp_path, World(), word_tokenizer, max_wrong=0.05, max_questions=120)
    rows = list(made.folder.read_jsonl("answers.jsonl"))
    assert len(rows) == 2 * (120 + EXAM)
    assert {(row["side"], row["context"]) for row in rows} == {
        (side, context) for side in ("calibration", "exam") for context in ("none", "retrieved")
    }
    assert all(0 < row["probability"] < 1 for row in rows)
    assert {row["decision"] for row in rows} == {"skip", "retrieve", "abstain"}
    data = made.data()
    assert (data["questions"], data["clusters"], data["k"]) == (120, 120, 2)
    assert data["budget"]["questions left out"] == TOWNS - EXAM - 120


def test_a_small_side_promises_nothing(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    made = bring(tmp_path, World(knows=1.0), word_tokenizer, max_loss=0.01, max_questions=90)
    assert figures(made, "exam")["skipped"] == 0.0
    assert made.folder.read_json("summary.json")["auto"].startswith(
        "The calibration side is too small for the guarantee: its questions stand in 90 clusters of shared documents, "
        "and 1.0 points of score cannot be promised on fewer than 99"
    )


def test_without_probabilities_the_other_signals_are_used(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    made = bring(tmp_path, World(sure=False), word_tokenizer)
    names = {weight["name"] for weight in made.data()["router"]["closed_book"]["weights"]}
    assert names
    assert not any("log-probability" in name for name in names)


def test_an_empty_side_is_told(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match=r"^The calibration side holds no question, and calibrate learns"):
        bring(tmp_path, World(), word_tokenizer, [question(0)])
