"""What a model of a run is asked with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ragraft.pipeline import open_session
from ragraft.pipeline.wiring import abstain_above
from ragraft.workspace import Folder

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring


def test_the_tuned_model_abstains_as_its_own_exam_chose(make_site: Callable[..., Site], bring: Bring) -> None:
    site = make_site()
    bring(site)
    scores = Folder(site.run / "70-scores")
    scores.write_json("threshold.json", {"above": 0.7})
    at = open_session(site.file).at()
    assert abstain_above(at, "tuned") == 0.7
    assert abstain_above(at, "base") == 0.5
    assert abstain_above(open_session(site.file, ["prompt.abstain_above=0.3"]).at(), "tuned") == 0.3
    other = {**at.made, "train": at.made["index"]}  # a model that this exam did not ask
    assert abstain_above(open_session(site.file).at(other), "tuned") == 0.5
