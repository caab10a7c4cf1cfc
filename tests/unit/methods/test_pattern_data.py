from __future__ import annotations

import dataclasses

import pytest

from ragraft.errors import ConfigError
from ragraft.methods.pattern_data import languages, load_patterns


@pytest.mark.parametrize("language", languages())
def test_every_language_has_whole_patterns(language: str) -> None:
    found = load_patterns(language)
    names = [pattern.name for pattern in (*found.sentences, *found.blocks)]
    assert len(names) == len(set(names)) >= 10
    for pattern in (*found.sentences, *found.blocks):
        assert "answer" in pattern.find.groupindex, pattern.name
        assert pattern.ask.endswith("?"), pattern.name
        assert not pattern.also or pattern.also in pattern.find.groupindex
    for part in (found.verbs, found.words):
        for field in dataclasses.fields(part):
            # YAML reads a bare no, on or true as something else than a word.
            assert all(isinstance(word, str) for word in getattr(part, field.name)), field.name


def test_an_unknown_language_is_one_sentence() -> None:
    with pytest.raises(
        ConfigError, match=r"^No question patterns for xx; known: en; in others a model can write questions$"
    ):
        load_patterns("xx")
