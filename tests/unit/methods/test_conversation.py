from __future__ import annotations

import pytest

from ragraft import ports
from ragraft.errors import ConfigError, InputError
from ragraft.methods.conversation import (
    Conversation,
    Cuts,
    Exchange,
    fit_conversation,
    read_conversation,
    without_copies,
)
from ragraft.methods.prompt import PromptBuilder
from ragraft.records import Message, Passage

SENTENCE = "The tower of Arlen is made of granite which ships brought from far away in the spring"


def passage(name: str, text: str = SENTENCE) -> Passage:
    return Passage(name, name, name, text)


def builder(tokenizer: ports.Tokenizer, most: int = 400) -> PromptBuilder:
    return PromptBuilder(tokenizer, abstention="not in the documents.", max_tokens=most, answer_tokens=20)


def test_one_question_is_looked_up_and_asked_as_it_is(word_tokenizer: ports.Tokenizer) -> None:
    conversation = read_conversation([Message("user", "Who keeps the lamp?")])
    assert conversation == Conversation("Who keeps the lamp?")
    assert conversation.query(5) == "Who keeps the lamp?"
    built = builder(word_tokenizer)
    fitted, cuts = fit_conversation(conversation, [passage("a")], builder=built, turns=3, answer_tokens=20)
    assert fitted == built.fit("Who keeps the lamp?", [passage("a")])
    assert cuts == Cuts()


def test_turns_are_paired_and_what_no_prompt_shows_is_counted() -> None:
    turns = [
        Message("system", "Talk like a pirate."),
        Message("assistant", "Ahoy, ask me!"),
        Message("user", "What is Arlen?"),
        Message("user", "I mean the tower."),
        Message("assistant", "A lighthouse."),
        Message("user", "And who"),
        Message("user", "keeps it?"),
    ]
    found = read_conversation(turns)
    assert found.question == "And who\n\nkeeps it?"
    assert found.earlier == (Exchange("What is Arlen?\n\nI mean the tower.", "A lighthouse."),)
    assert found.ignored == 2


@pytest.mark.parametrize(
    "turns", [[], [Message("user", " \n")], [Message("user", "Why?"), Message("assistant", "So.")]]
)
def test_without_a_question_there_is_nothing_to_answer(turns: list[Message]) -> None:
    with pytest.raises(InputError, match=r"^The last message must be a user's and hold a question$"):
        read_conversation(turns)


def test_short_earlier_questions_are_looked_up_below_the_last_one() -> None:
    earlier = (Exchange("first", "a"), Exchange("long " * 200, "b"), Exchange("third", "c"))
    conversation = Conversation("last", earlier)
    assert [conversation.query(turns) for turns in (0, 1, 2, 3)] == [
        "last",
        "last\nthird",
        "last\nthird",
        "last\nthird\nfirst",
    ]


def test_earlier_turns_stand_in_the_taught_form_before_the_documents(word_tokenizer: ports.Tokenizer) -> None:
    earlier = (Exchange("What is it?", " granite"), Exchange("Really?", 'Answer: yes\n"granite" [1]'))
    conversation = Conversation("Who keeps it?", earlier)
    fitted, _ = fit_conversation(
        conversation, [passage("a")], builder=builder(word_tokenizer), turns=3, answer_tokens=20
    )
    roles = [(turn.role, turn.content) for turn in fitted.prompt.messages[1:-1]]
    assert roles == [
        ("user", "Question: What is it?"),
        ("assistant", "Answer: granite"),
        ("user", "Question: Really?"),
        ("assistant", 'Answer: yes\n"granite" [1]'),
    ]
    assert fitted.prompt.messages[-1].content == f"Documents:\n\n[1] a\n{SENTENCE}\n\nQuestion: Who keeps it?"


def test_the_oldest_turns_go_first_then_passages_and_never_the_question(word_tokenizer: ports.Tokenizer) -> None:
    earlier = tuple(Exchange(f"question {number}?", "word " * 30) for number in range(4))
    conversation = Conversation("Who keeps it?", earlier, ignored=1)
    passages = [passage("a", "alpha " * 40), passage("b", "beta " * 40)]
    seen = []
    for most in range(420, 110, -10):
        fitted, cuts = fit_conversation(
            conversation, passages, builder=builder(word_tokenizer, most), turns=3, answer_tokens=20
        )
        assert word_tokenizer.count_prompt(fitted.prompt) <= most - 20
        assert fitted.prompt.messages[-1].content.endswith("Question: Who keeps it?")
        assert len(fitted.passages) == 2 - cuts.passages
        assert len(fitted.prompt.messages) == 2 + 2 * (4 - cuts.exchanges)
        seen.append((cuts.exchanges, cuts.passages))
    with pytest.raises(ConfigError, match="shorten the question"):
        fit_conversation(conversation, passages, builder=builder(word_tokenizer, 40), turns=3, answer_tokens=20)
    assert seen == sorted(seen)
    assert {(1, 0), (4, 0), (4, 1), (4, 2)} <= set(seen)
    assert not any(passages and exchanges < 4 for exchanges, passages in seen)


def test_a_passage_that_repeats_a_better_one_is_left_out_and_counted(word_tokenizer: ports.Tokenizer) -> None:
    other = "Bruno has kept the lamp of Boskar for eight years and lives alone by the sea all the year"
    overlapping = " ".join(SENTENCE.split()[4:] + other.split()[:6])
    passages = [passage("a"), passage("b", SENTENCE.upper()), passage("c", " ".join(SENTENCE.split()[2:12]))]
    passages += [passage("d", other), passage("e", overlapping), passage("f", "short one"), passage("g", "Short  one")]
    assert [one.id for one in without_copies(passages)] == ["a", "d", "e", "f"]
    _, cuts = fit_conversation(
        Conversation("Who?"), passages, builder=builder(word_tokenizer), turns=0, answer_tokens=20
    )
    assert cuts.copies == 3
