"""Build the backends that a config names. Built-ins come through the same entry points as plugins."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragraft.config import CONTEXTS, Config
from ragraft.errors import BackendError, SourceError, or_meant
from ragraft.pipeline.answers import Concurrently, KeptAnswers, Meter
from ragraft.pipeline.passages import CheckedRetriever
from ragraft.pipeline.streaming import Whole
from ragraft.ports import (
    Embedder,
    Generator,
    Grader,
    Launcher,
    Reader,
    Reranker,
    Retriever,
    Scorer,
    Store,
    Streamer,
    Tokenizer,
    Trainer,
)

if TYPE_CHECKING:
    from ragraft.models.size import ModelSize
    from ragraft.models.sources import ModelFolder


ENDPOINT = "openai:"
"""Before the name of a model that the configured endpoint serves."""
JUDGE = "judge"
"""The grader that asks a model; its source may be openai:MODEL."""


class ConfiguredBackends:
    """The backends of a config, each built when first used; implements ports.Backends."""

    def __init__(self, config: Config, answers: Path) -> None:
        self._config, self._answers = config, answers
        self.meter = Meter()
        self._opened: dict[str, KeptAnswers] = {}

    @cached_property
    def tokenizer(self) -> Tokenizer:
        from ragraft.models.chat import load_tokenizer
        from ragraft.models.load import refuse_unknown_architecture

        folder = Path(self.model_facts()["path"])
        refuse_unknown_architecture(folder)  # now, not when training opens it hours later
        tokenizer: Tokenizer = load_tokenizer(folder)
        return tokenizer

    @cached_property
    def embedder(self) -> Embedder:
        source = self._config.embedder
        if self._embedder_is_named():
            made: Embedder = load("embedders", source)()
        else:
            made = load("embedders", "sentence-transformers")(_resolve("embedder", source).path)
        return made

    @cached_property
    def store(self) -> Store:
        made: Store = load("stores", self._config.index.store)()
        return made

    @cached_property
    def reranker(self) -> Reranker | None:
        name, _, source = (self._config.retrieve.reranker or "").partition("@")
        if not name:
            return None
        given = [_resolve("retrieve.reranker", source).path] if source else []
        made: Reranker = load_taking("retrieve.reranker", "rerankers", name, len(given))(*given)
        return made

    @cached_property
    def grader(self) -> Grader | None:
        """Who judges answers; a judge is asked through the kept answers, so that it is asked nothing twice."""
        name, _, source = (self._config.evaluate.grader or "").partition("@")
        if not name:
            return None
        kind = load_taking("evaluate.grader", "graders", name, int(bool(source)))
        if not source:
            made: Grader = kind()
        else:
            made = kind(self.writer(source) if name == JUDGE else _resolve("evaluate.grader", source).path)
        return made

    def grader_identity(self) -> str | None:
        """Changes when its judgements would; None without one."""
        name, _, source = (self._config.evaluate.grader or "").partition("@")
        if not source:
            return name or None
        own = self.writer_identity(source) if name == JUDGE else _resolve("evaluate.grader", source).identity
        return f"{name} {own}"

    @cached_property
    def retriever(self) -> Retriever | None:
        """The user's own; None where ragraft's index retrieves, or the questions carry their passages."""
        name, url = self._config.retrieve.retriever, self._config.retrieve.url
        if name in (None, CONTEXTS):
            return None
        kind = load("retrievers", name, also=(CONTEXTS,))
        return CheckedRetriever(name, kind(url) if url else kind())

    @cached_property
    def trainer(self) -> Trainer:
        made: Trainer = load("trainers", self._config.train.trainer)()
        return made

    @cached_property
    def launcher(self) -> Launcher:
        made: Launcher = load("launchers", self._config.train.launcher)()
        return made

    @cached_property
    def _readers(self) -> dict[str, Reader]:
        readers: list[Reader] = [load("readers", name)() for name in names("readers")]
        return {suffix: reader for reader in readers for suffix in reader.suffixes}

    def reader(self, path: Path) -> Reader | None:
        """The reader for this file's kind; None when no reader knows it."""
        return self._readers.get(path.suffix.lower())

    def generator(self, model: str) -> Generator:
        """The generator of a model, behind the kept answers."""
        return self._kept(load("generators", self._config.evaluate.generator), model)

    def streamer(self, model: str) -> Streamer:
        """Who answers requests, a source or openai:MODEL at the endpoint: opened now, and keeping no answers."""
        if model.startswith(ENDPOINT):
            settings = self._config.endpoint
            kind = load("generators", "openai")
            return Whole(kind(model.removeprefix(ENDPOINT), settings.url, settings.body), settings.concurrency)
        made = load("generators", self._config.evaluate.generator)(model)
        return made if hasattr(made, "stream") else Whole(made, 1)

    def writer(self, model: str) -> Generator:
        """Who writes questions, a source or openai:MODEL at the endpoint; behind the kept answers."""
        if model.startswith(ENDPOINT):
            return self._remote(model.removeprefix(ENDPOINT))
        # A meter of its own: what writing took tells nothing of the exam.
        return self._kept(load("generators", self._config.evaluate.generator), model, Meter())

    def writer_identity(self, model: str) -> str:
        """Changes when what it writes would; raises where it cannot be opened."""
        from ragraft.models.load import identify

        if model.startswith(ENDPOINT):
            return self._remote_identity(model.removeprefix(ENDPOINT))
        return f"{self._config.evaluate.generator} {identify(model)}"

    def scorer(self, model: str) -> Scorer:
        """The scorer of a model, behind the kept scores. Raises BackendError where its generator cannot score."""
        return self._kept(load_scorer(self._config.evaluate.generator), model)

    def scores(self) -> bool:
        """Whether the generator can score texts, too."""
        return hasattr(load("generators", self._config.evaluate.generator), "score")

    def _kept(self, kind: Any, model: str, meter: Meter | None = None) -> KeptAnswers:
        from ragraft.models.load import identify

        identity = f"{self._config.evaluate.generator} {identify(model)}"
        if meter is not None:
            return KeptAnswers(self._answers, identity, lambda: kind(model), meter)
        # One for generating and scoring: a model is opened once.
        known = self._opened.get(identity)
        return known or self._opened.setdefault(
            identity, KeptAnswers(self._answers, identity, lambda: kind(model), self.meter)
        )

    def close_models(self) -> None:
        """Let go of every model that was opened for answers, and of what they took; one that is needed is reopened."""
        self.meter.clear()
        if any([kept.close() for kept in self._opened.values()]):
            from ragraft.models.load import free_memory

            free_memory()

    def _remote(self, model: str) -> Generator:
        """A model behind the configured endpoint; without its URL, an error and no request."""
        settings = self._config.endpoint
        kind = load("generators", "openai")
        made = kind(model, settings.url, settings.body)
        kept = KeptAnswers(self._answers, self._remote_identity(model), lambda: made)
        return Concurrently(kept, settings.concurrency)

    def _remote_identity(self, model: str) -> str:
        settings = self._config.endpoint
        return f"{ENDPOINT}{model} at {settings.url} {json.dumps(dict(settings.body), sort_keys=True)}"

    def model_facts(self) -> Mapping[str, Any]:
        """What the base model says of itself: source, path, identity, window."""
        return self._model_facts

    @cached_property
    def _model_facts(self) -> dict[str, Any]:
        from ragraft.models.load import model_facts

        _resolve("model", self._config.model)
        return model_facts(self._config.model)

    def machine_facts(self) -> Mapping[str, Any]:
        """Where training would run: device, threads."""
        from ragraft.models.load import machine_facts

        return machine_facts()

    def model_size(self) -> ModelSize:
        """How large the base model is."""
        from ragraft.models.size import model_size

        return model_size(Path(self.model_facts()["path"]))

    def embedder_size(self) -> ModelSize:
        """How large the embedding model is; a backend without a model has no size."""
        from ragraft.models.size import NOTHING, model_size

        return NOTHING if self._embedder_is_named() else model_size(_resolve("embedder", self._config.embedder).path)

    def embedder_identity(self) -> str:
        """Changes when the vectors would."""
        return embedder_identity(self._config.embedder)

    def _embedder_is_named(self) -> bool:
        return _is_named_embedder(self._config.embedder)


