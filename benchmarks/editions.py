"""Two editions of a set whose facts bear the same key in both: what is asked, and what is learned of each.

Of the keys that were asked of the older edition a half, by the hash of the key, is the exam, which is never learned as
the newer edition has it; of the other half a refresh may learn. Documents are the same in both editions where their
ids differ by the edition alone. Knows files; knows no model.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragraft.errors import ConfigError
from ragraft.methods.lots import lot
from ragraft.methods.questions import read_questions
from ragraft.methods.target import find_quotes
from ragraft.methods.upkeep.currency import STATES, gives
from ragraft.methods.upkeep.trace import Pair, Traced
from ragraft.records import Passage, Question

Row = dict[str, Any]
FEW = 30
"""Facts, below which more of one cluster are better than none."""
LONG = 10_000
"""Words of a quote: a sentence is followed whole."""
EXAM_ROWS = 8
"""Of the run's own exam, which every run needs and this benchmark does not ask."""


@dataclass(frozen=True, slots=True)
class Editions:
    """A set's two editions, and the recipe of the older one."""

    folder: str
    older: str
    newer: str
    recipe: str


SETS = {
    "eol": Editions("eol", "2024-12-31", "2026-08-22", "eol_2024-12-31"),
    "cortex_docs": Editions("cortex_docs", "v1.10.0", "v1.21.1", "cortex_docs_v1.10.0"),
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a benchmark asks and teaches, as rows of files."""

    documents: Mapping[str, Sequence[Row]]
    """Of the older and the newer edition."""
    asked: Sequence[Row]
    """As the newer edition answers them."""
    taught: Sequence[Row]
    """As the older edition answers them: all that are asked; half of the rest is also what a refresh learns."""
    refresh: Sequence[Row]
    """For a refresh: facts of the other half as the newer edition answers them, then older lessons that are replayed:
    none that is asked, and only those whose answers still stand."""
    exam: Sequence[Row]
    """Of the run's own exam, and below as the newer edition answers it."""
    exam_newer: Sequence[Row]


def prepare(data: Path, editions: Editions, *, questions: int, lessons: int, seed: int) -> Prepared:
    """Draw what is asked and what is learned, alike for a seed; raises ConfigError where a file is missing."""
    older, newer = (_read_edition(data / editions.folder, edition) for edition in (editions.older, editions.newer))
    before = {row["key"]: row for row in older["train"]}
    newer_keys = {row["key"] for row in newer["train"]}
    common = [row for row in newer["train"] if row["key"] in before]
    places = _places([*older["train"], *common])
    common = [_with_place(row, before[row["key"]], places) for row in common]
    now = {row["key"]: row for row in newer["dev"]}
    exam = [row for row in older["dev"] if row["key"] in now][:EXAM_ROWS]
    free, spare = ([row for row in common if is_exam(row["key"]) is wanted] for wanted in (True, False))
    asked = draw(free, questions, seed=seed)
    also = max(lessons - len(asked), 0)
    others = [row for row in older["train"] if row["key"] not in newer_keys]
    again = by_lot(others, seed=seed)[: also - also // 2]
    replayed = [row for row in again if stands(row, newer["corpus"])]
    fresh = draw(spare, lessons - len(replayed), seed=seed)
    both = by_lot(fresh, seed=seed)[: also // 2]
    taught = [*(before[row["key"]] for row in (*asked, *both)), *again]
    return Prepared(
        documents={"older": older["corpus"], "newer": newer["corpus"]},
        asked=asked,
        taught=taught,
        refresh=[*fresh, *replayed],
        exam=exam,
        exam_newer=[now[row["key"]] for row in exam],
    )


def draw(rows: Sequence[Row], number: int, *, seed: int) -> list[Row]:
    """At most so many rows, by lot, one of each cluster in turn.

    Of what was added or removed up to an eighth each, of what changed and what stayed a half of the rest each, though
    no second changed one of a cluster where there are many. Where there are fewer of a state, the others get more.
    """
    by_state = {state: _in_turn([row for row in by_lot(rows, seed=seed) if row["drift"] == state]) for state in STATES}
    wanted = {state: min(len(by_state[state]), number // 8) for state in ("removed", "added")}
    rest = number - sum(wanted.values())
    most = max(len({_cluster(row) for row in by_state["changed"]}), FEW)
    wanted["changed"] = min(len(by_state["changed"]), most, rest - rest // 2)
    wanted["unchanged"] = min(len(by_state["unchanged"]), rest - wanted["changed"])
    for state in ("added", "removed", "changed"):  # what the others leave
        wanted[state] += min(len(by_state[state]) - wanted[state], number - sum(wanted.values()))
    return [row for state in STATES for row in by_state[state][: wanted[state]]]


def stands(row: Row, documents: Sequence[Row]) -> bool:
    """Whether an answer of the row still stands in its evidence: all that can be told without the newer answers."""
    texts = [one["text"] for one in documents if one["id"] in row["evidence_ids"]]
    return any(answer in text for answer in row["answers"] for text in texts)


def _in_turn(rows: Sequence[Row]) -> list[Row]:
    """One of each cluster, then the second of each, and so on: clusters, not questions, are the sample."""
    seen: Counter[str] = Counter()
    turns = []
    for place, row in enumerate(rows):
        turns.append((seen[_cluster(row)], place))
        seen[_cluster(row)] += 1
    return [rows[place] for _, place in sorted(turns)]


def _cluster(row: Row) -> str:
    return str(row.get("metadata", {}).get("cluster", row["key"]))


def by_lot(rows: Sequence[Row], *, seed: int) -> list[Row]:
    """The rows in an order that no other row changes."""
    return sorted(rows, key=lambda row: (lot(f"{seed}:{row['key']}"), row["key"]))


def is_exam(key: str) -> bool:
    """Whether a fact stays exam: its newer answer is never learned."""
    return lot(f"currency:{key}")[0] % 2 == 0


def _read_edition(folder: Path, edition: str) -> dict[str, list[Row]]:
    found = {}
    for name in ("corpus", "train", "dev"):
        file = folder / edition / f"{name}.jsonl"
        if not file.is_file():
            raise ConfigError(f"No {file}; --data names the folder that holds {folder.name}")
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        found[name] = [_without_edition(row, edition) for row in rows]
    return found


def _without_edition(row: Row, edition: str) -> Row:
    """Ids, of the row and of its evidence, that the same document or fact has in both editions."""

    def plain(name: str) -> str:
        return name.removesuffix(f"@{edition}").replace(f"-{edition}", "", 1)

    changed = {**row, "id": row.get("key") or plain(row["id"])}
    if "evidence_ids" in row:
        changed["evidence_ids"] = [plain(name) for name in row["evidence_ids"]]
    return changed


def _places(rows: Sequence[Row]) -> dict[str, str]:
    """What a fact shares with those that go up and down with it: its product, else the document of its evidence."""
    found: dict[str, str] = {}
    for row in rows:
        named = row.get("metadata", {}).get("product") or next(iter(row["evidence_ids"]), "")
        if named:
            found.setdefault(row["key"], named)
    return found


def _with_place(row: Row, before: Row, places: Mapping[str, str]) -> Row:
    """The newer row with its cluster, and with what was answered before where that is no answer now."""
    metadata = {**row.get("metadata", {}), "cluster": places.get(row["key"], row["key"])}
    old = row.get("old_answers") or (before["answers"] if row["drift"] == "removed" else [])
    return {**row, "metadata": metadata, **({"old_answers": old} if old else {})}


def question_of(row: Row) -> Question:
    """A row of a file as a Question: what ragraft doesn't know stands in its metadata."""
    (found,) = read_questions([json.dumps(row)], origin="rows").questions
    return found


def trace_all(data: Path, editions: Editions) -> Row:
    """What is told of the older edition's facts by the documents alone, and how often that is so.

    `{"facts", "told": {state: {"facts", "right"}}, "values": {"read", "right"}, "unclear"}`; right: as the set has it.
    """
    older, newer = (_read_edition(data / editions.folder, edition) for edition in (editions.older, editions.newer))
    texts = [{row["id"]: row["text"] for row in edition["corpus"]} for edition in (older, newer)]
    now = {row["key"]: row for side in ("train", "dev") for row in newer[side]}
    pairs: dict[str, Pair] = {}
    told: dict[str, list[bool]] = {state: [] for state in ("unchanged", "changed", "removed")}
    values: list[bool] = []
    rows = [row for side in ("train", "dev") for row in older[side] if row["answers"]]
    for row in rows:
        place = row["evidence_ids"][0]
        if place not in texts[1]:
            told["removed"].append(row["drift"] == "removed")
            continue
        pair = pairs.setdefault(place, Pair(texts[0][place], texts[1][place]))
        quotes = find_quotes(question_of(row), [Passage(place, place, "", pair.before)], LONG)
        traced = pair.trace(row["question"], quotes[0].text, row["answers"]) if quotes else Traced("unclear")
        if traced.became in told:
            told[traced.became].append(row["drift"] == traced.became)
        if traced.became == "changed" and traced.value and row["drift"] == "changed":
            values.append(gives(traced.value, "", row.get("new_answers") or now[row["key"]]["answers"]))
    return {
        "facts": len(rows),
        "told": {state: {"facts": len(found), "right": sum(found)} for state, found in told.items()},
        "values": {"read": len(values), "right": sum(values)},
        "unclear": len(rows) - sum(map(len, told.values())),
    }
