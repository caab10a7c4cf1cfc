from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from ragraft.backends.generators.echo import EchoGenerator
from ragraft.config import EvaluateConfig, PromptConfig, RetrieveConfig, SynthesizeConfig
from ragraft.errors import InputError
from ragraft.methods.agreement import Labelled
from ragraft.methods.finders import Asking
from ragraft.methods.prompt import PromptBuilder
from ragraft.ports import Generator, Scorer
from ragraft.records import (
    Answer,
    Chunk,
    Claim,
    Completion,
    ExamQuestion,
    Judgement,
    Passage,
    Prompt,
    Question,
    Sampling,
    Side,
    to_json,
)
from ragraft.stages.evaluate import evaluate
from ragraft.workspace import Exam, Folder, Index, Scorecard

TOWNS = 12
PROMPT = PromptConfig(answer_tokens=40)
ABSTAINED = f"Answer: {PROMPT.abstention}"


class Words:
    def count(self, text: str) -> int:
        return len(text.split())

    def count_prompt(self, prompt: Prompt) -> int:
        return sum(self.count(message.content) for message in prompt.messages)


@dataclass
class Reader:
    """Reads the mill off the document that names the town; without one it abstains, or answers by heart."""

    by_heart: bool = False
    likes: str = ""
    """Where there are examples, it reads only after one on this question."""
    batches: list[tuple[Prompt, ...]] = field(default_factory=list)

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        assert replace(sampling, turn=None, sources=(), again=False) == Sampling(max_tokens=PROMPT.answer_tokens)
        self.batches.append(tuple(prompts))
        return [Completion(self._answer(prompt), (1, 2), prompt_tokens=7) for prompt in prompts]

    def _answer(self, prompt: Prompt) -> str:
        turn = prompt.messages[-1].content
        found = re.search(r"Which mill has (t\d+)\?", turn)
        assert found
        liked = len(prompt.messages) == 2 or self.likes in prompt.messages[1].content
        number = re.search(rf"\[(\d)\] Title of {found[1]}\n", turn) if liked else None
        if number:
            return f'Answer: {found[1]}mill\n"The mill of {found[1]} is {found[1]}mill." [{number[1]}]'
        return f"Answer: {found[1]}mill" if self.by_heart else ABSTAINED


class Ranked:
    """Brings the town's own chunk second, after a neighbour's; that of town 11 is never found."""

    def __init__(self, chunks: dict[str, Passage]) -> None:
        self.chunks = chunks

    def retrieve(self, questions: Sequence[str], k: int) -> list[list[Passage]]:
        found = []
        for question in questions:
            match = re.search(r"t(\d+)", question)
            assert match
            own = int(match[1])
            order = [(own + 1) % TOWNS, own, *(n for n in range(TOWNS) if n not in (own, (own + 1) % TOWNS))]
            found.append([self.chunks[f"t{n}#0"] for n in order if (own, n) != (11, 11)][:k])
        return found


SIDES: dict[int, Side] = {0: "train", 1: "train", 2: "train", 3: "train", 4: "validation", 5: "validation"}
UNANSWERABLE = 10


def question(n: int) -> ExamQuestion:
    name = f"t{n}"
    if n == UNANSWERABLE:
        asked = Question(f"q{n}", f"Which mill has {name}?", metadata={"context_ids": ["t3"]})
        return ExamQuestion(asked, "exam", f"c{n}")
    asked = Question(f"q{n}", f"Which mill has {name}?", (f"{name}mill",), (name,))
    return ExamQuestion(asked, SIDES.get(n, "exam"), f"c{n}", (f"{name}#0",), parts=((f"{name}#0",),))


class Judge:
    """Believes what stands in the passages; can't read an answer to town 9's question."""

    def judge(self, claims: Sequence[Claim]) -> list[Judgement]:
        return [
            Judgement(None, reason="the reply names no verdict (it begins “hm”)")
            if "t9?" in claim.question
            else Judgement(any(claim.text in text for text in claim.passages))
            for claim in claims
        ]


