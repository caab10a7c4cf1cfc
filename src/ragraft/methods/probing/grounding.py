"""Whether answers follow the documents: what they say when the cited one is taken away, and when it says otherwise.

Removal asks again without the passages that an answer cited. Where nothing that is left holds the evidence or a right
answer, only abstaining is right; an answer that stays the same was never the document's. Replacement shows the oracle
with its answer exchanged for another of the same kind: an answer that follows its document says the new one.
"""

from __future__ import annotations

from collections.abc import Sequence

from ragraft.methods.asking import Arm
from ragraft.methods.containment import holds
from ragraft.methods.contexts import Shown, oracle_of
from ragraft.methods.grade import normalised
from ragraft.methods.probing.asked import Desk
from ragraft.methods.probing.figures import Probed, Reading
from ragraft.methods.probing.swapping import swap_answers
from ragraft.records import Answer, ExamQuestion, Passage


def removal(desk: Desk) -> Probed:
    """Each model without the passages that it cited itself; abstentions had none to rest on and are not asked again."""
    found, rows, answers = desk.retrieved()
    readings = []
    for arm in desk.arms:
        gone, same, again = _removed(desk, arm, rows[arm.name], found)
        readings += [
            Reading("abstains without the cited document", arm.name, gone),
            Reading("says the same without it", arm.name, same),
        ]
        answers += again
    return Probed(tuple(readings), tuple(answers))


def _removed(
    desk: Desk, arm: Arm, before: dict[str, Answer], found: dict[str, tuple[Passage, ...]]
) -> tuple[dict[str, float | None], dict[str, float | None], list[Answer]]:
    answered = [one for one in desk.questions if not before[one.id].abstained]
    shown: Shown = []
    for one in answered:
        row = before[one.id]
        left = tuple(
            passage for passage in found[one.id] if passage.id in row.passages and passage.id not in row.citations
        )
        if row.citations and left and not _tells(one, left):
            shown.append((one, left))
    again = desk.ask_one(arm, "removal", shown)

    def judged(value: dict[str, bool]) -> dict[str, float | None]:
        return {one.id: float(value[one.id]) if one.id in value else None for one in answered}

    gone = {name: row.abstained for name, row in again.items()}
    same = {name: normalised(row.answer) == normalised(before[name].answer) for name, row in again.items()}
    return judged(gone), judged(same), list(again.values())


def _tells(question: ExamQuestion, passages: Sequence[Passage]) -> bool:
    """Whether these passages still hold some of the evidence, or a right answer."""
    if any(not set(question.oracle).isdisjoint(passage.chunks) for passage in passages):
        return True
    return any(holds(passage.text, answer) for passage in passages for answer in question.question.answers)


def replacement(desk: Desk) -> Probed:
    """The oracle alone, with another answer in it."""
    questions, room = desk.answerable, desk.room
    oracles = {one.id: oracle_of(one, room.chunks, room.k) for one in questions}
    swapped = swap_answers(questions, oracles, seed=desk.seed, others=desk.exam)
    shown = desk.fitting([(one, swapped[one.id].passages) for one in questions if one.id in swapped])
    readings: list[Reading] = []
    answers: list[Answer] = []
    for model, rows in desk.ask("replacement", shown).items():
        new = {
            one.id: not rows[one.id].abstained and holds(rows[one.id].answer, swapped[one.id].fake) for one, _ in shown
        }
        old = {one.id: any(holds(rows[one.id].answer, gold) for gold in one.question.answers) for one, _ in shown}
        figures = {
            "follows the changed document": {name: new[name] and not old[name] for name in new},
            "keeps to the old answer": {name: old[name] and not new[name] for name in new},
            "abstains on the changed document": {name: row.abstained for name, row in rows.items()},
        }
        readings += [
            Reading(figure, model, {one.id: float(values[one.id]) if one.id in values else None for one in questions})
            for figure, values in figures.items()
        ]
        answers += rows.values()
    return Probed(tuple(readings), tuple(answers))
