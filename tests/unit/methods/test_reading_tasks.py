from __future__ import annotations

import random
from collections import Counter

import pytest

from ragraft.methods.domain_words import DomainWords
from ragraft.methods.reading_data import load_reading
from ragraft.methods.reading_tasks import Task, mine_tasks

DATA = load_reading("en")
NONE = DomainWords([], len)
FIRST = "The lamp of Arlen burns oil that ships bring from the mainland."


def mined(text: str, *, title: str = "", terms: DomainWords = NONE, seed: int = 0) -> list[Task]:
    return mine_tasks(text, title, data=DATA, terms=terms, draw=random.Random(seed))


def ways(text: str, subtype: str, *, title: str = "", terms: DomainWords = NONE) -> dict[str, str]:
    """The slots of the sub-type, whichever draw brings it."""
    for seed in range(60):
        for task in mined(text, title=title, terms=terms, seed=seed):
            if task.subtype == subtype:
                return dict(task.slots)
    raise AssertionError(f"no {subtype} in 60 draws")


@pytest.mark.parametrize(
    ("second", "subtype", "holds", "link"),
    [
        ("Therefore, the keeper must watch the level of its tank.", "nli-follows", "Yes", "Therefore"),
        ("By contrast, the lamp of Boskar has been electric for years.", "nli-contrasts", "No", "However"),
        ("In addition, it needs a new wick at the end of each month.", "nli-adds", "Maybe", "Moreover"),
    ],
)
def test_linked_sentences_are_classified_or_written(second: str, subtype: str, holds: str, link: str) -> None:
    text = f"{FIRST} {second}"
    classified = ways(text, "nli-classify")
    rest = second.partition(", ")[2]
    assert classified["PREMISE"] == FIRST
    assert classified["HYPOTHESIS"] == rest[0].upper() + rest[1:]
    assert (classified["HOLDS"], classified["LINK"]) == (holds, link)
    assert ways(text, subtype) == classified
    assert classified["REST"] == rest


def test_four_in_five_linked_pairs_are_classified() -> None:
    text = f"{FIRST} However, the lamp of Boskar has been electric for years."
    drawn = Counter(task.subtype for seed in range(1000) for task in mined(text, seed=seed) if task.kind == "nli")
    assert 0.76 < drawn["nli-classify"] / 1000 < 0.84
    assert sum(drawn.values()) == 1000


def test_contrast_and_restatement_are_paraphrases() -> None:
    other = ways(f"{FIRST} However, the lamp of Boskar has been electric for years.", "paraphrase-different")
    assert other["SECOND"] == "The lamp of Boskar has been electric for years."
    same = ways(f"{FIRST} In other words, without ships the lamp of Arlen is dark.", "paraphrase-similar")
    assert same == {"FIRST": FIRST, "SECOND": "Without ships the lamp of Arlen is dark."}


@pytest.mark.parametrize(
    ("sentence", "effect", "cause"),
    [
        ("The lamp of Arlen was dark for a week because the keeper was ill.",
         "The lamp of Arlen was dark for a week.", "The keeper was ill."),
        ("The lamp of Arlen failed again, due to water in the oil tank.",
         "The lamp of Arlen failed again.", "Water in the oil tank."),
        ("No ship came to Arlen in the winter of 1903, since the harbour was frozen.",
         "No ship came to Arlen in the winter of 1903.", "The harbour was frozen."),
    ],
)  # fmt: skip
def test_a_cause_within_a_sentence(sentence: str, effect: str, cause: str) -> None:
    for subtype in ("cause-effect", "effect-cause"):
        assert ways(sentence, subtype) == {"CAUSE": cause, "EFFECT": effect}


@pytest.mark.parametrize(
    "sentence",
    [
        "The darkness of the lamp of Arlen is due to water in the oil tank.",  # no clause before the cause
        "The darkness of the lamp of Arlen was probably because of water there.",
        "This darkness lasted for a week because the keeper was ill in bed.",  # points elsewhere
        "Is the lamp of Arlen so often dark because the keeper is ill?",
    ],
)
def test_no_cause_is_made_up(sentence: str) -> None:
    assert [task for seed in range(20) for task in mined(sentence, seed=seed) if task.kind == "cause"] == []


def test_a_consequence_is_an_effect() -> None:
    found = ways(f"{FIRST} Therefore, the keeper must watch the level of its tank.", "cause-effect")
    assert found == {"CAUSE": FIRST, "EFFECT": "The keeper must watch the level of its tank."}


def test_words_of_the_field_make_a_sentence_and_back() -> None:
    sentence = "The catadioptric apparatus concentrates monochromatic radiation over the harbour."
    terms = DomainWords([sentence] * 3, len)
    forth, back = (ways(sentence, name, terms=terms) for name in ("words-sentence", "sentence-words"))
    assert forth["SENTENCE"] == back["SENTENCE"] == sentence
    assert len(forth["WORDS"].split(", ")) == len(back["WORDS"].split(", ")) == 5
    shown = back["WORDS"].split(", ")
    assert shown == sorted(shown, key=sentence.index)
    assert mined("The catadioptric apparatus stands still over there.", terms=terms) == []


def test_definitions_and_abbreviations() -> None:
    found = ways("A light sector is defined as an arc in which the lamp can be seen.", "word-meaning")
    assert found == {"TERM": "light sector", "MEANING": "An arc in which the lamp can be seen."}
    short = ways("Ask the Northern Lighthouse Board (NLB) before you paint a tower.", "abbreviation")
    assert short == {"TERM": "NLB", "MEANING": "Northern Lighthouse Board"}
    assert not any(
        task.subtype == "word-meaning" for task in mined("Each of the towers is defined as a landmark by law.")
    )


@pytest.mark.parametrize(
    ("title", "text", "shown"),
    [
        ("Care of oil lamps", FIRST, "Care of oil lamps"),
        ("Care of oil lamps › Wicks", FIRST, "Care of oil lamps: Wicks"),
        ("Care of oil lamps › Wicks", f"Wicks\n\n{FIRST}", "Care of oil lamps"),  # it shows its heading
        ("lamps.md", FIRST, None),
        ("Care of oil lamps", f"# Care of oil lamps\n\n{FIRST}", None),
    ],
)
def test_a_title_is_asked_for_where_it_is_not_shown(title: str, text: str, shown: str | None) -> None:
    found = {task.slots["TITLE"] for seed in range(20) for task in mined(text, title=title, seed=seed)}
    assert found == ({shown} if shown else set())


def test_completion_asks_for_a_neighbour_in_the_same_paragraph() -> None:
    second = "Visitors reach the tower of Arlen on foot at low water only."
    assert ways(f"{FIRST} {second}", "completion-next") == {"FIRST": FIRST, "SECOND": second}
    assert ways(f"{FIRST} {second}", "completion-previous") == {"FIRST": FIRST, "SECOND": second}
    assert mined(f"{FIRST}\n\n{second}") == []
    assert mined(f"{FIRST} It has been so for a hundred years or even longer.") == []


def test_references_and_markup_are_not_asked_for() -> None:
    text = f"The *lamp* of [Arlen](arlen.md) has always burnt whale oil [12, 13] . {FIRST.replace('Arlen', 'Boskar')}"
    found = ways(text, "completion-next")
    assert found["FIRST"] == "The lamp of Arlen has always burnt whale oil."


def test_code_and_tables_give_no_tasks() -> None:
    text = (
        f"```\n{FIRST} However, this is a program of some kind.\n```\n\n| {FIRST} | However, a table of some kind. |\n"
    )
    assert mined(text) == []
