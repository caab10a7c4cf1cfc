"""A run being served while its documents are synced: from which version it answers, and what becomes of the other."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from ragraft.errors import BackendError, InputError, WorkspaceError
from ragraft.pipeline import ROWS, Answered, Enquiry, Prepared, Service, open_service, open_session, sync
from ragraft.pipeline.shelf import Opened, Shelf
from ragraft.records import Message, Passage
from ragraft.workspace import read_traffic

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring

MakeSite = Callable[..., "Site"]
QUESTION = "Who keeps the lamp of Esker?"
INDEX = ROWS["index"].place


async def prepared(service: Service, **wishes: Any) -> Prepared:
    return await service.prepare(Enquiry((Message("user", QUESTION),), model="base", **wishes))


async def answered(service: Service, one: Prepared) -> Answered:
    async for piece in service.answer(one):
        if piece.answered is not None:
            return piece.answered
    raise AssertionError("no whole answer")


def keeper(passages: tuple[Passage, ...] | list[Passage]) -> str:
    return next(name for name in ("Edda", "Zenobia", "Yolanda") if name in passages[0].text)


def current(site: Site) -> str:
    return (site.run / "20-index" / "current").read_text("utf-8").strip()


def renamed(site: Site, old: str, new: str) -> str:
    """The documents say another name, and the index is brought up to that; the version."""
    file = site.folder / "docs" / "Esker.md"
    file.write_text(file.read_text("utf-8").replace(old, new), encoding="utf-8")
    sync(open_session(site.file), lambda event: None)
    return current(site)


def remove_where_nobody_reads(site: Site, version: str) -> bool:
    run = open_session(site.file).run
    with run.unheld(INDEX, version) as nobody:
        if nobody:
            shutil.rmtree(run.pinned(INDEX, version).path)
    return nobody


@contextmanager
def serving(site: Site, *overrides: str) -> Iterator[Service]:
    with closing(open_service(open_session(site.file, overrides))) as service:
        yield service


@pytest.mark.parametrize("store", ["memory", "lance"])
def test_a_server_follows_a_sync_and_each_question_keeps_its_version(
    make_site: MakeSite, bring: Bring, store: str
) -> None:
    site = make_site(index={"store": store, "chunk_tokens": 48})
    bring(site, last="index")
    first = current(site)

    async def play(service: Service) -> None:
        await service.warm()
        assert await service.follow() == ()
        before = await prepared(service)
        second = renamed(site, "Edda", "Zenobia")
        assert keeper((await prepared(service)).fitted.passages) == "Edda", "nobody has looked yet"
        assert not remove_where_nobody_reads(site, first)
        assert await service.follow() == (f"index {second} answers now; before: {first}",)
        assert await service.follow() == ()
        assert remove_where_nobody_reads(site, first), "no question looks anything up there any more"
        after = await prepared(service)
        assert [(one.index, keeper(one.fitted.passages)) for one in (before, after)] == [
            (first, "Edda"),
            (second, "Zenobia"),
        ]
        found = await service.retrieve(QUESTION, 1)
        assert (found.index, keeper(found.passages), service.index_version) == (second, "Zenobia", second)
        for one in (before, after):
            assert (await answered(service, one)).prepared.index == one.index
        third = renamed(site, "Zenobia", "Yolanda")
        await service.follow()
        assert (await prepared(service)).index == third
        assert remove_where_nobody_reads(site, second)

    with serving(site) as service:
        asyncio.run(play(service))
        assert not remove_where_nobody_reads(site, current(site))
    rows = list(read_traffic(site.run / "90-traffic"))
    assert len({row["index"] for row in rows}) == 2
    assert remove_where_nobody_reads(site, current(site)), "the server is gone"


def test_what_is_looked_up_after_the_draft_is_of_the_version_that_the_question_began_with(
    make_site: MakeSite, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site(calibrate={"max_loss": 0.005, "max_wrong": 0.005, "exam": False})
    bring(site, last="train")
    bring(site, last="calibrate")
    first = current(site)

    async def play(service: Service) -> None:
        await service.warm()
        drafted, go_on = asyncio.Event(), asyncio.Event()
        deltas = service._deltas

        @asynccontextmanager
        async def waits(drafting: Prepared) -> AsyncIterator[Any]:
            drafted.set()
            await go_on.wait()
            async with deltas(drafting) as found:
                yield found

        monkeypatch.setattr(service, "_deltas", waits)
        asking = asyncio.ensure_future(
            service.prepare(Enquiry((Message("user", QUESTION),), model="tuned", retrieval="auto"))
        )
        await drafted.wait()
        second = renamed(site, "Edda", "Zenobia")
        told = await service.follow()
        assert told[0] == f"index {second} answers now; before: {first}"
        assert told[1].startswith("retrieval auto looks everything up from now on: The calibration in ")
        assert not remove_where_nobody_reads(site, first), "the draft may yet ask for passages"
        go_on.set()
        one = await asking
        assert (one.index, one.decision, keeper(one.fitted.passages)) == (first, "retrieve", "Edda")
        assert remove_where_nobody_reads(site, first)
        with pytest.raises(InputError, match=r"^The calibration in .* is of another model, index or setting"):
            await service.prepare(Enquiry((Message("user", QUESTION),), model="tuned", retrieval="auto"))
        plain = await service.prepare(Enquiry((Message("user", QUESTION),), model="tuned"))
        assert (plain.decision, plain.index) == ("always", second), "serve.retrieval: auto looks up where it must"

    with serving(site, "serve.retrieval=auto") as service:
        asyncio.run(play(service))


def test_an_index_of_other_settings_is_refused_once_and_the_old_one_goes_on(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="index")
    first = current(site)

    async def play(service: Service) -> None:
        await service.warm()
        bring(site, "index.chunk_tokens=64", last="index")
        other = current(site)
        (told,) = await service.follow()
        assert told.startswith(
            f"The index {other} was made under other settings or models than this server's (index.chunk_tokens: "
        )
        assert told.endswith(f"and cannot answer here before a restart; index {first} goes on")
        assert await service.follow() == ()
        assert (await prepared(service)).index == first
        assert remove_where_nobody_reads(site, other), "what was refused is not held"
        bring(site, last="index")
        assert await service.follow() == (), "the old one is current again"
        second = renamed(site, "Edda", "Zenobia")
        assert await service.follow() == (f"index {second} answers now; before: {first}",)

    with serving(site) as service:
        asyncio.run(play(service))


def test_a_version_that_is_gone_or_cannot_be_asked_leaves_the_old_one(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="index")
    first = current(site)
    (site.run / "20-index" / "current").write_text("0123456789ab\n", encoding="utf-8")
    session = open_session(site.file)
    with pytest.raises(WorkspaceError, match="No index in"):
        open_service(session)
    (site.run / "20-index" / "current").write_text(f"{first}\n", encoding="utf-8")

    async def play(service: Service) -> None:
        (site.run / "20-index" / "current").write_text("0123456789ab\n", encoding="utf-8")
        (told,) = await service.follow()
        assert told.endswith(f"0123456789ab: this version is gone; index {first} goes on")
        assert (await prepared(service)).index == first

    with serving(site) as service:
        asyncio.run(play(service))


def test_what_a_server_reads_is_not_made_anew_in_its_place(make_site: MakeSite, bring: Bring) -> None:
    site = make_site(index={"store": "lance", "chunk_tokens": 48})
    bring(site, last="index")
    version = current(site)
    told = rf"^A server answers from .*{version}; end it before that is made anew$"

    async def play(service: Service) -> None:
        await service.warm()
        with pytest.raises(WorkspaceError, match=told):
            bring(site, first="index", last="index")
        assert keeper((await service.retrieve(QUESTION, 1)).passages) == "Edda"

    with serving(site) as service:
        asyncio.run(play(service))
    assert bring(site, first="index", last="index")["index"] == "done"


class Finds:
    def retrieve(self, questions: Any, k: int) -> list[list[Passage]]:
        return [[] for _ in questions]


class Two:
    """A newer version, once."""

    def __init__(self) -> None:
        self.opened = Opened("two", Finds())

    def look(self) -> str | None:
        return "two"

    def open(self, version: str) -> Opened:
        return self.opened


def test_one_that_fails_at_its_first_question_never_answers() -> None:
    closed: list[str] = []
    newer = Two()
    newer.opened.held.callback(closed.append, "two")
    shelf = Shelf(Opened("one", Finds()), newer)

    async def fails(retriever: Any) -> None:
        raise BackendError("The table is torn")

    async def play() -> None:
        assert await shelf.follow(fails) == ("The table is torn; index one goes on",)
        assert (shelf.now.version, closed) == ("one", ["two"])

    asyncio.run(play())


def test_the_old_one_is_let_go_by_its_last_reader() -> None:
    closed: list[str] = []
    first = Opened("one", Finds())
    first.held.callback(closed.append, "one")
    shelf = Shelf(first, Two())

    async def tries(retriever: Any) -> None:
        retriever.retrieve(["ready?"], 1)

    async def play() -> None:
        async with shelf.reading() as one:
            async with shelf.reading():
                assert await shelf.follow(tries) == ("index two answers now; before: one",)
                assert one.version == "one"
            assert closed == []
            async with shelf.reading() as two:
                assert two.version == "two"
        assert closed == ["one"]

    asyncio.run(play())
