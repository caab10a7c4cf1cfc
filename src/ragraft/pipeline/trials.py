"""What a diagnosis tries beside the run: other indexes, and small training runs. Each is a sibling run.

So whatever was made stays, goes on after a kill, and is taken by fingerprint by whoever asks for the same. Of a
sibling's exam only the places of evidence are read, and only of questions that the diagnosis asks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragraft.config import Config, MethodName, TrainConfig
from ragraft.errors import WorkspaceError
from ragraft.methods.learning_curve import SmallRuns, sizes_of
from ragraft.methods.search_trial import OtherIndex
from ragraft.pipeline.backends import ConfiguredBackends, embedder_identity
from ragraft.pipeline.costing import TUNINGS, chained, index_cost
from ragraft.pipeline.estimates import Foresight
from ragraft.pipeline.events import Event, unheard
from ragraft.pipeline.wiring import At, finder
from ragraft.pipeline.workload import Workload
from ragraft.ports import Generator
from ragraft.workspace import Checkpoint, Exam, Folder, Run, hash_json, write_since

if TYPE_CHECKING:
    from ragraft.pipeline.runner import Session

TRIED = ("curve", "chunks", "embedders")
MOST_OF_A_NAME = 40


def other_indexes(config: Config) -> dict[str, Config]:
    """What is tried → its settings; what is in use already is none of it."""
    tried = config.diagnose
    found: dict[str, dict[str, Any]] = {}
    for size in tried.chunks:
        if size != config.index.chunk_tokens:
            found[f"chunks of {size} tokens"] = {"index": config.index.model_copy(update={"chunk_tokens": size})}
    for source in tried.embedders:
        if source != config.embedder:
            found[f"embedder {source}"] = {"embedder": source}
    return {name: _sibling(config, name, changes) for name, changes in found.items()}


def try_other_indexes(at: At, runs: Path) -> list[OtherIndex]:
    """Bring each to its own exam, which says where the evidence stands in its chunks."""
    made = []
    for name, config in other_indexes(at.config).items():
        session = _open(config, at, runs)
        begun = session.at({"ingest": at.made["ingest"]})
        plan = Foresight(begun, runs).plan("index")
        at.tell(Event("diagnose", "tries", source=name, expected=str(plan.expected) if plan else ""))
        cost = index_cost(begun, runs)
        found = session.at(_bring(session, "examine"))
        placed = {one.id: one for one in Exam(found.made["examine"]).questions()}
        made.append(OtherIndex(name, finder(found), placed, cost))
    return made


def small_runs(at: At, runs: Path) -> SmallRuns | None:
    """The runs of a learning curve; None where none is wished for."""
    if not at.config.diagnose.curve:
        return None
    whole = Workload(at, runs).lessons()
    return SmallRuns(whole, sizes_of(at.config.diagnose.curve, whole), _Classroom(at, runs, whole).tuned)


@dataclass(frozen=True, slots=True)
class _Classroom:
    """Trains what a learning curve asks for."""

    at: At
    runs: Path
    whole: int

    def tuned(self, action: str, questions: int) -> Generator:
        at = self.at
        session = _open(self._config(action, questions), at, self.runs)
        given = {name: folder for name, folder in at.made.items() if name in ("ingest", "index", "examine")}
        plan = Foresight(session.at(given), self.runs).plan("train")
        what = f"{action} on {questions} of {self.whole} questions"
        at.tell(Event("diagnose", "tries", source=what, expected=str(plan.expected) if plan else ""))
        at.backends.close_models()  # training is a process of its own, and needs the memory
        _check_same_exam(at, _bring(session, "examine"))
        made = _bring(session, "train")
        return at.backends.generator(str(Checkpoint(made["train"]).final()))

    def _config(self, action: str, questions: int) -> Config:
        """As the run would train, on so many questions and as large a part of the texts, to the end.

        The validation side is what the curve is measured on, so it chooses no epoch and is not learned for its loss.
        """
        config, chain = self.at.config, TUNINGS[action]
        share = questions / self.whole
        changes: dict[str, Any] = {
            # Of few clusters alone they would be unlike all that the action learns.
            "synthesize": config.synthesize.model_copy(
                update={"max_questions": questions, "limit_by": "question", "max_validation": 0}
            ),
            "train": _to_the_end(config.train, chain),
        }
        if "dap" in chain:
            tokens = config.dap.max_tokens or self._corpus_tokens()
            few = {"max_tokens": max(round(share * tokens), 1), "force": True}
            changes["dap"] = config.dap.model_copy(update=few)
        return _sibling(config, f"{action} on {questions}", changes)

    def _corpus_tokens(self) -> int:
        plan = Foresight(self.at, self.runs).plan("index")
        assert plan is not None, "index is a long stage"
        return plan.work.tokens


def _to_the_end(train: TrainConfig, chain: tuple[MethodName, ...]) -> TrainConfig:
    made = chained(train, chain)
    steps = {name: step.model_copy(update={"patience": None}) for name, step in made.steps.items()}
    return made.model_copy(update={"patience": None, "steps": steps})


def _sibling(config: Config, what: str, changes: Mapping[str, Any]) -> Config:
    """A run beside this one, named after it and after what is tried."""
    told = re.sub(r"[^A-Za-z0-9]+", "-", what.rpartition("/")[2])[:MOST_OF_A_NAME]
    plain = config.diagnose.model_copy(update={name: () for name in TRIED})
    name = f"{config.name}.{told}-{hash_json(what)[:6]}"
    return config.model_copy(update={"name": name, "diagnose": plain, **changes})


def _open(config: Config, at: At, runs: Path) -> Session:
    """The sibling's session; beside a refreshed run it goes on from the same model and exam."""
    from ragraft.pipeline.runner import Session
    from ragraft.pipeline.table import ROWS

    session = Session(config, {}, Run(runs, config.name), ConfiguredBackends(config, runs / ".answers"))
    if at.since is not None:
        with session.run.locked():
            write_since(session.run, at.since)
            for name, fingerprint in at.since.now.items():
                session.run.take(ROWS[name].place, fingerprint)
    return session


def _check_same_exam(at: At, made: Mapping[str, Folder]) -> None:
    """Raise WorkspaceError where the sibling cut its questions otherwise, and might learn what it is asked."""
    own, other = (found["examine"].manifest() for found in (at.made, made))
    if own is None or other is None or own.fingerprint != other.fingerprint:
        raise WorkspaceError(
            f"Documents or questions are not those of the exam of run {at.config.name}, so small runs for "
            "diagnose.curve would have another; bring it up to date first: ragraft run --from ingest"
        )


def _bring(session: Session, last: str) -> dict[str, Folder]:
    from ragraft.pipeline.runner import run_table

    try:
        return run_table(session, unheard, last=last)
    finally:
        session.backends.close_models()


def check_trials(config: Config, *, fetch: bool) -> None:
    """Raise SourceError for an embedder that cannot be opened, before the base model is asked anything."""
    for source in config.diagnose.embedders:
        if fetch or not source.startswith(("hf:", "pypi:")):
            embedder_identity(source, "diagnose.embedders")
