"""A teacher's reasoning: what is kept, what isn't and why, and what the parser makes of it in a lesson."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragraft.methods import reasoning
from ragraft.methods.answer import parse
from ragraft.methods.prompt import PromptBuilder
from ragraft.methods.reasoning import Reasoning, Teacher, ask_for_reasoning, read_reasoning, write_reasonings
from ragraft.methods.target import reads_back
from ragraft.ports import Tokenizer
from ragraft.records import Completion, ExamQuestion, Passage, Prompt, Question, Sampling

LAMP = Passage("p0", "d0", "Lamps", "The lamp of Skagen burns oil.\nIt was first lit in 1747, and Anna fills it.")
KEEPER = Passage("p1", "d1", "Keepers", "Anna keeps the lamp [39] and the well.")
OTHER = Passage("p2", "d2", "Ports", "The port has two piers.")
WHEN = Question("q", "When was it lit?", ("1747",))
GOOD = '"It was first lit in 1747, and Anna fills it." [1] The question asks for its first year, which was 1747.'


@dataclass
class Scholar:
    """Says what it is told to, in turn, or always the same."""

    texts: Sequence[str]
    batches: list[int] = field(default_factory=list)
    sources: list[tuple[str, ...]] = field(default_factory=list)
    prompts: list[Prompt] = field(default_factory=list)

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        self.batches.append(len(prompts))
        self.sources += sampling.sources
        self.prompts += prompts
        first = len(self.prompts) - len(prompts)
        texts = [self.texts[place % len(self.texts)] for place in range(first, first + len(prompts))]
        return [Completion(text, (1,) * len(text.split()), prompt_tokens=50) for text in texts]


def teacher(*texts: str, words: int = 40, quote_words: int = 30, batch: int = 16, **prices: float) -> Teacher:
    return Teacher(Scholar(texts), words, quote_words, batch, **prices)


def make_builder(tokenizer: Tokenizer, answer: int = 96, most: int = 2048) -> PromptBuilder:
    return PromptBuilder(tokenizer, "not in the documents.", most, answer)


def read(
    tokenizer: Tokenizer,
    text: str,
    *,
    question: Question = WHEN,
    oracle: Sequence[Passage] = (LAMP,),
    answer: int = 96,
    words: int = 40,
    quote_words: int = 30,
) -> Reasoning | str:
    return read_reasoning(
        question,
        oracle,
        Completion(text),
        teacher=teacher(words=words, quote_words=quote_words),
        builder=make_builder(tokenizer, answer),
    )


def test_a_reasoning_stands_below_the_answer_and_is_numbered_by_each_lesson(word_tokenizer: Tokenizer) -> None:
    found = read(word_tokenizer, GOOD)
    assert isinstance(found, Reasoning)
    for shown, number in (([LAMP, OTHER], 1), ([OTHER, LAMP], 2)):
        target = found.target(WHEN, shown, ["p0"])
        assert target == "Answer: 1747\n" + GOOD.replace("[1]", f"[{number}]")
        said = parse(target, "not in the documents.")
        assert (said.answer, said.abstained, said.from_memory) == ("1747", False, False)
        assert said.quotes == (("It was first lit in 1747, and Anna fills it.", number),)
        assert said.citations == (number,)
        assert reads_back(target, shown, ["p0"])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        # blanks and capitals are the document's
        ("“it was first  lit in 1747” [1] It is 1747.", '"It was first lit in 1747" [2] It is 1747.'),
        # no number, or that of another document
        ('"It was first lit in 1747" It is 1747.', '"It was first lit in 1747" [2] It is 1747.'),
        ('"It was first lit in 1747" [7] It is 1747.', '"It was first lit in 1747" [2] It is 1747.'),
        # the sign behind the quoted words was the teacher's
        ('"It was first lit in 1747." [1] It is 1747.', '"It was first lit in 1747" [2] It is 1747.'),
        # as it was asked for, the answer above
        ('Answer: 1747\n"It was first lit in 1747" [1] It is 1747.', '"It was first lit in 1747" [2] It is 1747.'),
        # several lines become one
        ('"It was first lit in 1747" [1]\n\nIt is 1747.', '"It was first lit in 1747" [2] It is 1747.'),
    ],
)
def test_small_slips_are_mended(word_tokenizer: Tokenizer, text: str, line: str) -> None:
    found = read(word_tokenizer, text)
    assert isinstance(found, Reasoning)
    assert found.target(WHEN, [OTHER, LAMP], ["p0"]) == f"Answer: 1747\n{line}"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", reasoning.UNQUOTED),
        ("It was lit in 1747.", reasoning.UNQUOTED),
        ("Answer: 1747", reasoning.UNQUOTED),
        ('The text says "It was first lit in 1747" [1], so 1747.', reasoning.UNQUOTED),
        ('"It was lit at last in 1747" [1] So it is 1747.', reasoning.INVENTED),
        ('"t was first lit in 1747" [1] So it is 1747.', reasoning.INVENTED),
        ('"It was first lit in 1747" [1] as in “Almanacs”, so 1747.', reasoning.INVENTED),
        ('"The port has two piers." [1] So it is 1747.', reasoning.INVENTED),
        ('"It was first lit in 1747" [1]', reasoning.BARE),
        ('"It was first lit in 1747" [1] and [2] say 1747.', reasoning.OUT_OF_RANGE),
        ('"It was first lit in 1747" [1] That is the year.', reasoning.NO_ANSWER),
        ('"It was first lit in 1747" [1] It is 17478.', reasoning.NO_ANSWER),
        ('"It was first lit in 1747" [1] It is 1747, which is a year of the eighteenth century.', reasoning.NO_ANSWER),
        ('"It was first lit in 1747" [1] So the right answer is: 1747.', reasoning.MISREAD),
        (f'"It was first lit in 1747" [1] {"very " * 40}old, 1747.', reasoning.WORDY),
    ],
)
def test_what_does_not_hold_has_its_reason(word_tokenizer: Tokenizer, text: str, fault: str) -> None:
    assert read(word_tokenizer, text) == fault


def test_the_question_is_not_written_down_again(word_tokenizer: Tokenizer) -> None:
    """Else the look at the lessons would find text of the prompt in their targets, and stop training."""
    question = Question("q", "In which year was the lamp first lit?", ("1747",))
    text = '"It was first lit in 1747" [1] In which year was the lamp first lit? In 1747.'
    assert read(word_tokenizer, text, question=question) == reasoning.REPEATS
    text = '"It was first lit in 1747" [1] The year in which the lamp was first lit is 1747.'
    assert isinstance(read(word_tokenizer, text, question=question), Reasoning)
    assert isinstance(read(word_tokenizer, GOOD.replace("The", "When was it lit? The")), Reasoning), "four words"


def test_what_is_too_long_to_be_written_is_no_target(word_tokenizer: Tokenizer) -> None:
    target = f"Answer: 1747\n{GOOD}"
    tokens = word_tokenizer.count(target) + 1
    assert isinstance(read(word_tokenizer, GOOD, answer=tokens), Reasoning)
    assert read(word_tokenizer, GOOD, answer=tokens - 1) == reasoning.CUT
    cut = Completion(GOOD, finish_reason="length")
    builder = make_builder(word_tokenizer)
    assert read_reasoning(WHEN, [LAMP], cut, teacher=teacher(), builder=builder) == reasoning.CUT


def test_a_long_quote_is_cut_around_the_answer(word_tokenizer: Tokenizer) -> None:
    found = read(word_tokenizer, GOOD, quote_words=5)
    assert isinstance(found, Reasoning)
    [(quote, _)] = parse(found.target(WHEN, [LAMP], ["p0"]), "").quotes
    assert quote in LAMP.text
    assert "1747" in quote
    assert len(quote.split()) == 5


def test_every_oracle_is_cited_though_one_is_quoted(word_tokenizer: Tokenizer) -> None:
    found = read(word_tokenizer, GOOD, oracle=(LAMP, KEEPER))
    assert isinstance(found, Reasoning)
    shown = [KEEPER, OTHER, LAMP]
    target = found.target(WHEN, shown, ["p0", "p1"])
    assert target == "Answer: 1747\n" + GOOD.replace("[1]", "[3]") + " [1]"
    both = read(
        word_tokenizer,
        '"It was first lit in 1747" [1] and "Anna keeps the lamp" [2] of which [1] tells that it is 1747.',
        oracle=(LAMP, KEEPER),
    )
    assert isinstance(both, Reasoning)
    assert both.target(WHEN, shown, ["p0", "p1"]) == (
        'Answer: 1747\n"It was first lit in 1747" [3] and "Anna keeps the lamp" [1] of which [3] tells that it is 1747.'
    )
    assert reads_back(both.target(WHEN, shown, ["p0", "p1"]), shown, ["p0", "p1"])


def test_the_teacher_sees_what_holds_the_answer_and_the_answer() -> None:
    prompt = ask_for_reasoning(WHEN, [LAMP, KEEPER])
    assert [message.role for message in prompt.messages] == ["system", "user", "assistant", "user"]
    assert prompt.messages[-1].content == (
        f"Documents:\n\n[1] Lamps\n{LAMP.text}\n\n[2] Keepers\n{KEEPER.text}\n\n"
        "Question: When was it lit?\nRight answer: 1747"
    )


def test_the_prompts_own_example_would_be_kept(word_tokenizer: Tokenizer) -> None:
    messages = ask_for_reasoning(WHEN, [LAMP]).messages
    head, _, rest = messages[1].content.removeprefix("Documents:\n\n[1] ").partition("\n")
    text, _, question = rest.partition("\n\nQuestion: ")
    asked, _, answer = question.partition("\nRight answer: ")
    example = Passage("e", "e", head, text)
    found = read(word_tokenizer, messages[2].content, question=Question("e", asked, (answer,)), oracle=(example,))
    assert isinstance(found, Reasoning)


def questions(count: int) -> list[tuple[ExamQuestion, Sequence[Passage]]]:
    rows = [Question(f"q{row}", WHEN.question, WHEN.answers) for row in range(count)]
    return [(ExamQuestion(row, "train", "c", ("p0",)), [LAMP]) for row in rows]


def test_what_is_written_is_kept_and_counted(word_tokenizer: Tokenizer) -> None:
    one = teacher(GOOD, "no", batch=4, price_read=2.0, price_written=10.0)
    call = Question("call", "How to load it?", ("load('lamp')",), type="api call")
    long = Question("long", "What of it?", (" ".join(["very"] * 12),))
    asked = [*questions(10), *((ExamQuestion(row, "train", "c", ("p0",)), [LAMP]) for row in (call, long))]
    found = write_reasonings(asked, one, builder=make_builder(word_tokenizer))
    assert isinstance(one.generator, Scholar)
    assert one.generator.batches == [4, 4, 2]
    assert one.generator.sources == [(LAMP.text,)] * 10, "so that a teacher of ours copies its quotes"
    assert sorted(found.kept) == [f"q{row}" for row in range(0, 10, 2)]
    assert len(found.rows) == len(asked), "kept or with a reason, each once"
    assert {row["question_id"]: row["fault"] for row in found.rows if row["fault"]} == {
        **{f"q{row}": reasoning.UNQUOTED for row in range(1, 10, 2)},
        "call": reasoning.CALL,
        "long": reasoning.LONG,
    }
    written = 5 * len(GOOD.split()) + 5
    facts = found.facts(one)
    assert facts == {
        "reasonings": {
            "asked": 10,
            "kept": 5,
            "prompt tokens": 500,
            "answer tokens": written,
            "cost": round((2.0 * 500 + 10.0 * written) / 1e6, 4),
        },
        f"no reasoning: {reasoning.UNQUOTED}": 5,
        f"no reasoning: {reasoning.CALL}": 1,
        f"no reasoning: {reasoning.LONG}": 1,
    }


def test_a_teacher_that_cannot_do_it_is_asked_no_more_and_the_user_is_told(word_tokenizer: Tokenizer) -> None:
    one = teacher("I am a language model.")
    found = write_reasonings(questions(100), one, builder=make_builder(word_tokenizer))
    assert isinstance(one.generator, Scholar)
    assert sum(one.generator.batches) == found.asked == 64
    facts = found.facts(one)
    assert facts[f"no reasoning: {reasoning.UNTRIED}"] == 36
    assert facts["warning"] == (
        "only 0 of 64 reasonings of the teacher hold (commonest fault: it doesn't begin with a quote), and the other "
        "lessons have none; name a stronger synthesize.teacher.model, give it more room, or set synthesize.reasoning "
        "to none"
    )
    assert len(found.rows) == 100
    eighth = teacher(GOOD, *["no"] * 7)
    assert write_reasonings(questions(100), eighth, builder=make_builder(word_tokenizer)).asked == 100


def test_a_prompt_without_room_is_not_asked(word_tokenizer: Tokenizer) -> None:
    one = teacher(GOOD)
    found = write_reasonings(questions(1), one, builder=make_builder(word_tokenizer, most=150))
    assert found.rows == [{"question_id": "q0", "text": "", "fault": reasoning.NO_ROOM}]
    assert found.facts(one)["reasonings"]["asked"] == 0
    assert "warning" not in found.facts(one)


SIGNS = ['"', "“", "”", "[1]", "[2]", "[9]", "Answer:", "answer is:", "1747", "It was first lit in 1747", "Anna", "so"]


@settings(max_examples=200)
@given(st.lists(st.sampled_from([*SIGNS, f"“{LAMP.text[30:54]}”", '"Anna keeps the lamp" [2]']), max_size=12))
def test_whatever_a_teacher_writes_a_kept_line_is_read_back_as_meant(
    word_tokenizer: Tokenizer, parts: list[str]
) -> None:
    found = read(word_tokenizer, " ".join(parts), oracle=(LAMP, KEEPER))
    if isinstance(found, str):
        assert found
        return
    shown = [OTHER, KEEPER, LAMP]
    target = found.target(WHEN, shown, ["p0", "p1"])
    said = parse(target, "not in the documents.")
    assert said.answer == "1747"
    assert {shown[number - 1].id for number in said.citations} == {"p0", "p1"}
    assert said.quotes
    assert all(number and text in shown[number - 1].text for text, number in said.quotes)
    assert target.count("\n") == 1 + sum(text.count("\n") for text, _ in said.quotes)
