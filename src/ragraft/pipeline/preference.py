"""What training needs of the pipeline where a preference stage follows the methods: the tuned model's own answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ragraft.config import Config
from ragraft.pipeline.backends import ConfiguredBackends
from ragraft.records import Completion, Prompt


def training_settings(config: Config) -> list[Any]:
    """What decides the weights; how the tuned model is asked only where it is."""
    train = config.train
    steps = {method: step.model_dump(mode="json") for method, step in train.chain().items()}
    own: list[Any] = [list(steps.items()), train.processes, train.trainer, train.launcher, config.prompt.max_tokens]
    if train.preference:
        own += [train.preference, train.preferring().model_dump(mode="json"), train.dpo.model_dump(mode="json")]
        own += [config.prompt.answer_tokens, config.evaluate.batch, config.evaluate.generator]
    return own


def tuned_answers(
    config: Config, backends: ConfiguredBackends, model: Path, prompts: Sequence[Prompt]
) -> list[Completion]:
    """What a checkpoint answers to its own lessons; kept, so that a killed run goes on."""
    from ragraft.methods.preference import own_answers

    tokens, batch = config.prompt.answer_tokens, config.evaluate.batch
    try:
        return own_answers(prompts, backends.generator(str(model)), tokens=tokens, batch=batch)
    finally:
        backends.close_models()  # training is a process of its own, and needs the memory
