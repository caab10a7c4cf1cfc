"""THE TABLE: every stage, what it needs and what it makes. Data goes down this table and never up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from ragraft.config import Config, EvaluateConfig, QuestionFiles
from ragraft.errors import ConfigError
from ragraft.methods.teaching.table import METHODS
from ragraft.pipeline.calibrating import calibration_settings, run_calibration
from ragraft.pipeline.diagnosing import diagnosis_settings, embedder_identities, machines_identity, run_diagnosis
from ragraft.pipeline.general import asks_base, general_identity
from ragraft.pipeline.grading import grading_identity, read_labels
from ragraft.pipeline.passages import KeptPassages
from ragraft.pipeline.preference import training_settings, tuned_answers
from ragraft.pipeline.reproducing import again
from ragraft.pipeline.texts import general_text_identity, text_fit, text_settings
from ragraft.pipeline.tracking import track_report
from ragraft.pipeline.wiring import At, builder, finder, retriever
from ragraft.workspace import (
    RETRIEVED,
    Calibration,
    Checkpoint,
    Corpus,
    Diagnosis,
    Exam,
    Folder,
    Index,
    Lessons,
    MadeQuestions,
    Scorecard,
    hash_file,
)
from ragraft.workspace.run import Place

EARLIER = ("*/60-checkpoint/[0-9]*", "*/replaced/60-checkpoint-*/[0-9]*")


@dataclass(frozen=True, slots=True)
class Stage:
    """A row of the table."""

    name: str
    asks: str
    """The question that the stage answers."""
    place: Place
    needs: tuple[str, ...]
    settings: Callable[[Config], Any]
    """The part of the config that decides its result."""
    identity: Callable[[At], Any]
    """What decides its result outside the config: the user's files, models."""
    run: Callable[[At, Folder], object]
    version: int = 1
    """Raised when the same inputs would give another result."""
    apart: bool = False
    """Runs only when it is asked for; no other stage waits for it."""
    also: tuple[str, ...] = ()
    """Of the stages that run apart, those whose results it shows where they are there."""


def _ingest(at: At, out: Folder) -> object:
    from ragraft.stages.ingest import ingest

    return ingest(documents=at.config.documents, settings=at.config.ingest, backends=at.backends, out=out)


def _documents(at: At) -> str:
    from ragraft.stages.ingest import fingerprint_documents

    return fingerprint_documents(at.config.documents)


def _index(at: At, out: Folder) -> object:
    from ragraft.stages.index import Earlier, index

    before = at.before
    return index(
        Corpus(at.made["ingest"]),
        settings=at.config.index,
        backends=at.backends,
        out=out,
        earlier=Earlier(Corpus(before["ingest"]), Index(before["index"]), at.backends.store) if before else None,
    )


def _examine(at: At, out: Folder) -> object:
    from ragraft.stages.examine import examine

    own = at.backends.retriever
    users = KeptPassages(out.folder("asked"), own) if own else None
    made = examine(
        Corpus(at.made["ingest"]),
        Index(at.made["index"]),
        questions=questions_of(at.config),
        settings=at.config.examine,
        retrieve=at.config.retrieve,
        retriever=retriever(at),
        users=users,
        out=out,
        earlier=_earlier(at),
    )
    if users:
        users.clear()
    return made


def _earlier(at: At) -> Any:
    """The exam that a refreshed run goes on from; None in any other."""
    from ragraft.stages.examine import Earlier

    if at.since is None:
        return None
    corpus, index, exam = (at.since.folder(ROWS[name].place, name) for name in ("ingest", "index", "examine"))
    return Earlier(Corpus(corpus), Index(index), Exam(exam))


def _questions(at: At) -> Any:
    from ragraft.stages.examine import fingerprint_questions

    digest = fingerprint_questions(questions_of(at.config))
    return digest if at.since is None else [digest, at.since.before["examine"]]


def questions_of(config: Config) -> Path | QuestionFiles:
    """The questions that the YAML names; raises ConfigError where it names none."""
    if config.questions is None:
        raise ConfigError(
            f"No questions: in the YAML of {config.name}, and every stage from examine on needs them; name a file, or "
            "let ragraft propose some: ragraft questions"
        )
    return config.questions


