"""What every probe starts from: the questions, the arms, and what the grid has answered already. Knows no settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ragraft.methods.asking import Arm, Room
from ragraft.methods.contexts import Context, Shown
from ragraft.records import Answer, ExamQuestion, Passage

RETRIEVED: Context = "retrieved"
Rows = Mapping[str, Answer]
"""Question id → row."""


@dataclass(slots=True)
class Desk:
    """Where probes ask."""

    questions: Sequence[ExamQuestion]
    room: Room
    arms: Sequence[Arm]
    seed: int
    exam: Sequence[ExamQuestion] = ()
    """All questions of the side: other answers are drawn from theirs."""
    grid: Mapping[str, Sequence[Answer]] = field(default_factory=dict)
    """Model → its rows with retrieved passages, where the grid has asked for them."""
    passages: Mapping[str, Sequence[Passage]] = field(default_factory=dict)
    """Question id → the passages that the grid retrieved."""

    @property
    def answerable(self) -> list[ExamQuestion]:
        """The questions that the documents answer and whose evidence is known."""
        return [one for one in self.questions if one.question.answerable and one.oracle]

    def ask(self, label: str, shown: Shown) -> dict[str, dict[str, Answer]]:
        """Model → question id → row. What does not fit is cut as in use; its rows say what they were shown."""
        return {arm.name: {row.question_id: row for row in self.room.rows(arm, label, shown)} for arm in self.arms}

    def ask_one(self, arm: Arm, label: str, shown: Shown) -> dict[str, Answer]:
        """As `ask`, of one model."""
        return {row.question_id: row for row in self.room.rows(arm, label, shown)}

    def fitting(self, shown: Shown) -> Shown:
        """Those of which all passages fit into the prompt."""
        builder = self.room.builder
        return [(one, passages) for one, passages in shown if builder.fits(one.question.question, passages)]

    def retrieved(self) -> tuple[dict[str, tuple[Passage, ...]], dict[str, dict[str, Answer]], list[Answer]]:
        """What search finds by question, the rows of each model on it, and those of them that were asked just now.

        The grid's own rows are taken where it has them, so that a probe judges the very answers that are scored.
        """
        wanted = {one.id for one in self.questions}
        if self.grid and all(arm.name in self.grid for arm in self.arms):
            rows = {
                model: {row.question_id: row for row in answers if row.question_id in wanted}
                for model, answers in self.grid.items()
            }
            return {name: tuple(self.passages[name]) for name in wanted}, rows, []
        shown = self.room.show(RETRIEVED, self.questions)
        asked = self.ask(RETRIEVED, shown)
        found = {one.id: passages for one, passages in shown}
        return found, asked, [row for cell in asked.values() for row in cell.values()]
