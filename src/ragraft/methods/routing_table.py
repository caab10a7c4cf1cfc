"""A calibration as tables and sentences, alike for the terminal and the page. Knows its record; computes no figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ragraft.methods.exam_facts import making_sentence
from ragraft.methods.report_table import Table
from ragraft.methods.report_text import MISSING, interval, plural, points, tokens

Data = Mapping[str, Any]
SIDES = {"calibration": "Calibration side", "exam": "Exam"}
ROWS = (
    ("skipped", "Retrievals saved"),
    ("tokens_saved", "Tokens saved, drafts counted"),
    ("always", "Score, always retrieving"),
    ("never", "Score, never retrieving"),
    ("auto", "Score, auto"),
    ("lost", "Lost by skipping, always minus auto"),
    ("loss", "Lost where skipping loses, every cluster alike (what is bounded)"),
    ("wrong_always", "Answered wrongly, always retrieving"),
    ("wrong", "Answered wrongly, auto"),
    ("wrong_bounded", "Answered wrongly, auto, every cluster alike (what calibrate.max_wrong bounds)"),
    ("abstains_always", "Abstains, always retrieving"),
    ("abstains", "Abstains, auto"),
    ("oracle_skipped", "Retrievals that a perfect router would save"),
    ("oracle", "Score of a perfect router"),
)
SIGNED = ("lost", "tokens_saved")
KINDS = {"closed_book": "closed-book", "with_passages": "with passages"}


def calibration_tables(data: Data) -> tuple[Table, ...]:
    """As they are printed and shown."""
    return (routing_table(data), error_table(data))


def routing_table(data: Data) -> Table:
    """What auto does, a row a figure and a column a side, with what is promised and whether it held below."""
    sides = {side: data[side] for side in SIDES if data.get(side)}
    rows = [
        (label, *(interval(one["figures"][name], signed=name in SIGNED) for one in sides.values()))
        for name, label in ROWS
    ]
    for name, label in (("tokens_always", "Tokens an answer, always"), ("tokens", "Tokens an answer, auto")):
        rows.append((label, *(tokens(one["figures"][name]) for one in sides.values())))
    columns = ("Of 100", *(SIDES[side] for side in sides))
    return Table("What retrieval: auto does", columns, tuple(rows), tuple(sentences(data)))


def error_table(data: Data) -> Table:
    """How far probabilities are from what comes true, before and after calibration."""
    sides = {side: data[side] for side in SIDES if data.get(side)}
    rows = [
        (
            f"{kind_name[:1].upper()}{kind_name[1:]}, {when}",
            *(_error(one["calibration"][kind][key]) for one in sides.values()),
        )
        for kind, kind_name in KINDS.items()
        for key, when in (("before", "the model's own"), ("after", "calibrated"))
    ]
    columns = ("Calibration error, of 100", *(SIDES[side] for side in sides))
    return Table("How far probabilities are from what comes true", columns, tuple(rows))


def sentences(data: Data) -> list[str]:
    """What is promised, of whom, and whether it held on the exam."""
    label = making_sentence(data["made_by"], "calibration")
    return [
        skip_sentence(data),
        *_answer_sentences(data),
        f"Thresholds rest on {plural(data['questions'], 'question')} in {plural(data['clusters'], 'cluster')} of the "
        "calibration side, each with probabilities out of fold. What is promised is promised of questions on documents "
        "like these (clusters exchangeable with them), in the mean, and of no others.",
        *([f"{label[:1].upper()}{label[1:]}."] if label else []),
        *_exam_sentences(data),
    ]


def skip_sentence(data: Data) -> str:
    """What is promised of skipping, or why nothing is skipped."""
    skip, most = data["skip"], points(data["skip"]["most"])
    if skip["too_few"]:
        return (
            "The calibration side is too small for the guarantee: its questions stand in "
            f"{plural(skip['n'], 'cluster')} of shared documents, and {most} points of score cannot be promised on "
            f"fewer than {skip['needed']:,}; auto always retrieves."
        )
    if not skip["taken"]:
        return (
            f"Not even the surest answers from memory can be trusted to lose at most {most} points of score; auto "
            "always retrieves."
        )
    where = f"a right closed-book answer has a calibrated probability above {skip['threshold']:.2f}"
    if not skip["worth"]:
        return (
            f"Skipping retrieval where {where} would lose at most {most} points of score in the mean, but it would be "
            f"{skip['taken']} of {data['questions']} questions, and the drafts of all cost more tokens than it saves; "
            "auto always retrieves. With calibrate.saves: retrievals it skips all the same."
        )
    return (
        f"Auto skips retrieval where {where}: in the mean it then loses at most {most} points of score against always "
        "retrieving."
    )


def _answer_sentences(data: Data) -> list[str]:
    answer = data["answer"]
    if answer is None:
        return []
    most = points(answer["most"])
    if answer["too_few"]:
        return [
            f"Nor can it be promised on fewer than {answer['needed']:,} such clusters that at most {most} of 100 "
            "questions are answered wrongly: auto abstains from everything."
        ]
    if not answer["taken"]:
        return [f"No threshold keeps wrong answers within {most} of 100: auto abstains wherever it retrieves."]
    return [
        f"It abstains where an answer from passages has a calibrated probability of {answer['threshold']:.2f} or "
        f"less: in the mean at most {most} of 100 questions are then answered wrongly."
    ]


def _exam_sentences(data: Data) -> list[str]:
    if not data.get("exam"):
        return ["Not checked on the exam (calibrate.exam is false)."]
    held = []
    if data["skip"]["worth"]:
        held.append(_held("the loss was", data["exam"]["figures"]["loss"], data["skip"]["most"]))
    if data["answer"] is not None and not data["answer"]["too_few"]:
        held.append(_held("wrongly answered were", data["exam"]["figures"]["wrong_bounded"], data["answer"]["most"]))
    saved = data["exam"]["figures"]["tokens_saved"]["value"]  # 0 where nothing is drafted
    if saved < 0:
        held.append("Drafts cost more tokens than skipping saves: for tokens alone, always is cheaper here.")
    return held


def _held(what: str, figure: Data, most: float) -> str:
    told = f"On the exam {what} {interval(figure)} of 100, and at most {points(most)} is promised in the mean"
    if figure["value"] <= most:
        return f"{told}: it held."
    if figure["low"] is not None and figure["low"] <= most:
        return f"{told}: more, but no more than chance explains."
    return f"{told}: it did not hold; see whether exam and calibration side ask alike."


def _error(found: Data) -> str:
    return interval(found["ece"]) if found else MISSING
