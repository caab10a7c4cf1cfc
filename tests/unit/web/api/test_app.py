"""The API over HTTP, with a service that needs no model."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from ragraft.methods.routing import Router

if TYPE_CHECKING:
    from tests.unit.web.api.conftest import Served, Serves

QUESTION = "What is Boskar made of?"
ANSWER = "The tower of Boskar is made of slate."


def chat(client: TestClient, **body: Any) -> Any:
    asked = {"messages": [{"role": "user", "content": QUESTION}], **body}
    return client.post("/v1/chat/completions", json=asked)


def events(text: str) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_a_chat_completion_has_openais_form_and_says_what_it_rests_on(served: Served) -> None:
    response = chat(served.client(), model="tuned")
    assert response.status_code == 200, response.text
    data = response.json()
    assert (data["object"], data["model"]) == ("chat.completion", "tuned")
    (choice,) = data["choices"]
    assert choice["message"] == {"role": "assistant", "content": ANSWER, "refusal": None}
    assert choice["finish_reason"] == "stop"
    assert data["usage"]["total_tokens"] == data["usage"]["prompt_tokens"] + data["usage"]["completion_tokens"] > 0
    extra = choice["ragraft"]
    assert extra["id"] == data["id"]
    assert extra["citations"] == [{"number": 1, "passage": "boskar#0", "title": "Boskar"}]
    assert extra["quotes"] == [{"text": ANSWER, "number": 1}]
    assert [(one["number"], one["id"]) for one in extra["passages"]] == [(1, "boskar#0"), (2, "arlen#0")]
    wanted = {"wish": "always", "decision": "always", "query": QUESTION, "probability": None}
    assert extra["retrieval"] == wanted
    assert (extra["abstained"], extra["from_memory"], extra["index"]) == (False, False, "0123456789ab")
    assert extra["cuts"] == {"copies": 0, "passages": 0, "exchanges": 0, "ignored": 0}


def test_a_stream_says_the_same_piece_by_piece(served: Served) -> None:
    client = served.client()
    whole = chat(client).json()
    response = chat(client, stream=True, stream_options={"include_usage": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    first, *parts, last, usage = events(response.text)
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert len(parts) > 3
    assert "".join(part["choices"][0]["delta"]["content"] for part in parts) == ANSWER
    assert {part["object"] for part in parts} == {"chat.completion.chunk"}
    assert last["choices"][0]["finish_reason"] == "stop"
    assert (usage["choices"], usage["usage"]) == ([], whole["usage"])
    changing = ("id", "seconds")
    alone, streamed = (
        {key: value for key, value in extra.items() if key not in changing}
        for extra in (whole["choices"][0]["ragraft"], last["choices"][0]["ragraft"])
    )
    assert streamed == alone


@pytest.mark.parametrize("stream", [False, True])
def test_as_text_the_answer_holds_quotes_and_sources(served: Served, stream: bool) -> None:
    response = chat(served.client(), ragraft={"text": True}, stream=stream)
    if stream:
        parts = events(response.text)[1:-1]
        text = "".join(part["choices"][0]["delta"]["content"] for part in parts)
    else:
        text = response.json()["choices"][0]["message"]["content"]
    assert text == f'Answer: {ANSWER}\n"{ANSWER}" [1]\n\n[1] Boskar (boskar#0)'


def test_text_completions_answer_each_prompt(served: Served) -> None:
    client = served.client()
    asked = {"prompt": [QUESTION, "What is Cavit made of?"], "max_tokens": 256}
    data = client.post("/v1/completions", json=asked).json()
    assert data["object"] == "text_completion"
    assert [choice["text"] for choice in data["choices"]] == [ANSWER, "The tower of Cavit is made of marble."]
    assert [choice["index"] for choice in data["choices"]] == [0, 1]
    assert [choice["ragraft"]["max_tokens"] for choice in data["choices"]] == [40, 40]
    streamed = client.post("/v1/completions", json={"prompt": QUESTION, "stream": True})
    assert "".join(part["choices"][0]["text"] for part in events(streamed.text)) == ANSWER
    several = client.post("/v1/completions", json={"prompt": ["a", "b"], "stream": True})
    assert (several.status_code, several.json()["error"]["type"]) == (400, "invalid_request_error")


def test_without_retrieval_nothing_is_looked_up_or_cited(served: Served) -> None:
    extra = chat(served.client(), ragraft={"retrieval": "never"}).json()["choices"][0]["ragraft"]
    assert (extra["retrieval"]["decision"], extra["retrieval"]["query"], extra["passages"]) == ("never", None, [])
    assert extra["from_memory"] is True


def auto(client: TestClient, *, stream: bool = False, **wishes: Any) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Text, the field ragraft, and usage of an answer with retrieval auto."""
    asked = {"ragraft": {"retrieval": "auto", **wishes}}
    if not stream:
        data = chat(client, **asked).json()
        (choice,) = data["choices"]
        return choice["message"]["content"], choice["ragraft"], data["usage"]
    parts = events(chat(client, stream=True, stream_options={"include_usage": True}, **asked).text)
    text = "".join(part["choices"][0]["delta"].get("content", "") for part in parts[:-1])
    return text, parts[-2]["choices"][0]["ragraft"], parts[-1]["usage"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_draft_that_can_be_trusted_is_the_answer(serves: Serves, stream: bool) -> None:
    served = serves(router=Router(skip_above=0.0))
    client = served.client()
    text, extra, usage = auto(client, stream=stream)
    assert (text, extra["passages"], extra["from_memory"]) == ("nothing", [], True)
    assert extra["retrieval"] == {
        "wish": "auto",
        "decision": "skip",
        "query": None,
        "probability": {"closed_book": 0.5, "with_passages": None},
    }
    never = chat(client, ragraft={"retrieval": "never"}).json()
    assert (never["choices"][0]["message"]["content"], never["usage"]) == (text, usage)
    row = served.rows[0]
    assert (row["retrieval"], row["decision"]["route"], row["passages"]) == ("auto", "skip", [])
    assert 'ragraft_retrieval_decisions_total{decision="skip"} 1.0' in client.get("/metrics").text


@pytest.mark.parametrize("stream", [False, True])
def test_a_draft_that_cannot_be_trusted_is_paid_for_and_not_told(serves: Serves, stream: bool) -> None:
    client = serves(router=Router(skip_above=0.6)).client()
    text, extra, usage = auto(client, stream=stream)
    always = chat(client).json()
    assert text == always["choices"][0]["message"]["content"] == ANSWER
    assert extra["retrieval"]["decision"] == "retrieve"
    assert extra["retrieval"]["query"] == QUESTION
    assert extra["retrieval"]["probability"] == {"closed_book": 0.5, "with_passages": 0.5}
    draft = chat(client, ragraft={"retrieval": "never"}).json()["usage"]
    assert {key: always["usage"][key] + draft[key] for key in usage} == usage


@pytest.mark.parametrize("stream", [False, True])
def test_a_router_that_always_looks_up_asks_for_no_draft(serves: Serves, stream: bool) -> None:
    served = serves(router=Router())
    client = served.client()
    text, extra, usage = auto(client, stream=stream)
    always = chat(client).json()
    assert (text, usage) == (always["choices"][0]["message"]["content"], always["usage"])
    wanted = {"wish": "auto", "decision": "retrieve", "query": QUESTION, "probability": None}
    assert extra["retrieval"] == wanted
    assert [row["retrieval"] for row in served.rows] == ["auto", "always"]
    assert 'ragraft_retrieval_decisions_total{decision="retrieve"} 1.0' in client.get("/metrics").text


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("as_text", [False, True])
def test_an_answer_that_does_not_pass_is_never_told(serves: Serves, stream: bool, as_text: bool) -> None:
    served = serves(router=Router(answer_above=0.9))
    text, extra, _ = auto(served.client(), stream=stream, text=as_text)
    assert text == ("Answer: not in the documents." if as_text else "not in the documents.")
    assert (extra["abstained"], extra["retrieval"]["decision"]) == (True, "abstain")
    assert (extra["citations"], extra["quotes"]) == ([], [])
    assert "slate" not in str(served.rows[0]["text"]) + served.rows[0]["answer"]


def test_an_answer_that_passes_comes_whole_where_it_might_not_have(serves: Serves) -> None:
    client = serves(router=Router(answer_above=0.4)).client()
    asked = {"ragraft": {"retrieval": "auto", "text": True}, "stream": True}
    _first, piece, last = events(chat(client, **asked).text)
    assert piece["choices"][0]["delta"]["content"] == f'Answer: {ANSWER}\n"{ANSWER}" [1]\n\n[1] Boskar (boskar#0)'
    assert last["choices"][0]["ragraft"]["retrieval"]["decision"] == "retrieve"


def test_the_setting_holds_where_a_request_says_nothing(serves: Serves) -> None:
    client = serves(router=Router(skip_above=0.0), retrieval="auto").client()
    assert chat(client).json()["choices"][0]["ragraft"]["retrieval"]["decision"] == "skip"
    for body in ({"ragraft": {"retrieval": "always"}}, {"temperature": 0.5}, {"ragraft": {"k": 1}}):
        wish = chat(client, **body).json()["choices"][0]["ragraft"]["retrieval"]
        assert (wish["wish"], wish["decision"]) == ("always", "always"), "what is not calibrated is looked up"
    none = chat(serves(retrieval="never").client()).json()["choices"][0]["ragraft"]["retrieval"]
    assert none["decision"] == "never"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"model": "broken"}, "retrieval auto is calibrated for tuned, not for broken; ask with always or never"),
        (
            {"temperature": 0.7},
            "retrieval auto is calibrated for greedy answers from 2 passages; leave temperature and k out",
        ),
        (
            {"ragraft": {"retrieval": "auto", "k": 1}},
            "retrieval auto is calibrated for greedy answers from 2 passages; leave temperature and k out",
        ),
    ],
)
def test_what_was_not_calibrated_is_refused(serves: Serves, body: dict[str, Any], says: str) -> None:
    client = serves(router=Router(skip_above=0.6)).client()
    response = chat(client, **{"ragraft": {"retrieval": "auto"}, **body})
    assert (response.status_code, response.json()["error"]["message"]) == (400, says)
    bare = chat(serves().client(), ragraft={"retrieval": "auto"})
    assert (bare.status_code, bare.json()["error"]["message"]) == (
        400,
        "This server has no calibration, which retrieval auto needs",
    )


