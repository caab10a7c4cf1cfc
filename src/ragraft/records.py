"""The nouns. Frozen rows that every layer shares; they know nothing of files, models or stages."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

Side = Literal["train", "validation", "calibration", "exam"]
Kind = Literal[
    "oracle", "no-oracle", "from-memory", "unanswerable", "silent", "closed-book", "retrieved", "text", "general"
]
"""From memory: an answer that the base model knows and no document shown holds, flagged as such. Silent: a “no” that
rests on what the documents lack, so that no lesson can show evidence of it. Closed-book shows no documents, retrieved
those that retrieval found, whatever they hold. Text asks nothing: it is learned whole. General is an instruction that
has nothing to do with the documents."""
SIDES: tuple[Side, ...] = ("train", "validation", "calibration", "exam")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Document:
    """One readable text of the user's: a file, or a row of a JSONL file."""

    id: str
    title: str
    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A span of a document; `document.text[start:end] == text`, always."""

    id: str
    document_id: str
    title: str
    text: str
    start: int
    end: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its right answers (any of them); no answers: the documents hold none."""

    id: str
    question: str
    answers: tuple[str, ...] = ()
    evidence_ids: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    long_answer: str | None = None
    type: str | None = None
    options: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def answerable(self) -> bool:
        return bool(self.answers)


@dataclass(frozen=True, slots=True)
class ExamQuestion:
    """A question placed: its side, its cluster and the chunks that hold its answer."""

    question: Question
    side: Side
    cluster: str
    oracle: tuple[str, ...] = ()
    """Ids of the chunks that hold the evidence."""
    weak: bool = False
    """The oracle is only the best-ranked chunk of the evidence document: no quote or answer was found in it."""
    located: bool = False
    """The question named no evidence; its answer pointed to the oracle."""
    parts: tuple[tuple[str, ...], ...] = ()
    """The oracle by piece of evidence; copies of a piece stand together."""

    @property
    def id(self) -> str:
        return self.question.id

    def shown_by(self, passages: Collection[str]) -> bool:
        """Whether these chunks together show all the evidence: a chunk of every part."""
        parts = self.parts or ((self.oracle,) if self.oracle else ())
        return bool(parts) and all(any(chunk in passages for chunk in part) for part in parts)


@dataclass(frozen=True, slots=True)
class Passage:
    """A text as it is shown to a reader, a chunk or what the user's system found, with the score that brought it."""

    id: str
    document_id: str
    title: str
    text: str
    score: float = 0.0
    shows: tuple[str, ...] = ()
    """Oracle chunks, of the question it was found for, whose evidence it shows; a chunk shows itself and needs none."""

    @property
    def chunks(self) -> tuple[str, ...]:
        """Ids of the chunks that it stands for where evidence is looked for."""
        return (self.id, *self.shows)


@dataclass(frozen=True, slots=True)
class Hit:
    """A row of a store found by a search, best first."""

    id: str
    score: float


@dataclass(frozen=True, slots=True)
class Message:
    """A turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """Chat turns that end in a user turn, ready to be answered."""

    messages: tuple[Message, ...]
    cut: int = 0
    """Offset in the last message where the question's own part begins; what stands before it can be shared."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A way that a completion may take after `opening`, and how likely it must be to be taken.

    Greedy decoding takes the way of the likeliest next token, though all others together may be far likelier. Here the
    first token of `way` is taken if its probability is above `above`; else the likeliest other one, and not the same in
    capitals.
    """

    opening: str
    way: str
    above: float


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to generate. Temperature 0 is greedy."""

    max_tokens: int = 96
    temperature: float = 0.0
    seed: int = 0
    turn: Turn | None = None
    sources: tuple[tuple[str, ...], ...] = ()
    """The texts that each prompt numbers from 1. A quotation that opens a line below the first is copied from one of
    them, word for word, and the number in brackets behind it is the number of a text that holds it.

    Turn and sources are held to by generators that see the model's probabilities; others decode as ever.
    """
    again: bool = False
    """What was asked before is read once more: it changes no completion, and is no answer where answers are counted."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What a generator returned for one prompt."""

    text: str
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] | None = None
    finish_reason: Literal["stop", "length"] = "stop"
    prompt_tokens: int = 0
    turning: float | None = None
    """The probability of the turn's way where it could be taken; None where that place never came, or isn't told."""


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a completion that is still being written; the last one brings the whole."""

    text: str
    completion: Completion | None = None


@dataclass(frozen=True, slots=True)
class LogProbs:
    """How likely each token of a given text is to a model, after all that stands before it."""

    token_ids: tuple[int, ...]
    values: tuple[float, ...]
    """Natural logarithms, one a token."""

    @property
    def total(self) -> float:
        """The logarithm of the whole text's probability."""
        return math.fsum(self.values)


