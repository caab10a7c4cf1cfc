"""The report stage over made-up artifacts on disk: a whole exam, and exams that lack this or that."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ragraft.config import ReportConfig
from ragraft.methods.report_table import render_table
from ragraft.records import Answer, ExamQuestion, Question, to_json
from ragraft.stages.report import report
from ragraft.workspace import Checkpoint, Exam, Folder, Lessons, Report, Scorecard

MODELS = ("base", "base-fewshot", "tuned")
CONTEXTS = ("none", "retrieved", "oracle")
HOSTILE = "<script>alert('x')</script> & \"co\""

F1 = {"none": (0.081, 0.112, 0.147), "retrieved": (0.131, 0.214, 0.325), "oracle": (0.198, 0.309, 0.481)}
TOPICS = (
    ("What raises when a key is missing?", "KeyError", "If a key is not found, a KeyError is raised."),
    ("Which method does the in operator call?", "__contains__", "The operator in calls __contains__() if defined."),
    ("What is a generator's close method allowed to raise?", "GeneratorExit or StopIteration",
     "It is fine if the generator then raises GeneratorExit or StopIteration."),
    ("Which statement binds names in the global namespace?", "global", "The global statement lists identifiers."),
)  # fmt: skip


@dataclass
class Sample:
    """The stage's inputs as plain data, to be changed by a test and then written."""

    card: dict[str, Any]
    questions: list[ExamQuestion]
    answers: list[Answer]
    exam_facts: dict[str, Any]
    retrieval: dict[str, Any]
    counts: dict[str, Any]
    training: dict[str, Any]
    metrics: list[dict[str, Any]]
    facts: dict[str, Any]

    def write(self, root: Path, *, examples: int = 4) -> Report:
        folders = {name: Folder(root).folder(name) for name in ("exam", "lessons", "checkpoint", "scores", "report")}
        folders["scores"].write_json("scorecard.json", self.card)
        folders["scores"].write_jsonl("answers.jsonl", map(to_json, self.answers))
        folders["exam"].write_jsonl("questions.jsonl", map(to_json, self.questions))
        folders["exam"].write_json("facts.json", self.exam_facts)
        folders["exam"].write_json("retrieval.json", self.retrieval)
        folders["lessons"].folder("01-raft").write_json("counts.json", self.counts)
        final = folders["checkpoint"].folder("01-raft")
        final.write_json("checkpoint.json", self.training)
        final.write_jsonl("metrics.jsonl", self.metrics)
        return run_stage(root, self.facts, examples=examples)


def run_stage(root: Path, facts: Mapping[str, Any], *, examples: int = 4) -> Report:
    return report(
        Scorecard(Folder(root / "scores")),
        Exam(Folder(root / "exam")),
        Lessons(Folder(root / "lessons")),
        Checkpoint(Folder(root / "checkpoint")),
        settings=ReportConfig(examples=examples),
        facts=facts,
        out=Folder(root / "report"),
    )


def figure(value: float, *, spread: float = 0.05, n: int = 12) -> dict[str, Any]:
    return {"value": value, "low": max(0.0, value - spread), "high": min(1.0, value + spread), "n": n, "unscored": 0}


def difference(pair: tuple[str, str], context: str, metric: str, value: float) -> dict[str, Any]:
    bounds = {"low": value - 0.04, "high": value + 0.04}
    return {"metric": metric, "context": context, "a": pair[0], "b": pair[1], "value": value, **bounds,
            "n": 12, "clusters": 6}  # fmt: skip


def metrics(context: str, f1: float) -> dict[str, Any]:
    found = {"f1": f1, "em": f1 / 2, "f1_all": f1 + 0.05, "f1_evidence_shown": f1 + 0.08, "truncated": 0.02}
    if context != "none":
        found |= {"abstention_precision": 0.6, "abstention_recall": 0.5, "abstention_f1": 0.55, "over_refusal": 0.1}
        found |= {"citation_precision": 0.7, "citation_recall": 0.66, "quoting_share": 0.9, "quote_verbatim": 0.95}
    tokens = {"prompt_tokens": figure(612.4, spread=20), "answer_tokens": figure(23.2, spread=3)}
    return {name: figure(value) for name, value in found.items()} | {
        name: {**row, "low": row["value"] - 3, "high": row["value"] + 3} for name, row in tokens.items()
    }


