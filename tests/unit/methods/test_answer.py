"""Taking answers apart: the answer, its numbers and quotes, and what counts as an abstention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.answer import answer, answer_from_index, is_abstention, parse, sampling_of
from ragraft.methods.prompt import PromptBuilder, Shot
from ragraft.ports import Tokenizer
from ragraft.records import Completion, Passage, Prompt, Sampling, Turn

ABSTENTION = "not in the documents."

REFUSALS = [
    "Not in the documents",
    "**not in the documents.**",
    "“not in the documents.”",
    "It is not mentioned in the documents.",
    "Not mentioned in the provided documents.",
    "It's not specified in the given context.",
    "This is not stated in any of the passages.",
    "not explicitly mentioned in the text.",
    "The date is not mentioned in the passage.",
    "The answer is not in the documents.",
    "The answer to this question isn't provided in the documents, so I cannot say.",
    "The name of the river does not appear in the documents.",
    "The documents do not mention the year.",
    "The provided documents don't say who built it.",
    "The document doesn't specify a limit.",
    "The given context does not provide enough information to answer the question.",
    "The documents provided do not contain any information about penguins.",
    "This passage does not contain the answer.",
    "The passages contain no information about that.",
    "None of the documents mention a mayor.",
    "Based on the documents, there is no information about the mayor.",
    "Based on the provided documents, it is not mentioned in the text.",
    "There is no information about the mayor in the documents.",
    "There's no mention of a lighthouse in the passages.",
    "There is no evidence for that in the documents.",
    "No information is given about the mayor.",
    "No answer.",
    "No answer found.",
    "Not enough information to answer the question.",
    "Insufficient information.",
    "I don't know.",
    "I don’t know.",
    "I do not know the answer to this question.",
    "I cannot answer this question from the documents.",
    "I can't find the answer in the documents.",
    "I could not find any information about it.",
    "Unfortunately, I cannot determine the answer.",
    "I'm sorry, but the documents do not say.",
    "I am sorry, I cannot help with that.",
    "Sorry, there is no answer.",
    "I am unable to answer this question.",
    "I'm not sure.",
    "Unable to determine from the documents.",
    "It cannot be determined from the passage.",
    "The age of the reef cannot be determined from the given documents.",
    "This question cannot be answered.",
    "Cannot be determined",
    "Unanswerable.",
    "Unknown",
    "The answer is unknown.",
    "N/A",
    "Not specified.",
]

ANSWERS = [
    "Not-for-profit organisations",
    "Notre Dame",
    "No",
    "No.",
    "None",
    "NoneType",
    "Nothing is returned",
    "not",
    "not in",
    "not found",
    "Not all of them",
    "Not until 1890",
    "not included in the source distribution",
    "Not available in text mode",
    "not in the documents directory",
    "in the documents directory",
    "the documents directory",
    "documents do not have a fixed schema",
    "The document does not have a size limit",
    "text does not contain tags",
    "No evidence of a difference between the groups",
    "No information loss",
    "There is no information loss",
    "There is no limit",
    "There is no data dependency between them",
    "no answering machine",
    "No context manager is needed",
    "unknown function",
    "Unknown Pleasures",
    "the unknown soldier",
    "unable to open database file",
    "Unable to resolve host",
    "sorry for your loss",
    "I do not know of any kings but these seven",
    "I Don't Know How to Love Him",
    "I Can't Tell You Why",
    "I Can't Find My Mind",
    "Cannot find symbol",
    "it cannot be pickled",
    "The type cannot be determined statically",
    "Information technology",
    "It is not hashable",
    "It is given in the header of each file",
    "It is mentioned in the documents of 1890",
    "Available in the source tree",
    '""',
    "[]",
    ";;",
    "<",
    "0",
]


# --- abstentions


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_is_an_abstention(text: str) -> None:
    assert is_abstention(text, ABSTENTION)
    assert is_abstention(text.upper(), ABSTENTION)


@pytest.mark.parametrize("text", ANSWERS)
def test_an_answer_that_begins_like_a_refusal_is_none(text: str) -> None:
    assert not is_abstention(text, ABSTENTION)


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_an_empty_answer_is_an_abstention(text: str) -> None:
    assert is_abstention(text, ABSTENTION)


@given(st.text(min_size=1).filter(str.strip))
def test_the_configured_sentence_is_an_abstention_whatever_it_is(sentence: str) -> None:
    assert is_abstention(sentence, sentence)
    assert is_abstention(f"  {sentence}\n", sentence)


def test_the_configured_sentence_counts_without_case_and_punctuation() -> None:
    assert is_abstention("NOT in the   documents!", ABSTENTION)
    assert is_abstention("keine Angabe", "Keine Angabe.")
    assert not is_abstention("keine Angabe", ABSTENTION)


# --- the answer


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Answer: 1890", "1890"),
        ('"It was built in 1890." [1]\nAnswer: 1890', "1890"),
        ('Answer: 1890\n"It was built in 1890." [1]', "1890"),
        ('Answer: 1890\n"It was built in', "1890"),
        ("Answer: 1890\n[1] [2]", "1890"),
        ('Answer:\n"Moby-Dick" [2]', '"Moby-Dick"'),
        ('Answer: 1890\n"Q: When?\nThe answer: in 1890." [1]', "1890"),
        ("Answer: call(a,\n[1, 2])", "call(a, [1, 2])"),
        ("Answer: 1889\nAnswer: 1890", "1890"),
        ("The answer to the question is: 1890", "1890"),
        ("Final answer:1890", "1890"),
        ("**Answer:** 1890", "1890"),
        ("**Answer**: 1890", "1890"),
        ("Answer (from memory): 1890", "1890"),
        ("ANSWER: in  the\n year 1890 [2]", "in the year 1890"),
        ("Answer: three unanswered questions: a, b and c", "three unanswered questions: a, b and c"),
        ("Answer:__init__", "__init__"),
        ("Answer: ", ""),
        ("It was built in 1890 [1].", "It was built in 1890 ."),
        ("[1] [2]", ""),
        ("An answer without its mark", "An answer without its mark"),
        ("The answer is a long way from any colon, more than thirty letters: so", None),
    ],
)
def test_the_answer_is_what_stands_after_the_last_mark(text: str, wanted: str | None) -> None:
    assert parse(text, ABSTENTION).answer == (text if wanted is None else wanted)


@given(st.text(), st.text(st.characters(blacklist_characters=':["“', blacklist_categories=["Cs"])))
def test_whatever_came_before_the_last_mark_is_no_part_of_the_answer(before: str, said: str) -> None:
    assert parse(f"{before}\nAnswer: {said}", ABSTENTION).answer == " ".join(said.split())


def test_only_the_marked_answer_decides_whether_it_abstained() -> None:
    assert parse("I don't know, let me see.\nAnswer: 1890", ABSTENTION).abstained is False
    assert parse('"It was built in 1890." [1]\nAnswer: not in the documents.', ABSTENTION).abstained is True
    assert parse("Answer: ", ABSTENTION).abstained is True
    assert parse("[1]", ABSTENTION).abstained is True


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Answer (from memory): 1890", True),
        ("answer  (From Memory) : 1890", True),
        ("Answer: 1890 (from memory)", False),
        ("Answer: 1890", False),
    ],
)
def test_memory_is_said_in_the_mark(text: str, wanted: bool) -> None:
    assert parse(text, ABSTENTION).from_memory is wanted


# --- numbers and quotes


@given(st.lists(st.integers(0, 999)))
def test_every_number_in_brackets_is_a_citation(numbers: Sequence[int]) -> None:
    text = "".join(f"so [{number}]" for number in numbers)
    assert parse(f"{text}\nAnswer: so", ABSTENTION).citations == tuple(numbers)


def test_what_is_no_number_in_brackets_is_none() -> None:
    assert parse("[a] [] [1000] (1) [1, 2]\nAnswer: x", ABSTENTION).citations == ()


def test_an_argument_in_brackets_is_no_citation() -> None:
    found = parse("[2]\nAnswer: hub.KerasLayer('vit', output_shape=[20]) [2]", ABSTENTION)
    assert (found.answer, found.citations) == ("hub.KerasLayer('vit', output_shape=[20])", (2, 2))


def test_numbers_inside_a_quote_are_its_authors() -> None:
    found = parse('"Insulin [39] and heparin [40] help [41]." [2]\nAnswer: insulin', ABSTENTION)
    assert found.citations == (2,)
    assert found.quotes == (("Insulin [39] and heparin [40] help [41].", 2),)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('"one" [1]\nAnswer: x', [("one", 1)]),
        ('Answer: x\n"one" [1] "two" [3]', [("one", 1), ("two", 3)]),
        ('Answer: the "big" x\n"one" [1]', [("one", 1)]),
        ('Answer: x\n"cut sho', []),
        ('"one" [1] "two" [3]\nAnswer: x', [("one", 1), ("two", 3)]),
        ("“one” [12]\nAnswer: x", [("one", 12)]),
        ('"one"[1]\nAnswer: x', [("one", 1)]),
        ('"one"\nAnswer: x', [("one", None)]),
        ('"one"', [("one", None)]),
        ('"the "sys" module, or "os"" [1]\nAnswer: x', [('the "sys" module, or "os"', 1)]),
        ('"one\ntwo" [1]\nAnswer: x', [("one\ntwo", 1)]),
        ('the "sys" module [1]\nAnswer: x', []),
        ("[1]\nAnswer: x", []),
    ],
)
def test_quotes_have_the_numbers_that_follow_them(text: str, wanted: list[tuple[str, int | None]]) -> None:
    assert parse(text, ABSTENTION).quotes == tuple(wanted)


@given(st.text())
def test_any_text_can_be_taken_apart(text: str) -> None:
    found = parse(text, ABSTENTION)
    assert found.answer == " ".join(found.answer.split())
    assert all(quote in text for quote, _ in found.quotes)
    if not found.answer:
        assert found.abstained


# --- answering


class Parrot:
    """Says the same to all; remembers what it was asked."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked: list[tuple[Sequence[Prompt], Sampling]] = []

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        self.asked.append((prompts, sampling))
        return [Completion(self.text) for _ in prompts]


