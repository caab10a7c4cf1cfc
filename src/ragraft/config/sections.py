"""A frozen section of settings for each stage. Knows no stage's code and no file."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator


class Section(BaseModel):
    """Settings of one stage; unknown keys are faults."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


def each_once(value: tuple[Any, ...]) -> tuple[Any, ...]:
    """The names; raises ValueError where there is none, or one stands twice."""
    if not value:
        raise ValueError("must hold at least one")
    twice = sorted({name for name in value if value.count(name) > 1})
    if twice:
        raise ValueError(f"{', '.join(map(str, twice))} stands twice")
    return value


class EndpointConfig(Section):
    url: str | None = None
    """An OpenAI-compatible endpoint, for models named openai:MODEL; its key goes into RAGRAFT_ENDPOINT_KEY."""
    concurrency: int = Field(4, ge=1, le=256)
    """Requests under way at a time."""
    body: Mapping[str, Any] = {}
    """Keys put into every request over ragraft's own; a null leaves one out."""
    price_read: float = Field(0.0, ge=0)
    """What a million prompt tokens cost, in your currency: for the costs that are reported."""
    price_written: float = Field(0.0, ge=0)
    """What a million answer tokens cost."""

    @field_validator("url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        return web_address(value)


def web_address(value: str | None) -> str | None:
    """The value; raises ValueError where it is no web address."""
    if value is not None and not re.match(r"https?://[^/\s]+(/\S*)?$", value):
        raise ValueError("write it as http://HOST:PORT/PATH")
    return value


class IngestConfig(Section):
    near_duplicate: float = Field(0.9, gt=0, le=1)
    """Documents whose word 5-grams agree at least this much (Jaccard) are near-duplicates; the longest is kept."""
    contained: float = Field(0.85, gt=0, le=1)
    """A document is contained in a longer one, and dropped, when this share of its word 5-grams stands there."""
    drop_duplicates: bool = True
    """False keeps duplicates and contained documents, and only reports them."""
    max_rejected: float = Field(0.02, ge=0, le=1)
    """The stage fails when a larger share of files or rows is unreadable."""


class IndexConfig(Section):
    chunk_tokens: int = Field(160, ge=16)
    """Longest chunk, in the generator's own tokens."""
    store: str = "lance"
    """Backend that keeps vectors and full text: lance or memory."""
    batch: int = Field(64, ge=1)
    """Chunks embedded at a time."""
    shard: int = Field(1024, ge=1)
    """Chunks between two resume points."""


CONTEXTS = "contexts"


class RetrieveConfig(Section):
    retriever: str | None = None
    """Your own retriever: http, a plugin's name, or contexts (each question's own); ragraft's index when left out."""
    url: str | None = None
    """Where the http retriever is asked; a token goes into RAGRAFT_RETRIEVER_TOKEN."""
    k: int = Field(4, ge=1)
    """Passages the reader sees."""
    pool: int = Field(50, ge=1)
    """Candidates that each ranking brings to the fusion; the depth to which your own retriever is asked."""
    rrf_k: float = Field(60.0, gt=0)
    """The constant of reciprocal rank fusion."""
    dense_weight: float = Field(1.0, ge=0)
    """Weight of the vector ranking in the fusion."""
    lexical_weight: float = Field(1.0, ge=0)
    """Weight of the full-text ranking in the fusion."""
    reranker: str | None = None
    """Backend that reorders the fused pool; none by default."""

    @field_validator("url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        return web_address(value)

    @model_validator(mode="after")
    def _fits_together(self) -> RetrieveConfig:
        if self.dense_weight == self.lexical_weight == 0:
            raise ValueError("dense_weight and lexical_weight are both 0; set one of them above 0")
        if (self.retriever == "http") != (self.url is not None):
            raise ValueError("retriever: http and url go together")
        if self.retriever is not None and self.reranker is not None:
            raise ValueError(f"reranker reorders ragraft's own ranking, not that of retriever: {self.retriever}")
        if self.retriever not in (None, CONTEXTS) and self.k > self.pool:
            raise ValueError(f"k {self.k} is more than pool {self.pool}, the depth to which {self.retriever} is asked")
        return self


class PromptConfig(Section):
    abstention: str = "not in the documents."
    """What stands after `Answer:` when the documents hold no answer."""
    max_tokens: int = Field(2048, ge=64)
    """Longest prompt and answer together; the lowest-ranked passages go first. Never above the model's window."""
    answer_tokens: int = Field(96, ge=8)
    """Room for the answer; a longer one is cut and counted."""
    abstain_above: float | None = Field(None, ge=0, lt=1)
    """Abstain where that is likelier than this; 0: wherever its first word is the likeliest one. Null: 0.5, and for
    the tuned model what does best on the validation side."""
    over_refusal: float = Field(0.1, ge=0, le=1)
    """Of thresholds so chosen, only those that refuse at most this share of questions whose evidence is shown."""
    reread: bool | None = Field(None, exclude_if=lambda value: value is None)
    """Read the quotes of an answer once more, by themselves, and answer from them. Null: the tuned model does where
    that is better on the validation side."""
    copy_quotes: bool = True
    """Quotes are copied from the documents, and cited by their numbers, whatever the model would write."""
    grounded_only: bool = True
    """False allows answers that no document holds: `Answer (from memory): …`, where the base model knows them."""

    @field_validator("abstention")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if len(value.split()) == 0 or len(value.splitlines()) > 1:
            raise ValueError("must be one line of text")
        return value

    @model_validator(mode="after")
    def _room(self) -> PromptConfig:
        if self.answer_tokens >= self.max_tokens:
            raise ValueError(f"answer_tokens {self.answer_tokens} leaves no room in max_tokens {self.max_tokens}")
        return self


class Shares(Section):
    train: float = Field(0.65, gt=0)
    validation: float = Field(0.10, ge=0)
    calibration: float = Field(0.10, ge=0)
    exam: float = Field(0.15, gt=0)

    @model_validator(mode="after")
    def _sum_to_one(self) -> Shares:
        total = self.train + self.validation + self.calibration + self.exam
        if not math.isclose(total, 1):
            raise ValueError(f"the four shares add up to {total:.3f}, not 1")
        return self


class ExamineConfig(Section):
    shares: Shares = Shares()
    """How the questions are cut into sides (of the lessons file alone when there are two files)."""
    seed: int = 0
    """Salt of the cluster hash that cuts the sides."""
    recall_at: tuple[Annotated[int, Field(ge=1)], ...] = (1, 4, 10)
    """Depths at which retrieval recall is measured."""


class GenerateConfig(Section):
    model: str | None = None
    """Who writes the questions: a model's source, or openai:MODEL at the endpoint; the base model when left out."""
    per_chunk: int = Field(3, ge=1)
    """Questions asked for on each chunk."""
    temperature: float = Field(0.3, ge=0)
    check: int = Field(64, ge=0)
    """Questions that the writer must answer with their chunk and not without; where many fail, all must. 0: none."""


class TeacherConfig(Section):
    model: str | None = None
    """Who writes reasonings: a model's source, or openai:MODEL at the endpoint; the base model when left out."""
    words: int = Field(40, ge=5)
    """Most words of a reasoning, beside what it quotes."""


def _holding(number: int, what: str) -> BeforeValidator:
    """Refuses a list of another length, saying what belongs into it."""

    def check(value: Any) -> Any:
        if isinstance(value, list | tuple) and len(value) != number:
            raise ValueError(f"must hold {what}")
        return value

    return BeforeValidator(check)


QuestionSource = Literal["given", "mine", "generate"]
Share = Annotated[float, Field(ge=0)]


class SynthesizeConfig(Section):
    questions: tuple[QuestionSource, ...] = ("given",)
    """What lessons ask: given (yours), mine (made by patterns), generate (written by a model); a list fills up."""
    max_made: int = Field(800, ge=1)
    """Make at most this many questions; with the given ones never more than max_questions."""
    spare_exam_documents: bool = False
    """Make none on documents of the exam's own file; with one questions file its documents are always spared."""
    language: str = "en"
    """Language of the patterns."""
    generate: GenerateConfig = GenerateConfig()
    oracle_share: float = Field(0.8, gt=0, le=1)
    """Share of lessons that show the oracle (RAFT's P); without it, and without an answer, they abstain."""
    max_unanswerable: float = Field(0.2, ge=0, le=1)
    """Largest share of questions that the documents don't answer; more are left out, drawn by seed."""
    memory_share: float = Field(0.05, ge=0, le=1)
    """With prompt.grounded_only false: share of lessons that want an answer from memory, as far as any are known."""
    probe: int | None = Field(None, ge=0)
    """Questions that the base is asked without documents; 200 with grounded_only false, else 0, when left out."""
    probe_answers: int = Field(1, ge=1)
    """Answers to each: a greedy one, then drawn ones; a question is known where any is right."""
    reasoning: Literal["none", "teacher"] = "none"
    """Whether a teacher writes, below the answer, why the document gives it; what doesn't hold stays a bare quote."""
    teacher: TeacherConfig = TeacherConfig()
    distractors: Annotated[tuple[int, int], _holding(2, "two numbers, the fewest and the most")] = (1, 3)
    """Fewest and most distractors beside the oracle, drawn uniformly."""
    hard: float = Field(0.5, ge=0, le=1)
    """Share of distractors from the retriever's top ranks."""
    low: float = Field(0.25, ge=0, le=1)
    """Share from its lower ranks; the rest are random chunks."""
    quote_words: int = Field(30, ge=5)
    """A quoted sentence longer than this is cut at word borders around the answer."""
    copies: int = Field(2, ge=1)
    """Lessons made from each question, with other distractors and order; epochs take them in turn."""
    group: int = Field(5, ge=1)
    """Most questions that share one set of documents, which training then reads once; 1: each has its own."""
    max_questions: int | None = Field(None, ge=1)
    """Use at most this many train-side questions."""
    limit_by: Literal["cluster", "question"] = Field("cluster", exclude_if=lambda value: value == "cluster")
    """What these are: whole clusters, or a question of each cluster in turn; both seeded."""
    max_validation: int = Field(48, ge=0)
    """Validation-side questions made into lessons for the validation loss."""
    seed: int = 0
    """Seed of every draw."""

    @field_validator("questions", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("questions")
    @classmethod
    def _given_first(cls, value: tuple[QuestionSource, ...]) -> tuple[QuestionSource, ...]:
        each_once(value)
        if "given" in value[1:]:
            raise ValueError("given stands first: made questions fill up what it leaves")
        return value

    @property
    def made(self) -> tuple[QuestionSource, ...]:
        """The sources that make questions, in order."""
        return tuple(name for name in self.questions if name != "given")

    @model_validator(mode="after")
    def _bounds(self) -> SynthesizeConfig:
        low, high = self.distractors
        if not 0 <= low <= high:
            raise ValueError(f"distractors: {low} to {high} is not a range")
        if self.hard + self.low > 1:
            raise ValueError("hard and low add up to more than 1")
        return self


class DapConfig(Section):
    form: Literal["reading", "raw"] = "reading"
    """Documents with tasks of reading comprehension mined from them, or the documents alone."""
    language: str = "en"
    """Language of the tasks."""
    row_tokens: int = Field(1024, ge=64)
    """Longest text; longer documents go on in the next one. Never above prompt.max_tokens."""
    max_tokens: int | None = Field(None, ge=1)
    """Learn about so many tokens of text a copy, drawn by seed among all; every text when left out."""
    general: float = Field(1.0, ge=0)
    """Tokens of general instructions beside each token of reading texts."""
    replay: float = Field(0.1, ge=0, lt=1)
    """With form raw: the share of general instructions among all tokens."""
    held_out: float = Field(0.05, ge=0, le=0.5)
    """Share of the documents, by cluster, that is kept out and measured on."""
    force: bool = False
    """Go on where there is too little text."""
    seed: int = 0
    """Seed of the documents kept out, and of every draw."""


RATIO = "three numbers, for raft's lessons, questions without documents, and general instructions"


class HybridConfig(Section):
    ratio: Annotated[tuple[Share, Share, Share], _holding(3, RATIO)] = (60, 15, 25)
    """Learned tokens of raft's lessons, of questions without documents, and of general instructions, in any unit."""
    with_documents: float = Field(0.3, ge=0, le=1)
    """Share of the general instructions that are on documents, answered by the base model."""
    seed: int = 0
    """Seed of what is drawn beside raft's lessons."""

    @field_validator("ratio")
    @classmethod
    def _has_context(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        if value[0] == 0:
            raise ValueError("its first number is that of raft's lessons, and must be above 0")
        return value


RunShare = Annotated[float, Field(gt=0, le=1)]
ChunkTokens = Annotated[int, Field(ge=16)]


class DiagnoseConfig(Section):
    max_questions: int = Field(50, ge=1)
    """Ask at most this many validation questions (of each cluster in turn, seeded)."""
    precision: float = Field(0.1, gt=0, lt=1)
    """Half of the interval that is wanted around the loss, of 1: no more questions are asked than that may need."""
    shots: int = Field(3, ge=1)
    """Examples in the prompt of the few-shot arms."""
    batch: int = Field(32, ge=1)
    """Prompts generated at a time; also the unit of resuming."""
    texts: int = Field(48, ge=1)
    """Chunks on which it is measured how foreign the documents' language is to the model."""
    resamples: int = Field(2000, ge=100)
    """Bootstrap resamples of clusters."""
    price_per_hour: float = Field(0.0, ge=0)
    """What an hour of this machine costs, in the currency of the machines' file."""
    machines: Path | None = None
    """A YAML of machines with their speed and price; the package's own when left out."""
    curve: tuple[RunShare, ...] = ()
    """Shares of the questions to learn from that small training runs learn, to measure what tuning brings; no runs."""
    chunks: tuple[ChunkTokens, ...] = ()
    """Longest chunks, in tokens, of further indexes that are tried for what search finds in them."""
    embedders: tuple[str, ...] = ()
    """Embedding models of further indexes that are tried, each a source as embedder is."""
    seed: int = 0

    @field_validator("curve", "chunks", "embedders")
    @classmethod
    def _each_once(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        return each_once(value) if value else value


class ReportConfig(Section):
    examples: int = Field(12, ge=0)
    """Questions shown on which base and tuned differ, wins and losses alike; and a third as many abstentions."""
    track: str | None = None
    """Where the report's figures are kept, too: mlflow, trackio, or a plugin; nowhere by default."""
