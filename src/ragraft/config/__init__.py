"""The YAML file as frozen sections, one a stage; every fault is reported at once. Knows no stage's code."""

from ragraft.config.sections import (
    CONTEXTS,
    ContextArm,
    EndpointConfig,
    EvaluateConfig,
    ExamineConfig,
    GenerateConfig,
    IndexConfig,
    IngestConfig,
    ModelArm,
    PromptConfig,
    QuestionSource,
    ReportConfig,
    RetrieveConfig,
    Section,
    Shares,
    SynthesizeConfig,
)
from ragraft.config.sweep import SweepConfig, load_sweep
from ragraft.config.training import MethodName, StepConfig, TrainConfig
from ragraft.config.whole import DEFAULT_EMBEDDER, DEFAULT_MODEL, Config, QuestionFiles, Questions, load_config

__all__ = [
    "CONTEXTS",
    "DEFAULT_EMBEDDER",
    "DEFAULT_MODEL",
    "Config",
    "ContextArm",
    "EndpointConfig",
    "EvaluateConfig",
    "ExamineConfig",
    "GenerateConfig",
    "IndexConfig",
    "IngestConfig",
    "MethodName",
    "ModelArm",
    "PromptConfig",
    "QuestionFiles",
    "QuestionSource",
    "Questions",
    "ReportConfig",
    "RetrieveConfig",
    "Section",
    "Shares",
    "StepConfig",
    "SweepConfig",
    "SynthesizeConfig",
    "TrainConfig",
    "load_config",
    "load_sweep",
]
