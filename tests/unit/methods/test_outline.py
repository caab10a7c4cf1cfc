from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.outline import blocks

LINES = ["", "  ", "text here", "# Head", "## Sub ##", "=====", "---", "```", "~~~", "| a | b |", "+---+", "    code:"]
MORE = [">>> f()", "   in", "===  ===", "Title", "Ends in:", "\t"]


@given(st.lists(st.sampled_from(LINES + MORE), max_size=30), st.sampled_from(["\n", "\r\n"]))
def test_only_whitespace_lies_between_blocks(lines: list[str], line_end: str) -> None:
    text = line_end.join(lines)
    place = 0
    for block in blocks(text):
        assert not text[place : block.start].strip()
        assert text[block.start : block.end].strip()
        assert text[block.start : block.end].rstrip() == text[block.start : block.end]
        place = block.end
    assert not text[place:].strip()


def outline(text: str) -> list[tuple[str, str]]:
    return [(block.kind, block.name or text[block.start : block.end]) for block in blocks(text)]


def test_headings() -> None:
    text = "# One #\ntext\nTwo\n***\nThree\n=======\n\n----\nFour\n----\n#no\n\nToo long\n---\n"
    assert outline(text) == [
        ("heading", "One"),
        ("text", "text"),
        ("heading", "Two"),
        ("heading", "Three"),
        ("heading", "Four"),
        ("text", "#no"),
        ("text", "Too long\n---"),
    ]


def test_code_keeps_its_blank_lines_and_hashes() -> None:
    assert outline("Run\n```sh\n# not a heading\n\nls\n```\nafter") == [
        ("text", "Run"),
        ("code", "```sh\n# not a heading\n\nls\n```"),
        ("text", "after"),
    ]


def test_code_that_is_never_closed_runs_to_the_end() -> None:
    assert outline("```\na\n\nb\n\n") == [("code", "```\na\n\nb")]


def test_what_stands_indented_below_a_colon_is_literal() -> None:
    assert outline("For example:\n\n   x = 1\n\n     y\n\nBack.") == [
        ("text", "For example:"),
        ("literal", "   x = 1\n\n     y"),
        ("text", "Back."),
    ]


def test_indented_prose_is_prose() -> None:
    assert outline("object.f(x)\n\n   Called at once. It ends.") == [
        ("text", "object.f(x)"),
        ("text", "Called at once. It ends."),
    ]


def test_tables() -> None:
    assert outline("See\n| a | b |\n|---|---|\nafter\n\n===  ===\na    b\n===  ===\n\n+---+\n| x |\n+---+") == [
        ("text", "See"),
        ("table", "| a | b |\n|---|---|"),
        ("text", "after"),
        ("table", "===  ===\na    b\n===  ==="),
        ("table", "+---+\n| x |\n+---+"),
    ]


def test_a_doctest_runs_to_the_blank_line() -> None:
    assert outline(">>> f()\n1\n\ntext") == [("literal", ">>> f()\n1"), ("text", "text")]
