"""Made-up worlds whose truth is known: what is lost where, and the verdict, through the ports."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ragraft.config import DiagnoseConfig, PromptConfig, RetrieveConfig, SynthesizeConfig
from ragraft.errors import InputError
from ragraft.methods.costs import Cost, load_machines
from ragraft.methods.diagnosis_table import diagnosis_tables, verdict_sentence
from ragraft.methods.finders import Asking
from ragraft.methods.general_text import general_samples
from ragraft.methods.learning_curve import SmallRuns
from ragraft.methods.prompt import PromptBuilder
from ragraft.methods.search_trial import OtherIndex
from ragraft.ports import Tokenizer
from ragraft.records import (
    Chunk,
    Completion,
    ExamQuestion,
    LogProbs,
    Passage,
    Prompt,
    Question,
    Sampling,
    Side,
    to_json,
)
from ragraft.stages.diagnose import diagnose
from ragraft.workspace import Diagnosis, Exam, Folder, Index

TOWNS, TAUGHT = 40, 8
PROMPT = PromptConfig(answer_tokens=40)
ABSTAINED = f"Answer: {PROMPT.abstention}"
COSTS = {"retrieval": Cost(2, 9000, 1e12), "raft": Cost(10), "hybrid": Cost(16), "dap+hybrid": Cost(200)}


@dataclass
class World:
    """What the base model can do, and what search finds."""

    place: int = 1
    """Where search ranks the passage that is asked for, from 0."""
    reads: bool = True
    misled: bool = False
    """Among others it reads the first passage."""
    knows: bool = False
    in_form: str = "always"
    """Or `shown` by examples, or `never`."""
    abstains: bool = True
    foreign: bool = False
    """Words of the documents are unlikely to it."""
    sure: bool = False
    """Whether it tells probabilities."""
    batches: list[tuple[Prompt, ...]] = field(default_factory=list)

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        self.batches.append(tuple(prompts))
        return [self._answer(prompt) for prompt in prompts]

    def _answer(self, prompt: Prompt) -> Completion:
        turn = prompt.messages[-1].content
        found = re.search(r"Which mill has (t\d+)\?", turn)
        assert found
        town = found[1]
        titles = re.findall(r"^\[\d+\] Title of (t\d+)$", turn, re.MULTILINE)
        text = self._said(town, titles, examples=len(prompt.messages) > 2)
        value = math.log(0.9 if f"{town}mill" in text else 0.6)
        tokens = text.split()
        return Completion(text, tuple(range(len(tokens))), (value,) * len(tokens) if self.sure else None, "stop", 100)

    def _said(self, town: str, titles: list[str], *, examples: bool) -> str:
        if self.knows:
            return self._formed(f"{town}mill", examples=examples)
        if self.misled and len(titles) > 1 and titles[0] != town:
            return self._formed(f"{titles[0]}mill", examples=examples)
        if town in titles:
            return self._formed(f"{town}mill" if self.reads else "something else", examples=examples)
        return ABSTAINED if self.abstains else self._formed("a mill of its own", examples=examples)

    def _formed(self, words: str, *, examples: bool) -> str:
        kept = self.in_form == "always" or (self.in_form == "shown" and examples)
        return f"Answer: {words} [1]" if kept else f"Well, as far as one can tell from all this it is {words} they have"

    def score(self, prompts: Sequence[Prompt | None], texts: Sequence[str]) -> list[LogProbs]:
        strange = 4.0 if self.foreign else 1.0
        rows = [[(strange if "mill" in word else 1.0) * -0.5 * (len(word) + 1) for word in t.split()] for t in texts]
        return [LogProbs(tuple(range(len(row))), tuple(row)) for row in rows]


class Ranked:
    """Brings the town's own chunk at a given place, other towns' around it."""

    def __init__(self, chunks: dict[str, Passage], place: int) -> None:
        self.chunks, self.place = chunks, place

    def retrieve(self, questions: Sequence[str], k: int) -> list[list[Passage]]:
        found = []
        for question in questions:
            match = re.search(r"t(\d+)", question)
            assert match
            own = int(match[1])
            order = [n for n in range(TOWNS) if n != own][own // 2 :][: self.place]
            order += [own, *(n for n in range(TOWNS) if n not in (own, *order))]
            found.append([self.chunks[f"t{n}#0"] for n in order][: min(k, 12)])
        return found


def question(n: int, *, answerable: bool = True, evidence: bool = True) -> ExamQuestion:
    name = f"t{n}"
    side: Side = "train" if n < TAUGHT else "validation"
    asked = Question(f"q{n}", f"Which mill has {name}?", (f"{name}mill",) if answerable else ())
    oracle = (f"{name}#0",) if answerable and evidence else ()
    return ExamQuestion(asked, side, f"c{n // 2}", oracle, parts=(oracle,) if oracle else ())


def bring(
    folder: Path,
    world: World,
    tokenizer: Tokenizer,
    *,
    rows: Sequence[ExamQuestion] | None = None,
    chunk_tokens: int = 12,
    scores: bool = True,
    indexes: Sequence[OtherIndex] = (),
    learning: SmallRuns | None = None,
    **settings: Any,
) -> Diagnosis:
    place = Folder(folder)
    chunks = [
        Chunk(
            f"t{n}#0", f"t{n}", f"Title of t{n}", f"The mill of t{n} is t{n}mill. It mills grain.", 0, 9, chunk_tokens
        )
        for n in range(TOWNS)
    ]
    index, exam = Index(place.folder("index")), Exam(place.folder("exam"))
    index.write_chunks([chunks])
    exam.folder.write_jsonl("questions.jsonl", map(to_json, rows or [question(n) for n in range(TOWNS)]))
    passages = {c.id: Passage(c.id, c.document_id, c.title, c.text) for c in chunks}
    return diagnose(
        index,
        exam,
        world,
        settings=DiagnoseConfig(**{"resamples": 200, "batch": 8, "shots": 2, **settings}),
        prompt=PROMPT,
        retrieve=RetrieveConfig(k=2, pool=12),
        synthesize=SynthesizeConfig(),
        finders={"as it is": Asking(Ranked(passages, world.place))},
        indexes=indexes,
        learning=learning,
        builder=PromptBuilder(tokenizer, PROMPT.abstention, PROMPT.max_tokens, PROMPT.answer_tokens),
        scorer=world if scores else None,
        general=general_samples(),
        costs=COSTS,
        machines=load_machines(),
        out=place.folder("diagnosis"),
    )


NOWHERE = [question(n, evidence=False) for n in range(TOWNS)]
SILENT = [question(n, answerable=n % 2 == 0) for n in range(TOWNS)]
WORLDS: dict[str, tuple[World, dict[str, Any], str, str, str]] = {
    "the retriever is broken": (World(place=30), {}, "retrieval", "retrieval", "search misses the evidence"),
    "the retriever ranks it too low": (World(place=5), {}, "retrieval", "retrieval", "another search setting"),
    "the answer is nowhere in the corpus": (
        World(place=30, abstains=False), {"rows": NOWHERE}, "knowledge", "leave", "not in the documents",
    ),
    "the model answers everything already": (World(knows=True), {}, "", "leave", "answers already"),
    "jargon alone": (
        World(reads=False, foreign=True), {"chunk_tokens": 500_000}, "reading", "dap+hybrid",
        "foreign language of the field",
    ),
    "jargon in too little text to learn it": (
        World(reads=False, foreign=True), {}, "reading", "hybrid", "cannot read the evidence",
    ),
    "reading alone": (World(reads=False), {"chunk_tokens": 500_000}, "reading", "hybrid", "cannot read the evidence"),
    "form alone, which examples mend": (World(in_form="shown"), {}, "form", "prompt", "examples suffice"),
    "form alone, which examples do not mend": (
        World(in_form="never"), {}, "form", "raft", "right words in the wrong form",
    ),
    "abstention alone": (
        World(abstains=False), {"rows": SILENT}, "abstention", "raft", "does not know when to abstain",
    ),
    "distraction alone": (World(misled=True), {}, "distraction", "raft", "misled by other passages"),
}  # fmt: skip


@pytest.mark.parametrize("name", WORLDS)
def test_the_verdict_is_right_in_a_world_whose_truth_is_known(
    name: str, tmp_path: Path, word_tokenizer: Tokenizer
) -> None:
    world, settings, part, action, rule = WORLDS[name]
    data = bring(tmp_path, world, word_tokenizer, **settings).data()
    assert (data["decision"]["action"], data["decision"]["rule"]) == (action, rule)
    assert data["verdict"][0]["action"] == action
    loss = {name: figure["value"] for name, figure in data["loss"].items()}
    assert sum(loss.values()) == pytest.approx(data["total_loss"]["value"], abs=1e-9)
    assert {name for name, value in loss.items() if abs(value) > 1e-9} == ({part} if part else set())
    assert verdict_sentence(data).startswith(f"Verdict: {data['decision']['does']}. ")


def test_conditions_show_what_they_say(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    world = World()
    made = bring(tmp_path, world, word_tokenizer)
    rows = list(made.folder.read_jsonl("answers.jsonl"))
    conditions = list(dict.fromkeys((row["model"], row["context"]) for row in rows))
    fewshot = [("base-fewshot", c) for c in ("none", "retrieved", "oracle", "oracle+N", "unanswerable")]
    assert conditions == [("base", "retrieved"), *fewshot]
    shown = {(row["context"], row["question_id"]): row["passages"] for row in rows if row["model"] == "base-fewshot"}
    for n in range(TAUGHT, TOWNS):
        assert shown["oracle", f"q{n}"] == [f"t{n}#0"]
        assert f"t{n}#0" in shown["oracle+N", f"q{n}"]
        assert f"t{n}#0" not in shown["unanswerable", f"q{n}"]
        assert len(shown["oracle+N", f"q{n}"]) == len(shown["unanswerable", f"q{n}"]) == 2
    places = {shown["oracle+N", f"q{n}"].index(f"t{n}#0") for n in range(TAUGHT, TOWNS)}
    assert places == {0, 1}, "the oracle stands anywhere among the others"
    asked = {row["question_id"] for row in rows}
    assert asked == {f"q{n}" for n in range(TAUGHT, TOWNS)}
    assert all(len(prompt.messages) in (2, 6) for batch in world.batches for prompt in batch)


def test_what_was_measured_is_kept(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    data = bring(tmp_path, World(sure=True, misled=True), word_tokenizer).data()
    assert (data["side"], data["questions"], data["clusters"]) == ("validation", 32, 16)
    depths = {row["k"]: row["recall"]["value"] for row in data["retrieval"]["by_depth"]}
    assert depths == {1: 0.0, 2: 1.0, 4: 1.0, 8: 1.0}
    assert [row["setting"] for row in data["retrieval"]["settings"]] == [f"as it is, k {k}" for k in (2, 4, 8)]
    assert data["form"]["base-fewshot"]["valid"]["value"] == 1.0
    assert data["calibration"]["n"] == 32
    assert data["language"]["bits per byte"]["ratio"]["value"] > 0
    cells = {(row["model"], row["context"]): row["metrics"] for row in data["conditions"]}
    assert cells["base-fewshot", "oracle"]["f1"]["value"] == 1.0
    assert cells["base-fewshot", "unanswerable"]["refusal_without_evidence"]["value"] == 0.0
    assert "f1" not in cells["base-fewshot", "unanswerable"]
    assert data["precision"]["wanted"] == 0.1
    titles = [table.title for table in diagnosis_tables(data)]
    assert titles == [
        "What was asked, of 100", "What search brings, of 100 questions", "What is lost, of 100", "What it would cost",
        "What would pay, of 100",
    ]  # fmt: skip


def test_a_wanted_precision_and_a_limit_bound_the_questions(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    few = bring(tmp_path / "a", World(), word_tokenizer, max_questions=10).data()
    assert (few["questions"], few["budget"]["questions left out"]) == (10, 22)
    coarse = bring(tmp_path / "b", World(), word_tokenizer, precision=0.2).data()
    assert coarse["questions"] == math.ceil((0.98 / 0.2) ** 2) == 25


def test_a_model_without_scores_and_examples_is_diagnosed_all_the_same(
    tmp_path: Path, word_tokenizer: Tokenizer
) -> None:
    rows = [question(n) for n in range(TAUGHT, TOWNS)]
    data = bring(tmp_path, World(in_form="never"), word_tokenizer, rows=rows, scores=False).data()
    assert data["examples"] == 0
    assert "bits per byte" not in data["language"]
    assert data["calibration"] == {}
    assert {row["model"] for row in data["conditions"]} == {"base"}
    assert data["decision"]["action"] == "raft"
    notes = [note for table in diagnosis_tables(data) for note in table.notes]
    assert "There are no questions to draw examples from, so nothing was asked with examples." in notes


def test_an_empty_validation_side_is_one_sentence(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match=r"^The validation side holds no question, and diagnose asks no other; give"):
        bring(tmp_path, World(), word_tokenizer, rows=[question(0), question(1)])


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    one, two = (bring(tmp_path / name, World(place=5), word_tokenizer) for name in "ab")
    for name in ("answers.jsonl", "diagnosis.json", "fewshot.json", "summary.json"):
        assert one.folder.file(name).read_bytes() == two.folder.file(name).read_bytes()
