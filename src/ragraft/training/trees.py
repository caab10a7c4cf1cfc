"""Lessons as token trees: a trunk of shared tokens, and branches that learn. Knows tokens; knows nothing of documents.

Rows of one group are rendered whole and then share their common beginning, so a tree holds exactly the tokens of its
rows: where tokenizing the parts would differ from tokenizing the whole, the trunk ends before.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ragraft.errors import TrainingError
from ragraft.models.chat import ChatTokenizer
from ragraft.records import prompt_from_json

# A shorter common beginning isn't worth a mask.
SHORTEST_TRUNK = 16


@dataclass(frozen=True, slots=True)
class Row:
    """One training row: the model reads `ids`, and learns those from `answer_from` on (never the first)."""

    ids: tuple[int, ...]
    answer_from: int
    group: str = ""
    """Rows of one group, in one copy, are told to share their beginning; an empty group shares nothing."""
    copy: int = 0
    """Which variant of its lesson this is: epoch e reads copy e mod the number of copies."""
    weight: float = 1.0
    part: str = ""
    """Rows of a named part fill no steps: they are dealt over those that the others fill."""


@dataclass(frozen=True, slots=True)
class Branch:
    """What a row adds to its trunk."""

    ids: tuple[int, ...]
    answer_from: int
    """Offset in `ids` of the first token that is learned; without a trunk at least 1."""
    weight: float

    @property
    def learned(self) -> int:
        return len(self.ids) - self.answer_from


@dataclass(frozen=True, slots=True)
class Tree:
    """A trunk and its branches; a single row is a branch on no trunk."""

    trunk: tuple[int, ...]
    branches: tuple[Branch, ...]
    copy: int = 0
    part: str = ""

    @property
    def tokens(self) -> int:
        """Tokens that are computed."""
        return len(self.trunk) + sum(len(branch.ids) for branch in self.branches)

    @property
    def row_tokens(self) -> int:
        """Tokens that its rows would hold, each by itself."""
        return sum(len(self.trunk) + len(branch.ids) for branch in self.branches)

    @property
    def learned(self) -> int:
        """Tokens that are learned."""
        return sum(branch.learned for branch in self.branches)

    @property
    def depth(self) -> int:
        """Tokens of its longest row."""
        return len(self.trunk) + max(len(branch.ids) for branch in self.branches)


def read_rows(path: Path, tokenizer: ChatTokenizer, max_tokens: int) -> list[Row]:
    """Render a JSONL file of lessons. Raises TrainingError on a row over `max_tokens`: nothing is cut.

    A lesson whose prompt has no messages is a plain text: all of it is learned, after the token that opens texts.
    """
    rows = []
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            data = json.loads(line)
            ids, learned_from = render_lesson(data, tokenizer)
            if len(ids) > max_tokens:
                raise TrainingError(f"Lesson {data['id']} has {len(ids)} tokens, more than the window of {max_tokens}")
            if len(ids) <= learned_from:
                raise TrainingError(f"Lesson {data['id']} is an empty text: there is nothing to learn")
            more = {key: data[key] for key in ("group", "copy", "weight", "part") if key in data}
            rows.append(Row(ids, learned_from, **more))
    return rows


def render_lesson(lesson: Mapping[str, Any], tokenizer: ChatTokenizer) -> tuple[tuple[int, ...], int]:
    """The lesson's tokens, and the place of the first that is learned."""
    prompt = prompt_from_json(lesson["prompt"])
    if not prompt.messages:
        return tuple(tokenizer.text_ids(lesson["target"])), 1
    asked = tokenizer.render(prompt)
    return (*asked, *tokenizer.target_ids(lesson["target"])), len(asked)


def grow_trees(rows: Iterable[Row]) -> list[Tree]:
    """Trees of the rows, one a group, part and copy, in the order of each group's first row."""
    groups: dict[tuple[int, str, str], list[Row]] = {}
    for number, row in enumerate(rows):
        key = row.group or f"\0{number}"
        groups.setdefault((row.copy, row.part, key), []).append(row)
    return [_tree(members) for members in groups.values()]


def split_tree(tree: Tree, budget: int) -> list[Tree]:
    """Trees of at most `budget` tokens with the same branches, the trunk repeated; a longer row stays whole."""
    if tree.tokens <= budget:
        return [tree]
    parts: list[list[Branch]] = [[]]
    room = budget - len(tree.trunk)
    for branch in tree.branches:
        if parts[-1] and sum(len(one.ids) for one in parts[-1]) + len(branch.ids) > room:
            parts.append([])
        parts[-1].append(branch)
    return [replace(tree, branches=tuple(part)) for part in parts]


def unshared(tree: Tree) -> list[Tree]:
    """The tree's rows, each by itself."""
    cut = len(tree.trunk)
    return [
        replace(
            tree,
            trunk=(),
            branches=(Branch((*tree.trunk, *branch.ids), cut + branch.answer_from, branch.weight),),
        )
        for branch in tree.branches
    ]


def _tree(rows: Sequence[Row]) -> Tree:
    cut = _shared(rows) if len(rows) > 1 else 0
    branches = tuple(Branch(row.ids[cut:], row.answer_from - cut, row.weight) for row in rows)
    return Tree(rows[0].ids[:cut], branches, rows[0].copy, rows[0].part)


def _shared(rows: Sequence[Row]) -> int:
    """Length of the common beginning; each branch keeps the token before its first learned one, which predicts it."""
    columns = zip(*(row.ids[: row.answer_from - 1] for row in rows), strict=False)
    length = sum(1 for _ in itertools.takewhile(lambda column: len(set(column)) == 1, columns))
    return length if length >= SHORTEST_TRUNK else 0