def bring(
    folder: Path,
    generators: Mapping[str, Generator],
    *,
    rows: Sequence[ExamQuestion] | None = None,
    scorers: Mapping[str, Scorer] | None = None,
    given: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Scorecard:
    place = Folder(folder)
    chunks = [
        Chunk(f"t{n}#0", f"t{n}", f"Title of t{n}", f"The mill of t{n} is t{n}mill. It grinds grain {n}.", 0, 9, 12)
        for n in range(TOWNS)
    ]
    index, exam = Index(place.folder("index")), Exam(place.folder("exam"))
    index.write_chunks([chunks])
    placed = [question(n) for n in range(TOWNS)] if rows is None else rows
    exam.folder.write_jsonl("questions.jsonl", map(to_json, placed))
    passages = {c.id: Passage(c.id, c.document_id, c.title, c.text) for c in chunks}
    own: dict[str, Any] = {
        name: settings.pop(name) for name in ("max_tokens", "abstain_above", "reread") if name in settings
    }
    prompt = PROMPT.model_copy(update=own)
    return evaluate(
        index,
        exam,
        generators,
        settings=EvaluateConfig(**{"resamples": 100, "batch": 4, "shots": 2, **settings}),
        prompt=prompt,
        retrieve=RetrieveConfig(k=settings.pop("k", 2)),
        synthesize=SynthesizeConfig(),
        finder=Asking(Ranked(passages)),
        builder=PromptBuilder(
            Words(), prompt.abstention, prompt.max_tokens, prompt.answer_tokens, prompt.abstain_above or 0.5
        ),
        scorers=scorers,
        out=place.folder("scores"),
        **(given or {}),
    )


def readers() -> dict[str, Reader]:
    return {"base": Reader(), "tuned": Reader(by_heart=True)}


def cell(made: Scorecard, model: str, context: str) -> dict[str, Answer]:
    return {row.question_id: row for row in made.answers() if (row.model, row.context) == (model, context)}


def test_every_condition_answers_every_question_that_it_can(tmp_path: Path) -> None:
    made = bring(tmp_path, readers())
    exam = [f"q{n}" for n in range(6, TOWNS)]
    rows = [(row.model, row.context, row.question_id) for row in made.answers()]
    # The unanswerable question's set gives it a context, so it has an oracle cell too.
    assert rows == [key for key in product(("base", "base-fewshot", "tuned"), ("none", "retrieved", "oracle"), exam)]
    assert made.folder.read_json("summary.json") == {"questions": 6, "answers": 54}


def test_a_context_shows_what_it_says(tmp_path: Path) -> None:
    made = bring(tmp_path, readers())
    none, retrieved, oracle = (cell(made, "tuned", context) for context in ("none", "retrieved", "oracle"))
    assert {row.passages for row in none.values()} == {()}
    assert retrieved["q6"].passages == ("t7#0", "t6#0")
    assert oracle["q6"].passages == ("t6#0",)
    assert oracle["q10"].passages == ("t3#0",)
    shown = {name: row.evidence_shown for name, row in retrieved.items()}
    assert shown == {"q6": True, "q7": True, "q8": True, "q9": True, "q10": False, "q11": False}
    assert not any(row.evidence_shown for row in none.values())


def test_answers_are_parsed_cited_and_graded(tmp_path: Path) -> None:
    made = bring(tmp_path, readers())
    row = cell(made, "base", "retrieved")["q6"]
    assert (row.answer, row.abstained) == ("t6mill", False)
    assert (row.citations, row.quotes) == (("t6#0",), ("The mill of t6 is t6mill.",))
    assert (row.prompt_tokens, row.answer_tokens, row.finish_reason) == (7, 2, "stop")
    assert row.scores["f1"] == 1.0
    assert cell(made, "base", "retrieved")["q11"].abstained
    assert cell(made, "base", "none")["q6"].scores["f1"] == 0.0
    assert cell(made, "tuned", "none")["q6"].scores["f1"] == 1.0
    cells = {(row["model"], row["context"]): row["metrics"]["f1"]["value"] for row in made.card()["conditions"]}
    assert (cells["base", "oracle"], cells["tuned", "none"]) == (1.0, 1.0)
    assert cells["base", "retrieved"] == pytest.approx(4 / 5)


def test_an_unanswerable_question_without_a_context_has_no_oracle_cell(tmp_path: Path) -> None:
    asked = Question("q10", "Which mill has t10?")
    rows = [question(n) if n != UNANSWERABLE else ExamQuestion(asked, "exam", "c10") for n in range(TOWNS)]
    made = bring(tmp_path, readers(), rows=rows)
    assert "q10" not in cell(made, "tuned", "oracle")
    assert "q10" in cell(made, "tuned", "retrieved")


def test_each_model_gets_its_own_prompts_in_batches(tmp_path: Path) -> None:
    generators = readers()
    bring(tmp_path, generators, contexts=["retrieved"], models=["base", "tuned"])
    for reader in generators.values():
        assert [len(batch) for batch in reader.batches] == [4, 2]
        assert all(len(prompt.messages) == 2 for batch in reader.batches for prompt in batch)
    assert generators["base"].batches == generators["tuned"].batches


def test_few_shot_turns_stand_before_the_question(tmp_path: Path) -> None:
    generators = readers()
    made = bring(tmp_path, generators, models=["base-fewshot"], contexts=["none", "retrieved"])
    facts = made.folder.read_json("fewshot.json")
    assert facts["validation_questions"] == 2
    assert len(facts["examples"]) == 2
    assert [example["target"].endswith(ABSTAINED) for example in facts["examples"]].count(True) == 1
    assert generators["tuned"].batches == []
    answering = [prompt for batch in generators["base"].batches for prompt in batch][-12:]
    for prompt in answering:
        assert [message.role for message in prompt.messages[:2]] == ["system", "user"]
        assert len(prompt.messages) == 6
    for place, context in ((0, "none"), (6, "retrieved")):
        turns = [message.content for message in answering[place].messages[1:-1]]
        assert all(("Documents:" in turn) == (context == "retrieved") for turn in turns[::2])
    asked = " ".join(example["question"] for example in facts["examples"])
    assert re.findall(r"t\d+", asked)
    assert all(int(name[1:]) in (0, 1, 2, 3) for name in re.findall(r"t\d+", asked))  # the train side alone


def test_the_better_order_of_the_examples_is_taken(tmp_path: Path) -> None:
    drawn = bring(tmp_path / "a", readers(), models=["base-fewshot"]).folder.read_json("fewshot.json")
    assert drawn["order"] == "drawn"
    assert drawn["f1_all_by_order"]["drawn"] == drawn["f1_all_by_order"]["reversed"]
    last = {"base": Reader(likes=drawn["examples"][-1]["question"]), "tuned": Reader()}
    turned = bring(tmp_path / "b", last, models=["base-fewshot"])
    facts = turned.folder.read_json("fewshot.json")
    assert facts["order"] == "reversed"
    assert facts["f1_all_by_order"]["reversed"] > facts["f1_all_by_order"]["drawn"]
    assert facts["examples"] == drawn["examples"][::-1]
    assert cell(turned, "base-fewshot", "oracle")["q6"].scores["f1"] == 1.0


def test_no_order_is_tried_where_none_is_asked_for(tmp_path: Path) -> None:
    generators = readers()
    made = bring(tmp_path, generators, models=["base-fewshot"], contexts=["retrieved"], shot_questions=0)
    facts = made.folder.read_json("fewshot.json")
    assert (facts["order"], facts["f1_all_by_order"], facts["validation_questions"]) == ("drawn", {}, 0)
    assert len([prompt for batch in generators["base"].batches for prompt in batch]) == 6


def test_few_shot_works_without_a_validation_side(tmp_path: Path) -> None:
    rows = [question(n) for n in range(TOWNS) if n not in (4, 5)]
    facts = bring(tmp_path, readers(), rows=rows, models=["base-fewshot"]).folder.read_json("fewshot.json")
    assert (facts["order"], facts["f1_all_by_order"], facts["validation_questions"]) == ("drawn", {}, 0)


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    one, two = bring(tmp_path / "a", readers()), bring(tmp_path / "b", readers())
    for name in ("answers.jsonl", "scorecard.json", "fewshot.json", "summary.json"):
        assert one.folder.file(name).read_bytes() == two.folder.file(name).read_bytes()


def test_the_size_of_a_batch_changes_no_row(tmp_path: Path) -> None:
    one, two = bring(tmp_path / "a", readers(), batch=1), bring(tmp_path / "b", readers(), batch=16)
    assert list(one.answers()) == list(two.answers())


def test_fewer_questions_are_whole_clusters_and_counted(tmp_path: Path) -> None:
    made = bring(tmp_path, readers(), max_questions=2, models=["base", "tuned"])
    assert made.folder.read_json("summary.json") == {"questions": 2, "answers": 12}
    assert made.card()["budget"]["questions left out"] == 4


def test_passages_over_the_budget_are_dropped_by_rank_and_counted(tmp_path: Path) -> None:
    generators = readers()
    bring(tmp_path / "roomy", generators, models=["base"], contexts=["retrieved"])
    whole = Words().count_prompt(generators["base"].batches[0][0]) + PROMPT.answer_tokens
    # A word too few for two passages: the retrieved oracle stands second and goes; in its own context it stays.
    settings: dict[str, Any] = {"models": ["base"], "contexts": ["retrieved", "oracle"], "max_tokens": whole - 1}
    made = bring(tmp_path / "tight", readers(), **settings)
    assert cell(made, "base", "retrieved")["q6"].passages == ("t7#0",)
    assert not cell(made, "base", "retrieved")["q6"].evidence_shown
    assert cell(made, "base", "oracle")["q6"].passages == ("t6#0",)
    assert made.card()["budget"]["passages dropped to fit"] == 6


def test_sweeps_are_asked_beside_the_grid(tmp_path: Path) -> None:
    plain = bring(tmp_path / "a", readers(), models=["base", "tuned"], contexts=["oracle+N"])
    assert plain.card()["sweeps"] == []
    assert not plain.folder.has("sweeps.jsonl")
    made = bring(tmp_path / "b", readers(), models=["base", "tuned"], contexts=["oracle+N"], sweep_questions=4,
                 sweeps=["distractors", "position", "k"])  # fmt: skip
    assert list(made.answers()) == list(plain.answers()), "what is asked beside the grid changes nothing in it"
    assert made.card()["budget"] == plain.card()["budget"]
    sweeps = {sweep["sweep"]: sweep for sweep in made.card()["sweeps"]}
    assert list(sweeps) == ["distractors", "position", "k"]
    rows = list(made.folder.read_jsonl("sweeps.jsonl"))
    for name, sweep in sweeps.items():
        assert sweep["questions"] <= 4
        assert len(sweep["points"]) == 2 * len(sweep["values"])
        asked = [row for row in rows if row["context"].startswith(f"{name}=")]
        assert len(asked) == len(sweep["points"]) * sweep["questions"]
    assert sweeps["k"]["values"] == [1, 2, 4, 8]
    # The town's own chunk is found second.
    curve = [point["f1"]["value"] for point in sweeps["k"]["points"] if point["model"] == "base"]
    assert curve[0] == 0.0
    assert curve[1] == curve[3] > 0.5


def test_probes_are_asked_beside_the_grid(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"models": ["base", "tuned"], "probes": ["rgb", "removal", "replacement", "coherence"]}
    made = bring(tmp_path / "a", readers(), contexts=["retrieved"], probe_questions=5, **settings)
    probes = {probe["probe"]: probe for probe in made.card()["probes"]}
    assert list(probes) == settings["probes"]
    assert all(probe["figures"] for probe in probes.values())
    figures = {(row["figure"], row["model"]): row for probe in probes.values() for row in probe["figures"]}
    assert figures["negative rejection", "base"]["value"] == 1.0
    assert figures["negative rejection", "tuned"]["value"] == 0.0, "it answers by heart"
    assert figures["abstains without the cited document", "base"]["value"] == 1.0
    assert figures["follows the changed document", "base"]["value"] == 0.0, "the fake tells its mill by heart"
    rows = [row["context"] for row in made.folder.read_jsonl("probes.jsonl")]
    assert "removal" in rows
    assert "retrieved" not in rows, "the grid's answers are taken"
    alone = bring(tmp_path / "b", readers(), contexts=["none"], probe_questions=5, **settings)
    again = {probe["probe"]: probe for probe in alone.card()["probes"]}
    assert again == probes, "whether the grid has asked or the probe"


def test_a_grader_judges_what_was_answered_with_retrieved_passages(tmp_path: Path) -> None:
    labelled = [Labelled(Claim("b", ("a b",)), supported=True), Labelled(Claim("c", ("a b",)), supported=True)]
    made = bring(tmp_path, readers(), models=["base", "tuned"], grader="words", grader_labels=Path("labels.jsonl"),
                 given={"grader": Judge(), "labelled": labelled})  # fmt: skip
    verdicts = {(row["model"], row["question_id"]): row for row in made.folder.read_jsonl("judgements.jsonl")}
    assert {row["context"] for row in verdicts.values()} == {"retrieved"}
    assert verdicts["base", "q6"]["supported"] is True
    assert verdicts["tuned", "q11"]["supported"] is False, "it was not shown its town"
    assert ("base", "q11") not in verdicts, "an abstention says nothing"
    metrics = {(row["model"], row["context"]): row["metrics"].get("supported") for row in made.card()["conditions"]}
    assert metrics["base", "retrieved"]["value"] == 1.0
    assert (metrics["tuned", "retrieved"]["n"], metrics["tuned", "retrieved"]["unscored"]) == (5, 1)
    assert metrics["tuned", "oracle"] is None
    facts = made.card()["grader"]
    assert (facts["grader"], facts["asked"], facts["unscored"]) == ("words", len(verdicts), 2)
    assert facts["reasons"] == {"the reply names no verdict": 2}
    assert facts["agreement"]["figures"]["accuracy"]["value"] == 0.5


def test_seconds_are_those_of_answers_that_were_computed(tmp_path: Path) -> None:
    ticks = iter([(0, 0.0), (6, 12.0), (6, 12.0), (6, 12.0), (6, 12.0), (10, 14.0)])
    made = bring(tmp_path, readers(), models=["tuned"], given={"spent": lambda: next(ticks)})
    assert made.folder.read_json("timing.json") == [
        {"model": "tuned", "context": "none", "answers": 6, "batch": 4, "seconds": 2.0},
        {"model": "tuned", "context": "oracle", "answers": 4, "batch": 4, "seconds": 0.5},
    ]
    assert not bring(tmp_path / "b", readers()).folder.has("timing.json")


def test_risk_by_coverage_where_confidence_is_told(tmp_path: Path) -> None:
    assert bring(tmp_path / "a", readers()).card()["selective"] == []

    class Sure(Reader):
        def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
            return [replace(one, logprobs=(-0.1, -0.3)) for one in super().generate(prompts, sampling)]

    made = bring(tmp_path / "b", {"base": Sure(), "tuned": Sure(by_heart=True)})
    assert [curve["model"] for curve in made.card()["selective"]] == ["base", "base-fewshot", "tuned"]
    assert cell(made, "tuned", "retrieved")["q6"].scores["confidence"] == pytest.approx(0.8187, abs=0.001)


def test_an_empty_exam_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^The exam side holds no question; give more questions or a larger examine"):
        bring(tmp_path, readers(), rows=[question(n) for n in range(6)])


def test_what_was_forgotten_is_measured_where_models_can_score(tmp_path: Path) -> None:
    echo = {name: EchoGenerator(name) for name in ("base", "tuned")}
    made = bring(tmp_path / "a", echo, scorers=echo, models=("base", "tuned"), contexts=("none",))
    figures = made.folder.read_json("forgetting.json")
    assert figures["nll"]["change"]["value"] == 0
    assert figures["formats"]["base"] == figures["formats"]["tuned"]
    rows = list(made.folder.read_jsonl("forgetting.jsonl"))
    assert len(rows) == figures["probes"] + figures["formats"]["base"]["n"]
    for folder, scorers, models in (("b", None, ("base", "tuned")), ("c", echo, ("base",))):
        assert not bring(tmp_path / folder, echo, scorers=scorers, models=models).folder.has("forgetting.json")
