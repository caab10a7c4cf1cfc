"""Sync: the newer index answers, the model stays, kills and refusals leave the old version served."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ragraft.errors import ConfigError, InputError, WorkspaceError
from ragraft.pipeline import ROWS, STAGES, ask, open_session, sync
from ragraft.pipeline.estimates import Foresight
from ragraft.workspace import Index, Run

if TYPE_CHECKING:
    from ragraft.pipeline import Event, Synced
    from tests.conftest import Site
    from tests.unit.conftest import Bring, Fakes

MakeSite = Callable[..., "Site"]
KEPT = {stage: "taught" if stage in ("ingest", "index") else "unchanged" for stage in STAGES}


def synced(site: Site, *overrides: str) -> Synced:
    return sync(open_session(site.file, overrides), lambda event: None)


def current(site: Site, stage: str) -> str:
    return (site.run / stage / "current").read_text("utf-8").strip()


def rewrite(site: Site, place: str, old: str, new: str) -> None:
    file = site.folder / "docs" / f"{place}.md"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def contents(folder: Path) -> dict[str, bytes]:
    files = (place for place in sorted(folder.rglob("*")) if place.is_file() and place.name != "manifest.json")
    return {place.relative_to(folder).as_posix(): place.read_bytes() for place in files if place.name != "started.json"}


def test_what_changed_is_found_and_answered(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site)
    before = current(site, "20-index")
    rewrite(site, "Esker", "Edda", "Zenobia")
    (site.folder / "docs" / "Arlen.md").rename(site.folder / "docs" / "Arlen-2.md")
    (site.folder / "docs" / "Cavit.md").unlink()
    (site.folder / "docs" / "Zell.md").write_text("# Zell\n\nThe lamp of Zell is kept by Odo.\n", encoding="utf-8")
    found = synced(site)
    assert found.changes.counts() == {"added": 1, "changed": 1, "renamed": 1, "removed": 1}
    assert found.changes.renamed == {"Arlen-2.md": "Arlen.md"}
    assert (found.before, found.after) == (before, current(site, "20-index"))
    assert 0 < found.fresh < found.chunks
    session = open_session(site.file)
    asked = ask(session, "Who keeps the lamp of Esker?", model="base")
    assert asked.index_version == found.after
    assert "Zenobia" in asked.reply.fitted.passages[0].text
    assert "Odo" in ask(session, "Who keeps the lamp of Zell?", model="base").reply.fitted.passages[0].text


def test_a_synced_index_is_that_of_a_whole_run(make_site: MakeSite, bring: Bring) -> None:
    site, other = make_site(), make_site("other")
    bring(site, last="index")
    for one in (site, other):
        rewrite(one, "Esker", "Edda", "Zenobia")
        (one.folder / "docs" / "Cavit.md").unlink()
    found = synced(site)
    bring(other, last="index")
    for stage in ("10-corpus", "20-index"):
        assert current(site, stage) == current(other, stage)
        made, wanted = (one.run / stage / "versions" / current(one, stage) for one in (site, other))
        assert contents(made) == contents(wanted)
    assert found.any


def test_run_trains_nothing_after_a_sync(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    site = make_site()
    bring(site)
    first, launched = current(site, "20-index"), len(fakes.launcher.launched)
    rewrite(site, "Esker", "Edda", "Zenobia")
    synced(site)
    assert bring(site) == bring(site, dry=True) == KEPT
    assert len(fakes.launcher.launched) == launched
    assert current(site, "20-index") != first, "the newer index goes on answering"
    # A setting further down has its effect, on what the model learned from.
    changed = bring(site, "train.epochs=3")
    assert changed == {**KEPT, "train": "done", "evaluate": "done", "report": "done"}
    # A second sync changes nothing of that.
    rewrite(site, "Ivor", "Ines", "Xaver")
    synced(site)
    assert bring(site, "train.epochs=3") == KEPT


def test_run_from_ingest_teaches_the_documents_as_they_are(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    site = make_site()
    bring(site)
    rewrite(site, "Esker", "Edda", "Zenobia")
    synced(site)
    done = bring(site, first="ingest")
    assert done == dict.fromkeys(STAGES, "done")
    assert len(fakes.launcher.launched) == 2
    assert bring(site) == dict.fromkeys(STAGES, "unchanged")


@pytest.mark.parametrize("setting", ["index.chunk_tokens=64", "ingest.near_duplicate=0.95"])
def test_another_kind_of_index_is_made_anew_after_a_sync(make_site: MakeSite, bring: Bring, setting: str) -> None:
    site = make_site()
    bring(site)
    rewrite(site, "Esker", "Edda", "Zenobia")
    synced(site)
    done = bring(site, setting)
    assert set(done.values()) == {"done"} if setting.startswith("ingest") else done["index"] == "done"
    assert done["train"] == "done"


def test_without_a_model_a_run_goes_on_from_the_newer_index(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="examine")
    rewrite(site, "Esker", "Edda", "Zenobia")
    synced(site)
    assert bring(site, last="examine") == {"ingest": "unchanged", "index": "unchanged", "examine": "done"}


def test_documents_that_are_as_they_were_bring_no_version(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site)
    version = current(site, "20-index")
    found = synced(site)
    assert not found.any
    assert not found.changes.any
    assert found.changes.unchanged == 12
    assert (found.after, found.fresh) == (version, 0)
    assert bring(site) == dict.fromkeys(STAGES, "unchanged")
    # There and back again.
    rewrite(site, "Esker", "Edda", "Zenobia")
    synced(site)
    rewrite(site, "Esker", "Zenobia", "Edda")
    assert synced(site).after == version
    assert bring(site) == dict.fromkeys(STAGES, "unchanged")


@pytest.mark.parametrize("moment", ["ingest", "index", "before the switch", "between the switches"])
def test_a_kill_leaves_the_old_version_served(
    make_site: MakeSite, bring: Bring, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    site, other = make_site(), make_site("other")
    for one in (site, other):
        bring(one)
        rewrite(one, "Esker", "Edda", "Zenobia")
    synced(other)
    version = current(site, "20-index")

    def killed(*given: Any, **named: Any) -> Any:
        raise KeyboardInterrupt

    switch = Run.switch
    with monkeypatch.context() as patch:

        def second(self: Run, place: Any, folder: Any, **note: Any) -> None:
            patch.setattr(Run, "switch", killed)
            switch(self, place, folder, **note)

        if moment in ("ingest", "index"):
            patch.setattr(f"ragraft.stages.{moment}.{moment}", killed)
        else:
            patch.setattr(Run, "switch", killed if moment == "before the switch" else second)
        with pytest.raises(KeyboardInterrupt):
            synced(site)
        patch.setattr(Run, "switch", switch)
        asked = ask(open_session(site.file), "Who keeps the lamp of Esker?", model="base")
    newer = moment == "between the switches"  # the index is what is switched first
    assert (asked.index_version == version) != newer
    assert ("Zenobia" in asked.reply.fitted.passages[0].text) == newer
    synced(site)
    for stage in ("10-corpus", "20-index"):
        assert current(site, stage) == current(other, stage)
        assert contents(site.run / stage / "versions" / current(site, stage)) == contents(
            other.run / stage / "versions" / current(other, stage)
        )
    assert bring(site) == KEPT


def test_documents_that_cannot_be_read_change_nothing(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site)
    version = current(site, "20-index")
    (site.folder / "more.jsonl").write_text("{broken", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be used"):
        synced(site)
    assert current(site, "20-index") == version
    assert ask(open_session(site.file), "Who keeps the lamp of Esker?", model="base").index_version == version


def test_what_no_sync_can_do_is_refused(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    with pytest.raises(WorkspaceError, match=r"^No index in .*lights to bring up to date\. Run: ragraft run --until"):
        synced(site)
    bring(site)
    for setting in ("index.chunk_tokens=64", "ingest.near_duplicate=0.95"):
        key, _, value = setting.partition("=")
        with pytest.raises(
            WorkspaceError, match=rf"made under other settings \({key}: .* → {value}\): that is another"
        ):
            synced(site, setting)
    corpus = site.run / "10-corpus" / "versions" / current(site, "10-corpus")
    corpus.rename(site.folder / "aside")
    with pytest.raises(WorkspaceError, match=r"of which the index in .* was made\. Run: ragraft run --from ingest$"):
        synced(site)


def test_pace_is_not_learnt_from_a_sync(make_site: MakeSite, bring: Bring, monkeypatch: pytest.MonkeyPatch) -> None:
    learnt: list[str] = []
    monkeypatch.setattr(Foresight, "learn", lambda self, plan, folder, seconds: learnt.append(folder.path.name))
    site = make_site()
    bring(site, last="index")
    assert learnt == [current(site, "20-index")]
    rewrite(site, "Esker", "Edda", "Zenobia")
    synced(site)
    assert len(learnt) == 1


def redate(site: Site, *dates: str) -> None:
    """Give the index's history these dates."""
    file = site.run / "20-index" / "history.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert len(rows) == len(dates)
    file.write_text(
        "".join(json.dumps({**row, "since": date}) + "\n" for row, date in zip(rows, dates, strict=True)), "utf-8"
    )


