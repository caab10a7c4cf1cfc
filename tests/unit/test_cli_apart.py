"""The stages that run apart, on the command line: diagnose; calibrate, and `ragraft ask` that goes by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Fakes, Ragraft

MakeSite = Callable[..., "Site"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "(auto: always retrieves by this calibration, so nothing was drafted from memory)"),
        ({"max_wrong": 0.005}, "(auto: abstain; right closed-book 0."),
    ],
)
def test_calibrate_prints_tables_and_ask_goes_by_it(
    ragraft_: Ragraft, make_site: MakeSite, fakes: Fakes, *, settings: dict[str, Any], told: str
) -> None:
    site = make_site(calibrate=settings)
    ask = ("ask", "Who keeps the lamp of Esker?", "--retrieval", "auto", "--file", site.file)
    ragraft_("train", site.file)
    wanted = f"ragraft: No calibration in {site.run}, which retrieval auto needs. Run: ragraft calibrate\n"
    assert ragraft_(*ask) == (1, "", wanted)
    code, out, _ = ragraft_("calibrate", site.file)
    assert code == 0
    said = " ".join(out.split())
    assert "What retrieval: auto does" in said
    assert "The calibration side is too small for the guarantee" in said
    assert out.endswith(ragraft_("show", "calibration", "--file", site.file)[1])
    assert ragraft_(*ask)[2].startswith(told)
    code, out, beside = ragraft_(*ask[:2], "--retrieval", "never", "--file", site.file)
    assert (code, out) == (0, "nothing\n")
    assert beside.endswith(", 0 passages)\n")


def test_diagnose_prints_tables_and_verdict_and_then_has_nothing_to_do(
    ragraft_: Ragraft, make_site: MakeSite, fakes: Fakes
) -> None:
    site = make_site()
    code, out, _ = ragraft_("diagnose", site.file)
    assert code == 0
    said = " ".join(out.split())
    assert "What is lost, of 100" in said
    assert "Verdict: " in said
    assert (site.run / "40-diagnosis" / "diagnosis.json").exists()
    _, again, _ = ragraft_("diagnose", site.file)
    assert f"Nothing to do: {site.run} is up to date." in again
    _, shown, _ = ragraft_("show", "diagnosis", "--file", site.file)
    assert again.endswith(shown)
    assert len(fakes.launcher.launched) == 0


def test_what_a_diagnosis_tries_is_a_flag(ragraft_: Ragraft, make_site: MakeSite, fakes: Fakes) -> None:
    site = make_site(examine={"shares": {"train": 0.3, "validation": 0.5, "calibration": 0.0, "exam": 0.2}})
    code, out, _ = ragraft_("diagnose", site.file, "--curve", "--try-chunks", "24,32", "--try-embedder", "hashing")
    assert code == 0
    tries = [line for line in out.splitlines() if line.startswith("diagnose    tries ")]
    assert [line.partition(": about")[0].removeprefix("diagnose    tries ") for line in tries] == [
        "chunks of 24 tokens",
        "chunks of 32 tokens",
        *(f"raft on {size} of 12 questions" for size in (2, 3, 6)),
    ], "hashing is in use"
    assert len(fakes.launcher.launched) == 3
    said = " ".join(out.split())
    assert "What small runs gained, of 100" in said
    assert "chunks of 24 tokens, k 2" in said
    again = ("--set", "diagnose.curve=[0.125, 0.25, 0.5]", "--set", "diagnose.chunks=[24, 32]")
    _, out, _ = ragraft_("diagnose", site.file, *again, "--set", "diagnose.embedders=[hashing]")
    assert f"Nothing to do: {site.run} is up to date." in out
