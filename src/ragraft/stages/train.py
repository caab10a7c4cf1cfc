"""Tune the base model on the lessons, method after method. Reads Lessons; writes Checkpoint.

Knows settings and a job's form; the training itself is a process behind the Trainer and Launcher ports.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ragraft.config import PromptConfig, StepConfig, TrainConfig
from ragraft.errors import TrainingError
from ragraft.methods.preference import asked_lessons, counts, make_pairs
from ragraft.ports import Backends, TrainJob
from ragraft.records import Completion, Prompt, to_json
from ragraft.workspace import Checkpoint, Folder, Lessons, LessonSet, hash_file, step_folder

JOB = "job.json"
CARD = "checkpoint.json"
PAIRS, PAIRS_COUNTS, PAIRS_REJECTED = "pairs.jsonl", "pairs.json", "pairs-rejected.jsonl"
TAKEN = "taken from an equal run"
# LoRA's best rate is about ten times that of all parameters (Biderman et al. 2024; Schulman 2025).
ADAPTER_RATE, FULL_RATE = 5e-4, 5e-5
# A third of what such models were pretrained with at its peak: enough to learn, little enough to forget little.
DAP_ADAPTER_RATE = 2e-4
# What was learned is to be set right, not learned anew.
DPO_SHARE = 0.1
DAP_RATES = ((1e9, 5e-5), (4e9, 2e-5), (15e9, 1e-5), (math.inf, 5e-6))
"""Parameters of the largest model → rate for all of them."""
AS_SET = (
    *("rank", "dropout", "epochs", "batch", "share", "mean", "warmup", "weight_decay", "max_grad_norm"),
    *("checkpointing", "patience", "average", "precision", "save_every", "seed"),
)
# Places on this machine decide nothing.
PLACES = ("base_folder", "lessons", "validation")
# Enough to fill the processor; more only takes memory.
CPU_PACK, PACK = 2048, 8192


Answers = Callable[[Path, Sequence[Prompt]], list[Completion]]


def train(
    lessons: Lessons,
    *,
    settings: TrainConfig,
    prompt: PromptConfig,
    backends: Backends,
    out: Folder,
    earlier: Sequence[Folder] = (),
    answer: Answers | None = None,
) -> Checkpoint:
    """Learn each method's lessons in turn, each starting from what the one before made; goes on after a kill.

    What one of `earlier`, the methods' folders of other runs, was made by an equal job, is taken from there. A
    preference stage needs `answer`: what a checkpoint answers to prompts, in their order. Raises TrainingError when a
    method leaves no checkpoint.
    """
    given = lessons.steps()
    facts: Mapping[str, Any] = {
        **backends.model_facts(),
        **backends.machine_facts(),
        "processes": settings.processes,
        "max_tokens": prompt.max_tokens,
        "trainer": settings.trainer,
    }
    before: Folder | None = None
    taken: list[str] = []
    for number, (method, step) in enumerate(settings.chain().items(), start=1):
        work = out.folder(step_folder(number, method))
        if not work.has(JOB):
            files = _lesson_files(given[work.path.name])
            work.write_json(JOB, _job(method, files, step, base=facts, before=before))
        taken += _bring(work, settings.processes, backends, earlier)
        before = work
    if settings.preference and before:
        work = out.folder(step_folder(len(settings.stages), settings.preference))
        if not work.has(JOB):
            _pair(given[before.path.name], before, work, settings=settings, prompt=prompt, answer=answer)
            work.write_json(JOB, _preference_job(work, settings, base=facts, before=before))
        taken += _bring(work, 1, backends, earlier)
    made = Checkpoint(out)
    summary = _summary(list(made.cards().values()), "+".join(settings.stages))
    out.write_json("summary.json", summary | ({TAKEN: ", ".join(taken)} if taken else {}))
    return made


def _bring(work: Folder, processes: int, backends: Backends, earlier: Sequence[Folder]) -> list[str]:
    """Take or make the folder's checkpoint; its name if it was taken."""
    if work.has(CARD):
        return []
    if _take(work, earlier):
        return [work.path.name]
    _launch(work, processes, backends)
    return []


def _pair(
    lessons: LessonSet,
    before: Folder,
    work: Folder,
    *,
    settings: TrainConfig,
    prompt: PromptConfig,
    answer: Answers | None,
) -> None:
    """Ask the tuned model its own lessons, and write the pairs that come of them. Raises TrainingError without any."""
    if answer is None:
        raise TrainingError("train.preference asks the tuned model its lessons, and was given nothing to ask it with")
    asked, left = asked_lessons(
        lessons.train(), prompt.abstention, most=settings.dpo.max_pairs, seed=settings.preferring().seed
    )
    pairs = make_pairs(
        asked,
        answer(before.path, [lesson.prompt for lesson in asked]),
        abstention=prompt.abstention,
        abstaining=settings.dpo.abstaining,
        seed=settings.preferring().seed,
    )
    rejected = [*left, *pairs.rejected]
    work.write_jsonl(PAIRS_REJECTED, map(to_json, rejected))
    if not pairs.made:
        raise TrainingError(
            f"train.preference: no lesson of {lessons.path} gave a pair (reasons in {work.file(PAIRS_REJECTED)}); "
            "leave train.preference out, or make other lessons"
        )
    work.write_json(PAIRS_COUNTS, counts(pairs.made, rejected))
    work.write_jsonl(PAIRS, map(to_json, pairs.made))