def test_several_turns_are_looked_up_together_and_counted(serves: Serves) -> None:
    turns = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Tell me of Cavit."},
        {"role": "assistant", "content": "A lighthouse."},
        {"role": "user", "content": [{"type": "text", "text": "What is it"}, {"type": "text", "text": "made of?"}]},
    ]
    extra = chat(serves().client(), messages=turns).json()["choices"][0]["ragraft"]
    assert extra["retrieval"]["query"] == "What is it\nmade of?\nTell me of Cavit."
    assert extra["passages"][0]["id"] == "cavit#0"
    assert extra["cuts"] == {"copies": 0, "passages": 0, "exchanges": 0, "ignored": 1}
    forgetful = serves(history=0, query_turns=0).client()
    extra = chat(forgetful, messages=turns).json()["choices"][0]["ragraft"]
    assert (extra["retrieval"]["query"], extra["cuts"]["exchanges"]) == ("What is it\nmade of?", 1)


def test_models_state_and_retrieval(served: Served) -> None:
    client = served.client()
    assert [row["id"] for row in client.get("/v1/models").json()["data"]] == ["tuned", "base", "broken"]
    assert client.get("/v1/models/base").json()["object"] == "model"
    assert client.get("/v1/models/other").json()["error"]["code"] == "model_not_found"
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json()["index"] == "0123456789ab"
    found = client.post("/v1/retrieve", json={"query": "Cavit", "k": 1}).json()
    assert [row["id"] for row in found["data"]] == ["cavit#0"]
    assert client.post("/v1/retrieve", json={"query": " "}).status_code == 400
    assert client.post("/v1/retrieve", json={"query": "x", "k": 51}).status_code == 400


