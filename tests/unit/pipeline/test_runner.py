from __future__ import annotations
from pathlib import Path
import time
from typing import Any
def test_x(make_site: Any, bring: Any, fakes: Any) -> None:
    t=time.time()
    site = make_site()
    print(bring(site), time.time()-t); t=time.time()
    print(bring(site), time.time()-t); t=time.time()
    print(bring(site, "train.epochs=3"), time.time()-t); t=time.time()
    print(len(fakes.asked), fakes.launcher.launched)
    for n in ("10-corpus","20-index","30-exam","50-lessons","70-scores","80-report"):
        for f in sorted((site.run/n).rglob("summary.json")): print(f.read_text())
    for f in sorted((site.run).rglob("counts.json")): print(f.read_text())
    for f in sorted((site.run).rglob("fewshot.json")): print(f.read_text()[:300])
    for f in sorted((site.run).rglob("facts.json")): print(f.read_text()[:3000])
