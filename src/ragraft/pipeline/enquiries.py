"""What a service is asked and what it answers: an enquiry, prepared, answered piece by piece. Nouns alone."""

from __future__ import annotations

from dataclasses import dataclass

from ragraft.methods.answer import Reply
from ragraft.methods.conversation import Cuts
from ragraft.methods.prompt import Fitted
from ragraft.methods.routing import Decision, Router
from ragraft.pipeline.calibrated import Retrieval
from ragraft.pipeline.traffic_split import DEFAULT, By
from ragraft.records import Completion, Message, Passage, Sampling


@dataclass(frozen=True, slots=True)
class Enquiry:
    """What somebody asks: a conversation that ends in a question, and how it is to be answered."""

    messages: tuple[Message, ...]
    model: str = DEFAULT
    retrieval: Retrieval | None = None
    """serve.retrieval when left out; auto then only where it is calibrated."""
    k: int | None = None
    """Passages; the run's own number when left out."""
    max_tokens: int | None = None
    temperature: float = 0.0
    seed: int = 0
    asker: str = ""
    """The name of the key that asks."""


@dataclass(frozen=True, slots=True)
class Routed:
    """With retrieval auto, where a draft decides: the closed-book draft, and what is decided so far."""

    router: Router
    draft: Reply
    decision: Decision


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question with its passages and its prompt, ready to be answered."""

    id: str
    enquiry: Enquiry
    question: str
    query: str
    """What was looked up; empty where nothing was."""
    index: str
    """The version of the index that it began with."""
    fitted: Fitted
    cuts: Cuts
    sampling: Sampling
    began: float
    """On the monotonic clock."""
    retrieve_seconds: float
    by: By = "named"
    """Why this model answers."""
    shadow: str | None = None
    """Who is asked the same when there is time."""
    routed: Routed | None = None
    rereads: bool = False
    """Whether the model reads its quotes once more."""

    @property
    def drafted(self) -> Completion | None:
        """A draft that is not the answer, and was paid for."""
        return self.routed.draft.completion if self.routed and self.routed.decision.route != "skip" else None

    @property
    def withheld(self) -> bool:
        """Whether nothing is told before the end: it may be that nothing is to be told, or something else."""
        return self.rereads or (self.routed is not None and self.routed.router.may_abstain)

    @property
    def decision(self) -> str:
        """always or never, as it was asked for; with auto skip, retrieve or abstain."""
        if self.routed:
            return self.routed.decision.route
        return "retrieve" if self.enquiry.retrieval == "auto" else str(self.enquiry.retrieval)


@dataclass(frozen=True, slots=True)
class Answered:
    """An answered question."""

    prepared: Prepared
    reply: Reply
    content: str
    """The answer alone, or the abstention."""
    first_seconds: float
    """From the beginning until the first piece was written."""
    seconds: float

    @property
    def tokens(self) -> tuple[int, int]:
        """Read and written, those of a draft included."""
        made = [self.reply.completion, *([self.prepared.drafted] if self.prepared.drafted else [])]
        return sum(one.prompt_tokens for one in made), sum(len(one.token_ids) for one in made)


@dataclass(frozen=True, slots=True)
class Found:
    """What was looked up without a question, and in which version of the index."""

    index: str
    passages: list[Passage]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an answer: of the bare answer, and of all that the model writes; the last one brings the whole."""

    content: str
    text: str
    answered: Answered | None = None
