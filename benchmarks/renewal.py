"""Of questions that nobody mended after their documents changed, whether a refresh retires the right ones.

    python -m benchmarks.renewal [--data FOLDER] [--folder NAME] [--json FILE]

FOLDER/NAME (`eol` when left out) holds two folders, one a date, each with `corpus.jsonl` and files of questions whose
rows say by `drift` what became of their answer between the two: unchanged, changed or removed. The older questions are
placed on the older documents, and then compared with the newer ones as `ragraft refresh` does. A question that is
unchanged should be asked again, any other retired. No model; intervals are over products, whose questions hang
together.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ragraft.methods.chunk import chunk_document
from ragraft.methods.oracle import Places, locate
from ragraft.methods.stats import mean_interval
from ragraft.methods.upkeep.evidence import state_of
from ragraft.methods.upkeep.renewal import renew, standing
from ragraft.records import Chunk, Document, ExamQuestion, Question

WORDS = 190
"""Of a chunk, about as many as ragraft's own chunks of 256 tokens hold."""
NEWEST = "newest"
"""Its old answer may well stand in the documents still."""
OTHERS = f"not {NEWEST}"
KINDS = ("unchanged", "changed", "removed")


@dataclass(frozen=True, slots=True)
class Figure:
    """A kind of question, all or those of a type."""

    kind: str
    type: str
    n: int
    retired: float
    low: float | None
    high: float | None
    stands: dict[str, int]
    """How many stand and how."""


def measure(folder: Path) -> list[Figure]:
    """A figure a kind of drift, over all questions and by the question's type."""
    older, newer = sorted(place for place in folder.iterdir() if place.is_dir())
    before, now = _documents(older), _documents(newer)
    chunks = _chunks(before)
    places, by_id = Places(before, chunks, {}), {chunk.id: chunk for chunk in chunks}
    state = state_of(now, _chunks(now), before)
    placed: list[ExamQuestion] = []
    drift: dict[str, tuple[str, str, str]] = {}
    for row in _rows(older, "[!c]*.jsonl"):
        asked = Question(row["key"], row["question"], tuple(row["answers"]), tuple(map(_plain, row["evidence_ids"])))
        found = locate(asked, places)
        if asked.answerable and found.chunks:
            placed.append(ExamQuestion(asked, "exam", row["key"], found.chunks, found.weak, found.located, found.parts))
            drift[row["key"]] = (row["drift"], row["type"], row["key"].partition("|")[0])
    retired = {row.id for row in renew(placed, [one.question for one in placed], by_id, state).retired}
    figures = []
    for kind in KINDS:
        for type_ in ("all", OTHERS, *sorted({type_ for _, type_, _ in drift.values()})):
            part = [one for one in placed if drift[one.id][0] == kind and _is_of(drift[one.id][1], type_)]
            if part:
                mean = mean_interval(
                    [float(one.id in retired) for one in part], [drift[one.id][2] for one in part], share=True
                )
                stands = [standing(one, by_id, state) for one in part]
                counts = {name: stands.count(name) for name in ("kept", "reworded", "changed", "gone")}
                figures.append(Figure(kind, type_, mean.n, mean.value, mean.low, mean.high, counts))
    return figures


def _is_of(type_: str, asked: str) -> bool:
    return asked in ("all", type_) or (asked == OTHERS and type_ != NEWEST)


def _documents(folder: Path) -> list[Document]:
    return [Document(_plain(row["id"]), row["title"], row["text"]) for row in _rows(folder, "corpus.jsonl")]


def _chunks(documents: Sequence[Document]) -> list[Chunk]:
    return [
        chunk for one in documents for chunk in chunk_document(one, count=lambda text: len(text.split()), size=WORDS)
    ]


def _rows(folder: Path, form: str) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob(form)):
        yield from map(json.loads, file.read_text("utf-8").splitlines())


def _plain(name: str) -> str:
    """A document's id without its date."""
    return name.partition("@")[0]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a row a kind, and write the figures where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.renewal", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("data"), help="the folder of sets")
    parser.add_argument("--folder", default="eol", help="the set of two dates")
    parser.add_argument("--json", type=Path, help="write the figures there")
    asked = parser.parse_args(arguments)
    figures = measure(asked.data / asked.folder)
    print(f"{'answer':<12}{'type':<12}{'n':>6}{'retired':>9}   95 %")
    for row in figures:
        ends = "-" if row.low is None or row.high is None else f"[{100 * row.low:.1f}, {100 * row.high:.1f}]"
        print(f"{row.kind:<12}{row.type:<12}{row.n:>6}{100 * row.retired:>9.1f}   {ends}")
    if asked.json:
        facts = {"created": datetime.now(UTC).isoformat(timespec="seconds"), "python": platform.python_version()}
        made = {
            "benchmark": "renewal",
            "set": asked.folder,
            **facts,
            "versions": {"ragraft": version("ragraft")},
            "rows": [*map(asdict, figures)],
        }
        asked.json.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
