"""What to expect of a long stage, from what is made already and what this machine did before.

The sizes are `pipeline.workload`'s, the arithmetic `methods.estimate`'s, the memory `pipeline.rates`'.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ragraft.methods import estimate as arithmetic
from ragraft.methods.estimate import Estimate, Pace, Work
from ragraft.pipeline.rates import Measured, Rates
from ragraft.pipeline.wiring import At
from ragraft.pipeline.workload import LESSONS, Workload
from ragraft.stages.train import TAKEN
from ragraft.workspace import Checkpoint, Folder

LONG = ("index", "diagnose", "train", "calibrate", "evaluate")
SHORTEST = 1.0  # below this a measurement tells of opening files, not of the work


@dataclass(frozen=True, slots=True)
class Plan:
    """A long stage's work and what to expect of it."""

    stage: str
    work: Work
    expected: Estimate

    def record(self, asked: str) -> dict[str, Any]:
        """As the manifest keeps it; `asked` says with whom answers are shared."""
        return {**asdict(self.expected), "seconds": round(self.expected.seconds, 1), "asked": asked}


@dataclass(frozen=True, slots=True)
class Really:
    """What a stage took."""

    worked: float
    """Seconds that the planned work took, or would have taken."""
    spent: float
    """Seconds of them that were really spent in it."""
    tokens: int


@dataclass(frozen=True)
class Foresight:
    """Plans of a run's stages, and what is learnt when they end."""

    at: At
    runs: Path

    def plan(self, stage: str) -> Plan | None:
        """What a long stage is to do; None for a short one, and for one that nothing can be told of."""
        if stage not in (*LONG, LESSONS):
            return None
        work = self.workload.of(stage)
        if stage == LESSONS and not work.effort:
            return None
        expected = self._expect("evaluate" if stage == LESSONS else stage, work)
        return Plan(stage, work, self._with_trials(expected) if stage == "diagnose" else expected)

    @cached_property
    def workload(self) -> Workload:
        """How much each of them is to do."""
        return Workload(self.at, self.runs)

    def _with_trials(self, expected: Estimate) -> Estimate:
        """What a diagnosis takes with the other indexes that it tries, and with small runs as the YAML would train."""
        tried = self.at.config.diagnose
        wanted = {"index": len(tried.chunks) + len(tried.embedders), "train": sum(tried.curve)}
        for stage, times in wanted.items():
            plan = self.plan(stage) if times else None
            expected = expected.beside(plan.expected, times) if plan else expected
        return expected

    def asking(self, answers: int, *, shown: float) -> Estimate:
        """So many answers of this run's models, on so many passages each in the mean."""
        chunk, room = self.at.config.index.chunk_tokens, self.at.config.prompt.answer_tokens
        work = arithmetic.evaluate_work(answers, shown=shown, chunk_tokens=chunk, answer_tokens=room, shots=0)
        return self._expect("evaluate", work)

    def _expect(self, stage: str, work: Work) -> Estimate:
        measured = self._measured(stage)
        found = arithmetic.expect(work, measured.pace)
        return Estimate(found.seconds, round(found.tokens * measured.tokens), found.disk, found.guessed)

    def learn(self, plan: Plan, folder: Folder, seconds: float) -> None:
        """Remember how fast a stage was that ran in one go."""
        if plan.stage not in _REALLY:
            return
        really = _REALLY[plan.stage](self, plan.work, folder, seconds)
        if really.worked < SHORTEST:
            return
        before = self._measured(plan.stage)
        start = max(seconds - really.spent, 0.0)
        pace = arithmetic.learn(before.pace, plan.work, seconds=really.worked, start=start)
        share = really.tokens / max(plan.work.tokens + plan.work.written, 1)
        self._rates.put(self._key(plan.stage), Measured(pace, share))

    @cached_property
    def _rates(self) -> Rates:
        from ragraft.models.sources import cache_folder

        return Rates(cache_folder())

    @cached_property
    def _machine(self) -> Mapping[str, Any]:
        return self.at.backends.machine_facts()

    def _identity(self, stage: str) -> str:
        backends, evaluate = self.at.backends, self.at.config.evaluate
        if stage == "index":
            return f"{backends.embedder_identity()} for {backends.model_facts()['identity']}"
        base = str(backends.model_facts()["identity"])
        train = self.at.config.train
        tunings = "+".join(
            [*(str(step.tuning) for step in train.chain().values()), *([train.preference] if train.preference else [])]
        )
        return f"{base} {tunings}" if stage == "train" else f"{base} {evaluate.generator}"

    def _key(self, stage: str) -> str:
        return f"{stage} {self._identity(stage)} {self._machine['device']}, {self._machine['threads']} threads"

    def _measured(self, stage: str) -> Measured:
        return self._rates.get(self._key(stage)) or Measured(self._guess(stage))

    def _guess(self, stage: str) -> Pace:
        here = self._machine["device"] == "cpu"
        size = self.at.backends.embedder_size() if stage == "index" else self.at.backends.model_size()
        return arithmetic.first_guess(stage, size.parameters, threads=self._machine["threads"] if here else 0)

    def really_indexed(self, work: Work, folder: Folder, seconds: float) -> Really:
        pace, tokens = self._measured("index").pace, int(folder.read_json("summary.json")["tokens"])
        # Opening the model takes most of a small one's time, and would pass for its pace.
        spent = seconds - pace.start if work.effort / pace.rate > pace.start else 0.0
        return Really(spent, spent, tokens)

    def really_trained(self, work: Work, folder: Folder, seconds: float) -> Really:
        if TAKEN in folder.read_json("summary.json"):
            return Really(0.0, 0.0, 0)  # a part of it took no time here
        spent = min(sum(float(card["seconds"]) for card in Checkpoint(folder).cards().values()), seconds)
        if self.at.config.train.preference:
            spent = seconds  # answers to lessons are part of the work
        return Really(spent, spent, work.tokens + work.written)

    def really_diagnosed(self, work: Work, folder: Folder, seconds: float) -> Really:
        tried = self.at.config.diagnose
        if tried.curve or tried.chunks or tried.embedders:
            return Really(0.0, 0.0, 0)  # what it tried took time that tells nothing of answers
        return self.really_answered(work, folder, seconds)

    def really_answered(self, work: Work, folder: Folder, seconds: float) -> Really:
        meter, planned = self.at.backends.meter, arithmetic.answers_in(work, self.at.config.prompt.answer_tokens)
        # Kept answers took no time: as if all had been asked that were meant.
        share = planned / meter.answered if meter.answered else 0.0
        return Really(meter.seconds * share, meter.seconds, round(meter.tokens * share))


_REALLY: Mapping[str, Callable[[Foresight, Work, Folder, float], Really]] = {
    "index": Foresight.really_indexed,
    "train": Foresight.really_trained,
    "evaluate": Foresight.really_answered,
    "diagnose": Foresight.really_diagnosed,
    "calibrate": Foresight.really_answered,
}
