"""A run as a service: what it answers is what ask and evaluate answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import torch

from ragraft.errors import ConfigError, InputError, WorkspaceError
from ragraft.models import load
from ragraft.pipeline import Answered, Enquiry, Service, ask, open_service, open_session
from ragraft.records import Message
from ragraft.workspace import Folder, read_traffic
from tests.conftest import lighthouse_questions

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring

MakeSite = Callable[..., "Site"]
QUESTIONS = [row["question"] for row in lighthouse_questions()]


async def answered(service: Service, question: str, **wishes: Any) -> Answered:
    prepared = await service.prepare(Enquiry((Message("user", question),), **{"model": service.models[0], **wishes}))
    text, content = "", ""
    async for piece in service.answer(prepared):
        text, content, last = text + piece.text, content + piece.content, piece.answered
    assert last is not None
    assert text == last.reply.completion.text
    assert last.content.startswith(content)
    return last


async def all_answered(service: Service, questions: list[str], **wishes: Any) -> list[Answered]:
    return await asyncio.gather(*(answered(service, question, **wishes) for question in questions))


def test_it_answers_like_evaluate_and_like_ask(
    make_site: MakeSite, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "pick_dtype", lambda precision, device: torch.float32)
    monkeypatch.setattr(load, "pick_device", lambda: "cpu")
    site = make_site(evaluate={"generator": "transformers", "models": ["base"], "contexts": ["retrieved", "none"]})
    bring(site, last="evaluate")
    rows = list(Folder(site.run / "70-scores").read_jsonl("answers.jsonl"))
    questions = {row["id"]: row["question"] for row in lighthouse_questions()}
    session = open_session(site.file)
    service = open_service(session)
    try:
        for context, retrieval in (("retrieved", "always"), ("none", "never")):
            wanted = [row for row in rows if row["context"] == context and row["model"] == "base"]
            assert len(wanted) > 3
            found = asyncio.run(
                all_answered(
                    service, [questions[row["question_id"]] for row in wanted], model="base", retrieval=retrieval
                )
            )
            for row, one in zip(wanted, found, strict=True):
                assert one.reply.completion.text == row["text"]
                assert one.reply.parsed.answer == row["answer"]
                assert [passage.id for passage in one.prepared.fitted.passages] == row["passages"]
        question = next(iter(questions.values()))
        asked = ask(session, question, model="base").reply
        one = asyncio.run(answered(service, question, model="base"))
        assert (one.reply.parsed, one.reply.fitted) == (asked.parsed, asked.fitted)
        assert one.reply.completion.token_ids == asked.completion.token_ids
        assert one.reply.confidence == pytest.approx(asked.confidence, abs=1e-4)
    finally:
        service.close()


def test_the_tuned_model_answers_first_where_there_is_one(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="index")
    service = open_service(open_session(site.file))
    assert service.models == ("base",)
    service.close()
    bring(site, last="train")
    service = open_service(open_session(site.file))
    assert service.models == ("tuned", "base")
    asyncio.run(service.warm())
    found = asyncio.run(answered(service, QUESTIONS[0]))
    service.close()
    assert found.reply.cited
    (row,) = read_traffic(site.run / "90-traffic")
    assert (row["model"], row["question"], row["index"]) == ("tuned", QUESTIONS[0], found.prepared.index)
    assert row["passages"][0]["id"] == found.prepared.fitted.passages[0].id
    assert row["passages"][0]["score"] > 0


def test_what_cannot_be_asked_is_told_before_anything_is_written(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="index")
    service = open_service(open_session(site.file))
    with pytest.raises(InputError, match=r"^No model tuned here; there is base$"):
        asyncio.run(answered(service, "Why?", model="tuned"))
    with pytest.raises(ConfigError, match="shorten the question"):
        asyncio.run(answered(service, "why " * 5000))
    with pytest.raises(InputError, match=r"^k is 99; ask for 1 to 50 passages$"):
        asyncio.run(service.retrieve("Why?", 99))
    service.close()
    assert list(read_traffic(site.run / "90-traffic")) == []


def test_there_must_be_something_to_serve(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    with pytest.raises(WorkspaceError, match=r"^No index in .*\. Run: ragraft run --until index$"):
        open_service(open_session(site.file))
    bring(site, last="index")
    with pytest.raises(WorkspaceError, match="made under other settings"):
        open_service(open_session(site.file, ["index.chunk_tokens=32"]))
    with pytest.raises(ConfigError, match=r"^openai:small needs endpoint\.url in the YAML"):
        open_service(open_session(site.file, ["serve.tuned=openai:small"]))
    first = open_service(open_session(site.file))
    with pytest.raises(WorkspaceError, match=r"^Another ragraft serves this run"):
        open_service(open_session(site.file))
    first.close()


def test_a_routed_answer_is_that_of_ask(make_site: MakeSite, bring: Bring) -> None:
    site = make_site(calibrate={"max_loss": 0.9, "exam": False})
    bring(site, last="train")
    with pytest.raises(WorkspaceError, match=r"^No calibration in "):
        open_service(open_session(site.file, ["serve.retrieval=auto"]))
    service = open_service(open_session(site.file))
    with pytest.raises(InputError, match=r"^No calibration in .*, which retrieval auto needs\. Run: ragraft cal"):
        asyncio.run(answered(service, QUESTIONS[0], retrieval="auto"))
    service.close()
    bring(site, last="calibrate")
    session = open_session(site.file, ["serve.retrieval=auto"])
    service = open_service(session)
    found = asyncio.run(all_answered(service, QUESTIONS[:6]))
    service.close()
    for question, one in zip(QUESTIONS, found, strict=False):
        asked = ask(session, question, retrieval="auto")
        assert one.prepared.routed is not None
        assert one.prepared.routed.decision == asked.decision
        assert one.reply.parsed == asked.reply.parsed
    elsewhere = open_session(site.file, ["endpoint.url=http://endpoint.test/v1", "serve.tuned=openai:adapter"])
    service = open_service(elsewhere)
    with pytest.raises(InputError, match=r"^serve\.tuned openai:adapter answers elsewhere"):
        asyncio.run(answered(service, QUESTIONS[0], retrieval="auto"))
    service.close()


def test_a_model_behind_an_endpoint_may_answer(
    make_site: MakeSite, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site(endpoint={"url": "http://endpoint.test/v1"}, serve={"tuned": "openai:adapter"})
    bring(site, last="index")

    def reply(self: Any, asked: dict[str, Any]) -> Any:
        assert asked["model"] == "adapter"
        return {"choices": [{"message": {"content": "Answer: granite\n[1]"}}], "usage": {"prompt_tokens": 7}}

    monkeypatch.setattr("ragraft.backends.generators.openai.OpenAiGenerator._ask", reply)
    service = open_service(open_session(site.file))
    assert service.models == ("tuned", "base")
    found = asyncio.run(answered(service, QUESTIONS[0]))
    service.close()
    assert (found.content, found.reply.confidence) == ("granite", None)
    assert found.reply.cited == found.prepared.fitted.passages[:1]