def embedder_identity(source: str, key: str = "embedder") -> str:
    """Changes when the vectors of this embedder would; an error says which key of the YAML named it."""
    return source if _is_named_embedder(source) else _resolve(key, source).identity


def _is_named_embedder(source: str) -> bool:
    return source in names("embedders") and source != "sentence-transformers"


def _resolve(key: str, source: str) -> ModelFolder:
    """A model's folder; an error says which key of the YAML named it."""
    from ragraft.models.sources import resolve

    try:
        return resolve(source)
    except SourceError as error:
        raise SourceError(f"{key}: {error}") from None


def names(port: str) -> list[str]:
    """Names of a port's installed backends, sorted."""
    return sorted(point.name for point in entry_points(group=f"ragraft.{port}"))


def load(port: str, name: str, also: Sequence[str] = ()) -> Any:
    """A backend's class by name. Raises BackendError with the known names, and those of `also`."""
    for point in entry_points(group=f"ragraft.{port}", name=name):
        try:
            return point.load()
        except ImportError as error:
            missing = error.name or error
            raise BackendError(f"{name} needs {missing}: install it, or name another of ragraft.{port}") from None
    raise _unknown(port, name, also)


def load_taking(key: str, port: str, name: str, given: int) -> Any:
    """A backend's class that can be made of so many values: one where its setting names a source, else none.

    Raises BackendError with how this backend is written.
    """
    kind = load(port, name)
    try:
        inspect.signature(kind).bind(*[None] * given)
    except TypeError:
        form = f"{name}, without @SOURCE" if given else f"{name}@SOURCE, with a model's source"
        raise BackendError(f"{key}: {name} cannot be made so; write {form}") from None
    return kind


def load_scorer(name: str) -> Any:
    """A generator's class that is also a Scorer. Raises BackendError for one that is none."""
    kind = load("generators", name)
    if not hasattr(kind, "score"):
        raise BackendError(
            f"evaluate.generator: {name} cannot score texts, which log-probabilities need; use transformers"
        )
    return kind


def require(port: str, name: str, also: Sequence[str] = ()) -> None:
    """Raise BackendError where no backend of this name is installed; loads none."""
    if name not in [*names(port), *also]:
        raise _unknown(port, name, also)


def _unknown(port: str, name: str, also: Sequence[str]) -> BackendError:
    return BackendError(f"No backend {name} in ragraft.{port}{or_meant(name, sorted([*names(port), *also]))}")
