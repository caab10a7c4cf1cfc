from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.outline import blocks

LINES = ["", "  ", "text here", "# Head", "## Sub ##", "=====", "---", "```", "~~~", "| a | b |", "+---+", "    code:"]
SETTINGS = ["# a comment", "[port: <int> | default = 80]", "key = value"]
MORE = [">>> f()", "   in", "===  ===", "Title", "Ends in:", "\t"]


@given(st.lists(st.sampled_from(LINES + SETTINGS + MORE), max_size=30), st.sampled_from(["\n", "\r\n"]))
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


def test_comments_of_settings_are_no_headings() -> None:
    assert outline("api:\n# Where the pages are.\n# CLI flag: -http.prefix\n[prefix: <string>]\n\n# One\nprose") == [
        ("text", "api:"),
        ("literal", "# Where the pages are.\n# CLI flag: -http.prefix\n[prefix: <string>]"),
        ("heading", "One"),
        ("text", "prose"),
    ]


def test_one_comment_straight_above_a_setting_is_no_heading() -> None:
    for setting in ("[port: <int> | default = 80]", "log.level: info", "retries = 3", "  nested:"):
        assert outline(f"# How it listens.\n{setting}") == [("literal", f"# How it listens.\n{setting}")]
    for prose in ("Note: this is prose.", "", "see https://x.test", "a word: and more"):
        assert outline(f"# How it listens\n{prose}")[0] == ("heading", "How it listens")


def test_settings_end_at_code_and_at_a_heading() -> None:
    assert outline("# a\n# b\nkey: 1\n## Next\ntext\n# c\n# d\n```\nx\n```") == [
        ("literal", "# a\n# b\nkey: 1"),
        ("heading", "Next"),
        ("text", "text"),
        ("literal", "# c\n# d"),
        ("code", "```\nx\n```"),
    ]


def test_headings_of_different_levels_may_stand_one_below_the_other() -> None:
    assert outline("# One\n## Two\n### Three") == [("heading", name) for name in ("One", "Two", "Three")]


def test_comments_in_front_matter_are_no_headings() -> None:
    front = "---\n# who wrote it\ntitle: Sea\ntags:\n  - ice\n\nlast: 1\n---"
    assert outline(f"{front}\n# Sea\ntext") == [("literal", front), ("heading", "Sea"), ("text", "text")]
    assert outline("---\n# Sea\nWhat stands between rules.\n---")[0] == ("text", "---")
