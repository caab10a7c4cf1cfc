"""Build the backends that a config names. Built-ins come through the same entry points as plugins."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from ragraft.config import CONTEXTS, Config
from ragraft.errors import BackendError
from ragraft.pipeline.answers import KeptAnswers
from ragraft.pipeline.passages import CheckedRetriever
from ragraft.ports import Embedder, Generator, Launcher, Reader, Reranker, Retriever, Store, Tokenizer, Trainer


class ConfiguredBackends:
    """The backends of a config, each built when first used; implements ports.Backends."""

    def __init__(self, config: Config, answers: Path) -> None:
        self._config, self._answers = config, answers

    @cached_property
    def tokenizer(self) -> Tokenizer:
        from ragraft.models.chat import load_tokenizer

        tokenizer: Tokenizer = load_tokenizer(Path(self.model_facts()["path"]))
        return tokenizer

    @cached_property
    def embedder(self) -> Embedder:
        source = self._config.embedder
        if source in names("embedders") and source != "sentence-transformers":
            made: Embedder = load("embedders", source)()
        else:
            from ragraft.models.sources import resolve

            made = load("embedders", "sentence-transformers")(resolve(source).path)
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
        if not source:
            made: Reranker = load("rerankers", name)()
            return made
        from ragraft.models.sources import resolve

        made = load("rerankers", name)(resolve(source).path)
        return made

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
        from ragraft.models.load import identify

        kind = load("generators", self._config.evaluate.generator)
        identity = f"{self._config.evaluate.generator} {identify(model)}"
        return KeptAnswers(self._answers, identity, lambda: kind(model))

    def model_facts(self) -> Mapping[str, Any]:
        """What the base model says of itself: source, path, identity, window."""
        return self._model_facts

    @cached_property
    def _model_facts(self) -> dict[str, Any]:
        from ragraft.models.load import model_facts

        return model_facts(self._config.model)

    def machine_facts(self) -> Mapping[str, Any]:
        """Where training would run: device, threads."""
        from ragraft.models.load import machine_facts

        return machine_facts()

    def embedder_identity(self) -> str:
        """Changes when the vectors would."""
        source = self._config.embedder
        if source in names("embedders"):
            return source
        from ragraft.models.sources import resolve

        return resolve(source).identity


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
    known = sorted([*names(port), *also])
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known) or 'none (is ragraft installed?)'}"
    raise BackendError(f"No backend {name} in ragraft.{port}; {hint}")
