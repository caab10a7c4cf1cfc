"""Old versions of corpus and index: which go, which stay because somebody needs them, and what is said of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from ragraft.errors import WorkspaceError
from ragraft.pipeline import ROWS, ask, open_session, sync
from ragraft.pipeline.pruning import prune
from ragraft.workspace import Folder, Run, Since, write_since

if TYPE_CHECKING:
    from ragraft.pipeline import Synced
    from tests.conftest import Site
    from tests.unit.conftest import Bring

MakeSite = Callable[..., "Site"]


def versions(site: Site, stage: str = "20-index") -> set[str]:
    return {place.name for place in (site.run / stage / "versions").iterdir()}


def current(site: Site, stage: str = "20-index") -> str:
    return (site.run / stage / "current").read_text("utf-8").strip()


def synced(site: Site, keeper: str, *overrides: str) -> Synced:
    """A sync after which Esker has another keeper."""
    file = site.folder / "docs" / "Esker.md"
    file.write_text(f"# Esker\n\n{keeper} has kept the lamp of Esker for 11 years.\n", encoding="utf-8")
    return sync(open_session(site.file, overrides), lambda event: None)


@pytest.fixture
def site(make_site: MakeSite, bring: Bring) -> Site:
    """An index of which there were four versions, one a month, and no model."""
    made = make_site()
    bring(made, last="index")
    for keeper in ("Xaver", "Yolanda", "Zenobia"):
        synced(made, keeper)
    for stage in ("10-corpus", "20-index"):
        file = made.run / stage / "history.jsonl"
        rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        dated = [{**row, "since": f"2026-0{month}-01T00:00:00+00:00"} for month, row in enumerate(rows, start=1)]
        file.write_text("".join(json.dumps(row) + "\n" for row in dated), "utf-8")
    return made


def pruned(site: Site, keep: int, days: int = 0, now: str = "9000-01-01") -> list[Any]:
    """As if it were that day: by itself long after all that the tests do."""
    return prune(open_session(site.file), keep=keep, days=days, now=datetime.fromisoformat(now).replace(tzinfo=UTC))


def history(site: Site) -> list[str]:
    rows = (site.run / "20-index" / "history.jsonl").read_text("utf-8").splitlines()
    return [json.loads(row)["version"] for row in rows]


def test_the_newest_stay_with_their_corpora_and_the_rest_is_named(site: Site) -> None:
    stood = history(site)
    gone = pruned(site, keep=2)
    assert versions(site) == set(stood[2:])
    assert len(versions(site, "10-corpus")) == 2
    assert [(one.stage, one.version) for one in gone if one.stage == "index"] == sorted(
        ("index", version) for version in stood[:2]
    )
    assert {one.until.month for one in gone if one.until} == {2, 3}
    assert all(one.bytes > 0 for one in gone)
    assert [one.stage for one in gone] == ["index", "index", "ingest", "ingest"]
    assert pruned(site, keep=2) == []
    assert ask(open_session(site.file), "Who keeps the lamp of Esker?", model="base").index_version == stood[-1]
    with pytest.raises(WorkspaceError, match=r"^The index as of 2026-01-15 is gone"):
        ask(open_session(site.file), "Who?", model="base", as_of="2026-01-15")


def test_days_keep_what_as_of_may_ask_for(site: Site) -> None:
    stood = history(site)
    # On May 1 the second version was current until 61 days ago, and the third until 30 days ago.
    pruned(site, keep=1, days=62, now="2026-05-01")
    assert versions(site) == set(stood[1:])
    pruned(site, keep=1, days=31, now="2026-05-01")
    assert versions(site) == set(stood[2:])
    pruned(site, keep=1, days=29, now="2026-05-01")
    assert versions(site) == {stood[-1]}


def test_what_a_model_was_made_from_stays(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site)
    taught, corpus = current(site), current(site, "10-corpus")
    for keeper in ("Xaver", "Yolanda"):
        synced(site, keeper)
    shutil.rmtree(site.run / "70-scores")
    pruned(site, keep=1)
    assert versions(site) == {taught, current(site)}
    assert versions(site, "10-corpus") == {corpus, current(site, "10-corpus")}
    bring(site, "synthesize.copies=1", last="synthesize")
    shutil.rmtree(site.run / "60-checkpoint")
    pruned(site, keep=1)
    assert taught in versions(site), "what was replaced was made from it, too"


def test_what_a_refresh_goes_on_from_stays_and_what_others_have_themselves_does_not(site: Site, bring: Bring) -> None:
    stood = history(site)
    runs = site.folder / "runs"
    folder = Folder(site.run / "20-index" / "versions" / stood[0])
    manifest = folder.manifest()
    assert manifest is not None
    since = Since(runs, "lights", "lights", None, {"index": manifest.fingerprint, **manifest.inputs}, {})
    write_since(Run(runs, "lights-refresh-1"), since)
    bring(site, name="other", last="examine")
    pruned(site, keep=1)
    assert versions(site) == {stood[0], stood[-1]}
    Folder(runs / "lights-refresh-1").folder("96-refresh").write_json("refresh.json", {"outcome": {}})
    pruned(site, keep=1)
    assert versions(site) == {stood[-1]}, "that refresh is at its end"
    # A run that has lost its own index needs this one.
    shutil.rmtree(runs / "other" / "20-index" / "versions" / stood[-1])
    synced(site, "Wanda")
    pruned(site, keep=1)
    assert stood[-1] in versions(site)


def test_what_a_server_reads_stays_until_it_lets_go(site: Site) -> None:
    stood, run = history(site), open_session(site.file).run
    with run.held(ROWS["index"].place, stood[0]):
        pruned(site, keep=1)
        assert versions(site) == {stood[0], stood[-1]}
    pruned(site, keep=1)
    assert versions(site) == {stood[-1]}


def test_a_kill_leaves_no_half_of_a_version(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    stood = history(site)

    def stop(*given: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", stop)
        with pytest.raises(KeyboardInterrupt):
            pruned(site, keep=1)
    whole = {name for name in versions(site) if not name.startswith(".")}
    assert whole < set(stood)
    assert all((site.run / "20-index" / "versions" / name / "manifest.json").exists() for name in whole)
    pruned(site, keep=1)
    assert versions(site) == {stood[-1]}


def test_a_sync_lets_go_only_where_the_settings_say_so(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="index")
    first = current(site)
    assert synced(site, "Xaver").removed == ()
    found = synced(site, "Yolanda", "sync.keep=1", "sync.days=0")
    assert {one.stage for one in found.removed} == {"index", "ingest"}
    assert first not in versions(site)
    assert versions(site) == {current(site)}
    assert found.fresh > 0
    again = synced(site, "Zenobia", "sync.keep=1")
    assert again.removed == (), "it was current today"