def make_card() -> dict[str, Any]:
    pairs = (("tuned", "base"), ("tuned", "base-fewshot"), ("base-fewshot", "base"))
    places = {model: place for place, model in enumerate(MODELS)}
    return {
        "conditions": [
            {"model": model, "context": context, "metrics": metrics(context, F1[context][places[model]])}
            for context in CONTEXTS
            for model in MODELS
        ],
        "differences": [
            difference(pair, context, metric, F1[context][places[pair[0]]] - F1[context][places[pair[1]]])
            for context in CONTEXTS
            for pair in pairs
            for metric in ("f1", "em", "f1_evidence_shown", "f1_all")
        ],
        "n_questions": 14,
        "n_clusters": 6,
        "labels": {},
    }


def make_answer(row: ExamQuestion, model: str, context: str, f1: float | None) -> Answer:
    question = row.question
    passages = () if context == "none" else (*row.oracle, "other-1", "other-2")
    good = f1 is not None and f1 > 0
    text = question.answers[0] if good and question.answers else "the interpreter decides"
    quotes = question.evidence if good and model == "tuned" and context != "none" else ()
    full = f'Answer: {text}\n"{quotes[0]}" [1]' if quotes else f"Answer: {text}"
    return Answer(
        question.id, model, context, text, full, row.oracle if quotes else (), quotes, False, passages,
        bool(passages), 612, 23, {"f1": f1, "em": None if f1 is None else float(f1 == 1)},
    )  # fmt: skip


def make_sample() -> Sample:
    questions = []
    for place in range(14):
        ask, right, evidence = TOPICS[place % len(TOPICS)]
        answerable = place < 12
        question = Question(
            f"q{place:02}", ask, (right,) if answerable else (), (f"d{place % 6}",), (evidence,) if answerable else ()
        )
        questions.append(ExamQuestion(question, "exam", f"c{place % 6}", (f"chunk-{place}",) if answerable else ()))
    answers = []
    for place, row in enumerate(questions):
        scores = {"base": 0.0, "base-fewshot": float(place % 3 == 0), "tuned": float(place % 2 == 0)}
        for context in CONTEXTS:
            for model in MODELS:
                f1 = scores[model] if row.question.answerable else None
                answers.append(make_answer(row, model, context, f1))
    passages = {
        **{f"chunk-{place}": {"title": f"Topic {place}", "text": f"Before it. {TOPICS[place % 4][2]}\nAnd after it."}
           for place in range(12)},
        "other-1": {"title": "Lexical analysis", "text": "A Python program is read by a parser."},
        "other-2": {"title": "Data model", "text": "Objects are Python's abstraction for data."},
    }  # fmt: skip
    loss = [{"step": step, "epoch": step / 20, "loss": 3 / step**0.3, "learning_rate": 5e-4} for step in range(1, 41)]
    checks = [{"step": step, "epoch": step / 20, "validation_loss": 3.1 / step**0.28} for step in (10, 20, 30, 40)]
    side = {"questions": 14, "clusters": 6, "unanswerable": 2}
    return Sample(
        make_card(),
        questions,
        answers,
        {
            "sides": {"train": {"questions": 80, "clusters": 31, "unanswerable": 12}, "exam": side},
            "known_documents": {"exam_questions": 69, "of": 96},
            "warnings": ["only 6 clusters on the exam side"],
        },
        {
            "depths": [1, 4],
            "rows": [
                {"side": "exam", "ranking": ranking, "metric": metric, **figure(value)}
                for ranking, shift in (("lexical", 0.0), ("dense", 0.04), ("hybrid", 0.09))
                for metric, value in (("recall@1", 0.4 + shift), ("recall@4", 0.7 + shift), ("mrr@4", 0.55 + shift))
            ],
        },
        {"lessons": 80, "with oracle": 55, "without oracle": 13, "unanswerable": 12, "passages dropped": 4},
        {
            "base": "a-base-model",
            "method": "raft",
            "seed": 0,
            "seconds": 931.5,
            "tokens": 412345,
            "settings": {"tuning": "lora", "rank": 32, "learning_rate": None},
            "versions": {"torch": "2.9.1"},
        },
        loss + checks,
        {"name": "sample", "created": "2026-11-23 07:10 UTC", "passages": passages, "model": "a-base-model",
         "settings": {"retrieve": {"k": 4}, "train": {"epochs": 2.0}}},
    )  # fmt: skip


def read_page(made: Report) -> str:
    return made.folder.file("report.html").read_text(encoding="utf-8")


def test_page_is_whole_and_fetches_nothing(tmp_path: Path) -> None:
    page = read_page(make_sample().write(tmp_path))
    assert page.startswith("<!DOCTYPE html>")
    assert page.count("<svg ") == 8  # four charts, wide and narrow
    assert not re.search(r"""(?:src|href|action)\s*=|@import|url\(|<script|<link|<iframe""", page)
    links = {link for link in re.findall(r"https?://[^\"' )<]+", page) if not link.startswith("http://www.w3.org/")}
    assert links == set()


