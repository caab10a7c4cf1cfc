"""Diagnose, wired: the ways to search that are tried, the base model, what actions would cost here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ragraft.config import Config
from ragraft.methods.costs import load_machines
from ragraft.methods.finders import Asking
from ragraft.pipeline.backends import embedder_identity, load
from ragraft.pipeline.preference import training_settings
from ragraft.pipeline.texts import read_general_text
from ragraft.pipeline.wiring import At, builder, finder, retriever
from ragraft.workspace import Diagnosis, Exam, Folder, Index, hash_file

IN_USE = "as it is"
RERANKER = "overlap"
"""Tried where none is configured: the one that needs no model."""


def run_diagnosis(at: At, out: Folder) -> Diagnosis:
    """Ask the base model, and advise."""
    from ragraft.pipeline.checks import check_askable
    from ragraft.pipeline.costing import action_costs
    from ragraft.pipeline.trials import small_runs, try_other_indexes
    from ragraft.stages.diagnose import diagnose

    config, exam, prompts, runs = at.config, Exam(at.made["examine"]), builder(at), out.path.parents[1]
    check_askable(exam, prompts)
    learning = small_runs(at, runs)
    return diagnose(
        Index(at.made["index"]),
        exam,
        at.backends.generator(config.model),
        settings=config.diagnose,
        prompt=config.prompt,
        retrieve=config.retrieve,
        synthesize=config.synthesize,
        finders=finders(at),
        indexes=try_other_indexes(at, runs),
        learning=learning,
        builder=prompts,
        scorer=at.backends.scorer(config.model) if at.backends.scores() else None,
        general=read_general_text(config),
        costs=action_costs(at, runs),
        machines=load_machines(config.diagnose.machines),
        out=out,
    )


def finders(at: At) -> dict[str, Any]:
    """The search in use, and variants of ragraft's own; a retriever of the user's is only asked deeper."""
    found: dict[str, Any] = {IN_USE: finder(at)}
    if at.config.retrieve.retriever is not None:
        return found
    own = retriever(at)
    dense, lexical = own.dense_weight, own.lexical_weight
    tried = {
        "words alone": None if dense == 0 else replace(own, dense_weight=0.0, lexical_weight=1.0),
        "vectors alone": None if lexical == 0 else replace(own, dense_weight=1.0, lexical_weight=0.0),
        "words and vectors alike": None if dense == lexical else replace(own, dense_weight=1.0, lexical_weight=1.0),
    }
    found |= {name: Asking(other) for name, other in tried.items() if other}
    if own.reranker is None:
        found[f"reranker {RERANKER}"] = Asking(replace(own, reranker=load("rerankers", RERANKER)()))
    return found


def diagnosis_settings(config: Config) -> list[Any]:
    """What decides the answers and the advice.

    How lessons would be made and learned only decides their cost, unless small runs learn them.
    """
    lessons, tried = config.synthesize, config.diagnose
    unused = {name for name in ("curve", "chunks", "embedders") if not getattr(tried, name)}
    own = tried.model_dump(mode="json", exclude={"machines", *unused})
    examples = [lessons.hard, lessons.low, lessons.quote_words]
    found = [own, config.prompt, config.retrieve, examples, config.evaluate.generator]
    if tried.curve:
        found += [lessons, *training_settings(config), config.dap, config.hybrid]
    return found


def embedder_identities(config: Config) -> list[str]:
    """Change when the vectors of the other embedders that are tried would."""
    return [embedder_identity(source, "diagnose.embedders") for source in config.diagnose.embedders]


def machines_identity(config: Config) -> str | None:
    """Changes when the user's own list of machines does."""
    file = config.diagnose.machines
    return hash_file(file) if file and file.is_file() else None
