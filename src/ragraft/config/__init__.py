"""The YAML file as frozen sections, one a stage; every fault is reported at once. Knows no stage's code."""

from ragraft.config.calibrate import CalibrateConfig
from ragraft.config.evaluating import ContextArm, EvaluateConfig, ModelArm
from ragraft.config.promote import PromoteConfig
from ragraft.config.sections import (
    CONTEXTS,
    DapConfig,
    DiagnoseConfig,
    EndpointConfig,
    ExamineConfig,
    GenerateConfig,
    HybridConfig,
    IndexConfig,
    IngestConfig,
    PromptConfig,
    QuestionSource,
    ReportConfig,
    RetrieveConfig,
    Section,
    Shares,
    SynthesizeConfig,
)
from ragraft.config.serve import ServeConfig
from ragraft.config.sweep import SweepConfig, load_sweep
from ragraft.config.training import DpoConfig, MethodName, StepConfig, TrainConfig
from ragraft.config.watch import RefreshConfig, SyncConfig, WatchConfig
from ragraft.config.whole import DEFAULT_EMBEDDER, DEFAULT_MODEL, Config, QuestionFiles, Questions, load_config

__all__ = [
    "CONTEXTS",
    "DEFAULT_EMBEDDER",
    "DEFAULT_MODEL",
    "CalibrateConfig",
    "Config",
    "ContextArm",
    "DapConfig",
    "DiagnoseConfig",
    "DpoConfig",
    "EndpointConfig",
    "EvaluateConfig",
    "ExamineConfig",
    "GenerateConfig",
    "HybridConfig",
    "IndexConfig",
    "IngestConfig",
    "MethodName",
    "ModelArm",
    "PromoteConfig",
    "PromptConfig",
    "QuestionFiles",
    "QuestionSource",
    "Questions",
    "RefreshConfig",
    "ReportConfig",
    "RetrieveConfig",
    "Section",
    "ServeConfig",
    "Shares",
    "StepConfig",
    "SweepConfig",
    "SyncConfig",
    "SynthesizeConfig",
    "TrainConfig",
    "WatchConfig",
    "load_config",
    "load_sweep",
]
