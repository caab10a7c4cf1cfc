"""The four abilities of RGB (Chen et al. 2023, 2309.01431), on the exam's own questions and documents.

- noise robustness: the share of right answers with the oracle among passages that hold no answer, by their share;
- negative rejection: the share of abstentions where every passage is such noise;
- information integration: the share of right answers to questions whose evidence lies in several documents;
- counterfactual robustness: the right answer is exchanged in the passages; told the true one all the same, and detected
  (abstaining, or saying that the documents are wrong).

An answer is right as in RGB's own script: lower-cased, it holds a right answer as a string, and it doesn't abstain. RGB
looks into the whole reply; here only the parsed answer counts, since the quotes below it hold the right answer even
where the answer is wrong. Noise is what search finds for the question beside its evidence, as in RGB. Labels and calls
are right as they are graded.
"""

from __future__ import annotations

from collections.abc import Sequence

from ragraft.methods.contexts import DEEPER, Shown, among, oracle_of, others_of
from ragraft.methods.grade import measure_of
from ragraft.methods.probing.asked import Desk
from ragraft.methods.probing.figures import Probed, Reading
from ragraft.methods.probing.swapping import swap_answers
from ragraft.records import Answer, ExamQuestion, Passage

NOISE = (0.0, 0.5, 0.8)
"""Shares of passages that hold no answer."""
INTEGRATION_NOISE = (0.0, 0.5)
COUNTERFACTUAL_NOISE = 0.5
DOUBTS = ("factual error", "事实性错误")
"""What RGB takes for a detected error; abstaining counts here too, since no prompt of ours asks for these words."""
CELLS = len(NOISE) + 1 + len(INTEGRATION_NOISE) + 1


def rgb(desk: Desk) -> Probed:
    """Ask and judge all four."""
    room, questions = desk.room, desk.answerable
    most = [_noise(len(oracle_of(one, room.chunks, room.k)), NOISE[-1]) for one in questions]
    others = others_of(questions, finder=room.finder, deep=DEEPER * max([room.k, *most]))
    beside = dict(zip((one.id for one in questions), others, strict=True))
    parts = [
        _robust(desk, "noise robustness", questions, beside, shares=NOISE),
        _rejects(desk, questions, beside),
        _integrates(desk, questions, beside),
        _counterfactual(desk, questions, beside),
    ]
    return Probed(
        tuple(reading for part in parts for reading in part.readings),
        tuple(row for part in parts for row in part.answers),
        tuple(note for part in parts for note in part.notes),
    )


def says_right(row: Answer, question: ExamQuestion) -> float:
    """1 where an answer is right by RGB's measure."""
    if measure_of(question.question) != "text":
        return row.scores["f1"] or 0.0
    told = row.answer.lower()
    return float(not row.abstained and any(answer.lower() in told for answer in question.question.answers))


Beside = dict[str, list[Passage]]


def _noise(oracle: int, share: float) -> int:
    """How many passages of noise make this share of all."""
    return round(oracle * share / (1 - share))


def _noisy(desk: Desk, questions: Sequence[ExamQuestion], beside: Beside, share: float) -> Shown:
    """The oracle among so much noise, of the questions that have as much and whose prompt fits."""
    shown: Shown = []
    for one in questions:
        oracle = oracle_of(one, desk.room.chunks, desk.room.k)
        number = _noise(len(oracle), share)
        if len(beside[one.id]) >= number:
            shown.append((one, among(one, oracle, beside[one.id][:number])))
    return desk.fitting(shown)


def _robust(
    desk: Desk, name: str, questions: Sequence[ExamQuestion], beside: Beside, *, shares: Sequence[float]
) -> Probed:
    """Right answers by share of noise, of the same questions at every share."""
    cells = {share: _noisy(desk, questions, beside, share) for share in shares}
    common = set.intersection(*({one.id for one, _ in shown} for shown in cells.values()))
    readings: list[Reading] = []
    answers: list[Answer] = []
    for share, shown in cells.items():
        kept = [(one, passages) for one, passages in shown if one.id in common]
        label = f"{name}, {100 * share:.0f} % noise"
        for model, rows in desk.ask(label, kept).items():
            readings.append(Reading(label, model, {one.id: says_right(rows[one.id], one) for one, _ in kept}))
            answers += rows.values()
    left = len(questions) - len(common)
    notes = (
        (f"{name}: {left} of {len(questions)} questions left out, which have too little noise or room",) if left else ()
    )
    return Probed(tuple(readings), tuple(answers), notes)


def _rejects(desk: Desk, questions: Sequence[ExamQuestion], beside: Beside) -> Probed:
    shown = [(one, tuple(beside[one.id][: desk.room.k])) for one in questions if beside[one.id]]
    asked = desk.ask("negative rejection", shown)
    readings = tuple(
        Reading("negative rejection", model, {name: float(row.abstained) for name, row in rows.items()})
        for model, rows in asked.items()
    )
    return Probed(readings, tuple(row for rows in asked.values() for row in rows.values()))


def _integrates(desk: Desk, questions: Sequence[ExamQuestion], beside: Beside) -> Probed:
    chunks = desk.room.chunks
    several = [one for one in questions if _documents(oracle_of(one, chunks, desk.room.k)) > 1]
    if not several:
        return Probed((), (), ("information integration: no question rests on several documents",))
    return _robust(desk, "information integration", several, beside, shares=INTEGRATION_NOISE)


def _documents(oracle: Sequence[Passage]) -> int:
    return len({passage.document_id for passage in oracle})


def _counterfactual(desk: Desk, questions: Sequence[ExamQuestion], beside: Beside) -> Probed:
    noisy = _noisy(desk, questions, beside, COUNTERFACTUAL_NOISE)
    swapped = swap_answers(questions, {one.id: passages for one, passages in noisy}, seed=desk.seed, others=desk.exam)
    shown: Shown = [(one, swapped[one.id].passages) for one, _ in noisy if one.id in swapped]
    left = len(questions) - len(shown)
    why = "which have no short answer word for word in their passages, no other answer of its kind, or no room"
    notes = (f"counterfactual robustness: {left} of {len(questions)} questions left out, {why}",) if left else ()
    readings: list[Reading] = []
    answers: list[Answer] = []
    for model, rows in desk.ask("counterfactual robustness", shown).items():
        told = {one.id: says_right(rows[one.id], one) for one, _ in shown}
        doubted = {
            name: float(row.abstained or any(one in row.text.lower() for one in DOUBTS)) for name, row in rows.items()
        }
        readings.append(Reading("counterfactual robustness, true answer told", model, told))
        readings.append(Reading("counterfactual robustness, error detected", model, doubted))
        answers += rows.values()
    return Probed(tuple(readings), tuple(answers), notes)
