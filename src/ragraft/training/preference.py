"""Learn pairs of a wanted and an unwanted answer: TRL's DPOTrainer on tokens of ours. Knows tokens, nothing of RAG.

TRL would render and tokenize chats by itself, and a control token's text inside a document would become that token. So
it is given the ids that this package's own tokenization makes, and nothing is cut. The model that the pairs move away
from is what the job starts from: with adapters the same network without its new one, else a second copy of it.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import TrainerCallback
from trl import DPOConfig, DPOTrainer

from ragraft.errors import TrainingError
from ragraft.models.chat import ChatTokenizer, load_tokenizer
from ragraft.models.load import load_network, pick_dtype
from ragraft.records import prompt_from_json
from ragraft.training.checkpoint import last_whole, save, starting_folder, step_of, write_card
from ragraft.training.job import Job
from ragraft.training.loop import arguments_of, silence
from ragraft.training.network import adapter_of, four_bits
from ragraft.training.progress import METRICS, Progress, Watch

TOLD = {
    "rewards/accuracies": "preferred",
    "rewards/margins": "margin",
    "logps/chosen": "log_p_wanted",
    "logps/rejected": "log_p_unwanted",
}
"""What TRL logs → what a row of metrics.jsonl calls it."""
LAST = 10
"""Steps over which the card tells how training ended."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A prompt with two answers, as token ids."""

    prompt_ids: tuple[int, ...]
    chosen_ids: tuple[int, ...]
    rejected_ids: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """Tokens read for both answers; TRL reads the prompt for each."""
        return 2 * len(self.prompt_ids) + len(self.chosen_ids) + len(self.rejected_ids)

    @property
    def longest(self) -> int:
        return len(self.prompt_ids) + max(len(self.chosen_ids), len(self.rejected_ids))

    def row(self) -> dict[str, list[int]]:
        """As TRL's collator reads it."""
        return {name: list(getattr(self, name)) for name in ("prompt_ids", "chosen_ids", "rejected_ids")}


class PairTrainer(DPOTrainer):
    """DPOTrainer whose pairs are token ids already, in the order in which they are learned."""

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        return dataset

    def _send_telemetry(self) -> None:
        """Nothing leaves the machine unasked."""


class Counted(TrainerCallback):
    """Tells progress what each planned step reads."""

    def __init__(self, progress: Progress, steps: Sequence[Sequence[Pair]]) -> None:
        self._progress, self._steps = progress, steps

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        step = self._steps[state.global_step]
        self._progress.count(sum(pair.tokens for pair in step), len(step))


