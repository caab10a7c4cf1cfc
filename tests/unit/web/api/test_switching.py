"""A server whose model or index changes while it is asked: nothing is lost, and every answer says what gave it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from ragraft.backends.generators.echo import EchoGenerator
from ragraft.pipeline import Enquiry
from ragraft.pipeline.promotions import Promotions
from ragraft.pipeline.shelf import Opened
from ragraft.records import Delta, Message, Passage, Prompt, Sampling
from ragraft.web.api import app
from ragraft.workspace import Folder, Registry

if TYPE_CHECKING:
    from tests.unit.web.api.conftest import Served, Serves

CLIENTS, EACH, CHANGES = 8, 25, 6
PATIENCE = 20.0
QUESTION = "What is the tower of Boskar made of?"
ANSWER = "The tower of Boskar is made of slate."


class Promoted:
    """A registry with models that echo, slowly enough that answers overlap with changes; notes what is in memory."""

    def __init__(self, folder: Path) -> None:
        self.registry = Registry(folder / "registry")
        self._checkpoint = Folder(folder / "60-checkpoint" / "01-raft")
        self.open: Counter[str] = Counter()
        self.most = 0
        self._counting = threading.Lock()

    def promote(self, model: str, *, base: str = "base 1", spoilt: bool = False, above: float | None = None) -> None:
        with self.registry.writing() as writer:
            if not self.registry.has(model):
                self._checkpoint.write_text("weights.safetensors", model)
                facts = {
                    "id": model,
                    "base": "hf:a/b",
                    "base_identity": base,
                    "manner": {"above": above, "rereads": None},
                }
                writer.keep(model, [self._checkpoint], facts)
            if spoilt:
                (self.registry.checkpoint(model) / "weights.safetensors").unlink()
            writer.add({"event": "promoted", "model": model, "reason": ""})

    def roll_back(self) -> None:
        with self.registry.writing() as writer:
            writer.add({"event": "rolled back", "model": None, "reason": ""})

    def change(self, number: int) -> None:
        """Every third time the model before."""
        if number % 3 == 0:
            self.roll_back()
        else:
            self.promote(("two", "three", "one")[number % 3])

    def promotions(self) -> Promotions:
        return Promotions(self.registry, lambda path: Slow(self, path), lambda: "base 1")

    def count(self, name: str, change: int) -> None:
        with self._counting:
            self.open[name] += change
            self.most = max(self.most, sum(self.open.values()))


class Slow:
    """Echoes in two pieces with a pause between."""

    def __init__(self, promoted: Promoted, path: str) -> None:
        self._promoted, self._name = promoted, Path(path).parents[1].name
        promoted.count(self._name, 1)

    async def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Delta]:
        whole = EchoGenerator(self._name).generate([prompt], sampling)[0]
        yield Delta(whole.text[:10])
        await asyncio.sleep(0.005)
        assert self._promoted.open[self._name], "asked after it was let go"
        yield Delta(whole.text[10:], whole)

    def close(self) -> None:
        self._promoted.count(self._name, -1)


class Versions:
    """Versions of an index that all say in their passages which one they are; notes who reads one that was let go."""

    def __init__(self) -> None:
        self.current = 1
        self.gone: set[int] = set()
        self.late: list[int] = []
        self._seen = 1

    def look(self) -> str | None:
        if self.current == self._seen:
            return None
        self._seen = self.current
        return str(self.current)

    def open(self, version: str) -> Opened:
        opened = Opened(version, Telling(self, int(version)))
        opened.held.callback(self.gone.add, int(version))
        return opened


class Telling:
    """Finds one passage, that tells the version."""

    def __init__(self, versions: Versions, number: int) -> None:
        self._versions, self._number = versions, number

    def retrieve(self, questions: Sequence[str], k: int) -> list[list[Passage]]:
        if self._number in self._versions.gone:
            self._versions.late.append(self._number)
        text = f"The tower of Boskar is made of slate, says version {self._number}."
        return [[Passage("boskar#0", "boskar", "Boskar", text, 0.5)] for _ in questions]


@pytest.fixture
def promoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Promoted:
    monkeypatch.setattr(app, "LOOK", 0.01)
    return Promoted(tmp_path)


def ask(client: TestClient, number: int = 0, **body: Any) -> Any:
    messages = [{"role": "user", "content": f"{QUESTION} ({number})"}]
    return client.post("/v1/chat/completions", json={"messages": messages, **body})


def in_service(client: TestClient) -> str:
    return str(client.get("/readyz").json()["models"][0])


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def started(work: Callable[[TestClient, int], None], client: TestClient) -> list[threading.Thread]:
    """Clients at work, each on a thread of its own."""
    threads = [threading.Thread(target=work, args=(client, who)) for who in range(CLIENTS)]
    for thread in threads:
        thread.start()
    return threads


def ended(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_no_request_is_lost_while_models_are_promoted_and_rolled_back(serves: Serves, promoted: Promoted) -> None:
    promoted.promote("one")
    served: Served = serves(promotions=promoted.promotions(), per_minute=100_000, at_once=1000)
    found: list[tuple[str, str]] = []
    faults: list[Any] = []
    changed = threading.Event()

    def client_asks(client: TestClient, who: int) -> None:
        for number in range(EACH):
            if number == EACH // 2:
                assert changed.wait(PATIENCE)
            stream = number % 5 == 0
            response = ask(client, who * EACH + number, stream=stream)
            if response.status_code != 200 or (stream and "[DONE]" not in response.text):
                faults.append((response.status_code, response.text))
            elif not stream:
                data = response.json()
                found.append((data["id"], data["model"]))
                assert data["choices"][0]["message"]["content"] == ANSWER

    with served.client() as client:
        asyncio.run(served.service.warm())
        assert in_service(client) == "one"
        clients = started(client_asks, client)
        wait_for(lambda: bool(found))
        changes = 0
        while any(thread.is_alive() for thread in clients) or changes < CHANGES:
            changes += 1
            promoted.change(changes)
            wait_for(lambda: in_service(client) == (promoted.registry.state().current or "tuned"))
            changed.set()
        ended(clients)
        promoted.promote("last")
        wait_for(lambda: in_service(client) == "last")
        assert ask(client).json()["model"] == "last"
        wait_for(lambda: sum(promoted.open.values()) <= 2)
    assert faults == []
    assert len(found) == CLIENTS * EACH * 4 // 5
    assert len({model for _, model in found}) >= 2, "it changed while they asked"
    rows = {row["id"]: row for row in served.rows}
    assert len(rows) == CLIENTS * EACH + 1
    assert all(rows[name]["model"] == model and rows[name]["by"] == "default" for name, model in found)
    assert promoted.most <= served.service.settings.open_models


def test_no_request_is_lost_while_the_index_changes_and_each_keeps_its_version(
    serves: Serves, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "LOOK", 0.01)
    versions = Versions()
    served: Served = serves(newer=versions, first=versions.open("1"), per_minute=100_000, at_once=1000)
    found: list[tuple[str, str]] = []
    faults: list[Any] = []
    changed = threading.Event()

    def client_asks(client: TestClient, who: int) -> None:
        for number in range(EACH):
            if number == EACH // 2:
                assert changed.wait(PATIENCE)
            response = ask(client, who * EACH + number)
            if response.status_code != 200:
                faults.append((response.status_code, response.text))
                continue
            rests = response.json()["choices"][0]["ragraft"]
            if not rests["passages"][0]["text"].endswith(f"version {rests['index']}."):
                faults.append(rests)
            found.append((response.json()["id"], rests["index"]))

    with served.client() as client:
        clients = started(client_asks, client)
        wait_for(lambda: bool(found))
        while any(thread.is_alive() for thread in clients) or versions.current <= CHANGES:
            versions.current += 1
            wait_for(lambda: client.get("/readyz").json()["index"] == str(versions.current))
            changed.set()
        ended(clients)
        looked_up = client.post("/v1/retrieve", json={"query": "Boskar?"}).json()
        assert looked_up["data"][0]["text"].endswith(f"version {looked_up['index']}.")
    assert faults == versions.late == []
    assert len(found) == CLIENTS * EACH
    assert len({index for _, index in found}) >= 2, "it changed while they asked"
    assert versions.gone == set(range(1, versions.current))
    assert {row["id"]: row["index"] for row in served.rows} == dict(found)


def test_what_cannot_be_opened_leaves_the_old_one_in_service(
    serves: Serves, promoted: Promoted, caplog: pytest.LogCaptureFixture
) -> None:
    promoted.promote("one")
    served: Served = serves(promotions=promoted.promotions())
    with served.client() as client:
        asyncio.run(served.service.warm())
        promoted.promote("spoilt", spoilt=True)
        wait_for(lambda: "weights.safetensors is gone; promote its run again" in caplog.text)
        assert "one goes on" in caplog.text
        assert in_service(client) == "one"
        promoted.promote("elsewhere", base="base 2")
        wait_for(
            lambda: "elsewhere is in service by the registry, and cannot answer here: it was tuned on" in caplog.text
        )
        assert ask(client).json()["model"] == "one"
        assert ask(client, model="elsewhere").status_code == 404
        promoted.promote("two")
        wait_for(lambda: in_service(client) == "two")


def test_every_promoted_model_is_listed_and_can_be_named(serves: Serves, promoted: Promoted) -> None:
    promoted.promote("one")
    promoted.promote("two")
    served: Served = serves(promotions=promoted.promotions())
    with served.client() as client:
        asyncio.run(served.service.warm())
        listed = [row["id"] for row in client.get("/v1/models").json()["data"]]
        assert listed == ["two", "tuned", "base", "broken", "one"]
        for model, by in (("one", "named"), ("two", "named"), ("default", "default"), ("", "default")):
            data = ask(client, model=model).json()
            assert data["model"] == (model if by == "named" else "two")
            assert data["choices"][0]["ragraft"]["by"] == by


def test_a_canary_answers_its_share_and_shadows_only_the_log(serves: Serves, promoted: Promoted) -> None:
    promoted.promote("one")
    served: Served = serves(promotions=promoted.promotions(), canary=0.3, shadow=1.0, per_minute=10_000)
    with served.client() as client:
        asyncio.run(served.service.warm())
        answers = [ask(client, number).json() for number in range(40)]
        by = Counter((one["model"], one["choices"][0]["ragraft"]["by"]) for one in answers)
        assert set(by) == {("one", "default"), ("tuned", "canary")}
        assert 4 <= by["tuned", "canary"] <= 22
        again = [ask(client, number).json()["model"] for number in range(40)]
        assert again == [one["model"] for one in answers], "each conversation stays where it was"
        wait_for(lambda: any(row["kind"] == "shadow" for row in served.rows))
        wait_for(lambda: sum(served.service.shadows.counts.values()) == 2 * by["one", "default"])
        metrics = client.get("/metrics").text
    shadows = [row for row in served.rows if row["kind"] == "shadow"]
    answered = {row["id"]: row for row in served.rows if row["kind"] == "answer"}
    assert {row["model"] for row in shadows} == {"tuned"}
    assert all(answered[row["of"]]["model"] == "one" for row in shadows)
    assert all(row["question"] == answered[row["of"]]["question"] for row in shadows)
    assert len(answered) == 80
    assert f'ragraft_shadows{{outcome="answered"}} {float(len(shadows))}' in metrics


def test_each_model_abstains_as_its_exam_chose(serves: Serves, promoted: Promoted) -> None:
    promoted.promote("one", above=0.3)
    promoted.promote("two")
    service = serves(promotions=promoted.promotions()).service
    asyncio.run(service.warm())

    async def asked(model: str) -> float:
        prepared = await service.prepare(Enquiry((Message("user", QUESTION),), model=model))
        assert prepared.sampling.turn is not None
        return prepared.sampling.turn.above

    assert asyncio.run(asked("tuned")) == 0.7
    assert asyncio.run(asked("base")) == 0.5
    assert asyncio.run(asked("one")) == 0.3
    assert asyncio.run(asked("two")) == 0.5, "nothing is said of it"
