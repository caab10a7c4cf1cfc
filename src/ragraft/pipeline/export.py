"""Write a run's tuned model, its lessons or its exam's prompts in a form that other programs load."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ragraft.disk import disk_faults_told
from ragraft.errors import ConfigError, WorkspaceError, or_meant
from ragraft.pipeline.export_lessons import WRITERS, export_lessons
from ragraft.pipeline.export_model import MODELS, TYPES, export_model
from ragraft.pipeline.export_prompts import export_prompts
from ragraft.pipeline.runner import Session, changes_told, made_otherwise
from ragraft.workspace import Lessons

PROMPTS = "openai-batch"
KINDS = (*MODELS, PROMPTS, *WRITERS)


@dataclass(frozen=True, slots=True)
class Exported:
    """Where it was written, and what the form could not carry."""

    folder: Path
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wishes:
    """What some forms can be given besides."""

    weights: str | None = None
    """For gguf and ollama: f16, or q8_0; f16 when left out."""
    questions: Path | None = None
    """For openai-batch: other questions than the exam's."""
    model: str | None = None
    """For openai-batch: the name that the server knows the model by; tuned when left out."""


def export(session: Session, kind: str, target: Path, wishes: Wishes | None = None) -> Exported:
    """Write the model with its card, the exam's prompts (`openai-batch`), or the lessons, by the kind that is asked.

    A folder is written whole or not at all.
    """
    wishes = wishes or Wishes()
    if kind not in KINDS:
        raise ConfigError(f"--to {kind} is no form to export{or_meant(kind, KINDS)}")
    if wishes.weights not in (None, *TYPES):
        raise ConfigError(f"--type {wishes.weights} is no type of weights{or_meant(wishes.weights, TYPES)}")
    _refuse_unused(kind, wishes)
    needed = _needed(session, kind)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{target} is not empty; give a new folder")
    with disk_faults_told(target), _whole_or_not(target) as part:
        if kind in MODELS:
            notes = export_model(session, kind, part, wishes.weights or TYPES[0])
        elif kind == PROMPTS:
            notes = export_prompts(session, part, model=wishes.model or "tuned", questions=wishes.questions)
        else:
            notes = export_lessons(session, Lessons(session.at().made["synthesize"]).steps(), kind, part)
    if made_otherwise(session, needed):
        notes = (*notes, f"made under other settings{changes_told(session)}; ragraft run makes what is there now anew")
    return Exported(target, notes)


def _refuse_unused(kind: str, wishes: Wishes) -> None:
    for option, given, kinds in (
        ("--type", wishes.weights, ("gguf", "ollama")),
        ("--questions", wishes.questions, (PROMPTS,)),
        ("--model", wishes.model, (PROMPTS,)),
    ):
        if given is not None and kind not in kinds:
            raise ConfigError(f"{option} belongs to --to {' and '.join(kinds)}; {kind} has no use for it")
    if wishes.questions is not None and not wishes.questions.is_file():
        raise ConfigError(f"--questions {wishes.questions}: no such file; give one of questions")


def _needed(session: Session, kind: str) -> str:
    """The stage whose result is written; raises WorkspaceError where it is not there."""
    needed, what, command = (
        ("train", "tuned model", "run")
        if kind in MODELS
        else ("examine", "exam", "examine")
        if kind == PROMPTS
        else ("synthesize", "lessons", "synthesize")
    )
    if needed not in session.at().made:
        raise WorkspaceError(f"No {what} in {session.run.path}. Run: ragraft {command}")
    return needed


@contextmanager
def _whole_or_not(target: Path) -> Iterator[Path]:
    """A folder beside the target, put in its place at the end, and removed when writing fails."""
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        if target.exists():
            target.rmdir()  # it is empty
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
