"""The API: OpenAI's chat and text completions over a run, and ragraft's own few routes. Knows HTTP; decides nothing."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import ExitStack, aclosing, asynccontextmanager
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as Event

from ragraft.pipeline import DEFAULT, Answered, Enquiry, Prepared, Service
from ragraft.records import Message
from ragraft.web.api import shapes
from ragraft.web.api.bodies import ChatBody, Common, CompletionBody, FeedbackBody, RetrieveBody
from ragraft.web.api.faults import NOT_FOUND, UNAVAILABLE, Refusal, fault_body, refusal_of, tell_faults
from ragraft.web.api.gate import Gate
from ragraft.web.api.guard import Guard, Rules
from ragraft.web.api.metrics import Metrics
from ragraft.web.pages.chat import Chat, Door, add_chat
from ragraft.web.pages.rooms import Rooms, add_rooms
from ragraft.web.pages.sessions import ASKER

HOUR = 3600.0
LOOK = 1.0
"""Seconds between two looks at the registry and the index."""
log = logging.getLogger("ragraft.serve")
GONE = 499
"""What nginx counts for a client that left; nobody gets it."""
T = TypeVar("T")


def make_api(service: Service, rules: Rules, chat: Chat | None = None, rooms: Rooms | None = None) -> FastAPI:
    """The API over a service, with the pages that are described; its state is the service's and a few counters."""
    gate = Gate(service.settings.at_once)
    metrics = Metrics(service, lambda: gate.inside)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        beside = [asyncio.create_task(work) for work in (_tidy(service), _follow(service), service.shadows.run())]
        yield
        gate.closed = True
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)

    app = FastAPI(title="ragraft", docs_url=None, redoc_url=None, lifespan=lifespan)
    tell_faults(app)
    app.add_middleware(Guard, rules=rules)
    app.add_middleware(Counting, metrics=metrics)  # around the guard: what that refuses is counted too
    desk = Desk(service, gate, metrics)
    _add_state(app, desk)
    _add_answers(app, desk)
    _add_rest(app, desk)
    if chat is not None:
        add_chat(app, chat, Door(bool(rules.keys), rules.keys.owner, rules.sessions))
    if rooms is not None:
        add_rooms(app, rooms)
    return app


def _add_state(app: FastAPI, desk: Desk) -> None:
    created = int(time.time())

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz() -> dict[str, Any]:
        """A question asked now would be answered."""
        if desk.gate.closed:
            raise Refusal(UNAVAILABLE, "The server is being stopped", retry_after=1)
        return {"status": "ready", "models": desk.service.models, "index": desk.service.index_version}

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(desk.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [shapes.model_row(name, created) for name in desk.service.models]}

    @app.get("/v1/models/{name}")
    async def model(name: str) -> dict[str, Any]:
        return shapes.model_row(_known(desk.service, name), created)


def _add_answers(app: FastAPI, desk: Desk) -> None:
    @app.post("/v1/chat/completions")
    async def chat(body: ChatBody, request: Request) -> Response:
        messages = body.conversation(desk.service.settings.max_messages)
        return await desk.answer("chat", body, [messages], request)

    @app.post("/v1/completions")
    async def completions(body: CompletionBody, request: Request) -> Response:
        asked = [(Message("user", prompt),) for prompt in body.prompts]
        return await desk.answer("text", body, asked, request)


def _add_rest(app: FastAPI, desk: Desk) -> None:
    @app.post("/v1/retrieve")
    async def retrieve(body: RetrieveBody) -> dict[str, Any]:
        with desk.gate.entered():
            found = await desk.service.retrieve(body.query, body.k)
        rows = [shapes.passage_row(number, passage) for number, passage in enumerate(found.passages, 1)]
        return {"object": "list", "index": found.index, "data": rows}

    @app.post("/v1/feedback")
    async def feedback(body: FeedbackBody, request: Request) -> dict[str, str]:
        row = {key: value for key, value in body.model_dump().items() if value is not None}
        await desk.service.feedback({**row, "asker": request.scope.get(ASKER, "")})
        return {"object": "feedback", "id": body.id}


