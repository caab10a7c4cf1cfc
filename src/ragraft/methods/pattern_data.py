"""Read a language's question patterns from its data file. Knows the file's form; knows no chunks and no grammar."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

from ragraft.errors import ConfigError

LEAST = 4
_PART = re.compile(r"<([A-Z]+)>")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A form of sentence that answers a question, and the question."""

    name: str
    find: re.Pattern[str]
    ask: str
    most: int
    """Words of the longest answer."""
    bound: bool = False
    """The question makes sense only beside its document: the title must be in it."""
    least: int = LEAST
    """Content words that the question must have."""
    noun: bool = False
    """The answer is a thing: it must not begin like an adverbial."""
    clause: bool = False
    """The answer is a clause: it must have a subject and a finite verb."""
    also: str = ""
    """Group of `find` that is a right answer too."""


@dataclass(frozen=True, slots=True)
class Verbs:
    """How a language's finite verbs are told and turned into their base form."""

    before_base: frozenset[str]
    be: frozenset[str]
    past: frozenset[str]
    modal: frozenset[str]
    have: frozenset[str]
    do: frozenset[str]
    irregular: Mapping[str, str]
    participles: frozenset[str]
    not_verbs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Words:
    """Words that make or break a question that must stand by itself."""

    dangling: frozenset[str]
    dangling_subject: frozenset[str]
    not_subject: frozenset[str]
    not_first: frozenset[str]
    bound: frozenset[str]
    determiners: frozenset[str]
    adverbs: frozenset[str]
    stops: frozenset[str]


@dataclass(frozen=True, slots=True)
class Gaps:
    """What may be left out of a sentence, and how one asks for it."""

    ask: str
    before: int
    """Fewest content words before the gap."""
    most: int
    """Words of the longest gap."""
    spans: tuple[re.Pattern[str], ...]


@dataclass(frozen=True, slots=True)
class Subjects:
    """How one asks for what a clause is about."""

    ask: str
    ask_name: str
    """Where it is a name."""
    least: int
    """Content words that the question must have."""
    most: int
    """Words of the longest answer."""


@dataclass(frozen=True, slots=True)
class Patterns:
    """All that mining needs to know of a language."""

    sentences: tuple[Pattern, ...]
    blocks: tuple[Pattern, ...]
    """Tried on whole chunks, line breaks and all."""
    abbreviation: str
    """The question for an abbreviation."""
    subjects: Subjects
    gaps: Gaps
    verbs: Verbs
    words: Words


def languages() -> list[str]:
    """Languages that have a data file."""
    folder = resources.files("ragraft.methods").joinpath("patterns")
    return sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))


@functools.cache
def load_patterns(language: str) -> Patterns:
    """A language's patterns. Raises ConfigError where it has none."""
    if language not in languages():
        known = ", ".join(languages())
        raise ConfigError(f"No question patterns for {language}; known: {known}; in others a model can write questions")
    file = resources.files("ragraft.methods").joinpath("patterns", f"{language}.yaml")
    data = yaml.safe_load(file.read_text(encoding="utf-8"))
    parts: Mapping[str, str] = data["parts"]
    verbs, words = data["verbs"], data["words"]
    return Patterns(
        sentences=tuple(_pattern(row, parts, re.NOFLAG) for row in data["patterns"]),
        blocks=tuple(_pattern(row, parts, re.MULTILINE) for row in data["blocks"]),
        abbreviation=data["abbreviation"]["ask"],
        subjects=Subjects(**data["subject"]),
        gaps=_gaps(data["cloze"]),
        verbs=Verbs(irregular=verbs.pop("irregular"), **{key: frozenset(value) for key, value in verbs.items()}),
        words=Words(**{key: frozenset(value) for key, value in words.items()}),
    )


def _gaps(row: Mapping[str, Any]) -> Gaps:
    return Gaps(row["ask"], row["before"], row["most"], tuple(map(re.compile, row["spans"])))


def _pattern(row: Mapping[str, Any], parts: Mapping[str, str], flags: re.RegexFlag) -> Pattern:
    # Parts may name parts; they are nested two deep.
    find = _PART.sub(lambda part: parts[part[1]], _PART.sub(lambda part: parts[part[1]], row["find"]))
    return Pattern(
        row["name"],
        re.compile(find, flags),
        row["ask"],
        most=row.get("most", 40),
        bound=row.get("bound", False),
        least=row.get("least", LEAST),
        noun=row.get("noun", False),
        clause=row.get("clause", False),
        also=row.get("also", ""),
    )
