"""A finished run as a service: its index, its prompt, its models, many questions at a time. Knows no HTTP.

What needs the tokenizer, the index or a model's opening is done on one thread, the desk; models compute on threads of
their own, and the log is written on the desk too, so that a row is on disk before its answer is given.
"""

from __future__ import annotations

import asyncio
import functools
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

from ragraft.config import ServeConfig
from ragraft.disk import disk_faults_told
from ragraft.errors import ConfigError, InputError, RagraftError
from ragraft.methods.answer import Reply, reply_to, reread, rereading, sampling_again, sampling_for
from ragraft.methods.conversation import fit_conversation, read_conversation
from ragraft.methods.manner import Manner
from ragraft.methods.prompt import PromptBuilder
from ragraft.methods.routing import Router, abstaining
from ragraft.methods.unfold import Unfolding
from ragraft.pipeline.ask import indexed, notes_on, source_of
from ragraft.pipeline.calibrated import ROUTED, other_model
from ragraft.pipeline.enquiries import Answered, Enquiry, Found, Piece, Prepared, Routed
from ragraft.pipeline.promotions import Promotions, promotions_of
from ragraft.pipeline.roster import Roster
from ragraft.pipeline.runner import Session
from ragraft.pipeline.shadows import Shadows
from ragraft.pipeline.shelf import Opened, Shelf, open_shelf
from ragraft.pipeline.traffic_rows import answered_row, left_row, stamp
from ragraft.pipeline.traffic_split import Shares
from ragraft.pipeline.wiring import builder, manner
from ragraft.ports import Retriever, Streamer
from ragraft.records import Completion, Delta, Passage
from ragraft.workspace import TrafficLog

TRAFFIC = "90-traffic"
T = TypeVar("T")