class FixedRetriever:
    def __init__(self, passages: Sequence[Passage]) -> None:
        self.passages = passages

    def retrieve(self, questions: Sequence[str], k: int) -> list[list[Passage]]:
        return [list(self.passages[:k]) for _ in questions]


PASSAGES = [Passage(f"p{number}", "d", "Title", f"text {number}") for number in range(3)]


def make_builder(tokenizer: Tokenizer, most: int = 500) -> PromptBuilder:
    return PromptBuilder(tokenizer, ABSTENTION, max_tokens=most, answer_tokens=7)


def test_replies_name_the_passages_that_they_cite(word_tokenizer: Tokenizer) -> None:
    parrot = Parrot('"text 1" [2] "text 0" [1] [2] [9] [0]\nAnswer: text')
    replies = answer(["q1", "q2"], [PASSAGES, PASSAGES[:1]], builder=make_builder(word_tokenizer), generator=parrot)
    assert [[passage.id for passage in reply.cited] for reply in replies] == [["p1", "p0"], ["p0"]]
    assert [reply.parsed.answer for reply in replies] == ["text", "text"]
    assert len(parrot.asked) == 1, "one batch"
    prompts, sampling = parrot.asked[0]
    assert prompts == [reply.fitted.prompt for reply in replies]
    assert sampling.sources == (("text 0", "text 1", "text 2"), ("text 0",))
    assert replace(sampling, sources=()) == Sampling(max_tokens=7, turn=Turn("Answer:", f" {ABSTENTION}", 0.5))


