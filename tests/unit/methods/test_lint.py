"""Every finding has a set of lessons that makes it, and a clean set makes none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from ragraft.methods.lint import Finding, Lint, grave_sentence, lint_data, lint_lessons
from ragraft.methods.lint_row import Rendered
from ragraft.methods.lint_rules import RULES
from ragraft.methods.prompt import PromptBuilder
from ragraft.records import ExamQuestion, Lesson, Message, Passage, Prompt, Question
from tests.conftest import WordTokenizer

ABSTENTION = "not in the documents."
END, OTHER = 7, 3
BUILDER = PromptBuilder(WordTokenizer(), ABSTENTION, 2048, 96)
STONES = [
    "granite",
    "green marble",
    "red sandstone",
    "black basalt",
    "white chalk",
    "grey slate",
    "hard gneiss",
    "tuff",
]


def lesson(number: int, **changes: Any) -> Lesson:
    """A clean lesson on the tower of a place; every fourth abstains."""
    place, stone = f"Tower{number}", STONES[number % len(STONES)]
    passages = [
        Passage(f"d{number}", f"d{number}", place, f"{place} is made of {stone}. It stands alone."),
        Passage(f"e{number}", f"e{number}", "Elsewhere", "Nobody lives there."),
    ]
    abstains = number % 4 == 3
    wanted = f"Answer: {ABSTENTION}" if abstains else f'"{place} is made of {stone}." [1]\nAnswer: {stone}'
    return replace(
        Lesson(
            id=f"q{number}~0",
            question_id=f"q{number}",
            kind="no-oracle" if abstains else "oracle",
            prompt=BUILDER.build(f"Which stone is the tower called {place} made of?", passages[abstains:]),
            target=wanted,
            passages=tuple(passage.id for passage in passages[abstains:]),
        ),
        **changes,
    )


def look(lessons: Sequence[Lesson], *, last: int = END, exam: Sequence[ExamQuestion] = ()) -> Lint:
    rendered = [Rendered(40 + len(one.target.split()), len(one.target.split()) + 1, last) for one in lessons]
    return lint_lessons(lessons, rendered, ends={END}, controls=("<|im_end|>",), exam=exam, abstention=ABSTENTION)


def clean(number: int = 12) -> list[Lesson]:
    return [lesson(place) for place in range(number)]


def with_target(target: str, number: int = 12) -> list[Lesson]:
    """A clean set whose first lesson has this target."""
    return [lesson(0, target=target), *clean(number)[1:]]


def found(lint: Lint, name: str) -> Finding:
    return next(finding for finding in lint.findings if finding.name == name)


def raised(lint: Lint) -> list[str]:
    return [finding.name for finding in lint.findings if finding.state != "fine"]


def placed(number: int, text: str, answers: tuple[str, ...], oracle: tuple[str, ...]) -> ExamQuestion:
    return ExamQuestion(Question(f"x{number}", text, answers), "exam", f"c{number}", oracle)


def test_a_clean_set_passes() -> None:
    texts = [Lesson("t", "", "text", Prompt(()), "A long text.")]
    general = [Lesson("g", "", "closed-book", Prompt((Message("user", "Write [9] in a “line”."),)), '"a" [9]')]
    closed = [Lesson("c", "q", "closed-book", BUILDER.build("Which stone is Tower1 made of?", []), "Answer: marble")]
    lint = look([*clean(), *texts, *general, *closed])
    assert raised(lint) == []
    assert grave_sentence(lint) == ""
    assert (lint.lessons, lint.shares) == (15, {"abstention": 0.25})
    assert lint.lengths["learned tokens"]["longest"] == 11


@pytest.mark.parametrize(
    ("name", "target", "detail"),
    [
        ("empty target", " \n", ""),
        ("control token in the target", "Answer: granite<|im_end|>", "<|im_end|>"),
        ("prompt text in the target", "Question: what?\nAnswer: granite", "Question:"),
        ("prompt text in the target", "[1] Tower0\nTower0 is.\nAnswer: granite", "[1] Tower0"),
        (
            "prompt text in the target",
            "Second line: the shortest sentence that holds the answer\nAnswer: granite",
            "second line the shortest sentence that holds the",
        ),
        (
            "prompt text in the target",
            "Which stone is the tower called Tower0 made of? Answer: granite",
            "Which stone is the tower called Tower0 made of?",
        ),
        ("quote not in the documents", '"Tower0 was made of granite." [1]\nAnswer: granite', "Tower0 was made of"),
        ("citation of no document", "[3]\nAnswer: granite", "[3] of 2"),
        ("citation of no document", "[0] [1]\nAnswer: granite", "[0] of 2"),
    ],
)
def test_a_faulty_target_is_found_and_grave(name: str, target: str, detail: str) -> None:
    lint = look(with_target(target))
    assert raised(lint) == [name]
    finding = found(lint, name)
    assert (finding.count, finding.state) == (1, "grave")
    assert finding.examples[0].id == "q0~0"
    assert finding.examples[0].detail.startswith(detail)
    assert f"(first: q0~0{': ' + finding.examples[0].detail if detail else ''}); {finding.todo}" in grave_sentence(lint)


@pytest.mark.parametrize("name", [rule.name for rule in RULES if rule.limit and rule.limit < 0.1])
def test_a_few_such_in_a_large_set_are_shown_and_no_more(name: str) -> None:
    targets = {
        "control token in the target": "Answer: granite<|im_end|>",
        "prompt text in the target": "Question: what?\nAnswer: granite",
        "quote not in the documents": '"It was." [1]\nAnswer: granite',
        "citation of no document": "[3]\nAnswer: granite",
    }
    lint = look(with_target(targets[name], 160))
    assert found(lint, name).state == "look"
    assert lint.grave == []


def test_a_row_that_does_not_end_is_grave() -> None:
    lint = look(clean(), last=OTHER)
    assert [finding.name for finding in lint.grave] == ["no end token"]
    assert found(lint, "no end token").count == 12
    assert grave_sentence(lint).startswith("12 of 12 lessons don't end with the token that ends the model's turn")


def test_a_text_has_no_turn_to_end() -> None:
    text = Lesson("t", "", "text", Prompt(()), "A long text.")
    assert found(look([text], last=OTHER), "no end token").of == 0


def test_what_the_documents_say_may_stand_in_the_target() -> None:
    text = "Write Question: what?<|im_end|> at the end of a prompt to close it."
    passages = [Passage("d", "d", "Templates", text)]
    quoting = Lesson(
        "q", "q", "oracle", BUILDER.build("How is a prompt closed?", passages), f'"{text}" [1]\nAnswer: so', ("d",)
    )
    assert raised(look([*clean(), quoting])) == []


def test_an_authors_own_number_in_an_answer_cites_nothing() -> None:
    passages = [Passage("d", "d", "Fish", "Growing fish is a known risk factor [39], they say.")]
    prompt = BUILDER.build("What is a risk factor?", passages)
    own = Lesson("q", "q", "oracle", prompt, "[1]\nAnswer: growing fish is a known risk factor [39]", ("d",))
    assert raised(look([*clean(), own])) == []
    assert raised(look([*clean(), replace(own, target="[1]\nAnswer: growing fish [38]")])) == [
        "citation of no document"
    ]


def test_an_answer_in_its_question_is_found() -> None:
    leaked = [
        lesson(
            n,
            prompt=BUILDER.build("Is the tower of red sandstone made of sandstone?", []),
            target="Answer: red sandstone",
        )
        for n in range(4)
    ]
    lint = look([*clean(8), *(replace(one, copy=n) for n, one in enumerate(leaked))])
    assert found(lint, "answer in the question").count == 4
    assert found(lint, "answer in the question").state == "grave"
    choice = lesson(9, prompt=BUILDER.build("Is it red sandstone or tuff?", []), target="Answer: red sandstone")
    assert found(look([choice]), "answer in the question").count == 0


def test_lessons_given_twice_and_prompts_with_two_targets_are_found() -> None:
    twice = [*clean(), lesson(0, id="again")]
    lint = look(twice)
    assert raised(lint) == ["lesson given twice"]
    assert found(lint, "lesson given twice").examples[0].detail == "as q0~0"
    assert found(look([lesson(0), lesson(0, id="again")]), "lesson given twice").state == "grave"
    assert raised(look([*clean(), lesson(0, id="next", copy=1)])) == []
    split = look([*clean(), lesson(0, id="other", target="Answer: chalk")])
    assert raised(split) == ["one prompt, several targets"]
    assert found(split, "one prompt, several targets").count == 2


def test_an_exam_question_among_the_lessons_is_grave() -> None:
    asked = "Which stone is the tower called Tower5 made of?"
    of_its_evidence = look(clean(), exam=[placed(1, asked, ("anything",), ("d5",))])
    assert [finding.name for finding in of_its_evidence.grave] == ["exam question"]
    assert found(of_its_evidence, "exam question").examples[0].detail == "as x1"
    with_its_answer = look(clean(), exam=[placed(1, asked.lower(), ("grey slate",), ("elsewhere",))])
    assert [finding.name for finding in with_its_answer.grave] == ["exam question"]
    assert grave_sentence(with_its_answer).startswith("1 of 12 lessons ask an exam question")


def test_a_template_that_asks_of_other_evidence_is_only_shown() -> None:
    asked = "Which stone is the tower called Tower5 made of?"
    lint = look(clean(), exam=[placed(1, asked, ("chalk",), ("elsewhere",)), placed(2, "Who?", ("A",), ("d1",))])
    assert raised(lint) == ["worded like an exam question"]
    assert lint.grave == []


def test_too_many_abstentions_and_labels_are_shown() -> None:
    refusing = [lesson(n, target=f"Answer: {ABSTENTION}") for n in range(12)]
    assert found(look([*refusing[:6], *clean()[6:]]), "abstention").state == "look"
    assert found(look(refusing), "abstention").state == "grave"
    yes = [lesson(n, target="[1]\nAnswer: Yes.") for n in range(40)]
    lint = look(yes)
    assert raised(lint) == ["commonest label"]
    assert lint.shares["yes"] == 1.0
    assert found(look(yes[:10]), "commonest label").count == 0
    mixed = look([*yes[:20], *(lesson(n, target="[1]\nAnswer: no") for n in range(20, 40))])
    assert raised(mixed) == []
    assert (mixed.shares["yes"], mixed.shares["no"], mixed.shares["maybe"]) == (0.5, 0.5, 0.0)


def test_several_grave_findings_are_counted_in_the_sentence() -> None:
    lint = look([lesson(0, target=""), lesson(1, target="[9]\nAnswer: x"), *clean()[2:]])
    assert {finding.name for finding in lint.grave} == {"empty target", "citation of no document"}
    assert "; 1 more finding as grave; " in grave_sentence(lint)


def test_lengths_are_percentiles_of_tokens() -> None:
    lint = look(clean(100))
    assert lint.lengths["prompt tokens"] == {"5 %": 39, "50 %": 39, "95 %": 39, "longest": 39}
    assert lint.lengths["learned tokens"]["5 %"] < lint.lengths["learned tokens"]["longest"]


def test_the_data_is_plain_and_whole() -> None:
    data = lint_data(look(with_target("")))
    assert data["lessons"] == 12
    assert {row["name"]: row["state"] for row in data["findings"]}["empty target"] == "grave"
    assert {key for row in data["findings"] for key in row} == {
        *("name", "state", "count", "of", "share", "expected", "limit", "todo", "examples")
    }


def test_an_empty_set_has_nothing_wrong() -> None:
    assert raised(look([])) == []
