"""Each rule says yes to an answer that keeps the form and no to one that nearly does."""

from __future__ import annotations

import pytest

from ragraft.methods.format_rules import RULES, Given, keeps_form

CASES: list[tuple[str, Given, list[str], list[str]]] = [
    ("words", (3,), ["Vast, deep, blue.", "well-known old sea"], ["Vast and deep blue.", "vast deep", "..."]),
    ("at_most_words", (3,), ["To live.", "one two three"], ["one two three four"]),
    (
        "json_keys",
        ("a", "b"),
        ['{"a": 1, "b": 2}', '```json\n{"b": 1,\n "a": 2}\n```'],
        ['{"a": 1}', '{"a": 1, "b": 2, "c": 3}', 'Here: {"a": 1, "b": 2}', '["a", "b"]', "{'a': 1, 'b': 2}"],
    ),
    ("capitals", (), ["DOGS BARK.", "A 2ND DOG"], ["Dogs bark.", "DOGS BARKs", "123"]),
    ("small", (), ["snow is cold."], ["Snow is cold.", "123"]),
    ("ends", ("END",), ["Cats sleep. END", "Cats. **END**."], ["Cats sleep until the end", "END of cats"]),
    (
        "begins",
        ("My answer:",),
        ["My answer: the Rhine", "**My answer:** the Rhine"],
        ["The Rhine", "So, My answer: x", '"My answer: x"'],
    ),
    (
        "items",
        (3,),
        ["- a\n- b\n- c", "Here you are:\n\n1. a\n\n2. b\n\n3. c", "* a\n* b\n* c"],
        ["- a\n- b", "1. a\n2. b\n3. c\n4. d", "a, b, c"],
    ),
    ("one_of", ("yes", "no"), ["Yes.", "no", "**No**"], ["Yes, it is.", "maybe"]),
    ("without", (",",), ["It has two wheels."], ["It has wheels, and pedals."]),
    ("without", ("hot",), ["A photo of the sun."], ["The sun is Hot."]),
    ("contains", ("pencil", "window"), ["A pencil lay at the Window."], ["A pencil lay there.", "pencils and windows"]),
    ("lines", (2,), ["one\ntwo", "one\n\ntwo\n"], ["one two", "one\ntwo\nthree"]),
    ("number", (), ["8", "1,000", "11."], ["eight", "8 legs", "The answer is 8."]),
    ("quoted", (), ['"Hello there!"', "“Hello.”"], ["Hello", '"Hello" she said', '"A" and "b"']),
]


@pytest.mark.parametrize(("rule", "given", "kept", "broken"), CASES)
def test_a_rule_tells_kept_from_broken(rule: str, given: Given, kept: list[str], broken: list[str]) -> None:
    assert [answer for answer in kept if not keeps_form(rule, given, answer)] == []
    assert [answer for answer in broken if keeps_form(rule, given, answer)] == []


def test_every_rule_has_a_case_and_an_empty_answer_keeps_none() -> None:
    assert {rule for rule, *_ in CASES} == set(RULES)
    assert not any(keeps_form(rule, given, " \n") for rule, given, *_ in CASES)