def _preference_job(work: Folder, settings: TrainConfig, *, base: Mapping[str, Any], before: Folder) -> dict[str, Any]:
    pairs = work.file(PAIRS)
    files = {"lessons": str(pairs), "validation": "", "data": hash_file(pairs)}
    job = _job(str(settings.preference), files, settings.preferring(), base={**base, "processes": 1}, before=before)
    return {**job, "preference": {"beta": settings.dpo.beta, "sft": settings.dpo.sft}}


def _take(work: Folder, earlier: Sequence[Folder]) -> bool:
    """Copy what an equal job made, its card last; an attempt that was begun here goes on here."""
    if {place.name for place in work.path.iterdir()} - {JOB, PAIRS, PAIRS_COUNTS, PAIRS_REJECTED}:
        return False
    wanted = _deciding(work)
    for other in earlier:
        if other.path != work.path and other.has(CARD) and other.has(JOB) and _deciding(other) == wanted:
            shutil.copytree(other.path, work.path, ignore=shutil.ignore_patterns(JOB, CARD, ".*"), dirs_exist_ok=True)
            work.write_json(CARD, other.read_json(CARD))
            return True
    return False


def _deciding(folder: Folder) -> dict[str, Any]:
    return {key: value for key, value in folder.read_json(JOB).items() if key not in PLACES}


def _launch(work: Folder, processes: int, backends: Backends) -> None:
    outcome = backends.launcher.launch(backends.trainer.command(TrainJob(work.path, processes)))
    if outcome.returncode or not work.has(CARD):
        raise TrainingError(
            f"Training stopped before its end ({outcome.message or 'no checkpoint was written'}); "
            "the same command goes on from the last resume point"
        )


def _lesson_files(lessons: LessonSet) -> dict[str, Any]:
    train, validation = (lessons.folder.file(name) for name in ("lessons.jsonl", "validation.jsonl"))
    return {
        "lessons": str(train),
        "validation": str(validation),
        "data": hash_file(train),
        "validation_data": hash_file(validation),
    }


def _job(
    method: str, files: Mapping[str, Any], settings: StepConfig, *, base: Mapping[str, Any], before: Folder | None
) -> dict[str, Any]:
    """All that decides the weights, settled now: a resumed job must not see other defaults."""
    return {
        "base": base["source"],
        "base_identity": base["identity"],
        "base_folder": base["path"],
        "after": None if before is None else before.path.name,
        "after_identity": None if before is None else _identity(before.path),
        "method": method,
        **files,
        "trainer": base["trainer"],
        **{key: getattr(settings, key) for key in AS_SET},
        **settled(settings, method, base["parameters"]),
        "pack_tokens": settings.pack_tokens or (CPU_PACK if base["device"] == "cpu" else PACK),
        "threads": base["threads"],
        "processes": base["processes"],
        "max_tokens": min(base["max_tokens"], base["window"]),
    }


def settled(settings: StepConfig, method: str, parameters: int) -> dict[str, Any]:
    """What the settings leave open, for a model of so many parameters."""
    tuning = settings.settled_tuning(parameters)
    return {
        "tuning": tuning,
        "alpha": settings.alpha or 2.0 * settings.rank,
        "learning_rate": settings.learning_rate or _rate(method, tuning, parameters),
    }


def _rate(method: str, tuning: str, parameters: int) -> float:
    """The peak rate where none is set."""
    if method == "dpo":
        return DPO_SHARE * (FULL_RATE if tuning == "full" else ADAPTER_RATE)
    if method == "dap":
        rates = DAP_RATES if tuning == "full" else ((math.inf, DAP_ADAPTER_RATE),)
        return next(rate for largest, rate in rates if parameters <= largest)
    return FULL_RATE if tuning == "full" else ADAPTER_RATE


def _identity(folder: Path) -> str:
    """A digest of each file of weights; what they were made on stands in the card beside them."""
    return " ".join(hash_file(file) for file in sorted(folder.glob("*.safetensors")))


def _summary(cards: Sequence[Mapping[str, Any]], method: str) -> dict[str, Any]:
    """Steps, tokens and minutes of all methods; the last one's loss."""
    last = cards[-1]
    loss = last["validation_loss"]
    notes = "; ".join(note for card in cards if (note := card.get("note")))
    return {
        "method": method,
        "steps": sum(card["steps"] for card in cards),
        "tokens": sum(card["tokens"] for card in cards),
        "sharing": last["sharing"],
        "minutes": round(sum(card["seconds"] for card in cards) / 60, 1),
        "validation loss": None if loss is None else round(loss, 3),
        **({"note": notes} if notes else {}),
    }
