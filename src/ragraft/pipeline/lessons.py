"""Writing lessons: the questions that a machine makes, the models that are asked, and the stage itself.

Knows the run and its backends; what a lesson is, is known to `methods`.
"""

from __future__ import annotations

from typing import Any

from ragraft.config import QuestionFiles
from ragraft.methods.reasoning import BATCH, Teacher
from ragraft.methods.upkeep.renewal import choose_lessons
from ragraft.pipeline.backends import ENDPOINT
from ragraft.pipeline.checks import check_askable
from ragraft.pipeline.general import asks_base, read_general, teacher_model
from ragraft.pipeline.wiring import At, builder, finder
from ragraft.workspace import Corpus, Exam, Folder, Index, Lessons, MadeQuestions


def write_lessons(at: At, out: Folder, *, before: Index | None = None) -> Lessons:
    """The synthesize stage, with all that this config gives it; `before` is the index that a refresh goes on from."""
    from ragraft.stages.synthesize import Finders, synthesize

    exam, prompts, config = Exam(at.made["examine"]), builder(at), at.config
    check_askable(exam, prompts)
    made = _made_questions(at, out, before)
    passages = made.retrieved()
    written = synthesize(
        Corpus(at.made["ingest"]),
        Index(at.made["index"]),
        exam,
        methods={method: config.lesson_settings().get(method) for method in config.train.method},
        settings=config.synthesize,
        prompt=config.prompt,
        retrieve=config.retrieve,
        finders=Finders(candidates=finder(at, passages, reranked=False), shown=finder(at, passages)),
        builder=prompts,
        instructions=read_general(config),
        base=at.backends.generator(config.model) if asks_base(config) else None,
        teacher=_teacher(at),
        out=out,
        made=made.questions(),
        only=_relearned(at, made, before) if before else None,
    )
    at.backends.close_models()  # training is a process of its own, and needs the memory
    return written


def _relearned(at: At, made: MadeQuestions, before: Index) -> set[str]:
    """The questions that a refresh learns from: those that the change touches, and a share of the others."""
    exam, settings, refresh = Exam(at.made["examine"]), at.config.synthesize, at.config.refresh
    known = {chunk.text for chunk in before.chunks()}
    chunks = Index(at.made["index"]).chunks().by_id()
    fresh = {name for name, row in exam.changes().items() if row["fresh"]}
    fresh |= {one.id for one in made.questions() if any(chunks[chunk].text not in known for chunk in one.oracle)}
    given = exam.questions("train") if "given" in settings.questions else []
    return choose_lessons(
        [*given, *made.questions("train")],
        fresh,
        share=refresh.replay,
        most=settings.max_questions,
        seed=refresh.seed,
    )


def _teacher(at: At) -> Teacher | None:
    config, backends, model = at.config, at.backends, teacher_model(at.config)
    if model is None:
        return None
    settings, endpoint = config.synthesize, config.endpoint
    remote = model.startswith(ENDPOINT)
    return Teacher(
        # The base is opened once, whoever asks it.
        backends.generator(model) if model == config.model else backends.writer(model),
        words=settings.teacher.words,
        quote_words=settings.quote_words,
        batch=max(BATCH, endpoint.concurrency if remote else 0),
        price_read=endpoint.price_read if remote else 0.0,
        price_written=endpoint.price_written if remote else 0.0,
    )


def teacher_identity(at: At) -> str | None:
    """Changes when reasonings would."""
    model = teacher_model(at.config)
    return None if model is None else at.backends.writer_identity(model)


def _made_questions(at: At, out: Folder, before: Index | None) -> MadeQuestions:
    """The questions that a machine makes for lessons; none where all are given."""
    if at.config.synthesize.made:
        from ragraft.pipeline.making import make_questions

        return make_questions(at, out.folder("made"), before=before)
    return MadeQuestions(Folder(out.file("made")))


def question_identity(at: At) -> Any:
    """What decides the made questions beside the settings of lessons: who writes them, and what finds their chunks."""
    settings = at.config.synthesize
    if not settings.made:
        return None
    apart = isinstance(at.config.questions, QuestionFiles)
    writes = "generate" in settings.made
    writer = at.backends.writer_identity(settings.generate.model or at.config.model) if writes else ""
    return [writer, apart, at.config.retrieve.k, at.config.examine.shares.model_dump(), at.config.examine.seed]