def _synthesize(at: At, out: Folder) -> object:
    from ragraft.pipeline.lessons import write_lessons

    before = at.since.folder(ROWS["index"].place, "index") if at.since else None
    return write_lessons(at, out, before=Index(before) if before else None)


def _lesson_identity(at: At) -> list[Any]:
    from ragraft.pipeline.lessons import question_identity, teacher_identity

    found = [_retrieved(at), question_identity(at), teacher_identity(at), general_identity(at.config)]
    return found if at.since is None else [*found, at.since.before["index"], at.config.refresh.model_dump()]


def _train(at: At, out: Folder) -> object:
    from ragraft.pipeline.lint import check_lessons
    from ragraft.stages.train import train

    check_lessons(at, out)
    runs = out.path.parents[1]  # those of sibling runs, and what changes replaced in any of them
    return train(
        Lessons(at.made["synthesize"]),
        settings=at.config.train,
        prompt=at.config.prompt,
        backends=at.backends,
        out=out,
        earlier=[] if at.forced else [Folder(one) for form in EARLIER for one in sorted(runs.glob(form))],
        answer=partial(tuned_answers, at.config, at.backends),
    )


def _evaluate(at: At, out: Folder) -> object:
    texts = text_fit(at.config, at.made, at.backends)
    return evaluate_side(at, "exam", at.config.evaluate, out, texts=texts)


def evaluate_side(
    at: At, side: Literal["exam", "validation"], settings: EvaluateConfig, out: Folder, *, texts: Any = None
) -> Scorecard:
    """Ask a side of the exam, with these settings in place of the config's own."""
    from ragraft.stages.evaluate import evaluate

    made = MadeQuestions(Folder(at.made["synthesize"].file("made")))
    models = {"base": at.config.model, "tuned": str(Checkpoint(at.made["train"]).final())}
    generators = {name: at.backends.generator(model) for name, model in models.items()}
    return evaluate(
        Index(at.made["index"]),
        Exam(at.made["examine"]),
        generators,
        settings=settings,
        prompt=at.config.prompt,
        retrieve=at.config.retrieve,
        synthesize=at.config.synthesize,
        finder=finder(at, made.retrieved()),
        builder=builder(at),
        scorers={name: at.backends.scorer(model) for name, model in models.items()} if settings.forgetting else None,
        texts=texts,
        out=out,
        side=side,
        made=made.questions(),
        grader=at.backends.grader if settings.grader else None,
        labelled=read_labels(at.config) if settings.grader else (),
        spent=lambda: (at.backends.meter.answered, at.backends.meter.seconds),
    )


def _report(at: At, out: Folder) -> object:
    from ragraft.stages.report import report

    facts = {
        "name": at.config.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": at.config.model_dump(mode="json"),
        "passages": _passages(at),
        "method": "+".join(at.config.train.stages),
        "again": again(at),
    }
    made = report(
        Scorecard(at.made["evaluate"]),
        Exam(at.made["examine"]),
        Lessons(at.made["synthesize"]),
        Checkpoint(at.made["train"]),
        settings=at.config.report,
        facts=facts,
        diagnosis=Diagnosis(at.made["diagnose"]) if "diagnose" in at.made else None,
        calibration=Calibration(at.made["calibrate"]) if "calibrate" in at.made else None,
        out=out,
    )
    tracked = track_report(at.config, made.data(), out.path.parents[1])
    if tracked:
        out.write_json("summary.json", {**out.read_json("summary.json"), "tracked": tracked})
    return made


def _passages(at: At) -> dict[str, dict[str, Any]]:
    """Every passage that may have been shown: title, text, and the questions whose evidence one from outside shows."""
    found: dict[str, dict[str, Any]] = {
        chunk.id: {"title": chunk.title, "text": chunk.text} for chunk in Index(at.made["index"]).chunks()
    }
    for question, passages in Exam(at.made["examine"]).retrieved().items():
        for passage in passages:
            row = found.setdefault(passage.id, {"title": passage.title, "text": passage.text})
            row.setdefault("evidence_of", []).extend([question] if passage.shows else [])
    return found


