"""The prompt: its exact text, where it is cut, and what has to go when it doesn't fit."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.errors import ConfigError
from ragraft.methods.prompt import PromptBuilder, Shot, prompt_text, question_part, user_turn
from ragraft.ports import Tokenizer
from ragraft.records import Message, Passage

ABSTENTION = "not in the documents."
REEF = Passage("reef#0", "reef", "The reef", "The reef is old.\nIts lighthouse was built in 1890.")
PORT = Passage("port#0", "port", "", "The port has two piers.")
SHOT = Shot("How many piers?", (PORT,), 'Answer: two\n"The port has two piers." [1]')

SYSTEM = (
    'Answer from the documents. First line: "Answer: " and the shortest right answer. Second line: the shortest '
    "sentence that holds the answer, copied word for word in quotation marks, then the number of its document in "
    "brackets. If the documents do not hold the answer, write only: Answer: not in the documents."
)
CLOSED = 'Answer from memory, in one line: "Answer: " and the shortest right answer.'


def make_builder(tokenizer: Tokenizer, most: int = 2048, answer: int = 96) -> PromptBuilder:
    return PromptBuilder(tokenizer, ABSTENTION, max_tokens=most, answer_tokens=answer)


# --- the text


def test_documents_are_numbered_and_the_question_comes_last(word_tokenizer: Tokenizer) -> None:
    assert make_builder(word_tokenizer).build("When was it built?", [REEF, PORT]).messages == (
        Message("system", SYSTEM),
        Message(
            "user",
            "Documents:\n\n"
            "[1] The reef\nThe reef is old.\nIts lighthouse was built in 1890.\n\n"
            "[2] \nThe port has two piers.\n\n"
            "Question: When was it built?",
        ),
    )


def test_without_passages_the_book_is_closed(word_tokenizer: Tokenizer) -> None:
    prompt = make_builder(word_tokenizer).build("When was it built?", [])
    assert prompt.messages == (Message("system", CLOSED), Message("user", "Question: When was it built?"))
    assert prompt.cut == 0


def test_shots_are_earlier_turns(word_tokenizer: Tokenizer) -> None:
    builder = make_builder(word_tokenizer)
    plain = builder.build("When was it built?", [REEF])
    shown = builder.build("When was it built?", [REEF], [SHOT, SHOT])
    turns = (
        Message("user", "Documents:\n\n[1] \nThe port has two piers.\n\nQuestion: How many piers?"),
        Message("assistant", 'Answer: two\n"The port has two piers." [1]'),
    )
    assert shown.messages == (plain.messages[0], *turns, *turns, plain.messages[1])
    assert shown.cut == plain.cut


def test_closed_book_shots_show_no_documents(word_tokenizer: Tokenizer) -> None:
    shot = Shot("How many piers?", (), "Answer: two")
    messages = make_builder(word_tokenizer).build("When?", [], [shot]).messages
    assert [message.role for message in messages] == ["system", "user", "assistant", "user"]
    assert messages[1].content == "Question: How many piers?"


def test_the_abstention_may_hold_anything(word_tokenizer: Tokenizer) -> None:
    prompt = PromptBuilder(word_tokenizer, "{nothing} {0} %s", 2048, 96).build("q", [REEF])
    assert prompt.messages[0].content.endswith("write only: Answer: {nothing} {0} %s")


def test_answers_from_memory_are_only_invited_where_they_are_allowed(word_tokenizer: Tokenizer) -> None:
    free = PromptBuilder(word_tokenizer, ABSTENTION, 2048, 96, grounded_only=False)
    assert free.build("q", [REEF]).messages[0].content == (
        f"{SYSTEM} If they do not hold it but you know it, write instead, in one line: "
        '"Answer (from memory): " and the shortest right answer.'
    )
    assert free.build("q", []) == make_builder(word_tokenizer).build("q", [])
    assert free.build("q", [REEF]).messages[1:] == make_builder(word_tokenizer).build("q", [REEF]).messages[1:]


def test_prompt_files_end_without_blanks() -> None:
    for name in ("documents.txt", "memory.txt", "closed.txt", "refusals.txt"):
        assert prompt_text(name) == prompt_text(name).strip() != ""


# --- laws

texts = st.text(min_size=1, max_size=40)
tricky = ["reef", "old", "[1]", "Question:", "Documents:", "built\n\n", "1890"]
word_texts = st.lists(st.sampled_from(tricky), max_size=12).map(" ".join)
passages = st.lists(word_texts, max_size=6).map(
    lambda found: [Passage(f"p{row}", f"d{row}", f"t{row}", text) for row, text in enumerate(found)]
)


@given(texts, passages)
def test_the_cut_is_where_the_question_begins(word_tokenizer: Tokenizer, question: str, shown: list[Passage]) -> None:
    prompt = make_builder(word_tokenizer).build(question, shown)
    turn = prompt.messages[-1].content
    assert turn[prompt.cut :] == question_part(question) == f"Question: {question}"
    other = make_builder(word_tokenizer).build("something else", shown)
    assert other.messages[-1].content[: other.cut] == turn[: prompt.cut]
    assert other.messages[:-1] == prompt.messages[:-1]


@given(passages)
def test_every_passage_stands_under_its_number(shown: list[Passage]) -> None:
    turn = user_turn("q", shown)
    assert all(f"[{n}] {passage.title}\n{passage.text}\n\n" in turn for n, passage in enumerate(shown, 1))
    assert turn.startswith("Documents:\n\n") == bool(shown)
    assert re.search("\n\nQuestion: q$|^Question: q$", turn)


# --- the budget


@given(st.data())
def test_what_is_dropped_and_shown_is_what_was_given(word_tokenizer: Tokenizer, data: st.DataObject) -> None:
    given_passages = data.draw(passages)
    question = data.draw(word_texts)
    keep = data.draw(st.sets(st.sampled_from([p.id for p in given_passages]))) if given_passages else set()
    builder = make_builder(word_tokenizer, data.draw(st.integers(1, 200)), data.draw(st.integers(1, 40)))
    room = builder.max_tokens - builder.answer_tokens
    try:
        fitted = builder.fit(question, given_passages, keep=keep)
    except ConfigError:
        kept = [p for p in given_passages if p.id in keep]
        assert word_tokenizer.count_prompt(builder.build(question, kept)) > room
        return
    assert word_tokenizer.count_prompt(fitted.prompt) <= room
    assert fitted.prompt == builder.build(question, fitted.passages)
    assert fitted.prompt.messages[-1].content.endswith(f"Question: {question}"), "the question stays whole"
    assert sorted(p.id for p in (*fitted.passages, *fitted.dropped)) == [p.id for p in given_passages]
    assert [p for p in given_passages if p in fitted.passages] == list(fitted.passages), "in their order"
    assert not keep & {p.id for p in fitted.dropped}
    if fitted.dropped:
        loose = [p for p in given_passages if p.id not in keep]
        assert list(fitted.dropped) == loose[::-1][: len(fitted.dropped)], "the last one first"
        one_more = [p for p in given_passages if p in fitted.passages or p == fitted.dropped[-1]]
        assert word_tokenizer.count_prompt(builder.build(question, one_more)) > room, "no more than had to go"


def test_nothing_goes_while_everything_fits(word_tokenizer: Tokenizer) -> None:
    builder = make_builder(word_tokenizer)
    fitted = builder.fit("When?", [REEF, PORT])
    assert (fitted.passages, fitted.dropped) == ((REEF, PORT), ())
    exact = word_tokenizer.count_prompt(fitted.prompt) + 96
    assert make_builder(word_tokenizer, exact).fit("When?", [REEF, PORT]).dropped == ()
    assert make_builder(word_tokenizer, exact - 1).fit("When?", [REEF, PORT]).dropped == (PORT,)


def test_a_kept_passage_stays_though_it_is_the_last(word_tokenizer: Tokenizer) -> None:
    builder = make_builder(word_tokenizer)
    room = word_tokenizer.count_prompt(builder.build("When?", [PORT])) + 96
    fitted = make_builder(word_tokenizer, room).fit("When?", [REEF, PORT], keep=["port#0"])
    assert (fitted.passages, fitted.dropped) == ((PORT,), (REEF,))


def test_shots_cost_no_passages(word_tokenizer: Tokenizer) -> None:
    builder = make_builder(word_tokenizer)
    exact = word_tokenizer.count_prompt(builder.build("When?", [REEF])) + 96
    fitted = make_builder(word_tokenizer, exact).fit("When?", [REEF], shots=[SHOT])
    assert fitted.passages == (REEF,)
    assert fitted.prompt == builder.build("When?", [REEF], [SHOT])


def test_an_answer_may_ask_for_its_own_room(word_tokenizer: Tokenizer) -> None:
    builder = make_builder(word_tokenizer)
    exact = word_tokenizer.count_prompt(builder.build("When?", [REEF])) + 10
    narrow = make_builder(word_tokenizer, exact)
    assert narrow.fit("When?", [REEF], answer_tokens=10).passages == (REEF,)
    assert narrow.fit("When?", [REEF], answer_tokens=11).passages == ()


def test_a_question_that_never_fits_is_told(word_tokenizer: Tokenizer) -> None:
    question = "When was the very old lighthouse on the reef built, and by whom?"
    with pytest.raises(ConfigError) as caught:
        make_builder(word_tokenizer, 100, 96).fit(question, [REEF])
    assert str(caught.value) == (
        "The question “When was the very old lighthouse on the reef built, and by w” takes 31 tokens, and 4 are free "
        "(of 100, the smaller of prompt.max_tokens and the model's window, without the answer's room); shorten the "
        "question"
    )