def test_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = (make_sample().write(tmp_path / name) for name in ("a", "b"))
    for name in ("report.json", "report.html", "summary.json"):
        assert first.folder.file(name).read_bytes() == second.folder.file(name).read_bytes()


def test_headline_takes_the_better_base(tmp_path: Path) -> None:
    headline = make_sample().write(tmp_path).data()["headline"]
    assert headline["opponent"] == "base-fewshot"
    assert headline["sentence"] == (
        "Tuning helped: with retrieved passages, tuned minus few-shot base is +11.1 [7.1, 15.1] points of token F1 "
        "(12 questions in 6 clusters; 95 % interval)."
    )
    assert headline["evidence_shown"]["n"] == 12


def test_warnings_name_what_limits_the_claim(tmp_path: Path) -> None:
    sample = make_sample()
    sample.card["conditions"][5]["metrics"]["f1"]["unscored"] = 2
    made = sample.write(tmp_path)
    assert made.data()["warnings"] == [
        "new questions on known documents: 69 of 96",
        "one training seed; headlines need three",
        "only 6 clusters on the exam side",
        "2 answers of tuned in context retrieved could not be scored",
    ]
    assert "New questions on known documents: 69 of 96." in read_page(made)


def test_examples_show_wins_and_losses_with_what_was_read(tmp_path: Path) -> None:
    made = make_sample().write(tmp_path)
    examples = made.data()["examples"]
    assert examples["counts"] == {"better": 4, "worse": 2, "equal": 8, "abstained": 0, "rightly": 0}
    assert [row["question_id"] for row in examples["wins"]] == ["q02", "q04"]
    assert [row["question_id"] for row in examples["losses"]] == ["q03", "q09"]
    shown = examples["wins"][0]["passages"]
    assert [(row["id"], row["oracle"]) for row in shown] == [("chunk-2", True), ("other-1", False), ("other-2", False)]
    assert '<mark class="after evidence">It is fine if the generator then raises' in read_page(made)


def test_examples_without_passages_keep_their_ids(tmp_path: Path) -> None:
    sample = make_sample()
    del sample.facts["passages"]
    made = sample.write(tmp_path)
    assert made.data()["examples"]["wins"][0]["passages"][0]["text"] is None
    assert "chunk-2" in read_page(made)


def test_everything_from_outside_is_escaped(tmp_path: Path) -> None:
    sample = make_sample()
    sample.facts |= {"name": HOSTILE, "created": HOSTILE, "model": HOSTILE, HOSTILE: 1}
    sample.facts["passages"]["chunk-2"] = {"title": HOSTILE, "text": HOSTILE}
    sample.counts[HOSTILE] = HOSTILE
    sample.training["base"] = HOSTILE
    sample.exam_facts["warnings"] = [HOSTILE]
    row = sample.questions[2]
    question = Question(row.id, HOSTILE, (HOSTILE,), (), (HOSTILE,))
    sample.questions[2] = ExamQuestion(question, "exam", row.cluster, row.oracle)
    sample.answers = [
        Answer(**{**_fields(answer), "answer": HOSTILE, "text": f'"{HOSTILE}" [1]\nAnswer: {HOSTILE}',
                  "quotes": (HOSTILE,)}) if answer.question_id == row.id else answer
        for answer in sample.answers
    ]  # fmt: skip
    for part in (*sample.card["conditions"], *sample.card["differences"]):
        part["context"] = HOSTILE if part["context"] == "oracle" else part["context"]
    page = read_page(sample.write(tmp_path))
    assert "<script" not in page
    assert "alert(" in html.unescape(page)
    assert not re.search(r"&(?!amp;|lt;|gt;|quot;|#\d+;|#x[0-9a-f]+;)", page)


def _fields(answer: Answer) -> dict[str, Any]:
    return {name: getattr(answer, name) for name in Answer.__dataclass_fields__}


def without_model(sample: Sample, model: str) -> None:
    sample.card["conditions"] = [row for row in sample.card["conditions"] if row["model"] != model]
    sample.card["differences"] = [row for row in sample.card["differences"] if model not in (row["a"], row["b"])]
    sample.answers = [answer for answer in sample.answers if answer.model != model]


def no_fewshot(sample: Sample) -> str:
    without_model(sample, "base-fewshot")
    return "The few-shot base was not examined; part of what tuning seems to gain may be only form."


def no_tuned(sample: Sample) -> str:
    without_model(sample, "tuned")
    return "Tuned and base were not both examined with retrieved passages."


def no_retrieved(sample: Sample) -> str:
    for part in ("conditions", "differences"):
        sample.card[part] = [row for row in sample.card[part] if row["context"] != "retrieved"]
    sample.answers = [answer for answer in sample.answers if answer.context != "retrieved"]
    return "<h1>No verdict</h1>"


