"""Look lessons over before they are learned: those just made, those taken from another run, those edited by hand.

That is why it happens at the head of training, and not where lessons are made. Knows the table's artifacts and how
training renders a lesson; what is wrong with one is `methods.lint`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragraft.errors import InputError
from ragraft.methods.lint import Lint, grave_sentence, lint_data, lint_lessons
from ragraft.methods.lint_row import Rendered
from ragraft.methods.lint_table import lint_table
from ragraft.methods.report_table import Table
from ragraft.pipeline.runner import Session
from ragraft.pipeline.wiring import At
from ragraft.records import Lesson, to_json
from ragraft.workspace import LINT, Exam, Folder, Lessons, LessonSet

if TYPE_CHECKING:
    from ragraft.models.chat import ChatTokenizer


def check_lessons(at: At, out: Folder) -> None:
    """Write lint.json; raise InputError where a finding is grave."""
    found = look_over(at)
    out.write_json(LINT, {name: lint_data(lint) for name, lint in found.items()})
    for name, lint in found.items():
        if lint.grave:
            file = Lessons(at.made["synthesize"]).steps()[name].folder.file("lessons.jsonl")
            raise InputError(f"{file}: {grave_sentence(lint)}. All findings: ragraft show lessons")


def lesson_table(session: Session) -> Table:
    """What stands in the run's lessons now, as a table."""
    return lint_table({name: lint_data(lint) for name, lint in look_over(session.at()).items()})


def look_over(at: At) -> dict[str, Lint]:
    """Each method's lessons, looked over, by folder name."""
    from ragraft.models.chat import load_tokenizer

    tokenizer = load_tokenizer(Path(at.backends.model_facts()["path"]))
    return {name: _look(at, lessons, tokenizer) for name, lessons in Lessons(at.made["synthesize"]).steps().items()}


def _look(at: At, lessons: LessonSet, tokenizer: ChatTokenizer) -> Lint:
    from ragraft.training.trees import render_lesson

    def rendered(lesson: Lesson) -> Rendered:
        data: dict[str, Any] = to_json(lesson)
        ids, learned_from = render_lesson(data, tokenizer)
        return Rendered(len(ids), len(ids) - learned_from, ids[-1])

    rows = lessons.train()
    return lint_lessons(
        rows,
        map(rendered, rows),
        ends={tokenizer.end},
        controls=tokenizer.control_texts,
        exam=Exam(at.made["examine"]).questions("exam"),
        abstention=at.config.prompt.abstention,
    )
