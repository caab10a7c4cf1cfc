"""Graders, wired: what people have labelled, and how far the configured grader agrees with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragraft.config import Config
from ragraft.errors import ConfigError, InputError
from ragraft.methods.agreement import Labelled, agreement, agreement_table, read_labelled
from ragraft.methods.judging import judge, judging_facts
from ragraft.methods.progress_bar import progress_bar
from ragraft.methods.report_table import Table
from ragraft.pipeline.backends import ConfiguredBackends
from ragraft.pipeline.general import existing
from ragraft.workspace import hash_file

if TYPE_CHECKING:
    from ragraft.pipeline.runner import Session

KEY = "evaluate.grader_labels"


@dataclass(frozen=True, slots=True)
class Agreed:
    """How far a grader agrees with people, as data and as it is printed."""

    data: dict[str, Any]
    table: Table


def read_labels(config: Config) -> list[Labelled]:
    """The labelled claims that the YAML names; none where it names no file."""
    return _read(config.evaluate.grader_labels, KEY) if config.evaluate.grader_labels else []


def grading_identity(config: Config, backends: ConfiguredBackends) -> list[str | None]:
    """What decides judgements outside the settings: the grader's model, and the labelled claims."""
    labels = config.evaluate.grader_labels
    return [backends.grader_identity(), hash_file(existing(labels, KEY)) if labels else None]


def measure_agreement(session: Session, labels: Path) -> Agreed:
    """Have the configured grader judge claims that people have judged."""
    settings, grader = session.config.evaluate, session.backends.grader
    if grader is None:
        raise ConfigError(
            "evaluate.grader: there is no grader to measure; name one in the YAML, or with --set "
            "evaluate.grader=entailment@SOURCE"
        )
    if not labels.is_file():
        raise InputError(f"No file {labels}; name one of claims that people have judged")
    labelled = _read(labels, "LABELS")
    with progress_bar() as bar:
        task = bar.add_task("judging", total=len(labelled))
        verdicts = judge([one.claim for one in labelled], grader, lambda number: bar.advance(task, number))
    name = settings.grader or ""
    found = agreement(labelled, verdicts, resamples=settings.resamples, seed=settings.seed)
    return Agreed({**judging_facts(name, verdicts), "labels": labels.name, **found}, agreement_table(found, name))


def _read(file: Path, key: str) -> list[Labelled]:
    try:
        lines = existing(file, key).read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise InputError(f"{key}: {file} is no UTF-8 text; save it as JSON lines in UTF-8") from None
    return read_labelled(lines, str(file))
