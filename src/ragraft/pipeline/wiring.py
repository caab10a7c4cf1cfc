"""What a stage is run with, and the RAG of a run put together: its retriever, its passages, its prompts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ragraft.config import Config
from ragraft.pipeline.backends import ConfiguredBackends
from ragraft.pipeline.events import Tell, unheard
from ragraft.records import Passage
from ragraft.workspace import Calibration, Exam, Folder, Index, Scorecard, Since


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


def abstain_above(at: At, model: str) -> float:
    """The probability above which a model of the run abstains: the setting's, else for the tuned one what was chosen
    when it was examined, or calibrated."""
    from ragraft.methods.prompt import ABSTAIN_ABOVE

    given = at.config.prompt.abstain_above
    if given is None and model == "tuned":
        made: dict[str, type[Scorecard | Calibration]] = {"evaluate": Scorecard, "calibrate": Calibration}
        given = next((found for name, of in made.items() if (found := _chosen(at, name, of)) is not None), None)
    return ABSTAIN_ABOVE if given is None else given


def _chosen(at: At, stage: str, of: type[Scorecard | Calibration]) -> float | None:
    """What a finished stage chose, if it asked the model that is there."""
    made, model = (at.made[name].manifest() if name in at.made else None for name in (stage, "train"))
    asked = made is not None and model is not None and made.inputs.get("train") == model.fingerprint
    return of(at.made[stage]).abstain_above() if asked else None


def builder(at: At, model: str = "base") -> Any:
    """The prompt builder of this config, within the model's window; `tuned` abstains as its exam chose."""
    from ragraft.methods.prompt import PromptBuilder

    settings = at.config.prompt
    return PromptBuilder(
        tokenizer=at.backends.tokenizer,
        abstention=settings.abstention,
        max_tokens=min(settings.max_tokens, at.backends.model_facts()["window"]),
        answer_tokens=settings.answer_tokens,
        abstain_above=abstain_above(at, model),
        copy_quotes=settings.copy_quotes,
        grounded_only=settings.grounded_only,
    )