def no_condition(sample: Sample) -> str:
    sample.card["conditions"] = [
        row for row in sample.card["conditions"] if (row["model"], row["context"]) != ("base", "oracle")
    ]
    return "<h1>Tuning helped</h1>"


def no_intervals(sample: Sample) -> str:
    for row in sample.card["conditions"]:
        for found in row["metrics"].values():
            found |= {"low": None, "high": None}
    for row in sample.card["differences"]:
        row |= {"low": None, "high": None}
    return "tuned minus few-shot base is +11.1 (no interval) points of token F1 (12 questions in 6 clusters)."


def no_unanswerable(sample: Sample) -> str:
    for row in sample.card["conditions"]:
        row["metrics"] = {name: row["metrics"][name] for name in row["metrics"] if "abstention" not in name}
    sample.questions = sample.questions[:12]
    return "Over-refusal"


def no_differing_answers(sample: Sample) -> str:
    sample.answers = [answer for answer in sample.answers if answer.model != "tuned"]
    return "<h1>Tuning helped</h1>"


def no_validation_loss(sample: Sample) -> str:
    sample.metrics = [row for row in sample.metrics if "loss" in row]
    return "Training and validation loss of raft by step, over the tokens that are learned."


def no_loss(sample: Sample) -> str:
    sample.metrics = []
    return "No loss was recorded."


def nothing_at_all(sample: Sample) -> str:
    sample.card = {"conditions": [], "differences": [], "n_questions": 0, "n_clusters": 0, "labels": {}}
    sample.questions, sample.answers, sample.metrics = [], [], []
    sample.exam_facts, sample.retrieval, sample.counts, sample.training, sample.facts = {}, {}, {}, {}, {}
    return "<h1>No verdict</h1>"


@pytest.mark.parametrize(
    "lack",
    [no_fewshot, no_tuned, no_retrieved, no_condition, no_intervals, no_unanswerable, no_differing_answers,
     no_validation_loss, no_loss, nothing_at_all],
)  # fmt: skip
def test_what_is_missing_is_left_out_and_said(tmp_path: Path, lack: Callable[[Sample], str]) -> None:
    sample = make_sample()
    said = lack(sample)
    made = sample.write(tmp_path)
    assert said in read_page(made)
    table = render_table(made.data())
    assert {len(row) for row in table.rows} <= {len(table.columns)}


def test_parts_that_the_exam_never_wrote_are_empty(tmp_path: Path) -> None:
    make_sample().write(tmp_path)
    for name in ("facts.json", "retrieval.json"):
        (tmp_path / "exam" / name).unlink()
    made = run_stage(tmp_path, {})
    assert (made.data()["sides"], made.data()["retrieval"]) == ({}, {"depths": [], "rows": []})


def test_labels_have_their_own_table(tmp_path: Path) -> None:
    sample, measured = make_sample(), {"accuracy": figure(0.6), "macro_f1": figure(0.5)}
    tuned = {"model": "tuned", "context": "retrieved", "metrics": {**measured, "over_majority": figure(0.0)}}
    sample.card["labels"] = {
        "labels": ["maybe", "no", "yes"],
        "n_questions": 9,
        "majority": {"label": "yes", "metrics": measured},
        "conditions": [{**tuned, "given": {"no": 5, "yes": 4}}],
    }
    page = read_page(sample.write(tmp_path))
    assert "lways answering “yes” is right on 60.0 of 100" in page
    assert "Over the 9 questions answered by a label (maybe, no, yes)." in page
    assert "Always “yes”" in page


def test_summary_is_what_a_user_wants_to_see(tmp_path: Path) -> None:
    summary: Mapping[str, Any] = make_sample().write(tmp_path).folder.read_json("summary.json")
    assert summary == {
        "verdict": "Tuning helped",
        "tuned minus few-shot base, F1": "+11.1 [7.1, 15.1]",
        "questions better / worse / equal": "4 / 2 / 8",
        "page": "report.html",
    }


def test_report_is_plain_json_in_a_fixed_shape(tmp_path: Path) -> None:
    made = make_sample().write(tmp_path)
    assert json.loads(json.dumps(made.data(), allow_nan=False)) == made.data()
    assert list(made.data()) == [
        "name", "created", "headline", "diagnosis", "calibration", "warnings", "exam", "grid", "by_evidence",
        "differences", "abstention", "citations", "cost", "timing", "selective", "grader", "sweeps", "probes",
        "forgetting", "labels", "texts", "retrieval", "sides", "known_documents",
        "lessons", "lint", "training", "loss", "examples", "settings", "again", "facts",
    ]  # fmt: skip
