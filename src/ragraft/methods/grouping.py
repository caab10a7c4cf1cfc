"""Which questions can share one set of documents. Knows questions and chunk ids; knows no prompts.

A group's documents hold the oracle of each question that shows one; for the others, and for each other, they are
distractors: so none of them may answer a question that it is not the oracle of.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from ragraft.methods.raft import Part, repeats
from ragraft.records import Passage


def group_parts(
    parts: Sequence[Part], *, chunks: Mapping[str, Passage], size: int, documents: int, seed: str
) -> list[list[Part]]:
    """Groups of at most `size` questions on at most `documents` oracles, within clusters; every part is in one.

    Questions on the same oracle stand together; which oracles join them is drawn anew for each `seed`.
    """
    order = random.Random(f"{seed}|groups")
    keys = {part.question.id: (part.question.cluster, _home(part)) for part in parts}
    homes = sorted(set(keys.values()))
    order.shuffle(homes)
    rank = {home: place for place, home in enumerate(sorted(homes, key=lambda home: home[0]))}
    drawn = order.sample(list(parts), len(parts))
    groups: list[list[Part]] = []
    for part in sorted(drawn, key=lambda one: rank[keys[one.question.id]]):
        if groups and len(groups[-1]) < size and _fits(part, groups[-1], chunks, documents):
            groups[-1].append(part)
        else:
            groups.append([part])
    return groups


def _home(part: Part) -> str:
    """The chunk that a question belongs to: its oracle, else the best-ranked chunk that doesn't answer it."""
    if part.oracle:
        return part.oracle[0]
    return next((name for name in part.ranked if name not in part.question.oracle), "")


def _fits(part: Part, group: Sequence[Part], chunks: Mapping[str, Passage], documents: int) -> bool:
    if part.question.cluster != group[0].question.cluster:
        return False
    oracles = {name for one in (*group, part) for name in one.oracle}
    return len(oracles) <= documents and all(
        not _is_answered_by(one, name, chunks) for one in (*group, part) for name in oracles if name not in one.oracle
    )


def _is_answered_by(part: Part, name: str, chunks: Mapping[str, Passage]) -> bool:
    own = part.question.oracle
    return name in own or part.answers_it(name) or repeats(chunks[name].text, [chunks[one].text for one in own])
