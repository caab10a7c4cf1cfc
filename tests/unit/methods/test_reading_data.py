from __future__ import annotations

import re

import pytest

from ragraft.errors import ConfigError
from ragraft.methods.pattern_data import load_patterns
from ragraft.methods.reading_data import load_reading, reading_languages

SLOTS = {
    "nli-classify": {"PREMISE", "HYPOTHESIS", "HOLDS", "LINK", "NAME"},
    "nli-follows": {"PREMISE", "HYPOTHESIS", "REST", "WORD"},
    "nli-contrasts": {"PREMISE", "HYPOTHESIS", "REST", "WORD"},
    "nli-adds": {"PREMISE", "HYPOTHESIS", "REST", "WORD"},
    "cause-effect": {"CAUSE", "EFFECT"},
    "effect-cause": {"CAUSE", "EFFECT"},
    "paraphrase-similar": {"FIRST", "SECOND"},
    "paraphrase-different": {"FIRST", "SECOND"},
    "words-sentence": {"WORDS", "SENTENCE"},
    "sentence-words": {"WORDS", "SENTENCE"},
    "word-meaning": {"TERM", "MEANING"},
    "abbreviation": {"TERM", "MEANING"},
    "title-after": {"TITLE"},
    "title-before": {"TITLE"},
    "completion-next": {"FIRST", "SECOND"},
    "completion-previous": {"FIRST", "SECOND"},
}


@pytest.mark.parametrize("language", reading_languages())
def test_every_language_words_every_task_in_several_ways(language: str) -> None:
    found = load_reading(language)
    assert set(found.tasks) == set(SLOTS)
    for subtype, templates in found.tasks.items():
        assert len(set(templates)) == len(templates) >= 2, subtype
        for template in templates:
            slots = re.findall(r"<([A-Z]+)>", template)
            assert set(slots) <= SLOTS[subtype], template
            # What is asked stands before what is answered, and the answer is the end.
            assert template.endswith(f"<{slots[-1]}>") or subtype == "title-before", template
            assert len(set(slots)) >= 2 or subtype.startswith("title"), template
    for words in (found.dangling, found.pointing, found.relations, found.openings, found.bridges):
        assert all(isinstance(word, str) for word in words)
    for pattern in found.causes:
        assert {"effect", "cause"} <= set(pattern.groupindex)
    for pattern in found.definitions:
        assert {"word", "meaning"} <= set(pattern.groupindex)


@pytest.mark.parametrize("language", reading_languages())
def test_no_task_asks_in_the_words_of_the_question_patterns(language: str) -> None:
    # An exam that those patterns made must not stand in what is learned.
    asked = {re.sub(r"[“”\"]|\{\w+\}|<[A-Z]+>", "", ask) for ask in (load_patterns(language).abbreviation,)}
    asked |= {re.sub(r"[“”\"]|\{\w+\}", "", pattern.ask) for pattern in load_patterns(language).sentences}
    for templates in load_reading(language).tasks.values():
        for template in templates:
            lines = re.sub(r"[“”\"]|<[A-Z]+>", "", template).split("\n")
            assert not any(line.strip() == ask.strip() for line in lines for ask in asked), template


def test_connectors_are_told_by_their_comma() -> None:
    data = load_reading("en")
    found = data.linked.match("As a consequence, the lamp was dark")
    assert found is not None
    assert (data.relations[found["word"]].subtype, found["rest"]) == ("follows", "the lamp was dark")
    assert data.linked.match("However the lamp is lit, ships see it") is None
    restated = data.restated.match("That is to say, it was dark")
    assert restated is not None
    assert restated["word"] == "That is to say"


def test_an_unknown_language_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match=r"^No reading-comprehension tasks for xx; known: en; or set dap\.form=raw$"):
        load_reading("xx")
