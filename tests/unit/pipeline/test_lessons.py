"""Writing lessons: who is asked for them, through kept answers, and what decides them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring, Fakes

MakeSite = Callable[..., "Site"]
FREE = "prompt.grounded_only=false"


def test_by_default_nobody_is_asked_what_it_knows(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    bring(make_site(), last="synthesize")
    assert fakes.asked == []


def test_a_killed_probe_asks_nothing_twice(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    whole, killed = make_site("whole"), make_site("killed")
    bring(whole, FREE, last="synthesize")
    batches = [batch for _, batch in fakes.asked]
    assert len(batches) > 1
    fakes.asked, fakes.dies_at = [], 1
    with pytest.raises(KeyboardInterrupt):
        bring(killed, FREE, last="synthesize")
    fakes.dies_at = None
    bring(killed, FREE, last="synthesize")
    assert [batch for _, batch in fakes.asked] == batches
    for name in ("probe.jsonl", "01-raft/lessons.jsonl"):
        files = [site.run / "50-lessons" / name for site in (whole, killed)]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_what_decides_who_knows_makes_lessons_anew(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="synthesize")
    assert bring(site, last="synthesize")["synthesize"] == "unchanged"
    for change in (FREE, "synthesize.probe=5", "synthesize.max_unanswerable=0.3"):
        assert bring(site, change, last="synthesize")["synthesize"] == "done"
