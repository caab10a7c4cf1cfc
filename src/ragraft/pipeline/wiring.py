"""What a stage is run with, and the RAG of a run put together: its retriever, its passages, its prompts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ragraft.config import Config
from ragraft.pipeline.backends import ConfiguredBackends
from ragraft.pipeline.events import Tell, unheard
from ragraft.records import Passage
from ragraft.workspace import Calibration, Exam, Folder, Index, Scorecard, Since

if TYPE_CHECKING:
    from ragraft.methods.manner import Manner


@dataclass(frozen=True, slots=True)
class At:
    """What a stage is run with: settings, backends and the artifacts made so far."""

    config: Config
    backends: ConfiguredBackends
    made: Mapping[str, Folder]
    forced: bool = False
    """Whether the stage is to be done anew, changed or not."""
    before: Mapping[str, Folder] = field(default_factory=dict)
    """The corpus and the index from which a newer one takes over what did not change."""
    since: Since | None = None
    """What a refreshed run goes on from."""
    tell: Tell = unheard
    """Hears what a stage tries beside its own work."""


def finder(at: At, also: Mapping[str, list[Passage]] | None = None, *, reranked: bool = True) -> Any:
    """Where placed questions get their passages: kept with the exam from the user's retriever, or from the index.

    `also`: the kept passages of questions that are not the exam's.
    """
    from ragraft.methods.finders import Asking, Kept

    if at.config.retrieve.retriever is None:
        return Asking(retriever(at, reranked=reranked))
    return Kept({**Exam(at.made["examine"]).retrieved(), **(also or {})})


def retriever(at: At, *, reranked: bool = True) -> Any:
    """ragraft's own index as a Retriever."""
    from ragraft.methods.retrieve import open_retriever

    index, settings = Index(at.made["index"]), at.config.retrieve
    return open_retriever(
        index.chunks().by_id(),
        at.backends.store.open(index.store),
        embedder=at.backends.embedder,
        reranker=at.backends.reranker if reranked else None,
        pool=settings.pool,
        rrf_k=settings.rrf_k,
        dense_weight=settings.dense_weight,
        lexical_weight=settings.lexical_weight,
    )


def manner(at: At, model: str) -> Manner:
    """How a model of the run is asked: as the settings say, else the tuned one as was found when it was examined, or
    calibrated."""
    from ragraft.methods.manner import Manner

    given = Manner.given(at.config.prompt)
    if model != "tuned":
        return given
    return given.otherwise(_found(at, "evaluate", Scorecard) or _found(at, "calibrate", Calibration))


def _found(at: At, stage: str, of: type[Scorecard | Calibration]) -> Manner | None:
    """How a finished stage asked, if it asked the model that is there."""
    from ragraft.methods.manner import manner_from_json

    made, model = (at.made[name].manifest() if name in at.made else None for name in (stage, "train"))
    asked = made is not None and model is not None and made.inputs.get("train") == model.fingerprint
    return manner_from_json(of(at.made[stage]).manner()) if asked else None


def builder(at: At, model: str = "base") -> Any:
    """The prompt builder of this config, within the model's window; `tuned` is asked as its exam was."""
    from ragraft.methods.prompt import PromptBuilder

    settings = at.config.prompt
    whole = PromptBuilder(
        tokenizer=at.backends.tokenizer,
        abstention=settings.abstention,
        max_tokens=min(settings.max_tokens, at.backends.model_facts()["window"]),
        answer_tokens=settings.answer_tokens,
        copy_quotes=settings.copy_quotes,
        grounded_only=settings.grounded_only,
    )
    return manner(at, model).of(whole)
