"""Which questions can share one set of documents. Knows questions and passages; knows no prompts.

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
    """The passage that a question belongs to: its oracle, else the best-ranked one that doesn't answer it."""
    if part.oracle:
        return part.oracle[0].id
    return next((passage.id for passage in part.ranked if not part.shows(passage)), "")


def _fits(part: Part, group: Sequence[Part], chunks: Mapping[str, Passage], documents: int) -> bool:
    if part.question.cluster != group[0].question.cluster:
        return False
    oracles = {passage.id: passage for one in (*group, part) for passage in one.oracle}
    return len(oracles) <= documents and all(
        not _is_answered_by(one, passage, chunks)
        for one in (*group, part)
        for passage in oracles.values()
        if passage.id not in one.oracle_ids
    )


def _is_answered_by(part: Part, passage: Passage, chunks: Mapping[str, Passage]) -> bool:
    return part.shows(passage) or repeats(passage.text, [chunks[name].text for name in part.question.oracle])
