"""What a report says of how to come to it once more."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING

from ragraft.methods.report_page import page_lists
from ragraft.pipeline import open_session, show
from ragraft.workspace import Folder

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring

MakeSite = Callable[..., "Site"]


def test_a_report_says_how_to_do_it_again(make_site: MakeSite, bring: Bring) -> None:
    site = make_site(train={"seed": 7})
    bring(site)
    report = show(open_session(site.file), "report", 1)
    again = report["again"]
    assert again["command"].startswith("ragraft run --run lights, on a YAML with the settings below")
    assert again["seeds"] == "examine 0, synthesize 0, train 7, evaluate 0"
    assert f"torch {version('torch')}" in again["versions"]
    corpus = Folder(site.run / "10-corpus").file("current").read_text("utf-8").strip()
    assert f"ingest {corpus}" in again["fingerprints"]
    assert page_lists(report)[0][0] == "To do this again"