@dataclass(frozen=True, slots=True)
class Lesson:
    """A training row: a prompt as the model will meet it, and the wanted answer.

    A prompt without messages makes `target` a plain text: no chat form stands around it, no token closes it, and all of
    it is learned.
    """

    id: str
    question_id: str
    """The question that it asks; empty for a text."""
    kind: Kind
    prompt: Prompt
    target: str
    passages: tuple[str, ...] = ()
    """Ids of the passages in the order shown."""
    oracle: tuple[str, ...] = ()
    group: str = ""
    """Lessons of one group and copy are learned in one step, and training reads what they begin with alike once: in
    RAFT's the same documents in the same order."""
    copy: int = 0
    """Which of the question's lessons this is; epochs take the copies in turn."""
    part: str = ""
    """Lessons of a named part fill no optimizer steps of their own: they are dealt over those that the others fill, by
    learned tokens."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was not used, and why. Kept beside the rows that were."""

    id: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A model's text, taken apart alike for all models."""

    answer: str
    citations: tuple[int, ...]
    quotes: tuple[tuple[str, int | None], ...]
    """Each quote with the number of the passage that it names."""
    abstained: bool
    from_memory: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """One question answered under one condition: a row of answers.jsonl."""

    question_id: str
    model: str
    context: str
    answer: str
    text: str
    citations: tuple[str, ...]
    """Ids of the passages cited."""
    quotes: tuple[str, ...]
    abstained: bool
    passages: tuple[str, ...]
    evidence_shown: bool
    prompt_tokens: int
    answer_tokens: int
    scores: Mapping[str, float | None] = field(default_factory=dict)
    finish_reason: str = "stop"


@dataclass(frozen=True, slots=True)
class Claim:
    """What is said, and the texts that should support it."""

    text: str
    passages: tuple[str, ...]
    question: str = ""
    """What it answers, where it is an answer and no sentence of its own."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A grader's verdict on a claim."""

    supported: bool | None
    """None where the judgement failed or can't be read."""
    score: float | None = None
    """How surely it is supported, within 0..1, where the grader says so."""
    reason: str = ""
    """Why there is no verdict."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval, the rows behind it and the rows it could not score."""

    value: float
    low: float | None
    """None, like `high`, where fewer than two clusters were scored: nothing is then known of the spread."""
    high: float | None
    n: int
    unscored: int = 0
    clusters: int = 0
    """Clusters among the scored rows."""


def to_json(row: Any) -> dict[str, Any]:
    """A record as plain JSON data."""
    return dataclasses.asdict(row)


def question_from_json(row: Mapping[str, Any]) -> Question:
    """A Question from its JSON row; lists become tuples, unknown keys are the reader's to report."""
    known = {f.name for f in dataclasses.fields(Question)}
    tuples = {"answers", "evidence_ids", "evidence", "options", "contexts"}
    values: dict[str, Any] = {k: tuple(v or ()) if k in tuples else v for k, v in row.items() if k in known}
    return Question(**values)


def question_to_row(question: Question) -> dict[str, Any]:
    """A Question as a row of a questions file: what it needs, and what it has beside that."""
    needed = ("id", "question", "answers")
    return {key: value for key, value in to_json(question).items() if value or key in needed}


def lesson_to_row(lesson: Lesson) -> dict[str, Any]:
    """A Lesson as a row of lessons.jsonl; only those of a named part say so."""
    return {key: value for key, value in to_json(lesson).items() if key != "part" or value}


def passage_from_json(row: Mapping[str, Any]) -> Passage:
    """A Passage from its JSON row."""
    values: dict[str, Any] = {**row, "shows": tuple(row["shows"])}
    return Passage(**values)


def prompt_from_json(row: Mapping[str, Any]) -> Prompt:
    """A Prompt from its JSON row."""
    return Prompt(tuple(Message(**m) for m in row["messages"]), row["cut"])
