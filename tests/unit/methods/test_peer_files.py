"""The files of other trainers: rows and configs as plain data."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ragraft.methods.peer_files import (
    Learning,
    Pair,
    axolotl_config,
    chat_row,
    dataset_info,
    llamafactory_config,
    pair_row,
    segment_row,
)
from ragraft.records import Lesson, Message, Prompt

LEARNING = Learning("/models/m", "lora", 16, 32.0, 0.1, 5e-4, 1.0, 8, 0.05, 0.01, 1.0, False, 2048, 3, True)
PAIR = Pair("<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n", "Ada<|im_end|>")


def test_rows() -> None:
    prompt = Prompt((Message("system", "Answer."), Message("user", "Who?")))
    assert chat_row(Lesson("l", "q", "oracle", prompt, "Ada")) == {
        "messages": [
            {"role": "system", "content": "Answer."},
            {"role": "user", "content": "Who?"},
            {"role": "assistant", "content": "Ada"},
        ]
    }
    assert pair_row(PAIR) == {"prompt": PAIR.prompt, "completion": PAIR.completion}
    assert segment_row(PAIR)["segments"] == [
        {"label": False, "text": PAIR.prompt},
        {"label": True, "text": PAIR.completion},
    ]
    assert dataset_info({"lessons": "lessons.jsonl"})["lessons"]["file_name"] == "lessons.jsonl"


def test_both_configs_say_the_same_of_the_run() -> None:
    theirs, other = axolotl_config(LEARNING, validates=True), llamafactory_config(LEARNING, validates=True)
    pairs = {
        "base_model": "model_name_or_path",
        "lora_r": "lora_rank",
        "lora_alpha": "lora_alpha",
        "lora_dropout": "lora_dropout",
        "sequence_len": "cutoff_len",
        "num_epochs": "num_train_epochs",
        "gradient_accumulation_steps": "gradient_accumulation_steps",
        "learning_rate": "learning_rate",
        "lr_scheduler": "lr_scheduler_type",
        "warmup_ratio": "warmup_ratio",
        "weight_decay": "weight_decay",
        "max_grad_norm": "max_grad_norm",
        "bf16": "bf16",
        "seed": "seed",
    }
    assert {mine: theirs[mine] for mine in pairs} == {mine: other[name] for mine, name in pairs.items()}
    assert theirs["train_on_inputs"] is other["train_on_prompt"] is False


@pytest.mark.parametrize(
    ("tuning", "theirs", "other"),
    [
        ("lora", {"adapter": "lora"}, {"finetuning_type": "lora"}),
        ("dora", {"peft_use_dora": True}, {"use_dora": True}),
        ("rslora", {"peft_use_rslora": True}, {"use_rslora": True}),
        ("qlora", {"adapter": "qlora", "load_in_4bit": True}, {"quantization_bit": 4}),
        ("full", {}, {"finetuning_type": "full"}),
    ],
)
def test_each_tuning_has_its_keys(tuning: str, theirs: dict[str, object], other: dict[str, object]) -> None:
    learning = replace(LEARNING, tuning=tuning)
    axolotl, factory = axolotl_config(learning, validates=False), llamafactory_config(learning, validates=False)
    assert axolotl.items() >= theirs.items()
    assert factory.items() >= other.items()
    assert ("adapter" in axolotl, "lora_rank" in factory) == (tuning != "full", tuning != "full")
    assert "test_datasets" not in axolotl
    assert "eval_dataset" not in factory