class Desk:
    """Answers the requests that ask something."""

    def __init__(self, service: Service, gate: Gate, metrics: Metrics) -> None:
        self.service, self.gate, self.metrics = service, gate, metrics

    async def answer(
        self, kind: shapes.Kind, body: Common, asked: Sequence[tuple[Message, ...]], request: Request
    ) -> Response:
        """The response to a request: whole, or a stream. Every question counts as one under way."""
        enquiries = [body.enquiry(messages, request.scope.get(ASKER, ""), DEFAULT) for messages in asked]
        if enquiries[0].model != DEFAULT:
            _known(self.service, enquiries[0].model)
        with ExitStack() as stack:
            for _ in enquiries:
                stack.enter_context(self.gate.entered())
            if body.stream:
                prepared = await self.service.prepare(enquiries[0])
                return _Held(self._events(kind, body, prepared), stack.pop_all())
            answers = await _unless_gone(request, self._all(enquiries))
            if answers is None:
                return Response(status_code=GONE)
            return JSONResponse(shapes.completion(kind, answers, as_text=body.ragraft.text))

    async def _all(self, enquiries: Sequence[Enquiry]) -> list[Answered]:
        """All answers; where one fails, none is gone on with."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._whole(enquiry)) for enquiry in enquiries]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _whole(self, enquiry: Enquiry) -> Answered:
        prepared = await self.service.prepare(enquiry)
        async with aclosing(self.service.answer(prepared)) as pieces:
            async for piece in pieces:
                if piece.answered is not None:
                    self.metrics.answer(piece.answered)
                    return piece.answered
        raise AssertionError("an answer that ends without its whole")

    async def _events(self, kind: shapes.Kind, body: Common, prepared: Prepared) -> AsyncGenerator[bytes]:
        """The server-sent events of a streamed answer. A client that leaves ends it."""
        name, model = prepared.id, prepared.enquiry.model
        try:
            if kind == "chat":
                yield _event(shapes.opening(kind, name, model))
            async with aclosing(self.service.answer(prepared)) as pieces:
                async for piece in pieces:
                    text = shapes.streamed_text(piece, as_text=body.ragraft.text)
                    if text:
                        yield _event(shapes.chunk(kind, name, model, text))
                    if piece.answered is not None:
                        self.metrics.answer(piece.answered)
                        yield _event(shapes.closing(kind, piece.answered))
                        if body.wants_usage:
                            yield _event(shapes.usage_chunk(kind, piece.answered))
            yield b"data: [DONE]\n\n"
        except Exception as error:  # the status is sent already: the stream itself says what went wrong
            refusal = refusal_of(error)
            yield b"data: " + fault_body(refusal.status, refusal.message, code=refusal.code) + b"\n\n"


class _Held(StreamingResponse):
    """A stream of events that counts as one under way until it ends, also where it never begins."""

    def __init__(self, events: AsyncGenerator[bytes], held: ExitStack) -> None:
        super().__init__(events, media_type="text/event-stream")
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._held:
            await super().__call__(scope, receive, send)


def _known(service: Service, name: str) -> str:
    if name not in service.models:
        known = " and ".join(service.models)
        raise Refusal(NOT_FOUND, f"There is no such model here; there is {known}", code="model_not_found")
    return name


async def _unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """The work's result; None, and the work cancelled, where the client leaves before."""
    task, watch = asyncio.create_task(work), asyncio.create_task(_left(request))
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        task.cancel()
        watch.cancel()
        await asyncio.gather(task, watch, return_exceptions=True)


async def _left(request: Request) -> None:
    """Returns when the client has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _follow(service: Service) -> None:
    """Look for a promotion, a rollback or a newer index, and take it over while answers go on."""
    while True:
        await asyncio.sleep(LOOK)
        try:
            for told in await service.follow():
                log.warning("%s", told)
        except Exception:  # what cannot be opened: what is in service goes on, and the next look may be luckier
            log.exception("The registry or the index could not be followed")


async def _tidy(service: Service) -> None:
    while True:
        await asyncio.sleep(HOUR)
        await service.tidy()


class Counting:
    """An ASGI layer that counts statuses by route."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and count when the response begins."""

        async def counted(message: Event) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "other")
                self._metrics.request(route, message["status"])
            await send(message)

        await self._app(scope, receive, counted if scope["type"] == "http" else send)


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace") + b"\n\n"
