"""A workspace written by hand: a finished run, one on its way, a damaged one; texts that try to be markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ragraft.pipeline.table import ROWS
from ragraft.records import Answer, Chunk, ExamQuestion, Lesson, Message, Prompt, Question, Rejected, to_json
from ragraft.workspace import Folder, Index, Manifest, Run

HOSTILE = '</p><script>alert("x")</script><img src=x onerror=alert(1)>'
HEBREW = "\u05de\u05d4 \u05d6\u05d4?"
LONG = "x" * 10_000
VERDICT = {
    "verdict": "Tuning helped",
    "outcome": "helped",
    "sentence": "Tuning helped: with retrieved passages, tuned minus base is +12.0 points of token F1.",
    "opponent": "base",
}
REPORT = (
    '<!DOCTYPE html>\n<html lang="en"><head><title>Report</title><style>\nh1 { color: rgb(1, 2, 3); }\n</style></head>'
)
LESSONS, REJECTED, EXAM = 60, 30, 40


def lessons(number: int) -> list[Lesson]:
    """Lessons of two kinds; the first one's texts try to be markup."""
    return [_lesson(place) for place in range(number)]


def _lesson(place: int) -> Lesson:
    title = HOSTILE if place == 0 else f"Tower {place}"
    asks = f"What is tower {place} made of? {HOSTILE if place == 0 else ''}"
    shown = f"Documents:\n\n[1] {title}\nIt is made of stone {place}. Nobody knows why.\n\n"
    kind, target = ("oracle", f'Answer: stone {place}\n"It is made of stone {place}." [1]')
    if place % 3 == 2:
        kind, target = "no-oracle", "Answer: not in the documents."
    prompt = Prompt((Message("system", "Be brief."), Message("user", f"{shown}Question: {asks}")), len(shown))
    return Lesson(f"q{place}~0.0", f"q{place}", kind, prompt, target, (f"t{place}#0",), (f"t{place}#0",))  # type: ignore[arg-type]


def exam(number: int) -> list[ExamQuestion]:
    """Questions of the exam's side, and one of the validation side."""
    asked = [f"What is tower {place} made of?" for place in range(number)]
    asked[0] += HOSTILE
    asked[1] = HEBREW
    asked[2] = LONG
    placed = [
        ExamQuestion(
            Question(f"e/{place} ?&", text, (f"stone {place}",), (f"t{place}",), (f"It is made of stone {place}.",)),
            "exam",
            f"c{place}",
            (f"t{place}#0",),
        )
        for place, text in enumerate(asked)
    ]
    first = Question("v0", "Who keeps the lamp?", ("Ada",))
    return [
        *placed,
        ExamQuestion(first, "validation", "c-v"),
        ExamQuestion(Question("q0", "Asked, and rejected?"), "train", "c-q"),
    ]


def answers(number: int) -> list[Answer]:
    """Base is right where tuned is wrong in every fifth question, and wrong in the others but every seventh."""
    rows = []
    for place in range(number):
        for context in ("retrieved", "none"):
            tuned, base = (0.0, 1.0) if place % 5 == 4 else (1.0, 1.0 if place % 7 == 3 else 0.0)
            rows += [_answer(place, context, "tuned", tuned), _answer(place, context, "base", base)]
    return rows


def _answer(place: int, context: str, model: str, f1: float) -> Answer:
    text = f'Answer: stone {place}\n"It is made of stone {place}." [1]' if f1 else f"Answer: {HOSTILE}"
    found = (f"t{place}#0",) if context == "retrieved" else ()
    return Answer(
        f"e/{place} ?&", model, context, f"stone {place}" if f1 else HOSTILE, text,
        citations=found if f1 else (), quotes=(f"It is made of stone {place}.",) if f1 else (), abstained=False,
        passages=found, evidence_shown=bool(found), prompt_tokens=100, answer_tokens=10, scores={"f1": f1, "em": f1},
    )  # fmt: skip


class Shelf:
    """Writes runs, stage by stage."""

    def __init__(self, runs: Path) -> None:
        self.runs = runs

    def write(self, name: str, stages: Sequence[str] = tuple(ROWS)) -> Path:
        """A run that has come through these stages."""
        for place, stage in enumerate(ROWS):
            if stage in stages:
                self._stage(Run(self.runs, name), stage, f"2026-11-{10 + place:02d}T10:00:00+00:00")
        return self.runs / name

    def furnish(self) -> None:
        """A whole run, one that is under way, and one that is damaged."""
        self.write("lights")
        self.write("begun", ("ingest", "index", "examine", "synthesize"))
        self.damage("broken")

    def damage(self, name: str) -> None:
        """A run whose manifest is no JSON."""
        folder = self.runs / name / "50-lessons"
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{", "utf-8")

    def _stage(self, run: Run, stage: str, created: str) -> None:
        place = ROWS[stage].place
        version = f"{run.name}-{stage}"[:12]
        base = run.path / place.folder
        folder = Folder(base / "versions" / version if place.versioned else base)
        folder.path.mkdir(parents=True)
        write = getattr(self, f"_{stage}", None)
        if write is not None:
            write(folder)
        manifest = Manifest(stage, 1, f"{run.name}-{stage}", {}, created, 2.5, {}, {"made": f"{stage} {HOSTILE}"})
        folder.write_json("manifest.json", asdict(manifest))
        if place.versioned:
            Folder(base).write_text("current", version + "\n")

    def _index(self, folder: Folder) -> None:
        chunks = [
            Chunk(
                f"t{n}#0",
                f"t{n}",
                HOSTILE if n == 0 else f"Tower {n}",
                f"It is made of\nstone {n}. Nobody knows.",
                0,
                40,
                9,
            )
            for n in range(EXAM)
        ]
        Index(folder).write_chunks([chunks])

    def _examine(self, folder: Folder) -> None:
        folder.write_jsonl("questions.jsonl", map(to_json, exam(EXAM)))

    def _synthesize(self, folder: Folder) -> None:
        step = folder.folder("01-raft")
        step.write_jsonl("lessons.jsonl", map(to_json, lessons(LESSONS)))
        step.write_jsonl("validation.jsonl", map(to_json, lessons(3)))
        rejected = [Rejected(f"q{n}", "too long" if n % 2 else HOSTILE, f"{n} tokens") for n in range(REJECTED)]
        step.write_jsonl("rejected.jsonl", map(to_json, rejected))
        counts: dict[str, Any] = {"lessons": LESSONS, "validation lessons": 3, "rejected": REJECTED}
        kinds = {"lessons, oracle": 40, "lessons, no-oracle": 20}
        folder_counts = {**counts, "rejected: too long": 15, f"rejected: {HOSTILE}": 15, **kinds}
        step.write_json("counts.json", folder_counts)

    def _evaluate(self, folder: Folder) -> None:
        folder.write_jsonl("answers.jsonl", map(to_json, answers(EXAM)))

    def _report(self, folder: Folder) -> None:
        folder.write_json("report.json", {"headline": VERDICT})
        folder.write_text("report.html", f"{REPORT}<body><h1>The report</h1></body></html>\n")
