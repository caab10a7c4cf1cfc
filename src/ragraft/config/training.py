"""How models are tuned: by which methods, one after another, and with what each. Knows no lesson and no trainer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from ragraft.config.sections import Section, each_once

MethodName = Literal["sft", "rag-sft", "raft", "dap", "hybrid"]
OWN_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "dap": {"tuning": "auto", "rank": 256, "batch": 16, "warmup": 0.05, "epochs": 2.0},
}
"""Method → what it trains with where the YAML says nothing, as the YAML would say it."""
MOST_EPOCHS: Mapping[str, float] = {"dap": 4}
"""Passes over the same texts beyond which they bring little and soon harm (Muennighoff et al. 2023, 2305.16264)."""
ABSTAINING = ("raft", "hybrid")
"""Methods whose lessons also want the abstention where the documents are missing."""
WHOLE = 1_000_000_000
"""Parameters up to which all are tuned where adapters would be the second best (Biderman et al. 2024, 2405.09673)."""
Tuning = Literal["lora", "rslora", "dora", "qlora", "full"]


class StepConfig(Section):
    """What one method of the chain trains with."""

    tuning: Literal["lora", "rslora", "dora", "qlora", "full", "auto"] = "lora"
    """Adapters on all linear layers (LoRA; rank-stabilised; weight-decomposed; on 4-bit weights), or all parameters.

    auto: all parameters of a model of up to a billion, LoRA on a larger one.
    """
    rank: int = Field(32, ge=1)
    """LoRA rank."""
    alpha: float | None = Field(None, gt=0)
    """LoRA scale; twice the rank when left out."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """LoRA dropout."""
    learning_rate: float | None = Field(None, gt=0)
    """Peak rate; 5e-4 for adapters and 5e-5 for all parameters when left out; dap: 2e-4, and less for large models."""
    epochs: float = Field(2.0, gt=0)
    """Passes over the questions."""
    batch: int = Field(8, ge=1)
    """Questions in an optimizer step; a group is never torn, so that a step can hold a few more."""
    pack_tokens: int | None = Field(None, ge=16)
    """Tokens in a forward pass; 2048 on a CPU and 8192 elsewhere when left out. A longer lesson gets its own."""
    share: bool = True
    """False reads each lesson by itself, as other trainers do: the same loss and weights, more work."""
    mean: Literal["token", "row"] = "token"
    """Whether each learned token or each lesson weighs alike in a step's loss."""
    warmup: float = Field(0.05, ge=0, lt=1)
    """Share of the steps in which the rate rises; a cosine follows."""
    weight_decay: float = Field(0.0, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    checkpointing: bool = False
    """Compute activations again for the backward pass: a third more work, much less memory."""
    patience: int | None = Field(None, ge=1)
    """Stop after so many epochs without a lower validation loss, and keep the best epoch; null trains to the end."""
    average: float | None = Field(None, gt=0, lt=1)
    """Keep the exponential average of the weights, with this decay a step; null keeps the weights themselves."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """bf16 where the processor has it."""
    save_every: int = Field(20, ge=1)
    """Optimizer steps between two resume points."""
    seed: int = 0

    def settled_tuning(self, parameters: int) -> Tuning:
        """What is tuned of a model of so many parameters."""
        if self.tuning != "auto":
            return self.tuning
        return "full" if parameters <= WHOLE else "lora"

    @model_validator(mode="after")
    def _one_end(self) -> StepConfig:
        _refuse_two_ends(self.patience, self.average, "")
        return self


class StepChange(StepConfig):
    """Where one method differs from `train:`; holds, and shows, only what it sets."""

    @model_serializer(mode="wrap")
    def _changes(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in whole(self).items() if key in self.model_fields_set}


class DpoConfig(Section):
    """The preference stage; what it does not set is as in `train:`, or as its last method has it under `steps`."""

    beta: float = Field(0.1, gt=0)
    """How near the model stays to what the methods made; lower lets it move further."""
    sft: float = Field(1.0, ge=0)
    """Weight of the wanted answers' own likelihood beside the preference."""
    abstaining: float = Field(0.3, ge=0, le=1)
    """Most of the pairs, as a share, that prefer the abstention; a small model that sees many refuses everything."""
    max_pairs: int = Field(5000, ge=1)
    """Ask at most this many lessons (seeded)."""
    learning_rate: float | None = Field(None, gt=0)
    """Peak rate; a tenth of tuning's when left out: 5e-5 for adapters and 5e-6 for all parameters."""
    epochs: float = Field(1.0, gt=0)
    """Passes over the pairs."""
    batch: int = Field(8, ge=1)
    """Pairs in an optimizer step."""


class TrainConfig(StepConfig):
    method: tuple[MethodName, ...] = ("raft",)
    """How lessons are made and learned: one method, or a list in which each starts from what the one before made."""
    steps: dict[MethodName, StepChange] = Field(default_factory=dict)
    """By method, any of the settings above that it trains with instead; methods that are not in the chain wait."""
    preference: Literal["dpo"] | None = None
    """After the last method: answers on the documents over the model's own wrong ones, abstentions over inventions."""
    dpo: DpoConfig = DpoConfig()
    processes: int = Field(1, ge=1)
    """Training processes on this machine, one a GPU; the loss and the weights are those of one process."""
    trainer: str = "transformers"
    """Backend that says what a training process runs."""
    launcher: str = "here"
    """Backend that says where it runs."""

    @model_validator(mode="before")
    @classmethod
    def _own_defaults(cls, data: Any) -> Any:
        """A method's own defaults hold where neither `train:` nor `train.steps` says anything."""
        if not isinstance(data, dict) or not isinstance(data.get("steps", {}), dict):
            return data
        steps = dict(data.get("steps") or {})
        for method in _listed(data.get("method", "raft")):
            own = {key: value for key, value in OWN_DEFAULTS.get(method, {}).items() if key not in data}
            given = steps.get(method) or {}
            if own and isinstance(given, dict):
                steps[method] = {**own, **given}
        return {**data, "steps": steps} if steps else data

    @field_validator("method", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return _listed(value)

    @field_validator("method")
    @classmethod
    def _some_each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return each_once(value)

    @model_validator(mode="after")
    def _one_end_each(self) -> TrainConfig:
        for method in self.method:
            found = self._changed(method)
            _refuse_two_ends(found["patience"], found["average"], f"steps.{method}: ")
            most = MOST_EPOCHS.get(method, found["epochs"])
            if found["epochs"] > most:
                raise ValueError(
                    f"steps.{method}.epochs: {found['epochs']:g} passes over the same texts are more than the {most:g} "
                    "that help; give it more documents instead"
                )
        return self

    @model_validator(mode="after")
    def _prefers_after_lessons_with_both(self) -> TrainConfig:
        if self.preference and self.method[-1] not in ABSTAINING:
            raise ValueError(
                f"preference: {self.preference} needs lessons with and without their documents, and {self.method[-1]} "
                f"makes none; let the last method be {' or '.join(ABSTAINING)}"
            )
        return self

    @property
    def stages(self) -> tuple[str, ...]:
        """The methods and what follows them, as the checkpoint's folders are named."""
        return (*self.method, *((self.preference,) if self.preference else ()))

    def step(self, method: MethodName) -> StepConfig:
        """What a method of the chain trains with."""
        return StepConfig(**self._changed(method))

    def chain(self) -> dict[MethodName, StepConfig]:
        """The methods in their order, each with what it trains with."""
        return {method: self.step(method) for method in self.method}

    def preferring(self) -> StepConfig:
        """What the preference stage trains with: as the last method, at the rate, passes and batch of its own."""
        own = {key: getattr(self.dpo, key) for key in ("learning_rate", "epochs", "batch")}
        return StepConfig(**{**self._changed(self.method[-1]), **own, "patience": None, "average": None})

    def _changed(self, method: MethodName) -> dict[str, Any]:
        change = self.steps.get(method)
        return {
            key: getattr(change if change and key in change.model_fields_set else self, key)
            for key in StepConfig.model_fields
        }


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value if isinstance(value, list | tuple) else (value,)


def _refuse_two_ends(patience: int | None, average: float | None, where: str) -> None:
    if patience is not None and average is not None:
        raise ValueError(f"{where}patience keeps the best epoch's weights and average their mean; set one of them")
