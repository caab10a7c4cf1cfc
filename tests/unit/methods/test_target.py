"""The wanted answer: its quotes are exact, hold the answer, and are read back as they were written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ragraft.methods.answer import parse
from ragraft.methods.target import (
    OWN_QUOTE_WORDS,
    abstain,
    answer_from_memory,
    find_quotes,
    reads_back,
    write_target,
)
from ragraft.records import Passage, Question

ABSTENTION = "not in the documents."
TEXT = "The reef is old. Its red lighthouse was built by Mary Anne in the year 1890. It is tall."


def passage(text: str, name: str = "p") -> Passage:
    return Passage(name, "d", "Title", text)


def asked(*answers: str, **values: Any) -> Question:
    return Question("q", "When was it built?", answers, **values)


def quote(text: str, *answers: str, words: int = 30, **values: Any) -> str | None:
    """The one quote of a passage with this text."""
    found = find_quotes(asked(*answers, **values), [passage(text)], words)
    assert len(found) <= 1
    return found[0].text if found else None


# --- which quote


def test_the_sentence_with_the_answer_on_what_was_asked_is_quoted() -> None:
    assert quote(TEXT, "1890") == "Its red lighthouse was built by Mary Anne in the year 1890."
    assert quote("In 1890. " + TEXT, "1890") == "Its red lighthouse was built by Mary Anne in the year 1890."
    assert quote("It was long ago, in 1890. In 1890 it was.", "1890") == "In 1890 it was.", "the shortest of equals"
    assert quote(TEXT, "1891", "1890") == "Its red lighthouse was built by Mary Anne in the year 1890."


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        ("When does Reef 7.5 end?", "2025-04-28", "- Reef 7.5: released 2024-04-05; end of life 2025-04-28."),
        ("When was Reef 7.7 released?", "2025-04-28", "- Reef 7.7: released 2025-04-28."),
        ("Which is the newest Reef?", "7.7", "- Reef 7.7: released 2025-04-28."),
    ],
)
def test_of_the_rows_of_a_table_the_one_that_was_asked_for_is_quoted(question: str, answer: str, expected: str) -> None:
    table = "Releases:\n\n- Reef 7.7: released 2025-04-28.\n- Reef 7.5: released 2024-04-05; end of life 2025-04-28."
    found = find_quotes(Question("q", question, (answer,)), [passage(table)], 30)
    assert [row.text for row in found] == [expected]


def test_a_default_is_quoted_with_its_own_flag() -> None:
    text = "# Flag: -http.read-timeout\n[read: duration = 30s]\n\n# Flag: -http.write-timeout\n[write: duration = 30s]"
    found = find_quotes(Question("q", "What is the default of `-http.write-timeout`?", ("30s",)), [passage(text)], 30)
    assert [row.text for row in found] == ["# Flag: -http.write-timeout\n[write: duration = 30s]"]


def test_a_label_is_never_looked_for_in_the_text() -> None:
    text = "There was no difference in age. Music lowered the level of stress hormones by a third in all groups."
    for fields in ({"type": "yes/no/maybe"}, {"options": ("yes", "no")}):
        assert quote(text, "no", **fields) is None
        assert quote(text, "no", evidence=("no difference in age",), **fields) == "no difference in age"


CLAUSE = "Neither party owes the other more than the fees of the last year under this agreement."


def test_what_the_long_answer_marks_is_quoted_where_no_answer_stands() -> None:
    text = f"{TEXT} {CLAUSE} Signed on 22 December 1890 in the lighthouse, and on 2 Jan. 1891."
    assert quote(text, "yes", type="yes/no", long_answer=f"no such words … {CLAUSE}") == CLAUSE
    assert quote(text, "yes", type="yes/no", long_answer=CLAUSE, words=6) == "Neither party owes the other more"
    signed = "Signed on 22 December 1890 in the lighthouse, and on 2 Jan."
    assert quote(text, "12/22/90", long_answer="22 December 1890") == signed
    assert quote(text, "1/2/91", long_answer="2 Jan. 1891") == "2 Jan. 1891", "across what looks like a sentence's end"
    assert quote(text, "yes", type="yes/no", long_answer=text) is None, "the whole text marks nothing"
    assert quote(text, "yes", type="yes/no", long_answer="no such words") is None


def test_of_the_sentences_with_the_answer_the_marked_one_is_quoted() -> None:
    text = f"{TEXT} Built in 1890, it was built twice. The stone was cut in 1890 by the keeper's sons."
    marked = "The stone was cut in 1890 by the keeper's sons."
    assert quote(text, "1890", long_answer=marked) == marked


def test_a_sentence_of_an_answer_put_together_is_quoted() -> None:
    together = "Its red lighthouse was built by Mary Anne in the year 1890. Nobody knows why."
    assert quote(f"{TEXT} {CLAUSE}", together) == "Its red lighthouse was built by Mary Anne in the year 1890."


REPORT = "| | 2019 | 2018 |\n| --- | --- | --- |\n| Sales | 40.0 | 50.9 |\n| Costs of sales | 33.1 | 40.0 |"


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        ("What were sales in 2019?", "40.0", "| Sales | 40.0 | 50.9 |"),
        ("What were costs in 2018?", "40.0", "| Costs of sales | 33.1 | 40.0 |"),
        ("What were costs in 2019?", "6.9", None),
    ],
)
def test_of_a_table_a_whole_row_is_quoted(question: str, answer: str, expected: str | None) -> None:
    for text in (REPORT, f"In millions, unaudited. See note 3.\n\n{REPORT}\n\nRounded."):
        found = find_quotes(Question("q", question, (answer,)), [passage(text)], 5)
        assert [row.text for row in found] == ([expected] if expected else [])


def test_evidence_with_nothing_to_quote_is_cited_beside_the_quote() -> None:
    shown = [passage("It hosts the keeper.", "a"), passage("Of no use.", "b"), passage("The keeper is Ann.", "c")]
    target = write_target(asked("Ann"), shown, ["a", "c"], 30)
    assert target == 'Answer: Ann\n"The keeper is Ann." [3] [1]'
    assert parse(target, ABSTENTION).citations == (3, 1)
    assert parse(target, ABSTENTION).quotes == (("The keeper is Ann.", 3),)


def test_an_api_call_is_cited_without_a_quote() -> None:
    call = "hub.load('https://tfhub.dev/google/elmo/3')"
    shown = [passage(f"API call: {call}")]
    assert find_quotes(asked(call), shown, 30) == []
    assert write_target(asked(call), shown, ["p"], 30) == f"Answer: {call}\n[1]"


def test_the_wanted_answer_is_the_one_that_the_documents_write() -> None:
    days = ("12/21/17", "2017-12-21", "December 21, 2017")
    shown = [passage("Begun on December 21, 2017."), passage("Ended on 2017-12-21.", "other")]
    assert write_target(asked(*days), shown, ["p"], 30).startswith("Answer: December 21, 2017\n")
    assert write_target(asked(*days[:1]), shown, ["p"], 30).startswith("Answer: 12/21/17\n")


def test_the_evidence_is_quoted_as_given() -> None:
    assert quote(TEXT, "1890", evidence=("in the year 1890",)) == "in the year 1890"
    assert quote(TEXT, "1890", evidence=("It is tall.", "in the year 1890")) == "in the year 1890"
    assert quote(TEXT, "yes", evidence=("It is tall.",)) == "It is tall."


def test_evidence_that_is_elsewhere_is_not_quoted() -> None:
    assert quote(TEXT, "1890", evidence=("in the year 1891",)) == (
        "Its red lighthouse was built by Mary Anne in the year 1890."
    )
    assert quote(TEXT, "yes", evidence=("in the year 1891",)) is None


def test_an_answer_that_no_sentence_holds_is_its_own_quote() -> None:
    assert quote(TEXT, "old. Its red") == "old. Its red"


def test_a_long_answer_is_its_own_quote() -> None:
    long = "reef is old. Its red lighthouse was built by Mary Anne in the"
    assert len(long.split()) == OWN_QUOTE_WORDS + 1
    assert quote(TEXT, long, words=5, evidence=("It is tall.",)) == long
    short = " ".join(long.split()[: OWN_QUOTE_WORDS - 1])
    assert quote(TEXT, short, evidence=("It is tall.",)) == "It is tall."


@pytest.mark.parametrize(
    ("text", "answer", "wanted"),
    [
        ("Built in MAY  of\n1890.", "may of 1890", "Built in MAY  of\n1890."),
        ("It was May. It may rain.", "May", "It was May."),
        ("It may rain. It was May.", "May", "It was May."),
        ("It is 18901. Then 1890.", "1890", "Then 1890."),
        ("It is category. A cat.", "cat", "A cat."),
        ("Call a.b(c)[0] now. So.", "a.b(c)[0]", "Call a.b(c)[0] now."),
        ("Call axb(c)0 now.", "a.b(c)[0]", None),
        ("Price: $5.00+ (net). So.", "$5.00+", "Price: $5.00+ (net)."),
        ("So \\d+ it is.", "\\d+", "So \\d+ it is."),
        ("So \\d+ it is.", "^$", None),
        ("*args and __init__ are.", "__init__", "*args and __init__ are."),
        ("Nothing.", "", None),
        ("Nothing.", " \n", None),
        ("", "1890", None),
    ],
)
def test_answers_are_whole_words_in_any_case_and_white_space(text: str, answer: str, wanted: str | None) -> None:
    assert quote(text, answer) == wanted


# --- how long a quote


def test_a_long_sentence_is_cut_around_its_answer() -> None:
    words = [f"w{number}" for number in range(100)]
    text = " ".join(words)
    assert quote(text, "w50 w51", words=6) == "w48 w49 w50 w51 w52 w53"
    assert quote(text, "w0", words=5) == "w0 w1 w2 w3 w4"
    assert quote(text, "w99", words=5) == "w95 w96 w97 w98 w99"
    assert quote(text, " ".join(words[40:51]), words=5) == " ".join(words[40:51]), "the answer stays whole"
    assert quote(text, "yes", words=5, evidence=(" ".join(words[10:90]),)) == "w10 w11 w12 w13 w14"


def test_the_cut_holds_the_answer_though_it_stands_before_the_evidence_too() -> None:
    evidence = " ".join(f"w{number}" for number in range(60)) + " in 1890"
    assert quote(f"In 1890 it was new. {evidence}.", "1890", words=5, evidence=(evidence,)) == "w57 w58 w59 in 1890"


sentences = st.lists(
    st.sampled_from(["reef", "Reef", "old.", "is", "1890", '"so"', "a.b()", "(the", "end)", "e.g.", "x!", "- y", "İs"]),
    min_size=1,
    max_size=40,
).map(" ".join)
blanks = st.sampled_from([" ", "\n", "  ", "\n\n", "\t"])


@given(sentences, sentences, st.data())
def test_every_quote_is_an_exact_span_that_holds_the_answer(before: str, after: str, data: st.DataObject) -> None:
    answer = data.draw(
        st.sampled_from(["1066", "Mary Anne", "f(x)[2]", "C++", "$5 (net)", "Été", "the very end of it"])
    )
    written = data.draw(blanks).join(answer.split())
    if data.draw(st.booleans()):
        written = written.swapcase()
    text = f"{before}{data.draw(blanks)}{written}{data.draw(blanks)}{after}"
    limit = data.draw(st.integers(5, 12))
    evidence = tuple(data.draw(st.lists(st.sampled_from([before, after, text, "elsewhere"]), max_size=2)))
    [found] = find_quotes(asked(answer, evidence=evidence), [passage(text)], limit)
    assert found.text in text
    assert found.text == found.text.strip() != ""
    assert len(found.text.split()) <= max(limit, len(answer.split()))
    if not evidence:
        assert " ".join(written.split()) in " ".join(found.text.split())


@given(st.text(max_size=200), st.text(max_size=20), st.lists(st.text(max_size=40), max_size=2), st.integers(5, 30))
def test_no_text_breaks_it(text: str, answer: str, evidence: list[str], limit: int) -> None:
    for found in find_quotes(asked(answer, evidence=tuple(evidence)), [passage(text)], limit):
        assert found.text in text


@given(st.text(min_size=1, max_size=100), st.data())
def test_any_piece_of_whole_words_is_found(text: str, data: st.DataObject) -> None:
    words = text.split()
    assume(words)
    first = data.draw(st.integers(0, len(words) - 1))
    answer = " ".join(words[first : data.draw(st.integers(first, len(words) - 1)) + 1])
    [found] = find_quotes(asked(answer), [passage(text)], 1000)
    assert answer in " ".join(found.text.split())


# --- the two lines


def test_a_quote_for_each_oracle_passage_with_its_number() -> None:
    shown = [passage("Nothing.", "a"), passage("It was 1890.", "b"), passage("Yes, 1890.", "c"), passage("1890", "d")]
    assert write_target(asked("1890"), shown, ["c", "b"], 30) == 'Answer: 1890\n"It was 1890." [2] "Yes, 1890." [3]'


def test_where_nothing_can_be_quoted_the_numbers_stand_alone() -> None:
    shown = [passage("Nothing.", "a"), passage("It was new.", "b"), passage("So it was.", "c")]
    assert write_target(asked("yes"), shown, ["c", "a"], 30) == "Answer: yes\n[1] [3]"


def test_the_first_answer_that_says_anything_is_wanted() -> None:
    assert write_target(asked("", "  ", "18\n90", "1890"), [passage("x")], ["p"], 30) == "Answer: 18 90\n[1]"


def test_a_quote_keeps_the_white_space_of_its_document_and_an_answer_has_none() -> None:
    target = write_target(asked("red\n lighthouse"), [passage("The red\nlighthouse\n   is old.")], ["p"], 30)
    assert target == 'Answer: red lighthouse\n"The red\nlighthouse\n   is old." [1]'


def test_the_abstention_has_no_number() -> None:
    assert abstain(ABSTENTION) == "Answer: not in the documents."
    assert parse(abstain(ABSTENTION), ABSTENTION).abstained


@pytest.mark.parametrize(("answer", "held"), [("1890", True), ("the “Old” reef", True), ("see Answer: 3", False)])
def test_an_answer_from_memory_says_so_and_cites_nothing(answer: str, held: bool) -> None:
    target = answer_from_memory(asked(answer))
    assert target == f"Answer (from memory): {answer}"
    found = parse(target, ABSTENTION)
    assert (found.from_memory, found.abstained, found.citations) == (True, False, ())
    assert (found.answer == answer) is held
    assert reads_back(target, [passage("The reef is old.", "p0")], ()) is held
    assert not reads_back(f"{target} [1]", [passage("The reef is old.", "p0")], ())


plain = ["reef", "is", "old.", "[39]", "So", "(the", "end)", "was", "\n"]
words = st.lists(st.sampled_from(plain), max_size=30).map(" ".join)


@given(st.lists(words, min_size=1, max_size=4), st.sampled_from(["1890", "Mary Anne", "no", "a.b()"]), st.data())
def test_what_is_taught_is_read_back_as_it_was_meant(texts: list[str], answer: str, data: st.DataObject) -> None:
    shown = [passage(text, f"p{row}") for row, text in enumerate(texts)]
    oracle = sorted(data.draw(st.sets(st.integers(0, len(texts) - 1), min_size=1)))
    for row in oracle:
        if data.draw(st.booleans()):
            shown[row] = passage(f"{texts[row]} {answer} {texts[row]}", f"p{row}")
    question = asked(answer)
    names = [f"p{row}" for row in oracle]
    target = write_target(question, shown, names, 12)
    assert target.splitlines()[0] == f"Answer: {answer}"
    found = parse(target, ABSTENTION)
    assert found.answer == answer
    assert not found.abstained
    assert not found.from_memory
    quotes = find_quotes(question, [shown[row] for row in oracle], 12)
    assert found.quotes == tuple((q.text, int(q.passage[1:]) + 1) for q in quotes)
    assert target.count("\n") == 1 + sum(q.text.count("\n") for q in quotes)
    quoted = [int(q.passage[1:]) + 1 for q in quotes]
    assert found.citations == (*quoted, *sorted({row + 1 for row in oracle} - set(quoted)))
