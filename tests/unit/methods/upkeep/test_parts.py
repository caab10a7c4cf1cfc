"""A refreshed exam part by part."""

from __future__ import annotations

from ragraft.methods.upkeep.parts import WHOLE, compare_parts, parts_table
from ragraft.records import Answer, ExamQuestion, Question


def answer(name: str, model: str, score: float, *, abstained: bool = False) -> Answer:
    scores = dict.fromkeys(
        ("f1", "em", "f1_all", "em_all", "citation_precision", "citation_recall", "quoted", "quote_verbatim"), score
    )
    return Answer(name, model, "retrieved", "", "", (), (), abstained, (), True, 10, 5, scores=scores)


def test_every_part_has_its_own_figures() -> None:
    questions = [
        ExamQuestion(Question(f"q{row}", "?", ("a",) if row < 8 else ()), "exam", f"c{row}") for row in range(10)
    ]
    parts = {f"q{row}": "unchanged" if row < 5 else "changed" for row in range(10)}
    rows = [
        answer(one.id, model, right if parts[one.id] == "changed" else 1.0, abstained=not one.question.answerable)
        for one in questions
        for model, right in (("old", 0.0), ("new", 1.0))
    ]
    models = ("old", "new")
    found = compare_parts(rows, questions, parts, models=models, pairs=(("new", "old"),), resamples=100, seed=0)
    assert list(found) == [WHOLE, "unchanged", "changed"]
    table = parts_table(found, 2, metric="f1", models=models, pair=("new", "old"))
    assert table.columns == ("", "Questions", "old", "new", "new minus old")
    said = {row[0]: row[1:] for row in table.rows}
    values = {name: [figure.split(" ")[0] for figure in figures] for name, figures in said.items()}
    assert values["unchanged, score"] == ["5", "100.0", "100.0", "0.0"]
    assert values["changed, score"] == ["3", "0.0", "100.0", "+100.0"]
    assert said["changed, abstentions"][0] == "2"
    assert "unchanged, abstentions" not in said
    assert table.notes[-1] == "Retired from the exam before: 2 questions, named in 30-exam's rejected.jsonl."


def test_who_was_asked_a_part_alone_has_no_figure_of_the_whole() -> None:
    questions = [ExamQuestion(Question(f"q{row}", "?", ("a",)), "exam", f"c{row}") for row in range(6)]
    parts = {one.id: "unchanged" if one.id < "q3" else "changed" for one in questions}
    rows = [answer(one.id, "new", 1.0) for one in questions]
    rows += [answer(one.id, "then", 0.5) for one in questions if parts[one.id] == "unchanged"]
    found = compare_parts(rows, questions, parts, models=("then", "new"), pairs=(), resamples=100, seed=0)
    models = {part: [one["model"] for one in card["conditions"]] for part, card in found.items()}
    assert models == {WHOLE: ["new"], "unchanged": ["then", "new"], "changed": ["new"]}
