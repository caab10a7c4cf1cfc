"""What can be wrong with a lesson by itself, rule by rule. Knows a lesson taken apart; counts nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ragraft.methods.containment import holds, is_telling, words
from ragraft.methods.lint_row import Row

ECHO_WORDS = 8
"""So many words on end of the system text are no chance."""
ASKED_WORDS = 5
"""A question of fewer words may stand in its answer."""
FEW = 0.01
"""Share of faulty lessons that training survives."""
# `[1] [2]` cites two documents; `[1] A title` heads one.
_FORM = re.compile(r"^\s*(?:Documents:|Question:|\[\d+\] (?![\[\"“])[^\n]*\n)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Rule:
    """A fault that a lesson has or hasn't."""

    name: str
    says: str
    applies: Callable[[Row], bool]
    fault: Callable[[Row], str | None]
    """What is wrong, as far as there is anything to show; None where nothing is."""
    expected: float
    limit: float | None
    todo: str


def _echo(row: Row) -> str | None:
    """What the target repeats of the prompt around it."""
    text = row.unquoted
    form = _FORM.search(text) if row.question else None
    if form:
        return form.group().strip()
    told = words(row.system)
    said = f" {' '.join(words(text))} "
    spans = (" ".join(told[at : at + ECHO_WORDS]) for at in range(len(told) - ECHO_WORDS + 1))
    echoed = next((span for span in spans if f" {span} " in said), None)
    if echoed:
        return echoed
    return row.question if repeats_question(row.question, text) else None


def repeats_question(question: str, text: str) -> bool:
    """Whether a text holds a question word for word, where that is no chance."""
    asked = words(question)
    return len(asked) >= ASKED_WORDS and f" {' '.join(asked)} " in f" {' '.join(words(text))} "


def _invented(row: Row) -> str | None:
    return next((text for text, _ in row.quotes if text not in row.documents), None)


def _out_of_range(row: Row) -> str | None:
    # An author's own `[39]` inside an answer was copied with it, and cites nothing.
    beyond = (number for number in row.citations if not 1 <= number <= row.shown)
    wrong = next((number for number in beyond if f"[{number}]" not in row.documents), None)
    return None if wrong is None else f"[{wrong}] of {row.shown}"


def _leaked(row: Row) -> str | None:
    # “Is it A or B?” has to name its answer.
    offers = " or " in f" {row.question.lower()} "
    given = not offers and not row.abstains and is_telling(row.answer) and holds(row.question, row.answer)
    return row.answer if given else None


RULES = (
    Rule(
        name="empty target",
        says="have nothing to learn",
        applies=lambda row: True,
        fault=lambda row: None if row.target.strip() else "",
        expected=0.0,
        limit=0.0,
        todo="give them an answer, or remove them",
    ),
    Rule(
        name="no end token",
        says="don't end with the token that ends the model's turn, which would go on for ever",
        applies=lambda row: not row.is_text,
        fault=lambda row: None if row.ends else row.target[-30:],
        expected=0.0,
        limit=0.0,
        todo="see whether the model's tokenizer names the token that ends its turns (eos_token)",
    ),
    Rule(
        name="control token in the target",
        says="spell a control token out in their target",
        applies=lambda row: not row.is_text,
        fault=lambda row: row.control or None,
        expected=0.0,
        limit=FEW,
        todo="remove the token's text: the end of a turn is added by itself",
    ),
    Rule(
        name="prompt text in the target",
        says="repeat text of the prompt in their target, and would teach the model to",
        applies=lambda row: not row.is_text,
        fault=_echo,
        expected=0.0,
        limit=FEW,
        todo="leave only the answer in the target",
    ),
    Rule(
        name="quote not in the documents",
        says="quote what stands in none of their documents, and would teach the model to make quotes up",
        applies=lambda row: bool(row.quotes),
        fault=_invented,
        expected=0.0,
        limit=FEW,
        todo="quote word for word, or cite the document without quoting it",
    ),
    Rule(
        name="citation of no document",
        says="cite a number that no document has",
        applies=lambda row: bool(row.citations),
        fault=_out_of_range,
        expected=0.0,
        limit=FEW,
        todo="cite by the numbers of the documents shown",
    ),
    Rule(
        name="answer in the question",
        says="give the answer away in the question",
        applies=lambda row: bool(row.answer) and not row.abstains,
        fault=_leaked,
        expected=0.02,
        limit=0.25,
        todo="ask without naming the answer",
    ),
)
