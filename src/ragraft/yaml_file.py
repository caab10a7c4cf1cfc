"""A YAML file as plain data, strictly: what PyYAML passes over in silence is a fault. Knows YAML; knows no setting."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ragraft.errors import ConfigError

# PyYAML's own words for "it came as a text, not as a file".
_NO_PLACE = re.compile(r'\s*in "<unicode string>",')


class _Strict(yaml.SafeLoader):
    """Refuses a key that stands twice: the first would be dropped without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen and isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    problem=f"{key.value}: stands twice", problem_mark=key.start_mark
                )
            if isinstance(key, yaml.ScalarNode):
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds. Raises ConfigError with the line that is wrong."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"No {path}. Write one with: ragraft new DIR") from None
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder; give the YAML file in it") from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"Cannot read {path}: it is not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from None
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}; check its permissions or give another file") from None
    try:
        data = yaml.load(text, _Strict)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {_reason(error)}; correct it and run again") from None
    if data is None:
        raise ConfigError(f"{path} is empty; write keys such as documents: and questions: into it")
    if not isinstance(data, dict):
        kind = "a list" if isinstance(data, list) else "a bare value"
        raise ConfigError(f"{path} holds {kind} at the top; write keys such as documents: and questions: there")
    return data


def apply_override(data: dict[str, Any], override: str) -> list[str]:
    """Set the value in `data`; the keys that it decides, those of a whole section one by one."""
    key, separator, value = override.partition("=")
    if not separator or not key:
        raise ConfigError(f"--set {override}: write it as section.key=value")
    *parents, last = key.split(".")
    place = data
    for parent in parents:
        inner = place.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {override}: {parent} is no section")
        place = inner
    try:
        place[last] = yaml.load(value, _Strict)
    except yaml.YAMLError:
        raise ConfigError(f"--set {override}: {value} is not a YAML value") from None
    return flat_keys({key: place[last]})


def flat_keys(data: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The keys of nested mappings as `section.key`."""
    keys = []
    for key, value in data.items():
        if isinstance(value, dict):
            keys += flat_keys(value, f"{prefix}{key}.")
        else:
            keys.append(f"{prefix}{key}")
    return keys


def legal_name(folder: str) -> str:
    """A run's name made from a folder's: letters without their marks, what is left over as hyphens."""
    plain = unicodedata.normalize("NFKD", folder).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("._-") or "run"


def told(fault: Mapping[str, Any]) -> str:
    """A fault that pydantic found, in words of the YAML and not of Python."""
    kind, context = str(fault["type"]), fault.get("ctx", {})
    given = "nothing" if fault["input"] is None else repr(fault["input"])
    if kind == "string_pattern_mismatch":
        return f"write letters, digits, dots, hyphens and underscores, a letter or digit first (got {given})"
    words = {
        "tuple_type": "must be a list",
        "list_type": "must be a list",
        "dict_type": "must be a section, with its keys on lines below it",
        "too_short": f"must hold at least {context.get('min_length')}",
        "path_type": "must be a path",
        "model_type": "must be a section, with its keys on lines below it",
        "string_type": "must be a text",
        "bool_parsing": "must be true or false",
        "int_parsing": "must be a whole number",
        "int_type": "must be a whole number",
        "int_from_float": "must be a whole number",
        "float_parsing": "must be a number",
        "float_type": "must be a number",
        "finite_number": "must be a finite number",
        "invalid_key": "must be a text: put it in quotation marks",
        "literal_error": f"must be {context.get('expected')}",
    }
    message = words.get(kind) or str(fault["msg"]).removeprefix("Value error, ").replace("Input should", "must")
    message = f"{message[0].lower()}{message[1:]}"
    # A whole section would be longer than the sentence on it.
    whole = kind == "value_error" and isinstance(fault["input"], Mapping)
    return message if whole else f"{message} (got {given})"


def _reason(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None)
    if mark is None or problem is None:
        return " ".join(_NO_PLACE.sub(" at", str(error)).split())
    if "'\\t'" in problem:
        problem = "a tab cannot indent; use blanks"
    context = getattr(error, "context", None)
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" + (f" ({context})" if context else "")