class Service:
    """A run being served; made by `open_service`."""

    def __init__(
        self,
        *,
        settings: ServeConfig,
        opens: Mapping[str, Callable[[], Streamer]],
        shelf: Shelf,
        builder: PromptBuilder,
        manner: Manner,
        k: int,
        log: TrafficLog | None,
        notes: tuple[str, ...] = (),
        promotions: Promotions | None = None,
    ) -> None:
        self.settings, self.notes = settings, notes
        shares = Shares(settings.candidate, settings.canary, settings.shadow)
        self._roster = Roster(opens, most=settings.open_models, shares=shares, promotions=promotions)
        self.shadows = Shadows(self._ask_again, self._keep_shadow, beside=settings.shadow_beside)
        self._shelf, self._builder, self._k, self._log, self._manner = shelf, builder, k, log, manner
        self._desk = ThreadPoolExecutor(1, thread_name_prefix="ragraft-desk")

    @property
    def models(self) -> tuple[str, ...]:
        """Names, the one that answers by default first."""
        return self._roster.models

    @property
    def index_version(self) -> str:
        """The version that the next question is answered from."""
        return self._shelf.now.version

    @property
    def builder(self) -> PromptBuilder:
        return self._builder

    async def warm(self) -> None:
        """Open the model in service, and look something up: the first question waits for nothing."""
        self.notes += await self._roster.open()
        await self.retrieve("ready?", 1)

    async def follow(self) -> tuple[str, ...]:
        """Take over the model and the index that are current by now, without a gap; what is to be told of it."""

        async def look_up(retriever: Retriever) -> None:
            await self._at_desk(retriever.retrieve, ["ready?"], 1)

        return (*await self._roster.follow(), *await self._shelf.follow(look_up))

    async def retrieve(self, query: str, k: int | None = None) -> Found:
        """The passages of a query, best first."""
        if not query.strip():
            raise InputError("The query is empty; write what to look up")
        wanted = self._passages(k)
        async with self._shelf.reading() as index:
            return Found(index.version, await self._at_desk(_retrieve, index, query, wanted))

    async def prepare(self, enquiry: Enquiry) -> Prepared:
        """Look up and build the prompt. Raises InputError or ConfigError for what cannot be asked."""
        route = self._roster.assign(enquiry.model, enquiry.asker, enquiry.messages)
        async with self._shelf.reading() as index:
            prepared = await self._prepared(replace(enquiry, model=route.model), index)
        return replace(prepared, by=route.by, shadow=route.shadow)

    async def _prepared(self, enquiry: Enquiry, index: Opened) -> Prepared:
        """With retrieval as it is wished: always, never, or as the router decides."""
        wish = enquiry.retrieval or self.settings.retrieval
        if wish == "auto":
            try:
                router = self._router_for(enquiry, index)
            except InputError:
                if enquiry.retrieval:
                    raise
                wish = "always"  # nobody asked this question to be routed
            else:
                if router.drafts:
                    return await self._decide(replace(enquiry, retrieval=wish), router, index)
        return await self._at_desk(self._prepare, replace(enquiry, retrieval=wish), index)

    def _router_for(self, enquiry: Enquiry, index: Opened) -> Router:
        """Raises InputError where nothing is calibrated for what is asked."""
        if isinstance(index.router, str):
            raise InputError(index.router)
        if not self._is_tuned(enquiry.model):
            raise other_model(enquiry.model)
        if enquiry.temperature or enquiry.k not in (None, self._k):
            raise InputError(
                f"retrieval auto is calibrated for greedy answers from {self._k} passages; leave temperature and k out"
            )
        return index.router

    def _is_tuned(self, model: str) -> bool:
        """Whether this is the run's own tuned model, by either of its names."""
        return model == ROUTED or (ROUTED in self.models and self._roster.is_own(model))

    def _builder_of(self, model: str) -> PromptBuilder:
        """As this model was examined: it abstains, and reads again, where that did best."""
        return (self._manner if self._is_tuned(model) else self._roster.manner(model)).of(self._builder)

    async def _decide(self, enquiry: Enquiry, router: Router, index: Opened) -> Prepared:
        """Draft an answer from memory; look up where it is not to be trusted."""
        drafted = await self._at_desk(self._prepare, replace(enquiry, retrieval="never"), index)
        completion: Completion | None = None
        try:
            async with self._deltas(drafted) as deltas:
                async for delta in deltas:
                    completion = delta.completion or completion
        except asyncio.CancelledError:
            self._desk.submit(self._log_left, drafted, "")
            raise
        assert completion is not None, "a stream that ends without its completion"
        draft = reply_to(drafted.fitted, completion, self._builder)
        decision = await self._at_desk(router.of_draft, drafted.question, draft, self._builder.tokenizer.count)
        prepared = drafted
        if decision.route != "skip":
            prepared = await self._at_desk(self._prepare, enquiry, index)
        routed = Routed(router, draft, decision)
        return replace(prepared, id=drafted.id, began=drafted.began, enquiry=enquiry, routed=routed)

    async def answer(self, prepared: Prepared) -> AsyncGenerator[Piece]:
        """The answer piece by piece; its row is on disk before the last one comes. Leaving early ends the work."""
        unfolding, text, first = Unfolding(self._builder.abstention), "", 0.0
        last: Delta | None = None
        try:
            async with self._deltas(prepared) as deltas:
                async for delta in deltas:
                    first = first or time.monotonic() - prepared.began
                    text += delta.text
                    if delta.completion is not None:
                        last = delta
                        break
                    if not prepared.withheld:
                        yield Piece(unfolding.more(text), delta.text)
            assert last is not None, "a stream that ends without its completion"
            with self.shadows.user():
                reply = await self._reply(prepared, last)
        except (asyncio.CancelledError, GeneratorExit):
            self._desk.submit(self._log_left, prepared, text)
            raise
        whole = await self._last(prepared, reply, unfolding, text=last.text, first=first)
        if prepared.shadow:
            self.shadows.add(prepared)
        yield whole

    async def feedback(self, row: Mapping[str, Any]) -> None:
        """Keep what somebody thinks of an answer; it is on disk when this returns."""
        if self._log is None:
            raise InputError("This server keeps no traffic (serve.log is false), so no feedback either")
        content = ("comment", "answer")
        kept = {key: value for key, value in row.items() if self.settings.log_content or key not in content}
        await self._at_desk(self._append, {"kind": "feedback", "at": stamp(), **kept})

    async def tidy(self) -> None:
        """Seal and forget what is due in the log."""
        if self._log is not None:
            await self._at_desk(self._log.tidy)

    def load(self) -> dict[str, tuple[int, int]]:
        """For each opened model that tells: answers being written, and those that wait."""
        return self._roster.load()

    def close(self) -> None:
        """Write what is still to be written, and let another process serve the run."""
        self._roster.close()
        self._desk.shutdown(wait=True)
        self._shelf.close()
        if self._log is not None:
            self._log.close()

    async def _at_desk(self, work: Callable[..., T], *given: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._desk, functools.partial(work, *given))

    @asynccontextmanager
    async def _deltas(self, prepared: Prepared) -> AsyncIterator[AsyncGenerator[Delta]]:
        """A user's answer as its model writes it, or the draft that stands; meanwhile shadows keep still."""
        if prepared.routed and prepared.routed.decision.route == "skip":
            async with aclosing(_told(prepared.routed.draft.completion)) as deltas:
                yield deltas
            return
        with self.shadows.user():
            async with (
                self._roster.held(prepared.enquiry.model) as streamer,
                aclosing(streamer.stream(prepared.fitted.prompt, prepared.sampling)) as deltas,
            ):
                yield deltas

    async def _ask_again(self, prepared: Prepared) -> dict[str, Any]:
        """Ask the candidate what the model in service has answered; the row for the log, where alone it goes."""
        name, began = str(prepared.shadow), time.monotonic()
        enquiry = replace(prepared.enquiry, model=name)
        again = replace(prepared, id=f"shadow-{uuid.uuid4().hex}", enquiry=enquiry, began=began, routed=None)
        async with (
            self._roster.held(name) as streamer,
            aclosing(streamer.stream(again.fitted.prompt, again.sampling)) as deltas,
        ):
            last = [delta async for delta in deltas][-1]
        reply = await self._reply(again, last)
        content, seconds = reply.parsed.answer or self._builder.abstention, time.monotonic() - began
        answered = Answered(again, reply, content, seconds, seconds)
        return {**self._row(answered), "kind": "shadow", "of": prepared.id}

    async def _keep_shadow(self, row: Mapping[str, Any]) -> None:
        await self._at_desk(self._append, row)

    def _passages(self, k: int | None) -> int:
        wanted = self._k if k is None else k
        if not 1 <= wanted <= self.settings.max_k:
            raise InputError(f"k is {wanted}; ask for 1 to {self.settings.max_k} passages")
        return wanted

    def _prepare(self, enquiry: Enquiry, index: Opened) -> Prepared:
        began = time.monotonic()
        conversation = read_conversation(enquiry.messages)
        self._builder.fit(conversation.question, ())  # one that is too long is refused before it is looked up
        query = conversation.query(self.settings.query_turns) if enquiry.retrieval != "never" else ""
        passages = _retrieve(index, query, self._passages(enquiry.k)) if query else []
        looked_up = time.monotonic() - began
        most = min(enquiry.max_tokens or self._builder.answer_tokens, self._builder.answer_tokens)
        fitted, cuts = fit_conversation(
            conversation,
            passages,
            builder=self._builder,
            turns=self.settings.history,
            answer_tokens=self._builder.answer_tokens,  # a shorter answer changes nothing in the prompt
        )
        asked = self._builder_of(enquiry.model)
        sampling = replace(
            sampling_for([fitted], asked),
            max_tokens=most,
            temperature=enquiry.temperature,
            seed=enquiry.seed,
        )
        return Prepared(
            f"chatcmpl-{uuid.uuid4().hex}",
            enquiry,
            question=conversation.question,
            query=query,
            index=index.version,
            fitted=fitted,
            cuts=cuts,
            sampling=sampling,
            began=began,
            retrieve_seconds=looked_up,
            rereads=asked.rereads,
        )

    async def _reply(self, prepared: Prepared, delta: Delta) -> Reply:
        """What was answered; where the model reads its quotes again, by the second reading."""
        assert delta.completion is not None
        model = prepared.enquiry.model
        reply, builder = reply_to(prepared.fitted, delta.completion, self._builder), self._builder_of(model)
        again = rereading(prepared.question, reply, builder)
        if again is None:
            return reply
        wished = {name: getattr(prepared.sampling, name) for name in ("max_tokens", "temperature", "seed")}
        sampling = replace(sampling_again([again], builder), **wished)
        async with self._roster.held(model) as streamer, aclosing(streamer.stream(again.prompt, sampling)) as deltas:
            second = [delta.completion async for delta in deltas][-1]
        assert second is not None
        return await self._at_desk(reread, reply, second, builder)

    async def _last(self, prepared: Prepared, reply: Reply, unfolding: Unfolding, *, text: str, first: float) -> Piece:
        if prepared.routed and prepared.routed.decision.route == "retrieve":
            prepared, reply = await self._at_desk(self._judge, prepared, prepared.routed, reply)
        content = reply.parsed.answer or self._builder.abstention
        seconds = time.monotonic() - prepared.began
        answered = Answered(prepared, reply, content, first, seconds)
        await self._at_desk(self._append, self._row(answered))
        return Piece(unfolding.rest(content), reply.completion.text if prepared.withheld else text, answered)

    def _judge(self, prepared: Prepared, routed: Routed, reply: Reply) -> tuple[Prepared, Reply]:
        """Whether an answer from passages stands."""
        count = self._builder.tokenizer.count
        then = routed.router.of_reply(routed.decision, prepared.question, draft=routed.draft, reply=reply, count=count)
        kept = abstaining(reply, self._builder) if then.route == "abstain" else reply
        return replace(prepared, routed=replace(routed, decision=then)), kept

    def _row(self, answered: Answered) -> dict[str, Any]:
        return answered_row(answered, content=self.settings.log_content)

    def _log_left(self, prepared: Prepared, text: str) -> None:
        """An answer that nobody waited for to its end."""
        self._append(left_row(prepared, text, content=self.settings.log_content))

    def _append(self, row: Mapping[str, Any]) -> None:
        if self._log is not None:
            with disk_faults_told(self._log.folder):
                self._log.append(row)


