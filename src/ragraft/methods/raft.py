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
from functools import lru_cache, partial
from typing import Protocol

from ragraft.errors import ConfigError
from ragraft.methods.prompt import PromptBuilder
from ragraft.methods.reasoning import Reasoning
from ragraft.methods.target import abstain, answer_from_memory, find_quotes, reads_back, wanted_line, write_target
from ragraft.records import ExamQuestion, Kind, Lesson, Passage, Rejected

# Ranks up to this one are hard distractors; deeper ones are low.
HARD_RANKS = 10
NEAR_REPEAT = 0.5
TOO_LONG = "the question and its documents don't fit into prompt.max_tokens"
SHINGLE = 5


class Drawing(Protocol):
    """Settings that decide how lessons are made."""

    @property
    def distractors(self) -> tuple[int, int]: ...
    @property
    def hard(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def quote_words(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Recipe:
    """How lessons are made."""

    distractors: tuple[int, int]
    hard: float
    low: float
    quote_words: int
    abstention: str

    @classmethod
    def of(cls, settings: Drawing, abstention: str) -> Recipe:
        """The recipe that settings write."""
        return cls(settings.distractors, settings.hard, settings.low, settings.quote_words, abstention)


@dataclass(frozen=True, slots=True)
class Part:
    """A question on its way into a group."""

    question: ExamQuestion
    oracle: tuple[Passage, ...]
    """The passages that hold its evidence and will be shown; none where it is to abstain."""
    ranked: Sequence[Passage]
    """What was found for it, best first: where its distractors come from."""
    answers_it: Callable[[Passage], bool]
    """Whether a passage answers the question: such a passage is never a distractor."""
    from_memory: bool = False
    """Whether it is to be answered from memory, where no oracle is shown."""
    reasoning: Reasoning | None = None
    """What a teacher wrote on the oracle: it takes the place of the bare quotes."""

    @property
    def oracle_ids(self) -> tuple[str, ...]:
        return tuple(passage.id for passage in self.oracle)

    def shows(self, passage: Passage) -> bool:
        """Whether a passage shows any of the question's evidence, or answers it all the same."""
        return not set(self.question.oracle).isdisjoint(passage.chunks) or self.answers_it(passage)


def make_part(
    question: ExamQuestion,
    *,
    with_oracle: bool,
    chunks: Mapping[str, Passage],
    ranked: Sequence[Passage],
    builder: PromptBuilder,
    answers_it: Callable[[Passage], bool],
    from_memory: bool = False,
) -> Part:
    """The question with the passages that hold its evidence, as the retriever found them where it did."""
    showing = [passage for passage in ranked if passage.shows]
    oracle = _fitting_oracle(question, chunks, showing, builder) if with_oracle else []
    return Part(question, tuple(oracle), ranked, answers_it, from_memory and not with_oracle)


@dataclass(frozen=True, slots=True)
class Made:
    """A lesson and what its budget cost it."""

    lesson: Lesson
    shown: tuple[Passage, ...]
    """What the lesson shows, in order."""
    distractors_dropped: int
    kinds: tuple[str, ...]
    """Where each distractor came from: hard, low or random."""


def is_teachable(
    question: ExamQuestion, *, chunks: Mapping[str, Passage], recipe: Recipe, builder: PromptBuilder
) -> bool:
    """Whether a lesson can ask it: its wanted answer, and the evidence that our own chunks hold, fit the budget."""
    part = make_part(
        question,
        with_oracle=bool(question.oracle),
        chunks=chunks,
        ranked=(),
        builder=builder,
        answers_it=lambda passage: False,
    )
    return fault_of(part, recipe, builder) is None


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
    """One lesson of its own: `make_group` of a single question."""
    part = make_part(
        question, with_oracle=with_oracle, chunks=chunks, ranked=ranked, builder=builder, answers_it=answers_it
    )
    return make_group([part], chunks=chunks, elsewhere=elsewhere, recipe=recipe, builder=builder, seed=seed)[0]


def make_group(
    parts: Sequence[Part],
    *,
    chunks: Mapping[str, Passage],
    elsewhere: Mapping[str, Passage],
    recipe: Recipe,
    builder: PromptBuilder,
    seed: str,
    copy: int = 0,
) -> list[Made | Rejected]:
    """Lessons on one set of documents: all their oracles, and distractors for all of them, shuffled uniformly.

    Distractors are drawn from what was found for each question and from `elsewhere`; none answers any of the questions.
    The documents and their order are the same in every lesson, so that training can read them once; with a single part
    this is RAFT's own lesson. The result is in the order of `parts`.
    """
    order = random.Random(f"{seed}|{'|'.join(part.question.id for part in parts)}")
    faults = {part.question.id: fault for part in parts if (fault := fault_of(part, recipe, builder))}
    kept = [part for part in parts if part.question.id not in faults]
    oracle = {passage.id: passage for part in kept for passage in part.oracle}
    drawn = _distractors(kept, chunks, elsewhere, recipe=recipe, order=order) if kept else []
    # Least useful last: what does not fit the budget is dropped from the end.
    candidates = [*oracle.values(), *(passage for passage, _ in drawn)]
    shown = _fit_all(kept, candidates, builder, keep=list(oracle))
    if not shown and len(kept) > 1:  # alone, or among fewer, they may find room
        half = len(parts) // 2
        made = partial(
            make_group, chunks=chunks, elsewhere=elsewhere, recipe=recipe, builder=builder, seed=seed, copy=copy
        )
        return [*made(parts[:half]), *made(parts[half:])]
    order.shuffle(shown)
    return [
        faults.get(part.question.id)
        or _lesson(part, shown, candidates, drawn, recipe=recipe, builder=builder, seed=seed, copy=copy, of=parts)
        for part in parts
    ]


def _fit_all(
    parts: Sequence[Part], candidates: Sequence[Passage], builder: PromptBuilder, *, keep: Sequence[str]
) -> list[Passage]:
    """The passages that fit beside each of the questions; none where the oracles of several don't fit together."""
    shown = list(candidates)
    for part in parts:
        try:
            shown = list(builder.fit(part.question.question.question, shown, keep=keep).passages)
        except ConfigError:
            return []
    return shown


def fault_of(part: Part, recipe: Recipe, builder: PromptBuilder) -> Rejected | None:
    """Why no lesson can ask this: the wanted answer or the documents are too long, or it quotes what nobody wrote."""
    question = part.question
    tokens = builder.tokenizer.count(_wanted(part, part.oracle, recipe)) + 1
    if tokens > builder.answer_tokens:
        return Rejected(question.id, "the wanted answer is longer than prompt.answer_tokens", f"{tokens} tokens")
    if not builder.fits(question.question.question, part.oracle):
        return Rejected(question.id, TOO_LONG, f"{builder.max_tokens} tokens with the answer's room")
    texts = {passage.id: passage.text for passage in part.oracle}
    quotes = find_quotes(question.question, part.oracle, recipe.quote_words)
    invented = next((quote.text for quote in quotes if quote.text not in texts[quote.passage]), None)
    return Rejected(question.id, "a quote is no exact span of its document", invented) if invented else None


def _wanted(part: Part, shown: Sequence[Passage], recipe: Recipe) -> str:
    if not part.oracle:
        return _without_oracle(part, recipe)
    if part.reasoning:
        return part.reasoning.target(part.question.question, shown, part.oracle_ids)
    return write_target(part.question.question, shown, part.oracle_ids, recipe.quote_words)


def _distractors(
    parts: Sequence[Part],
    chunks: Mapping[str, Passage],
    elsewhere: Mapping[str, Passage],
    *,
    recipe: Recipe,
    order: random.Random,
) -> list[tuple[Passage, str]]:
    """Passages with their kinds; as many as bring the documents to the number drawn for a lesson."""
    documents = 1 + order.randint(*recipe.distractors)
    oracles = len({name for part in parts for name in part.oracle_ids})
    found = {passage.id: passage for part in parts for passage in part.ranked}
    showing = [passage for passage in found.values() if passage.shows]
    own = sorted({name for part in parts for name in part.question.oracle})
    texts = [*(chunks[name].text for name in own), *(passage.text for passage in showing)]

    def known(name: str) -> Passage:
        return found.get(name) or elsewhere.get(name) or chunks[name]

    def unfit(name: str) -> bool:
        passage = known(name)
        return any(part.shows(passage) for part in parts) or repeats(passage.text, texts)

    def together(first: int, last: int | None) -> list[str]:
        return list(dict.fromkeys(passage.id for part in parts for passage in part.ranked[first:last]))

    pools = {"hard": together(0, HARD_RANKS), "low": together(HARD_RANKS, None), "random": list(elsewhere)}
    wishes = [_wish(recipe, order) for _ in range(documents - oracles)]
    barred = {*own, *(passage.id for passage in showing)}
    drawn = _draw_distractors(wishes, pools, barred=barred, unfit=unfit, order=order)
    return [(known(name), kind) for name, kind in drawn]


def _lesson(
    part: Part,
    shown: Sequence[Passage],
    candidates: Sequence[Passage],
    drawn: Sequence[tuple[Passage, str]],
    *,
    recipe: Recipe,
    builder: PromptBuilder,
    seed: str,
    copy: int,
    of: Sequence[Part],
) -> Made | Rejected:
    question = part.question
    if not candidates:
        return Rejected(question.id, "no distractor is left that does not answer the question")
    if not shown:
        return Rejected(question.id, "no document fits beside the question into prompt.max_tokens")
    wanted = _wanted(part, shown, recipe)  # numbers are written after the shuffle
    if (part.oracle or part.from_memory) and not reads_back(wanted, shown, part.oracle_ids):
        return Rejected(question.id, "the wanted answer could not be told from the form around it", wanted)
    kind = _kind(part)
    lesson = Lesson(
        id=f"{question.id}~{seed}",
        question_id=question.id,
        kind=kind,
        prompt=builder.build(question.question.question, shown),
        target=wanted,
        passages=tuple(passage.id for passage in shown),
        oracle=part.oracle_ids,
        group=of[0].question.id if len(of) > 1 else "",
        copy=copy,
    )
    left = {passage.id for passage in shown}
    kinds = tuple(kind for passage, kind in drawn if passage.id in left)
    return Made(lesson, tuple(shown), len(candidates) - len(shown), kinds)


def _without_oracle(part: Part, recipe: Recipe) -> str:
    """The wanted text where no evidence is shown; the answer itself where there is none to show (see `labels`)."""
    asked = part.question.question
    if part.from_memory:
        return answer_from_memory(asked)
    rests_on_silence = asked.answerable and not part.question.oracle
    return wanted_line(asked) if rests_on_silence else abstain(recipe.abstention)


def _kind(part: Part) -> Kind:
    if part.oracle:
        return "oracle"
    if not part.question.question.answerable:
        return "unanswerable"
    if part.from_memory:
        return "from-memory"
    return "no-oracle" if part.question.oracle else "silent"


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
) -> list[Passage]:
    """The oracle as the retriever found it; of our own chunks where that is too long for the budget."""
    chosen = choose_oracle(question, chunks, showing)
    if showing and not builder.fits(question.question.question, chosen):
        chosen = choose_oracle(question, chunks)
    return chosen


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


def repeats(text: str, others: Sequence[str]) -> bool:
    """Whether a text nearly repeats another: half of the shorter one's shingles stand in the longer."""
    mine = _shingles(text)
    return any(len(mine & theirs) >= NEAR_REPEAT * min(len(mine), len(theirs)) for theirs in map(_shingles, others))


@lru_cache(maxsize=4096)  # an oracle is compared with every distractor that is tried
def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = text.split()
    return frozenset(tuple(words[i : i + SHINGLE]) for i in range(max(1, len(words) - SHINGLE + 1)))
