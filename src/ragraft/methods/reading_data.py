"""Read what a language's reading-comprehension texts are made of from its data file. Knows the file's form only."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

from ragraft.errors import ConfigError

FOLDER = "reading"


@dataclass(frozen=True, slots=True)
class Relation:
    """What a word at a sentence's beginning says of it and the sentence before."""

    subtype: str
    holds: str
    link: str
    name: str


@dataclass(frozen=True, slots=True)
class ReadingData:
    """Connectors, patterns and templates of one language."""

    relations: Mapping[str, Relation]
    """Connecting word → its relation."""
    linked: re.Pattern[str]
    """A sentence that begins with one of them; groups `word` and `rest`."""
    restated: re.Pattern[str]
    """A sentence that says the one before anew; group `rest`."""
    causes: tuple[re.Pattern[str], ...]
    definitions: tuple[re.Pattern[str], ...]
    dangling: frozenset[str]
    """Words that no effect ends with."""
    pointing: frozenset[str]
    """Words with which a sentence that is shown alone does not begin."""
    openings: tuple[str, ...]
    bridges: tuple[str, ...]
    tasks: Mapping[str, tuple[str, ...]]
    """Sub-type of a task → its templates."""


def reading_languages() -> list[str]:
    """Languages that have a data file."""
    folder = resources.files("ragraft.methods").joinpath(FOLDER)
    return sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))


@functools.cache
def load_reading(language: str) -> ReadingData:
    """A language's data. Raises ConfigError where it has none."""
    if language not in reading_languages():
        known = ", ".join(reading_languages())
        raise ConfigError(f"No reading-comprehension tasks for {language}; known: {known}; or set dap.form=raw")
    file = resources.files("ragraft.methods").joinpath(FOLDER, f"{language}.yaml")
    data: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    relations = {
        word: Relation(subtype, row["holds"], row["link"], row["name"])
        for subtype, row in data["relations"].items()
        for word in row["words"]
    }
    return ReadingData(
        relations=relations,
        linked=_beginning(relations),
        restated=_beginning(data["restating"]),
        causes=tuple(map(re.compile, data["causes"])),
        definitions=tuple(map(re.compile, data["definitions"])),
        dangling=frozenset(data["dangling"]),
        pointing=frozenset(data["pointing"]),
        openings=tuple(data["openings"]),
        bridges=tuple(data["bridges"]),
        tasks={name: tuple(templates) for name, templates in data["tasks"].items()},
    )


def _beginning(words: Any) -> re.Pattern[str]:
    # The longest first: "That is to say" before "That is".
    listed = "|".join(map(re.escape, sorted(words, key=lambda word: (-len(word), word))))
    return re.compile(rf"(?P<word>{listed}),\s(?P<rest>.+)")
