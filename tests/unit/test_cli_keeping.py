"""`ragraft sync`, `ragraft ask --as-of` and `ragraft watch` on the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Fakes, Ragraft

MakeSite = Callable[..., "Site"]


def test_sync_says_what_changed_and_run_what_that_means(ragraft_: Ragraft, make_site: MakeSite, fakes: Fakes) -> None:
    site = make_site()
    code, _, err = ragraft_("sync", site.file)
    assert (code, err) == (
        1,
        f"ragraft: No index in {site.run} to bring up to date. Run: ragraft run --until index\n",
    )
    ragraft_("run", site.file)
    before = (site.run / "20-index" / "current").read_text("utf-8").strip()
    assert ragraft_("sync", site.file)[1].splitlines()[-1] == (
        f"Nothing changed: index {before} is that of the documents as they are."
    )
    (site.folder / "docs" / "Arlen.md").rename(site.folder / "docs" / "Arlen-2.md")
    for name in "abcdef":
        (site.folder / "docs" / f"{name}.md").write_text(f"# {name}\n\nThe lamp of {name * 3} is blue.\n", "utf-8")
    code, out, _ = ragraft_("sync", site.file)
    after = (site.run / "20-index" / "current").read_text("utf-8").strip()
    assert code == 0
    assert "added         6: a.md, b.md, c.md, d.md, e.md …\n" in out
    assert "renamed       1: Arlen.md → Arlen-2.md\n" in out
    assert "unchanged    11\n" in out
    assert out.splitlines()[-1].startswith(f"Index {before} → {after}: 6 of ")
    again = ragraft_("run", site.file)[1]
    assert (
        "index       as the model learned it; ragraft sync has put a newer one in its place, which answers\n" in again
    )
    assert f"Nothing to do: {site.run} is up to date.\n" in again
    assert (
        "The index is newer than the model. To teach it the documents as they are: ragraft run --from ingest\n" in again
    )
    assert len(fakes.launcher.launched) == 1


def test_ask_as_of_says_which_index_answered(ragraft_: Ragraft, make_site: MakeSite, fakes: Fakes) -> None:
    site = make_site()
    ragraft_("index", site.file)
    version = (site.run / "20-index" / "current").read_text("utf-8").strip()
    code, _, err = ragraft_("ask", "Who keeps the lamp of Esker?", "--as-of", "2999-01-01", "--file", site.file)
    assert code == 0
    assert f"index {version}" in err
    code, _, err = ragraft_("ask", "Who?", "--as-of", "1999-01-01", "--file", site.file)
    assert code == 1
    assert err.startswith(f"ragraft: No index in {site.run} as of 1999-01-01; the first one is of ")


def test_watch_prints_its_tables_and_where_they_are(ragraft_: Ragraft, make_site: MakeSite, fakes: Fakes) -> None:
    site = make_site(watch={"value": 0.1, "tuning": 50, "questions_a_day": 100})
    ragraft_("train", site.file)
    code, out, _ = ragraft_("watch", site.file)
    assert code == 0
    assert "No served answers to look at yet." in out
    assert "When to tune again" in out
    assert "Leave it: its age has not reached the interval." in out
    assert out.splitlines()[-1] == f"Written: {site.run / '95-drift' / 'drift.json'}"


def test_watch_simulates_worlds(ragraft_: Ragraft, make_site: MakeSite) -> None:
    code, out, _ = ragraft_("watch", make_site().file, "--simulate", "--worlds", "8")
    assert code == 0
    assert "Policies in simulated worlds" in out
    for policy in ("the rule", "every 90 days", "ADWIN", "never", "knowing all"):
        assert policy in out
