"""Lessons and settings as other trainers read them. Knows their files' forms; knows no tokenizer and no folder.

Prompts go out as text in the model's own chat form, answers with the text of the token that ends a turn: so TRL,
Axolotl and LLaMA-Factory, told to add no template of theirs, learn the tokens that ragraft learns. Only the OpenAI
form holds messages, for whoever renders them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ragraft.records import Lesson, to_json

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pair:
    """A lesson as text: what is only read, and what is learned."""

    prompt: str
    completion: str


@dataclass(frozen=True, slots=True)
class Learning:
    """How a set of lessons is learned."""

    base: str
    """Folder of the model."""
    tuning: str
    rank: int
    alpha: float
    dropout: float
    learning_rate: float
    epochs: float
    """Over the file, all copies of a question together."""
    batch: int
    warmup: float
    weight_decay: float
    max_grad_norm: float
    checkpointing: bool
    max_tokens: int
    seed: int
    bf16: bool


def chat_row(lesson: Lesson) -> Row:
    """OpenAI's chat form: `{"messages": […]}`, the answer as the assistant's turn."""
    answer = {"role": "assistant", "content": lesson.target}
    return {"messages": [*(to_json(message) for message in lesson.prompt.messages), answer]}


def pair_row(pair: Pair) -> Row:
    """TRL's prompt and completion, which LLaMA-Factory reads too."""
    return {"prompt": pair.prompt, "completion": pair.completion}


def segment_row(pair: Pair) -> Row:
    """Axolotl's form without a template: stretches of text, each learned or not."""
    return {"segments": [{"label": False, "text": pair.prompt}, {"label": True, "text": pair.completion}]}


def axolotl_config(learning: Learning, *, validates: bool) -> Row:
    """A config beside lessons.jsonl and validation.jsonl."""
    adapter: Row = {}
    if learning.tuning != "full":
        adapter = {
            "adapter": "qlora" if learning.tuning == "qlora" else "lora",
            **({"load_in_4bit": True} if learning.tuning == "qlora" else {}),
            "lora_r": learning.rank,
            "lora_alpha": learning.alpha,
            "lora_dropout": learning.dropout,
            "lora_target_linear": True,
            **({"peft_use_dora": True} if learning.tuning == "dora" else {}),
            **({"peft_use_rslora": True} if learning.tuning == "rslora" else {}),
        }
    held_out = {"path": "validation.jsonl", "ds_type": "json", "split": "train", "type": "input_output"}
    return {
        "base_model": learning.base,
        "datasets": [{"path": "lessons.jsonl", "ds_type": "json", "type": "input_output"}],
        **({"test_datasets": [held_out]} if validates else {}),
        "train_on_inputs": False,
        "sequence_len": learning.max_tokens,
        "sample_packing": False,
        **adapter,
        "micro_batch_size": 1,
        "gradient_accumulation_steps": learning.batch,
        "num_epochs": learning.epochs,
        "learning_rate": learning.learning_rate,
        "lr_scheduler": "cosine",
        "optimizer": "adamw_torch",
        "warmup_ratio": learning.warmup,
        "weight_decay": learning.weight_decay,
        "max_grad_norm": learning.max_grad_norm,
        "gradient_checkpointing": learning.checkpointing,
        "bf16": learning.bf16,
        "seed": learning.seed,
        "output_dir": "tuned",
    }


def llamafactory_config(learning: Learning, *, validates: bool) -> Row:
    """A config beside lessons.jsonl, validation.jsonl and dataset_info.json."""
    adapter: Row = {"finetuning_type": "full"}
    if learning.tuning != "full":
        adapter = {
            "finetuning_type": "lora",
            "lora_rank": learning.rank,
            "lora_alpha": round(learning.alpha),
            "lora_dropout": learning.dropout,
            "lora_target": "all",
            **({"quantization_bit": 4} if learning.tuning == "qlora" else {}),
            **({"use_dora": True} if learning.tuning == "dora" else {}),
            **({"use_rslora": True} if learning.tuning == "rslora" else {}),
        }
    return {
        "stage": "sft",
        "do_train": True,
        "model_name_or_path": learning.base,
        "dataset_dir": ".",
        "dataset": "lessons",
        **({"eval_dataset": "validation", "eval_strategy": "epoch"} if validates else {}),
        # The prompts are in the model's chat form already, the end token is in the answers.
        "template": "empty",
        "train_on_prompt": False,
        "cutoff_len": learning.max_tokens,
        **adapter,
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": learning.batch,
        "num_train_epochs": learning.epochs,
        "learning_rate": learning.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_ratio": learning.warmup,
        "weight_decay": learning.weight_decay,
        "max_grad_norm": learning.max_grad_norm,
        "disable_gradient_checkpointing": not learning.checkpointing,
        "bf16": learning.bf16,
        "seed": learning.seed,
        "output_dir": "tuned",
    }


def dataset_info(names: Mapping[str, str]) -> Row:
    """LLaMA-Factory's list of data sets: name → file."""
    columns = {"prompt": "prompt", "response": "completion"}
    return {name: {"file_name": file, "columns": columns} for name, file in names.items()}