def open_service(session: Session) -> Service:
    """The run as a service; raises WorkspaceError where there is nothing to serve yet."""
    at, config = indexed(session), session.config
    names = [name for name, there in (("tuned", "train" in at.made or config.serve.tuned), ("base", True)) if there]
    sources = {name: getattr(config.serve, name) or source_of(session, at, name) for name in names}
    for source in sources.values():
        if source.startswith("openai:") and not config.endpoint.url:
            raise ConfigError(f"{source} needs endpoint.url in the YAML; nothing is sent anywhere without it")
    shelf = open_shelf(session, at)
    try:
        with disk_faults_told(session.run.path):
            log = TrafficLog(session.run.path / TRAFFIC, keep_days=config.serve.keep_days) if config.serve.log else None
    except RagraftError:
        shelf.close()
        raise
    return Service(
        settings=config.serve,
        opens={name: functools.partial(session.backends.streamer, source) for name, source in sources.items()},
        shelf=shelf,
        builder=builder(at),
        manner=manner(at, ROUTED),
        k=config.retrieve.k,
        log=log,
        notes=notes_on(session, names[0]),
        promotions=promotions_of(session, at),
    )


def _retrieve(index: Opened, query: str, k: int) -> list[Passage]:
    return list(index.retriever.retrieve([query], k)[0])


async def _told(done: Completion) -> AsyncGenerator[Delta]:
    yield Delta(done.text, done)
