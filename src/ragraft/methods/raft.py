"""Build RAFT lessons: question, oracle and mined distractors, wanted answer (Zhang et al. 2024, 2403.10131, section 3).

Unlike the paper and its reference code, a lesson without its oracle asks for the abstention, never for a quote of a
document that isn't there, and distractors come from the retriever that will serve the model. Where that is the user's
own, so do random distractors, and the oracle if it was found: cut and titled alike, it has no mark but what it says.
Knows passages and prompts; knows no folder and no model.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ragraft.methods.prompt import PromptBuilder
from ragraft.methods.target import abstain, find_quotes, write_target
from ragraft.records import ExamQuestion, Kind, Lesson, Passage, Rejected

# Ranks up to this one are hard distractors; deeper ones are low.
HARD_RANKS = 10
NEAR_REPEAT = 0.5
SHINGLE = 5


@dataclass(frozen=True, slots=True)
class Recipe:
    """How lessons are made."""

    distractors: tuple[int, int]
    hard: float
    low: float
    quote_words: int
    abstention: str


@dataclass(frozen=True, slots=True)
class Made:
    """A lesson and what its budget cost it."""

    lesson: Lesson
    shown: tuple[Passage, ...]
    """What the lesson shows, in order."""
    distractors_dropped: int
    kinds: tuple[str, ...]
    """Where each distractor came from: hard, low or random."""


def plan_kinds(questions: Sequence[ExamQuestion], oracle_share: float, seed: int) -> dict[str, bool]:
    """Which questions show their oracle: `oracle_share` of all, as far as the answerable ones allow.

    Unanswerable questions are lessons without an oracle already, so they count towards the rest: a small model that
    sees a third of its lessons abstain learns to refuse everything.
    """
    answerable = sorted(question.id for question in questions if question.oracle)
    hidden = round((1 - oracle_share) * len(questions)) - (len(questions) - len(answerable))
    order = random.Random(f"{seed}|oracle")
    without = set(order.sample(answerable, min(max(hidden, 0), max(len(answerable) - 1, 0))))
    return {question.id: bool(question.oracle) and question.id not in without for question in questions}


def make_lesson(
    question: ExamQuestion,
    *,
    with_oracle: bool,
    chunks: Mapping[str, Passage],
    ranked: Sequence[Passage],
    elsewhere: Mapping[str, Passage],
    recipe: Recipe,
    builder: PromptBuilder,
    answers_it: Callable[[Passage], bool],
    seed: str,
) -> Made | Rejected:
    """One lesson: oracle (or none), distractors drawn from `ranked` (best first) and from `elsewhere`, all shuffled.

    `answers_it` says whether a passage answers the question: such a passage is never a distractor.
    """
    order = random.Random(f"{seed}|{question.id}")
    found = {passage.id: passage for passage in ranked}
    oracle_chunks = set(question.oracle)
    showing = [passage for passage in ranked if passage.shows]
    oracle = _fitting_oracle(question, chunks, showing, builder) if with_oracle else []
    count = order.randint(*recipe.distractors) + (0 if with_oracle else 1)
    oracle_texts = [
        _shingles(text) for text in [*(chunks[n].text for n in question.oracle), *(p.text for p in showing)]
    ]

    def known(name: str) -> Passage:
        return found.get(name) or elsewhere.get(name) or chunks[name]

    def unfit(name: str) -> bool:
        passage = known(name)
        shows = not oracle_chunks.isdisjoint(passage.chunks)
        return shows or answers_it(passage) or _repeats(passage.text, oracle_texts)

    names = [passage.id for passage in ranked]
    pools = {"hard": names[:HARD_RANKS], "low": names[HARD_RANKS:], "random": list(elsewhere)}
    wishes = [_wish(recipe, order) for _ in range(count)]
    barred = oracle_chunks | {passage.id for passage in showing}
    drawn = _draw_distractors(wishes, pools, barred=barred, unfit=unfit, order=order)
    if not oracle and not drawn:
        return Rejected(question.id, "no distractor is left that does not answer the question")
    # Least useful last: what does not fit the budget is dropped from the end.
    candidates = [known(name) for name in [*oracle, *(name for name, _ in drawn)]]
    target = write_target(question.question, candidates, oracle, recipe.quote_words) if oracle else ""
    wanted = target or abstain(recipe.abstention)
    tokens = builder.tokenizer.count(wanted) + 1
    if tokens > builder.answer_tokens:
        return Rejected(question.id, "the wanted answer is longer than prompt.answer_tokens", f"{tokens} tokens")
    shown = list(builder.fit(question.question.question, candidates, keep=oracle).passages)
    if not shown:
        return Rejected(question.id, "no document fits beside the question into prompt.max_tokens")
    order.shuffle(shown)
    if oracle:  # numbers are written after the shuffle
        wanted = write_target(question.question, shown, oracle, recipe.quote_words)
        for quote in find_quotes(question.question, [known(name) for name in oracle], recipe.quote_words):
            if quote.text not in known(quote.passage).text:
                return Rejected(question.id, "a quote is no exact span of its document", quote.text)
    kind: Kind = "oracle" if oracle else "no-oracle" if question.question.answerable else "unanswerable"
    lesson = Lesson(
        id=f"{question.id}~{seed}",
        question_id=question.id,
        kind=kind,
        prompt=builder.build(question.question.question, shown),
        target=wanted,
        passages=tuple(passage.id for passage in shown),
        oracle=tuple(oracle),
    )
    left = {passage.id for passage in shown}
    kinds = tuple(kind for name, kind in drawn if name in left)
    return Made(lesson, tuple(shown), len(candidates) - len(shown), kinds)


def choose_oracle(
    question: ExamQuestion, chunks: Mapping[str, Passage], showing: Sequence[Passage] = ()
) -> list[Passage]:
    """A passage for each piece of evidence, found ones before chunks: the first that can be quoted, else the first."""
    chosen: list[Passage] = []
    for part in question.parts or (question.oracle,):
        if any(name in part for passage in chosen for name in passage.chunks):
            continue
        found = [passage for passage in showing if not set(part).isdisjoint(passage.shows)]
        able = found or [chunks[name] for name in part]
        chosen.append(next((one for one in able if find_quotes(question.question, [one], 10_000)), able[0]))
    return chosen


def _fitting_oracle(
    question: ExamQuestion, chunks: Mapping[str, Passage], showing: Sequence[Passage], builder: PromptBuilder
) -> list[str]:
    """Ids of the oracle as the retriever found it; of our own chunks where that is too long for the budget."""
    chosen = choose_oracle(question, chunks, showing)
    if showing and not builder.fits(question.question.question, chosen):
        chosen = choose_oracle(question, chunks)
    return [passage.id for passage in chosen]


def _draw_distractors(
    wishes: Sequence[str],
    pools: Mapping[str, Sequence[str]],
    *,
    barred: set[str],
    unfit: Callable[[str], bool],
    order: random.Random,
) -> list[tuple[str, str]]:
    """A chunk id for each wished kind, from another pool where that one is empty; hardest first."""
    taken: list[tuple[str, str]] = []
    for wish in wishes:
        for kind in dict.fromkeys((wish, *pools)):
            name = _pick(pools[kind], barred, order, unfit)
            if name:
                taken.append((name, kind))
                barred.add(name)
                break
    hardest = list(pools)
    return sorted(taken, key=lambda one: hardest.index(one[1]))


def _wish(recipe: Recipe, order: random.Random) -> str:
    draw = order.random()
    return "hard" if draw < recipe.hard else "low" if draw < recipe.hard + recipe.low else "random"


def _pick(pool: Sequence[str], barred: set[str], order: random.Random, unfit: Callable[[str], bool]) -> str | None:
    """A random usable chunk of the pool; an unfit one is barred for good."""
    left = [name for name in pool if name not in barred]
    while left:
        name = left.pop(order.randrange(len(left)))
        if not unfit(name):
            return name
        barred.add(name)
    return None


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[i : i + SHINGLE]) for i in range(max(1, len(words) - SHINGLE + 1))}


def _repeats(text: str, oracle: Sequence[set[tuple[str, ...]]]) -> bool:
    """Whether a text nearly repeats an oracle: half of the shorter one's shingles stand in the other."""
    mine = _shingles(text)
    return any(len(mine & other) >= NEAR_REPEAT * min(len(mine), len(other)) for other in oracle)
