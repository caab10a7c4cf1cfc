"""`ragraft sync`, `ragraft ask --as-of`, `ragraft watch` and `ragraft refresh` on the command line."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

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
    assert code == 3, "no refresh is due"
    assert "No served answers to look at yet." in out
    assert "When to tune again" in out
    assert "Leave it: its age has not reached the interval." in out
    assert out.splitlines()[-1] == f"Written: {site.run / '95-drift' / 'drift.json'}"


def test_watch_asks_the_models_and_says_before_what_that_takes(
    ragraft_: Ragraft, make_site: MakeSite, fakes: Fakes
) -> None:
    site = make_site(watch={"facts": 4})
    ragraft_("train", site.file)
    code, out, _ = ragraft_("watch", site.file, "--ask")
    assert code == 3, "nothing changed, so no refresh is due"
    assert out.startswith("Asking 4 facts of each model: 16 answers, about ")
    assert "Facts: " in out


def test_watch_simulates_worlds(ragraft_: Ragraft, make_site: MakeSite) -> None:
    code, out, _ = ragraft_("watch", make_site().file, "--simulate", "--worlds", "8")
    assert code == 0
    assert "Policies in simulated worlds" in out
    for policy in ("the rule", "every 90 days", "ADWIN", "never", "knowing all"):
        assert policy in out


def chain(ragraft_: Ragraft, site: Site) -> tuple[str, int]:
    """`ragraft sync && ragraft watch && ragraft refresh`: the last command that ran, and what it ended with."""
    code = 0
    for command in ("sync", "watch", "refresh"):
        code = ragraft_(command, site.file)[0]
        if code:
            break
    return command, code


def test_a_line_of_cron_refreshes_only_when_that_is_due(ragraft_: Ragraft, make_site: MakeSite, fakes: Fakes) -> None:
    site = make_site(evaluate={"models": ["base", "tuned"], "contexts": ["retrieved"]}, promote={"formats": None})
    ragraft_("run", site.file)
    assert chain(ragraft_, site) == ("watch", 3)
    assert len(fakes.launcher.launched) == 1
    for file in (site.folder / "docs").glob("*.md"):
        file.write_text(file.read_text("utf-8").replace("lamp", "lantern"), encoding="utf-8")
    # The echo of this exam shows nothing, so the gate refuses: once trained, every night again.
    for _ in range(2):
        assert chain(ragraft_, site) == ("refresh", 4)
        assert len(fakes.launcher.launched) == 2
    site.configure(watch={"value": 0.1, "tuning": 50, "questions_a_day": 100})
    assert chain(ragraft_, site) == ("watch", 3), "it does not pay yet"
    (site.folder / "more.jsonl").write_text("{broken", encoding="utf-8")
    assert chain(ragraft_, site) == ("sync", 1)


def test_refresh_prints_its_plan_and_what_came_of_it(ragraft_: Ragraft, make_site: MakeSite, fakes: Fakes) -> None:
    site = make_site(evaluate={"models": ["base", "tuned"], "contexts": ["retrieved"]}, promote={"formats": None})
    ragraft_("run", site.file)
    code, out, _ = ragraft_("refresh", site.file)
    assert (code, out) == (0, "Nothing to do: the model was taught documents and questions as they are.\n")
    file = site.folder / "docs" / "Esker.md"
    file.write_text(file.read_text("utf-8").replace("lamp", "lantern"), encoding="utf-8")
    ragraft_("sync", site.file)
    code, out, _ = ragraft_("refresh", site.file, "--dry")
    assert code == 0
    assert "Refresh lights-refresh-1" in out
    assert "1 changed, 11 unchanged: index " in out
    assert out.endswith("Would make run lights-refresh-1; nothing is changed.\n")
    assert not (site.folder / "runs" / "lights-refresh-1").exists()
    code, out, err = ragraft_("refresh", site.file)
    assert code == 4
    for said in ("compare     done in ", "The refreshed exam", "Tuned minus", "in service"):
        assert said in out
    assert err.splitlines()[-1].startswith("ragraft: lights-refresh-1-")
    assert "is not put into service: score" in err
    code, out, _ = ragraft_("refresh", site.file, "--dry")
    assert "Would go on with run lights-refresh-1" in out


def test_sync_names_the_versions_that_it_lets_go(ragraft_: Ragraft, make_site: MakeSite, fakes: Fakes) -> None:
    site = make_site()
    ragraft_("index", site.file)
    before = (site.run / "20-index" / "current").read_text("utf-8").strip()
    (site.folder / "docs" / "new.md").write_text("# New\n\nThe lamp of Nowhere is blue.\n", "utf-8")
    out = ragraft_("sync", site.file, "--set", "sync.keep=1", "--set", "sync.days=0")[1]
    assert f"Removed index {before}, current until " in out
    assert "MB): nothing needs it (sync.keep)." in out


UNITS = Path(__file__).parents[2] / "docs" / "systemd"


@pytest.mark.parametrize("name", ["ragraft-keep@.service", "ragraft-keep@.timer"])
def test_the_units_are_right(name: str) -> None:
    unit = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string((UNITS / name).read_text("utf-8"))
    if name.endswith(".service"):
        service = unit["Service"]
        assert service["ExecStart"] == "/bin/sh -c 'ragraft sync && ragraft watch && ragraft refresh'"
        assert service["SuccessExitStatus"] == "3"
    else:
        assert unit["Install"]["WantedBy"] == "timers.target"
    if verify := shutil.which("systemd-analyze"):
        done = subprocess.run(
            [verify, "verify", "--man=no", str(UNITS / name)], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr.strip()) == (0, "")
