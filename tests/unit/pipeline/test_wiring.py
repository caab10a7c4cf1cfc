"""What a model of a run is asked with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ragraft.methods.manner import Manner
from ragraft.pipeline import open_session
from ragraft.pipeline.wiring import manner
from ragraft.workspace import Folder

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring


def test_the_tuned_model_is_asked_as_its_own_exam_chose(make_site: Callable[..., Site], bring: Bring) -> None:
    site = make_site()
    bring(site)
    scores = Folder(site.run / "70-scores")
    scores.write_json("scorecard.json", {"manner": {"manner": {"above": 0.7, "rereads": True}}})
    at = open_session(site.file).at()
    assert manner(at, "tuned") == Manner(0.7, rereads=True)
    assert manner(at, "base") == Manner()
    assert manner(open_session(site.file, ["prompt.abstain_above=0.3"]).at(), "tuned") == Manner(0.3, rereads=True)
    assert manner(open_session(site.file, ["prompt.reread=false"]).at(), "tuned") == Manner(0.7, rereads=False)
    other = {**at.made, "train": at.made["index"]}  # a model that this exam did not ask
    assert manner(open_session(site.file).at(other), "tuned") == Manner()
