"""What can be known to fail before anything runs: said at once, not after hours. Knows the config and the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec

from ragraft.config import CONTEXTS, Config
from ragraft.errors import BackendError, ConfigError, InputError, SourceError
from ragraft.methods.costs import load_machines
from ragraft.methods.pattern_data import load_patterns
from ragraft.methods.prompt import PromptBuilder
from ragraft.methods.reading_data import load_reading
from ragraft.pipeline.backends import (
    ENDPOINT,
    JUDGE,
    ConfiguredBackends,
    load,
    load_scorer,
    load_taking,
    require,
)
from ragraft.pipeline.general import asks_base, fetch_general, read_general, teacher_model
from ragraft.pipeline.grading import read_labels
from ragraft.pipeline.table import questions_of
from ragraft.pipeline.texts import read_general_text
from ragraft.pipeline.trials import check_trials
from ragraft.workspace import Exam

SHOWN = 5
OPTIONAL = ("mlflow", "trackio")
"""Trackers whose library is installed by an extra of the same name."""


def check_stage_inputs(config: Config, backends: ConfiguredBackends, stages: tuple[str, ...], *, fetch: bool) -> None:
    """Raise the error that one of these stages would end with: its files, its backends' names, its models.

    Without `fetch`, models that would have to come from elsewhere are passed over.
    """
    for stage, checks in _CHECKS.items():
        if stage in stages:
            for check in checks:
                check(config)
    if "index" in stages:
        _check_models(config, backends, fetch=fetch)
    if "diagnose" in stages:
        check_trials(config, fetch=fetch)
    if "evaluate" in stages:
        _check_grader(config, backends, fetch=fetch)
    if "synthesize" in stages:
        _check_writer(config, backends, fetch=fetch)
        if fetch:
            fetch_general(config)


def _check_models(config: Config, backends: ConfiguredBackends, *, fetch: bool) -> None:
    for source, identify in ((config.model, backends.model_facts), (config.embedder, backends.embedder_identity)):
        if fetch or not source.startswith(("hf:", "pypi:")):
            identify()


def _check_grader(config: Config, backends: ConfiguredBackends, *, fetch: bool) -> None:
    """Who judges answers is written as it must be, and can be opened."""
    name, _, source = (config.evaluate.grader or "").partition("@")
    if not name:
        return
    load_taking("evaluate.grader", "graders", name, int(bool(source)))
    if name == JUDGE and source.startswith(ENDPOINT):
        backends.writer(source)
    elif source and (fetch or not source.startswith(("hf:", "pypi:"))):
        try:
            backends.grader_identity()
        except SourceError as error:
            told = str(error).removeprefix("evaluate.grader: ")
            raise SourceError(f"evaluate.grader: {told}") from None


def _check_writer(config: Config, backends: ConfiguredBackends, *, fetch: bool) -> None:
    """Who writes questions or reasonings for lessons can be opened, and the patterns' language is known."""
    settings = config.synthesize
    if "mine" in settings.made:
        load_patterns(settings.language)
    for key, used, model in (
        ("generate", "generate" in settings.made, settings.generate.model),
        ("teacher", settings.reasoning == "teacher", settings.teacher.model),
    ):
        if not (used and model):
            continue
        if model.startswith(ENDPOINT):
            backends.writer(model)
        elif fetch or not model.startswith(("hf:", "pypi:")):
            try:
                backends.writer_identity(model)
            except SourceError as error:
                raise SourceError(f"synthesize.{key}.model: {error}") from None


def check_askable(exam: Exam, builder: PromptBuilder) -> None:
    """Raise InputError for questions that no prompt could hold: before training, for evaluation would stop at them."""
    asked = [question for question in exam.questions() if question.side in ("exam", "validation")]
    too_long = [question.id for question in asked if not builder.fits(question.question.question, [])]
    if too_long:
        named = ", ".join(too_long[:SHOWN]) + (" …" if len(too_long) > SHOWN else "")
        raise InputError(
            f"{len(too_long)} of {len(asked)} exam and validation questions are longer than prompt.max_tokens and the "
            f"model's window allow ({builder.max_tokens} tokens with {builder.answer_tokens} for the answer): {named}; "
            "shorten or remove them, or raise prompt.max_tokens"
        )