def _lesson_settings(config: Config) -> list[Any]:
    """What decides the lessons: how many passages the reader sees only where a method shows those."""
    methods = config.train.method
    own = {method: section.model_dump(mode="json") for method, section in config.lesson_settings().items()}
    k = config.retrieve.k if any(METHODS[method].shows_retrieved for method in methods) else None
    # What decides answers alone changes no lesson.
    prompt = config.prompt.model_dump(mode="json", exclude={"abstain_above", "over_refusal", "reread", "copy_quotes"})
    return [config.synthesize, prompt, list(methods), own, k, *([config.evaluate.generator] * asks_base(config))]


def _retrieved(at: At) -> str | None:
    """The passages that were found: made again under equal settings, a retriever may have found others."""
    found = at.made["examine"].file(RETRIEVED)
    return hash_file(found) if found.exists() else None


def _lessons(at: At) -> list[str]:
    """The lessons as they are: edited by hand, they would teach something else."""
    steps = Lessons(at.made["synthesize"]).steps().values()
    return [hash_file(step.folder.file(name)) for step in steps for name in ("lessons.jsonl", "validation.jsonl")]


def _model(at: At) -> str:
    return str(at.backends.model_facts()["identity"])


TABLE: tuple[Stage, ...] = (
    Stage(
        name="ingest",
        asks="What is there to know?",
        place=Place("10-corpus", versioned=True),
        needs=(),
        settings=lambda config: config.ingest,
        identity=_documents,
        run=_ingest,
    ),
    Stage(
        name="index",
        asks="Can we find it?",
        place=Place("20-index", versioned=True),
        needs=("ingest",),
        settings=lambda config: config.index,
        identity=lambda at: [_model(at), at.backends.embedder_identity()],
        run=_index,
        version=2,
    ),
    Stage(
        name="examine",
        asks="What must it answer?",
        place=Place("30-exam", versioned=True),
        needs=("ingest", "index"),
        # How many passages the reader sees doesn't change the exam.
        settings=lambda config: [config.examine, config.retrieve.model_copy(update={"k": 0})],
        identity=_questions,
        run=_examine,
        version=2,
    ),
    Stage(
        name="diagnose",
        asks="What fails, and what would pay?",
        place=Place("40-diagnosis", versioned=False),
        needs=("ingest", "index", "examine"),
        settings=diagnosis_settings,
        identity=lambda at: [
            _model(at),
            _retrieved(at),
            general_text_identity(at.config),
            machines_identity(at.config),
            *embedder_identities(at.config),
        ],
        run=run_diagnosis,
        apart=True,
    ),
    Stage(
        name="synthesize",
        asks="What would teach it, without leaking the exam?",
        place=Place("50-lessons", versioned=False),
        needs=("ingest", "index", "examine"),
        settings=_lesson_settings,
        identity=_lesson_identity,
        run=_synthesize,
        version=5,
    ),
    Stage(
        name="train",
        asks="Teach it.",
        place=Place("60-checkpoint", versioned=False),
        needs=("synthesize",),
        settings=training_settings,
        identity=lambda at: [_model(at), _lessons(at)],
        run=_train,
        version=3,
    ),
    Stage(
        name="calibrate",
        asks="When may it skip retrieval, when must it abstain?",
        place=Place("65-calibration", versioned=False),
        needs=("index", "examine", "train"),
        settings=calibration_settings,
        identity=lambda at: [_model(at), _retrieved(at)],
        run=run_calibration,
        version=8,
        apart=True,
    ),
    Stage(
        name="evaluate",
        asks="Did it help, beyond chance?",
        place=Place("70-scores", versioned=False),
        needs=("ingest", "index", "examine", "train"),
        settings=lambda config: [
            config.evaluate,
            config.prompt,
            config.retrieve,
            config.synthesize,
            *text_settings(config),
        ],
        identity=lambda at: [
            _model(at),
            _retrieved(at),
            general_text_identity(at.config),
            grading_identity(at.config, at.backends),
        ],
        run=_evaluate,
        version=12,
    ),
    Stage(
        name="report",
        asks="What should I do?",
        place=Place("80-report", versioned=False),
        needs=("evaluate", "index", "examine", "synthesize", "train"),
        settings=lambda config: config.report,
        identity=lambda at: None,
        run=_report,
        also=("diagnose", "calibrate"),
    ),
)
ROWS = {stage.name: stage for stage in TABLE}
STAGES = tuple(stage.name for stage in TABLE if not stage.apart)
"""Those that a run brings up to date."""