def test_metrics_count_requests_answers_tokens_and_refusals(served: Served) -> None:
    client = served.client()
    chat(client)
    chat(client, model="none")
    client.get("/nowhere/at/all")
    lines = set(client.get("/metrics").text.splitlines())
    assert 'ragraft_answers_total{abstained="false",model="tuned",retrieval="always"} 1.0' in lines
    assert 'ragraft_retrieval_decisions_total{decision="always"} 1.0' in lines
    assert 'ragraft_requests_total{route="/v1/chat/completions",status="404"} 1.0' in lines
    assert 'ragraft_requests_total{route="other",status="404"} 1.0' in lines
    assert "ragraft_requests_under_way 0.0" in lines
    assert not any(QUESTION in line or "granite" in line for line in lines)


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"model": "gpt-4"}, 404, None),
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"role": "user", "content": " "}]}, 400, None),
        ({"messages": [{"role": "assistant", "content": "x"}]}, 400, None),
        ({"messages": [{"role": "tool", "content": "x"}]}, 400, "messages.0.role"),
        ({"n": 2}, 400, None),
        ({"stop": ["x"]}, 400, "stop"),
        ({"tools": []}, 400, "tools"),
        ({"temperature": 3}, 400, "temperature"),
        ({"max_tokens": 0}, 400, "max_tokens"),
        ({"ragraft": {"retrieval": "sometimes"}}, 400, "ragraft.retrieval"),
        ({"ragraft": {"retrieval": "auto"}}, 400, None),
        ({"ragraft": {"k": 1000}}, 400, None),
        ({"messages": [{"role": "user", "content": "word " * 300}]}, 400, None),
    ],
)
def test_what_cannot_be_done_is_refused_in_openais_shape(
    served: Served, body: dict[str, Any], status: int, param: str | None
) -> None:
    response = chat(served.client(), **body)
    error = response.json()["error"]
    assert (response.status_code, error["param"]) == (status, param)
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]