def _questions(config: Config) -> None:
    from ragraft.stages.examine import read_all

    read_all(questions_of(config))  # raises what examine would


def _general(config: Config) -> None:
    if config.instructions is None or not config.instructions.startswith("hf:"):
        read_general(config)


def _reading(config: Config) -> None:
    if "dap" in config.train.method and config.dap.form == "reading":
        load_reading(config.dap.language)


def _scores(config: Config) -> None:
    if "dap" in config.train.method:
        load_scorer(config.evaluate.generator)
        read_general_text(config)


def _labels(config: Config) -> None:
    read_labels(config)  # raises what evaluate would


def _asks_base(config: Config) -> bool:
    return asks_base(config) or teacher_model(config) == config.model


def _opens_models(config: Config) -> None:
    if config.evaluate.generator == "openai":
        raise ConfigError(
            "evaluate.generator: openai opens no base and no tuned model; an endpoint's model is named openai:MODEL "
            "where it is to write questions"
        )


def _preference(config: Config) -> None:
    if config.train.preference and find_spec("trl") is None:
        raise BackendError(
            f"train.preference: {config.train.preference} needs TRL: pip install 'ragraft[preference]', or leave "
            "train.preference out"
        )


def _tracks(config: Config) -> None:
    name = config.report.track
    if name in OPTIONAL and find_spec(name) is None:
        raise BackendError(
            f"report.track: {name} is not installed: pip install 'ragraft[{name}]', or leave report.track out"
        )


def _diagnoses(config: Config) -> None:
    load_machines(config.diagnose.machines)
    read_general_text(config)


def _calibrates(config: Config) -> None:
    if config.examine.shares.calibration == 0:
        raise ConfigError(
            "examine.shares.calibration is 0, and calibrate learns from no other side; give it a share of the questions"
        )


def _named(port: str, name: Callable[[Config], str | None], *also: str) -> Callable[[Config], None]:
    def check(config: Config) -> None:
        chosen = name(config)
        if chosen:
            require(port, chosen, also)

    return check


def _forgetting(config: Config) -> None:
    name = config.evaluate.generator
    if config.evaluate.forgetting and not hasattr(load("generators", name), "score"):
        raise BackendError(
            f"evaluate.generator: {name} cannot score texts, which evaluate.forgetting needs; set it to false, or use "
            "transformers"
        )


_CHECKS: Mapping[str, tuple[Callable[[Config], None], ...]] = {
    "index": (_named("stores", lambda config: config.index.store),),
    "examine": (
        _questions,
        _named("retrievers", lambda config: config.retrieve.retriever, CONTEXTS),
        _named("rerankers", lambda config: (config.retrieve.reranker or "").partition("@")[0]),
    ),
    "diagnose": (
        _named("generators", lambda config: config.evaluate.generator),
        _opens_models,
        _diagnoses,
    ),
    "synthesize": (
        _general,
        _reading,
        _named("generators", lambda config: config.evaluate.generator if _asks_base(config) else None),
    ),
    "train": (
        _named("trainers", lambda config: config.train.trainer),
        _named("launchers", lambda config: config.train.launcher),
        _named("generators", lambda config: config.evaluate.generator if config.train.preference else None),
        _preference,
    ),
    "calibrate": (_named("generators", lambda config: config.evaluate.generator), _opens_models, _calibrates),
    "evaluate": (
        _named("generators", lambda config: config.evaluate.generator),
        _opens_models,
        _forgetting,
        _scores,
        _labels,
    ),
    "report": (_named("trackers", lambda config: config.report.track), _tracks),
}
