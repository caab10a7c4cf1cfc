"""A run being served while models are promoted: whose answers are given, from which folder, and what is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from ragraft.errors import ConfigError, InputError, WorkspaceError
from ragraft.pipeline import Enquiry, Service, open_service, open_session, promote, registry_of, rollback
from ragraft.records import Message
from ragraft.workspace import read_traffic
from tests.conftest import lighthouse_questions

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring, Fakes

MakeSite = Callable[..., "Site"]
QUESTION = lighthouse_questions()[0]["question"]
NO_GATE = {"least": 0.0, "closed_book": None, "formats": None}


async def ask(service: Service, **wishes: Any) -> str:
    """The model that answers."""
    prepared = await service.prepare(Enquiry((Message("user", QUESTION),), **wishes))
    async for piece in service.answer(prepared):
        if piece.answered is not None:
            return piece.answered.prepared.enquiry.model
    raise AssertionError("no whole answer")


@pytest.fixture
def site(make_site: MakeSite, bring: Bring) -> Site:
    made = make_site(evaluate={"models": ["base", "tuned"], "contexts": ["retrieved"]}, promote=NO_GATE)
    bring(made)
    return made


def promoted(site: Site) -> str:
    return promote(open_session(site.file), force="for this test").model


def test_a_promoted_model_answers_from_the_registry_and_a_rollback_gives_the_run_its_own_back(
    site: Site, fakes: Fakes
) -> None:
    service = open_service(open_session(site.file))

    async def play() -> None:
        await service.warm()
        assert list(service.models) == ["tuned", "base"]
        assert await ask(service) == "tuned"
        model = promoted(site)
        (told,) = await service.follow()
        assert told == f"{model} is in service now; before: tuned"
        assert list(service.models) == [model, "tuned", "base"]
        assert await ask(service) == model
        assert fakes.asked[-1][0] == str(registry_of(open_session(site.file)).checkpoint(model))
        assert await ask(service, model="base") == "base"
        assert await service.follow() == ()
        rollback(open_session(site.file))
        await service.follow()
        assert list(service.models) == ["tuned", "base", model]
        assert await ask(service) == "tuned"
        assert await ask(service, model=model) == model

    asyncio.run(play())
    service.close()
    rows = [(row["model"], row["by"]) for row in read_traffic(site.run / "90-traffic")]
    assert [by for _, by in rows] == ["default", "default", "named", "default", "named"]
    assert rows[0] == ("tuned", "default")


def test_a_server_begins_with_what_is_in_service(site: Site) -> None:
    model = promoted(site)
    service = open_service(open_session(site.file))
    asyncio.run(service.warm())
    assert list(service.models) == [model, "tuned", "base"]
    service.close()


def test_a_server_does_not_begin_with_a_model_that_changed(site: Site) -> None:
    model = promoted(site)
    weights = registry_of(open_session(site.file)).checkpoint(model) / "adapter_model.safetensors"
    weights.unlink()
    weights.write_bytes(b"other")
    service = open_service(open_session(site.file))
    with pytest.raises(WorkspaceError, match="is not what was promoted"):
        asyncio.run(service.warm())
    service.close()


def test_a_candidate_that_is_none_is_told_and_one_in_service_is_noted(site: Site) -> None:
    service = open_service(open_session(site.file, ["serve.canary=0.1", "serve.candidate=tunde"]))
    with pytest.raises(ConfigError, match=r"^serve\.candidate: tunde is no model here; did you mean tuned\?$"):
        asyncio.run(service.warm())
    service.close()
    service = open_service(open_session(site.file, ["serve.shadow=0.1"]))
    asyncio.run(service.warm())
    assert (
        service.notes[-1] == "serve.canary and serve.shadow do nothing while the candidate, tuned, is in service itself"
    )
    service.close()


def test_what_is_calibrated_for_the_run_holds_for_its_model_when_it_is_promoted(
    make_site: MakeSite, bring: Bring
) -> None:
    site = make_site(
        evaluate={"models": ["base", "tuned"], "contexts": ["retrieved"]},
        calibrate={"max_loss": 0.9, "exam": False},
        promote=NO_GATE,
    )
    bring(site)
    bring(site, last="calibrate")
    own = promoted(site)
    bring(site, "train.seed=3", name="other")
    other = promote(open_session(site.file, run="other"), force="for this test").model
    service = open_service(open_session(site.file, ["serve.canary=1.0"]))

    async def routed(**wishes: Any) -> bool:
        prepared = await service.prepare(Enquiry((Message("user", QUESTION),), retrieval="auto", **wishes))
        return prepared.routed is not None

    async def play() -> None:
        await service.warm()
        assert service.models[0] == other
        assert await routed(model=own)
        assert await routed(), "the canary's model is the run's own"
        with pytest.raises(InputError, match=rf"^retrieval auto is calibrated for tuned, not for {other}"):
            await routed(model=other)
        rollback(open_session(site.file))
        await service.follow()
        assert service.models[0] == own
        assert (await service.prepare(Enquiry((Message("user", QUESTION),)))).by == "default", "no canary of itself"

    asyncio.run(play())
    service.close()