def test_ask_as_of_a_date_takes_the_index_of_that_day(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="index")
    versions = [current(site, "20-index")]
    for old, new in (("Edda", "Zenobia"), ("Zenobia", "Yolanda")):
        rewrite(site, "Esker", old, new)
        synced(site)
        versions.append(current(site, "20-index"))
    redate(site, "2026-01-10T08:00:00+00:00", "2026-03-10T12:00:00+00:00", "2026-05-10T08:00:00+00:00")
    session, question = open_session(site.file), "Who keeps the lamp of Esker?"
    for moment, place, name in (
        ("2026-01-10", 0, "Edda"),
        ("2026-03-09", 0, "Edda"),
        ("2026-03-10", 1, "Zenobia"),
        ("2026-03-10T11:59", 0, "Edda"),
        ("2026-03-10T13:30+01:00", 1, "Zenobia"),
        ("2030-01-01", 2, "Yolanda"),
    ):
        asked = ask(session, question, as_of=moment)
        assert asked.index_version == versions[place], moment
        assert name in asked.reply.fitted.passages[0].text
    with pytest.raises(
        WorkspaceError, match=r"^No index in .* as of 2025-12-31; the first one is of 2026-01-10 08:00 UTC"
    ):
        ask(session, question, as_of="2025-12-31")
    with pytest.raises(ConfigError, match=r"^--as-of yesterday is no date; write it as 2026-01-31 or "):
        ask(session, question, as_of="yesterday")
    with pytest.raises(WorkspaceError, match=r"^The index as of 2026-01-11 \(.*\) was made under other settings"):
        ask(open_session(site.file, ["index.chunk_tokens=64"]), question, as_of="2026-01-11")
    (site.run / "20-index" / "versions" / versions[0]).rename(site.folder / "gone")
    with pytest.raises(WorkspaceError, match=r"^The index as of 2026-01-11 is gone: no .*; ask as of another day$"):
        ask(session, question, as_of="2026-01-11")


def test_a_run_from_before_there_were_histories_has_one(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="index")
    first = current(site, "20-index")
    (site.run / "20-index" / "history.jsonl").unlink()
    session = open_session(site.file)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    assert ask(session, "Who?", as_of=tomorrow).index_version == first
    rewrite(site, "Esker", "Edda", "Zenobia")
    synced(site)
    stood = session.run.history(ROWS["index"].place)
    assert [one.version for one in stood] == [first, current(site, "20-index")]
    assert stood[-1].note["by"] == "sync"
    assert stood[-1].note["changed"] == 1


def test_the_index_of_a_version_stays_as_it_was(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="index")
    place = site.run / "20-index" / "versions" / current(site, "20-index")
    before = contents(place)
    rewrite(site, "Esker", "Edda", "Zenobia")
    events: list[Event] = []
    sync(open_session(site.file), events.append)
    assert contents(place) == before
    assert [(event.stage, event.state) for event in events if event.state != "begun"] == [
        ("ingest", "done"),
        ("index", "done"),
    ]
    assert len(Index(open_session(site.file).at().made["index"]).chunks()) > 12
