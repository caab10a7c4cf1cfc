"""The HTTP retriever: what it sends, what it takes, and one sentence for everything that can go wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
import stamina

from ragraft.backends.retrievers.http import ATTEMPTS, BATCH, HttpRetriever
from ragraft.errors import BackendError
from ragraft.records import Passage

URL = "http://retriever.test/find"
ROW = {"id": "a", "document_id": "d", "title": "Sea", "text": "The walrus rests.", "score": 0.5}
Handler = Callable[[httpx2.Request], httpx2.Response]


@pytest.fixture(autouse=True)
def without_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=ATTEMPTS, cap=True):
        yield


def over(handler: Handler) -> HttpRetriever:
    return HttpRetriever(URL, httpx2.MockTransport(handler))


def answering(data: Any) -> HttpRetriever:
    return over(lambda request: httpx2.Response(200, json=data))


def sentence(retriever: HttpRetriever, questions: tuple[str, ...] = ("one?",)) -> str:
    with pytest.raises(BackendError) as caught:
        retriever.retrieve(questions, 2)
    return str(caught.value)


def test_the_json_that_goes_and_comes() -> None:
    asked: list[Any] = []

    def serve(request: httpx2.Request) -> httpx2.Response:
        asked.append((request.method, str(request.url), json.loads(request.content)))
        return httpx2.Response(200, json={"passages": [[ROW, {"id": 7, "text": "Bare."}], []], "took": 3})

    found = over(serve).retrieve(["one?", "שתיים?"], 4)
    assert found == [[Passage("a", "d", "Sea", "The walrus rests.", 0.5), Passage("7", "", "", "Bare.")], []]
    assert asked == [("POST", URL, {"questions": ["one?", "שתיים?"], "k": 4})]


def test_questions_go_in_batches_and_k_is_kept() -> None:
    sizes = []

    def serve(request: httpx2.Request) -> httpx2.Response:
        questions = json.loads(request.content)["questions"]
        sizes.append(len(questions))
        return httpx2.Response(200, json={"passages": [[{**ROW, "text": question}] * 5 for question in questions]})

    questions = [f"question {row}" for row in range(BATCH + 3)]
    found = over(serve).retrieve(questions, 2)
    assert sizes == [BATCH, 3]
    assert [[passage.text for passage in passages] for passages in found] == [[text] * 2 for text in questions]


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (401, "answered 401 Unauthorized; put its token into RAGRAFT_RETRIEVER_TOKEN"),
        (404, "answered 404 Not Found; correct retrieve.url"),
        (405, "answered 405 Method Not Allowed; correct retrieve.url, it must take POST"),
    ],
)
def test_a_bad_status_is_one_sentence(status: int, told: str) -> None:
    asked = []

    def serve(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(status)

    assert sentence(over(serve)) == f"{URL} {told}"
    assert len(asked) == 1


END = "; docs/using.md says what ragraft expects"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ([], "holds no list of lists under passages"),
        ({"results": []}, "holds no list of lists under passages"),
        ({"passages": [ROW]}, "holds no list of lists under passages"),
        ({"passages": []}, "holds 0 lists of passages where 1 were asked for"),
        ({"passages": [[], []]}, "holds 2 lists of passages where 1 were asked for"),
        ({"passages": [["text"]]}, "holds a passage 1 of question 1 that is no object"),
        ({"passages": [[ROW, {"id": "b"}]]}, "holds a passage 2 of question 1 whose text is no text"),
        ({"passages": [[{**ROW, "text": " "}]]}, "holds a passage 1 of question 1 whose text is no text"),
        ({"passages": [[{"text": "x"}]]}, "holds a passage 1 of question 1 whose id is no text"),
        ({"passages": [[{**ROW, "title": 3}]]}, "holds a passage 1 of question 1 whose title is no text"),
        ({"passages": [[{**ROW, "score": "high"}]]}, "holds a passage 1 of question 1 whose score is no number"),
    ],
)
def test_a_wrong_shape_is_one_sentence(data: Any, told: str) -> None:
    assert sentence(answering(data)) == f"The answer of {URL} {told}{END}"


def test_half_a_character_is_one_sentence() -> None:
    half = over(lambda request: httpx2.Response(200, text='{"passages": [[{"id": "a", "text": "\\ud800"}]]}'))
    assert sentence(half) == f"The answer of {URL} holds a passage 1 of question 1 whose text is no text{END}"
