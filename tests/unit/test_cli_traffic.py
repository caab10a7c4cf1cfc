from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from ragraft.workspace import TrafficLog
from tests.unit.methods.test_serving_shares import answer, canary, shadow

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring, Ragraft


def test_traffic_prints_models_side_by_side_and_writes_their_figures(
    ragraft_: Ragraft, make_site: Callable[..., Site], bring: Bring
) -> None:
    site = make_site()
    bring(site, last="ingest")
    log = TrafficLog(site.run / "90-traffic", keep_days=None)
    served = [*map(answer, range(8)), *map(canary, range(8, 12)), answer(12), canary(13)]
    for row in (*served, shadow(3), shadow(4, answer="slate")):
        log.append(row)
    log.close()
    code, out, _ = ragraft_("traffic", site.file, "--json", site.folder / "served.json")
    assert code == 0
    for words in ("Models that answered", "canary", "The canary beside the model in service", "50.0 ["):
        assert words in out
    data = json.loads((site.folder / "served.json").read_text("utf-8"))
    assert [one["answers"] for one in data["models"]] == [9, 5]
    assert data["canaries"][0]["answers"] == [5, 1], "only one answered between the first and the last of the canary's"
    assert data["shadows"][0]["same"]["value"] == 0.5
    code, _, err = ragraft_("traffic", site.file, "--since", "soon")
    assert (code, err) == (1, "ragraft: --since soon is no date; write it as 2026-01-31 or 2026-01-31T18:00\n")
    code, _, err = ragraft_("traffic", site.file, "--run", "nobody")
    assert code == 1
    assert "nobody" in err