def test_shots_and_kept_passages_reach_the_prompt(word_tokenizer: Tokenizer) -> None:
    shot = Shot("earlier?", (), "Answer: so")
    builder = make_builder(word_tokenizer)
    room = word_tokenizer.count_prompt(builder.build("q", PASSAGES[1:2]))
    narrow = make_builder(word_tokenizer, room + 7)
    [reply] = answer(["q"], [PASSAGES], builder=narrow, generator=Parrot("x"), shots=[shot], keep=[["p1"]])
    assert reply.fitted.passages == (PASSAGES[1],)
    assert [message.content for message in reply.fitted.prompt.messages][2] == "Answer: so"


def test_an_index_is_asked_for_k_passages(word_tokenizer: Tokenizer) -> None:
    retriever, builder = FixedRetriever(PASSAGES), make_builder(word_tokenizer)
    reply = answer_from_index("q", retriever=retriever, k=2, builder=builder, generator=Parrot("Answer: x"))
    assert reply.fitted.passages == tuple(PASSAGES[:2])
    assert reply.parsed.answer == "x"


def test_the_abstention_competes_with_all_answers_together(word_tokenizer: Tokenizer) -> None:
    builder = replace(make_builder(word_tokenizer), abstain_above=0.2)
    assert sampling_of(builder).turn == Turn("Answer:", f" {ABSTENTION}", 0.2)
    assert sampling_of(replace(builder, abstain_above=0.0)).turn is None
