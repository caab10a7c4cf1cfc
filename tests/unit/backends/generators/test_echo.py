from __future__ import annotations

from ragraft.backends.generators.echo import EchoGenerator
from ragraft.records import Completion, Message, Prompt, Sampling


def answer(documents: str, most: int = 50) -> Completion:
    turn = f"{documents}\n\nQuestion: where?\n[1] no\nThis is not a document."
    prompt = Prompt((Message("system", "Two words."), Message("user", turn)), cut=turn.index("Question:"))
    return EchoGenerator("any").generate([prompt], Sampling(max_tokens=most))[0]


def test_it_quotes_the_first_sentence_of_the_first_document() -> None:
    found = answer("[1] sea\nThe walrus rests\non ice. It sleeps.\n\n[2] desk\nA stapler binds.")
    assert found.text == 'Answer: The walrus rests on ice.\n"The walrus rests on ice." [1]'
    assert found.finish_reason == "stop"
    assert found.prompt_tokens == 2 + 23


def test_it_abstains_without_documents_whatever_the_question_says() -> None:
    assert answer("").text == "Answer: nothing"


def test_it_is_cut_at_the_limit() -> None:
    found = answer("[1] sea\nThe walrus rests on ice.", most=2)
    assert (found.text, found.token_ids, found.finish_reason) == ("Answer: The", (0, 1), "length")