def test_other_faults_have_the_same_shape(served: Served) -> None:
    client = served.client()
    for response, status in (
        (client.post("/v1/chat/completions", content=b"{"), 400),
        (client.post("/v1/chat/completions", content=b"[" * 100_000), 400),
        (client.post("/v1/chat/completions", content=b"\xff\xfe"), 400),
        (client.get("/v1/chat/completions"), 405),
        (client.get("/nowhere"), 404),
        (client.get("/v1/models/..%2F..%2Fetc%2Fpasswd"), 404),
        (client.get("/v1/../../etc/passwd"), 404),
    ):
        assert response.status_code == status
        assert response.json()["error"]["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_bug_is_told_without_its_words(served: Served, stream: bool) -> None:
    response = chat(served.client(), model="broken", stream=stream)
    assert response.status_code == (200 if stream else 500)
    assert '"error"' in response.text
    assert "server_error" in response.text
    for secret in ("ZeroDivision", "line 7", "Traceback", "conftest"):
        assert secret not in response.text
    assert "[DONE]" not in response.text


def test_an_answers_row_is_kept_and_feedback_joins_it(served: Served) -> None:
    client = served.client()
    name = chat(client).json()["id"]
    told = client.post("/v1/feedback", json={"id": name, "rating": "down", "comment": "no", "answer": "slate"})
    assert told.json() == {"object": "feedback", "id": name}
    answer, feedback = served.rows
    assert (answer["kind"], answer["id"], answer["question"], answer["answer"]) == ("answer", name, QUESTION, ANSWER)
    assert [row["id"] for row in answer["passages"]] == ["boskar#0", "arlen#0"]
    assert answer["citations"] == ["boskar#0"]
    assert answer["seconds"]["all"] >= answer["seconds"]["retrieve"] >= 0
    assert {key: feedback[key] for key in ("kind", "id", "rating", "comment", "answer")} == {
        "kind": "feedback",
        "id": name,
        "rating": "down",
        "comment": "no",
        "answer": "slate",
    }
    for wrong in ({"id": name}, {"id": "x", "rating": "up"}, {"id": name, "rating": 5}):
        assert client.post("/v1/feedback", json=wrong).status_code == 400


def test_content_stays_out_of_the_log_by_one_setting(serves: Serves) -> None:
    served = serves(log_content=False)
    client = served.client()
    name = chat(client).json()["id"]
    chat(client, stream=True)
    client.post("/v1/feedback", json={"id": name, "rating": "up", "comment": "Boskar!", "answer": "slate"})
    assert len(served.rows) == 3
    assert not any(word in json.dumps(served.rows) for word in ("Boskar", "slate", "made of"))
    assert served.rows[0]["passages"][0]["score"] == 0.5


def test_without_a_log_nothing_is_written_and_feedback_is_refused(serves: Serves) -> None:
    served = serves(log=False)
    client = served.client()
    name = chat(client).json()["id"]
    assert client.post("/v1/feedback", json={"id": name, "rating": "up"}).status_code == 400
    assert served.rows == []


def test_more_than_fit_are_sent_away_with_the_time_to_come_back(serves: Serves) -> None:
    served = serves(at_once=2)
    with served.client() as client:
        waiting = [threading.Thread(target=chat, args=(client,), kwargs={"model": "base"}) for _ in range(2)]
        for thread in waiting:
            thread.start()
        for _ in waiting:
            assert served.held.begun.acquire(timeout=30)
        refused = chat(client)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        assert client.get("/healthz").status_code == 200
        served.held.go_on.set()
        for thread in waiting:
            thread.join()
        assert chat(client).status_code == 200
    assert [row["finish_reason"] for row in served.rows] == ["stop"] * 3
