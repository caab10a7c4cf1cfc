"""More cases of docs/errors.md: asking, calibrating, serving, lessons edited by hand, exports, comparisons, sweeps."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tests.e2e.bad_input import Case, Spoil, both, made, rows, sets, version, writes

if TYPE_CHECKING:
    from tests.conftest import Site


def lessons(change: Callable[[list[dict[str, Any]]], Sequence[Any]]) -> Spoil:
    """Lessons made, and then edited by hand."""
    edit = rows("runs/lights/50-lessons/01-raft/lessons.jsonl", change)
    return made(last="synthesize", then=edit)


def asks_an_exam_question(found: list[dict[str, Any]], site: Site) -> list[dict[str, Any]]:
    """The first lesson, asking the first exam question and giving its answer."""
    placed = [
        json.loads(line) for line in (version(site, "30-exam") / "questions.jsonl").read_text("utf-8").splitlines()
    ]
    question = next(row["question"] for row in placed if row["side"] == "exam")
    first = next(row for row in found if row["kind"] == "oracle")
    content = first["prompt"]["messages"][-1]["content"]
    asked = f"{content[: content.rindex('Question: ')]}Question: {question['question']}"
    messages = [*first["prompt"]["messages"][:-1], {"role": "user", "content": asked}]
    changed = {
        **first,
        "prompt": {**first["prompt"], "messages": messages},
        "target": f"Answer: {question['answers'][0]}",
    }
    return [changed, *(row for row in found if row is not first)]


def leaks(site: Site) -> None:
    made(last="synthesize", then=lambda site: None)(site)
    rows("runs/lights/50-lessons/01-raft/lessons.jsonl", lambda found: asks_an_exam_question(found, site))(site)


EXPORT = ("export", "FOLDER/out", "--file", "FILE")
SWEEP = ("sweep", "FOLDER/grid.yaml")
COMPARE = ("compare", "--file", "FILE", "lights")
ASK = ("ask", "Who keeps the lamp?", "--file", "FILE")
TRAIN = ("train", "FILE")
UNCALIBRATED = {"train": 0.6, "validation": 0.2, "calibration": 0, "exam": 0.2}
CASES = (
    Case("an empty question to ask", command=("ask", " ", "--file", "FILE")),
    Case("asking before there is an index", command=ASK),
    Case("asking after the index's settings changed", made(then=sets(index={"chunk_tokens": 64})), ASK),
    Case("asking the tuned model before it is there", made(then=lambda site: None), (*ASK, "--model", "tuned")),
    Case("asking a model that is none", made(then=lambda site: None), (*ASK, "--model", "tunde")),
    Case("a way to retrieve that is none", made(then=lambda site: None), (*ASK, "--retrieval", "sometimes")),
    Case(
        "asking as calibrated before there is a calibration",
        made(then=lambda site: None),
        (*ASK, "--retrieval", "auto"),
    ),
    Case("calibrating on no questions", sets(examine={"shares": UNCALIBRATED}), ("calibrate", "FILE")),
    Case("a loss of nothing at all", sets(calibrate={"max_loss": 0}), ("calibrate", "FILE")),
    Case("serving to others before there is a key", command=("serve", "--host", "0.0.0.0", "FILE")),
    Case("an API key of a name that is none", command=("serve", "--new-key", "my app", "FILE")),
    Case("any web page let in", sets(serve={"origins": ["*"]}), ("serve", "FILE")),
    Case("serving a model that is no endpoint's", sets(serve={"tuned": "hf:a/b"}), ("serve", "FILE")),
    Case(
        "lessons that repeat the prompt",
        lessons(lambda found: [{**row, "target": f"Question: why?\n{row['target']}"} for row in found]),
        TRAIN,
    ),
    Case("lessons with nothing to learn", lessons(lambda found: [{**found[0], "target": " "}, *found[1:]]), TRAIN),
    Case("an exam question among the lessons", leaks, TRAIN),
    Case("a lesson that is none", lessons(lambda found: [{"target": "x"}, *found[1:]]), TRAIN),
    Case("a broken line among the lessons", lessons(lambda found: [*found, '{"id":']), TRAIN),
    Case("showing what is not made", command=("show", "lessons", "--file", "FILE")),
    Case("showing what is no artifact", command=("show", "lesson", "--file", "FILE")),
    Case("exporting before there is a tuned model", command=("export", "FOLDER/out", "--file", "FILE")),
    Case("exporting before there are lessons", command=(*EXPORT, "--to", "chat")),
    Case("exporting in a form that is none", command=(*EXPORT, "--to", "axolot")),
    Case("exporting over what is there", made(last="synthesize", then=writes("out/x", "")), (*EXPORT, "--to", "chat")),
    Case(
        "exporting lessons of other methods",
        made(last="synthesize", then=sets(train={"method": ["sft", "raft"]})),
        (*EXPORT, "--to", "chat"),
    ),
    Case("comparing one run", made(last="ingest", then=lambda site: None), COMPARE),
    Case("comparing a run with itself", made(last="ingest", then=lambda site: None), (*COMPARE, "lights")),
    Case("comparing with a run that is none", made(last="ingest", then=lambda site: None), (*COMPARE, "ligths")),
    Case(
        "comparing what was not examined",
        both(made(last="ingest", then=lambda site: None), writes("runs/other/x", "")),
        (*COMPARE, "other"),
    ),
    Case("a sweep that is not there", command=SWEEP),
    Case("a sweep without a grid", writes("grid.yaml", "metric: f1\n"), SWEEP),
    Case("a sweep over no values", writes("grid.yaml", "grid: {train.rank: 8}\n"), SWEEP),
    Case("a sweep over a setting that is none", writes("grid.yaml", "grid: {train.rang: [8, 16]}\n"), SWEEP),
    Case("a sweep of a run that is not there", writes("grid.yaml", "base: gone.yaml\ngrid: {train.rank: [8]}"), SWEEP),
    Case("a sweep by a figure that is none", writes("grid.yaml", "metric: f11\ngrid: {train.rank: [8]}\n"), SWEEP),
    Case("proposing questions over what is there", made(then=writes("candidates.jsonl", "")), ("questions", "FILE")),
    Case("proposing by what is none", made(then=lambda site: None), ("questions", "FILE", "--by", "magic")),
)
