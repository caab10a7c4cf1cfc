"""What ragraft asks of the outside: the protocols that backends fulfil. Knows nouns; knows no library."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ragraft.records import (
    Chunk,
    Claim,
    Completion,
    Delta,
    Document,
    Hit,
    Judgement,
    LogProbs,
    Passage,
    Prompt,
    Rejected,
    Sampling,
)

Matrix: TypeAlias = NDArray[np.float32]
"""Embeddings, one row a text: shape (texts, dimensions), float32, rows of length 1."""


class Reader(Protocol):
    """Turns one file into documents."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """File name endings that it reads: lower case, with the dot."""
        ...

    def read(self, path: Path) -> Iterator[Document | Rejected]:
        """Yield the file's documents, and its unusable rows; raise InputError when the whole file cannot be read.

        A file that is one document has the empty id: who knows its folder names it. Rows of a file have their own.
        A Rejected's id is the place inside the file, as in `line 7`. An InputError's sentence is the reason alone,
        without the path. Texts hold no control characters but newline and tab, and can be written as UTF-8.
        """
        ...


class Tokenizer(Protocol):
    """The generator's own tokenizer, as far as methods need it."""

    def count(self, text: str) -> int:
        """Tokens of `text`, without special tokens."""
        ...

    def count_prompt(self, prompt: Prompt) -> int:
        """Tokens of the prompt as the model gets it, template included."""
        ...


class Embedder(Protocol):
    """Maps texts to vectors."""

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Shape (len(texts), dimensions); equal texts give equal rows whatever stands beside them."""
        ...


class OpenStore(Protocol):
    """A written index, open for search. Results are best first; ties break by id."""

    def dense(self, vectors: Matrix, k: int) -> list[list[Hit]]:
        """Nearest rows by cosine, a list per vector."""
        ...

    def lexical(self, texts: Sequence[str], k: int) -> list[list[Hit]]:
        """Best rows by BM25, a list per text; rows that share no term are not hits."""
        ...

    def vectors(self) -> Iterator[tuple[list[str], Matrix]]:
        """All rows' ids with their vectors as they were written, a batch at a time: what a newer index takes over."""
        ...


class Store(Protocol):
    """Keeps vectors and full text in a folder."""

    def write(self, folder: Path, batches: Iterable[tuple[Sequence[Chunk], Matrix]]) -> None:
        """Write all rows into the empty `folder`."""
        ...

    def open(self, folder: Path) -> OpenStore:
        """Open what `write` wrote."""
        ...


class Retriever(Protocol):
    """Finds passages for questions: ragraft's own index, or the user's system."""

    def retrieve(self, questions: Sequence[str], k: int) -> list[list[Passage]]:
        """The best `k` passages of each question, best first; a smaller `k` gives the beginning of the same list.

        Ids are of one text each. A `document_id` that is an id of the run's documents helps to recognise evidence.
        """
        ...


class Reranker(Protocol):
    """Reorders passages by reading them with the question."""

    def rerank(self, question: str, passages: Sequence[Passage]) -> list[Passage]:
        """The same passages, best first."""
        ...


class Generator(Protocol):
    """Answers prompts."""

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        """One completion a prompt, in order. The list is one batch."""
        ...


class Streamer(Protocol):
    """Answers single prompts piece by piece, many at a time. A Generator may be one too, and then answers alike."""

    def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Delta]:
        """The completion as it is written: the pieces' texts together are its text, and the last piece brings it.

        `sampling.sources` holds those of this prompt alone. Closing the generator early ends the work on it.
        """
        ...


class Scorer(Protocol):
    """Says how likely given texts are to a model. A Generator may be one too; many upstreams can't."""

    def score(self, prompts: Sequence[Prompt | None], texts: Sequence[str]) -> list[LogProbs]:
        """One row a text, in order.

        After a prompt the text is the answer, and its last token is the one that ends a turn. Without one (None) the
        text stands by itself, of any length: where it is longer than the model's window, each token is read after as
        much of what stands before it as fits.
        """
        ...


class Grader(Protocol):
    """Judges whether texts support what is said; never needed, and only as good as its agreement with people."""

    def judge(self, claims: Sequence[Claim]) -> list[Judgement]:
        """A judgement a claim, in order. One that fails or can't be read has no verdict, but a reason.

        Raises BackendError where no claim at all can be judged.
        """
        ...


@dataclass(frozen=True, slots=True)
class Tracked:
    """What of a finished run is tracked."""

    project: str
    name: str
    settings: Mapping[str, str]
    figures: Mapping[str, float]
    folder: Path
    """Where a tracker keeps what is its own, unless the user's environment says otherwise."""


class Tracker(Protocol):
    """Keeps figures of runs for another program to show; nothing leaves the machine unless the environment says so."""

    def track(self, run: Tracked) -> str:
        """Keep one run; returns where, in words. Raises BackendError where it can't be kept."""
        ...


@dataclass(frozen=True, slots=True)
class TrainJob:
    """A training job: a folder that holds job.json and the rows, and gets the result."""

    folder: Path
    processes: int = 1
    """How many processes of one machine carry it out."""


@dataclass(frozen=True, slots=True)
class Command:
    """What a process runs."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a launched command ended."""

    returncode: int
    message: str = ""


class Trainer(Protocol):
    """Says what a training process runs."""

    def command(self, job: TrainJob) -> Command:
        """The command that carries out, or goes on with, the job."""
        ...


class Launcher(Protocol):
    """Says where a command runs."""

    def launch(self, command: Command) -> Outcome:
        """Run it to its end, its output going to the user's terminal."""
        ...


class Backends(Protocol):
    """The backends that the config names, each built when first used."""

    @property
    def tokenizer(self) -> Tokenizer: ...
    @property
    def embedder(self) -> Embedder: ...
    @property
    def store(self) -> Store: ...
    @property
    def reranker(self) -> Reranker | None: ...
    @property
    def trainer(self) -> Trainer: ...
    @property
    def launcher(self) -> Launcher: ...
    def reader(self, path: Path) -> Reader | None:
        """The reader for this file's kind; None when no reader knows it."""
        ...

    def generator(self, model: str) -> Generator:
        """The generator of a model: a source, or a checkpoint's folder."""
        ...

    def scorer(self, model: str) -> Scorer:
        """The scorer of a model; raises BackendError where its generator is none."""
        ...

    def model_facts(self) -> Mapping[str, Any]:
        """What the base model says of itself: source, path, identity, parameters, window."""
        ...

    def machine_facts(self) -> Mapping[str, Any]:
        """Where training would run: device, threads."""
        ...
