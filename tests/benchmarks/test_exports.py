"""The benchmark of exports: what counts as agreement, and that every form is asked."""

from __future__ import annotations

from benchmarks.exports import compared, lines_of

REFUSES = "Answer: not in the documents."


def test_agreement_is_of_texts_and_of_answers() -> None:
    reference = ['Answer: 1747\n"In 1747." [1]', REFUSES, "Answer: slate", "Answer: chalk"]
    answers = ['Answer: 1747\n"It was in 1747." [2]', "I do not know.", "Answer: slate", "Answer: flint"]
    row = compared("gguf", answers, reference, "not in the documents.")
    assert (row["same text"]["value"], row["same answer"]["value"]) == (0.25, 0.75)
    head, line = lines_of([row])
    assert head.split() == ["form", "same", "text", "same", "answer", "n"]
    assert line.startswith("gguf ")
    assert line.endswith(" 4")
