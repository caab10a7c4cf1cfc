"""Further cases of docs/errors.md: what is said where a run is to be kept current."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.e2e.bad_input import Case, made, sets, version, writes

if TYPE_CHECKING:
    from tests.conftest import Site

ASK = ("ask", "Who keeps the lamp?", "--file", "FILE")
SYNC = ("sync", "FILE")
SIMULATE = ("watch", "FILE", "--simulate")
REFRESH = ("refresh", "FILE")
SINCE = '{"home": "lights", "run": "lights", "model": null, "before": {}, "now": {}}'


def nothing(site: Site) -> None:
    """An index, and no more."""


def without(place: str) -> Callable[[Site], object]:
    """The version of a stage removed."""
    return lambda site: shutil.rmtree(version(site, place))


CASES = (
    Case("bringing up to date what is not there", command=SYNC),
    Case("bringing up to date under other settings", made(then=sets(index={"chunk_tokens": 64})), SYNC),
    Case("bringing up to date an index whose corpus is gone", made(then=without("10-corpus")), SYNC),
    Case("asking as of no date", made(then=nothing), (*ASK, "--as-of", "yesterday")),
    Case("asking as of a day before the first index", made(then=nothing), (*ASK, "--as-of", "1999-01-01")),
    Case(
        "watching with a value and a budget",
        sets(watch={"value": 1, "budget": 100, "tuning": 5}),
        ("watch", "FILE"),
    ),
    Case("watching without a cost", sets(watch={"value": 1}), ("watch", "FILE")),
    Case("watching what nobody asks", sets(watch={"value": 1, "tuning": 5}), SIMULATE),
    Case("refreshing before there is a tuned model", command=REFRESH),
    Case(
        "refreshing what is a refresh itself",
        writes("runs/lights-refresh-1/since.json", SINCE),
        (*REFRESH, "--run", "lights-refresh-1"),
    ),
    Case(
        "a damaged since.json",
        writes("runs/lights-refresh-1/since.json", "{}"),
        (*REFRESH, "--run", "lights-refresh-1"),
    ),
    Case("a share that is replayed and is none", sets(refresh={"replay": 2}), REFRESH),
    Case("asking what changed without a model", command=("watch", "FILE", "--ask")),
    Case("asking the models of simulated worlds", command=(*SIMULATE, "--ask")),
)