def train_pairs(folder: Path, job: Job, device: str) -> None:
    """Carry out a preference job, or go on from its last whole resume point, and write the checkpoint."""
    tokenizer = load_tokenizer(Path(job.base_folder))
    pairs = read_pairs(Path(job.lessons), tokenizer, job.max_tokens)
    epochs = plan_epochs(pairs, epochs=job.epochs, seed=job.seed)
    order = [pair for epoch in epochs for pair in epoch]
    steps = [order[start : start + job.batch] for start in range(0, len(order), job.batch)]
    resume = last_whole(folder)
    progress = Progress(folder, resume_step=step_of(resume), more=TOLD)
    progress.watch = Watch([-(-end // job.batch) for end in accumulate(map(len, epochs))])
    start = starting_folder(folder, job)
    trainer = _make_trainer(job, start, order, tokenizer, callbacks=[Counted(progress, steps), progress], device=device)
    began = time.monotonic()
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    facts = {
        "rows": len(pairs),
        "questions_seen": len(order),
        "learned_tokens": sum(len(pair.chosen_ids) + len(pair.rejected_ids) for pair in order),
        "sharing": 1.0,
        "validation_loss": None,
        "trainable_parameters": sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
        "steps": trainer.state.global_step,
        "tokens": progress.tokens,
        "seconds": round(progress.seconds_before + time.monotonic() - began, 1),
        "device": device,
        "dtype": "bfloat16" if trainer.args.bf16 else "float32",
        **_ended(folder),
    }
    save(folder, trainer.model, tokenizer, write_card(job, facts))


def read_pairs(path: Path, tokenizer: ChatTokenizer, max_tokens: int) -> list[Pair]:
    """Render a JSONL file of pairs. Raises TrainingError on one over `max_tokens`: nothing is cut.

    An unwanted answer that was `cut` short has no token that ends it.
    """
    pairs = []
    for data in _rows(path):
        rejected = tokenizer.target_ids(data["rejected"])
        pair = Pair(
            tuple(tokenizer.render(prompt_from_json(data["prompt"]))),
            tuple(tokenizer.target_ids(data["chosen"])),
            tuple(rejected[:-1] if data["cut"] else rejected),
        )
        if pair.longest > max_tokens:
            raise TrainingError(f"Pair {data['id']} has {pair.longest} tokens, more than the window of {max_tokens}")
        pairs.append(pair)
    return pairs


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:  # str.splitlines would also break where a text holds U+2028
        yield from map(json.loads, lines)


def plan_epochs(pairs: Sequence[Pair], *, epochs: float, seed: int) -> list[list[Pair]]:
    """The pairs of each epoch in their order; a part of an epoch takes as many as it is."""
    planned: list[list[Pair]] = []
    left = epochs
    while left > 0:
        shuffled = random.Random(f"{seed}|{len(planned)}").sample(list(pairs), len(pairs))
        planned.append(shuffled[: max(1, round(min(left, 1.0) * len(pairs)))])
        left -= 1
    return planned


def pairs_together(batch: int, longest: int, budget: int) -> int:
    """Pairs in a forward pass: the most that divide a step and fit, both answers of each padded, into the budget."""
    fitting = (count for count in range(2, batch + 1) if batch % count == 0 and 2 * count * longest <= budget)
    return max(fitting, default=1)


def _make_trainer(
    job: Job, start: Path, order: Sequence[Pair], tokenizer: ChatTokenizer, *, callbacks: list[Any], device: str
) -> PairTrainer:
    bf16 = pick_dtype(job.precision, device) is torch.bfloat16
    whole = job.tuning == "full"
    quantized = four_bits(device) if job.tuning == "qlora" else None

    def opened() -> Any:
        network = load_network(start, torch.bfloat16 if bf16 and not whole else torch.float32, quantized)
        return network if quantized else network.to(device)

    together = pairs_together(job.batch, max(pair.longest for pair in order), job.pack_tokens)
    wanted = job.preference or {}
    losses = {"sigmoid": 1.0, **({"sft": wanted["sft"]} if wanted["sft"] else {})}
    trainer = PairTrainer(
        model=opened(),
        ref_model=opened() if whole else None,
        args=DPOConfig(
            per_device_train_batch_size=together,
            gradient_accumulation_steps=job.batch // together,
            beta=wanted["beta"],
            loss_type=list(losses),
            loss_weights=list(losses.values()),
            max_length=None,
            gradient_checkpointing=job.checkpointing,
            train_sampling_strategy="sequential",
            **arguments_of(job, callbacks[-1].folder, bf16=bf16, device=device),
        ),
        train_dataset=Dataset.from_list([pair.row() for pair in order]),
        processing_class=tokenizer.tokenizer,
        peft_config=None if whole else adapter_of(job),
        callbacks=callbacks,
    )
    if trainer.train_dataset[0] != order[0].row():
        raise TrainingError("This TRL changes the tokens that it is given; install the version in constraints.txt")
    silence(trainer)
    return trainer


def _ended(folder: Path) -> Mapping[str, float]:
    """Means over the last steps: how often the wanted answer is the likelier one by its reward, and by how much."""
    rows = list(_rows(folder / METRICS))[-LAST:]
    return {
        name: round(sum(row[name] for row in rows) / len(rows), 4)
        for name in ("preferred", "margin")
        if rows and all(name in row for row in rows)
    }
