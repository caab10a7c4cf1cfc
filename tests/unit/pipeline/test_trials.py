"""What a diagnosis tries in sibling runs: other indexes, and small runs of a learning curve."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from ragraft.errors import ConfigError, SourceError, WorkspaceError
from ragraft.pipeline import Event, open_session, run_table, show
from ragraft.pipeline.estimates import Foresight
from ragraft.pipeline.trials import other_indexes, small_runs
from ragraft.workspace import Folder

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring, Fakes

MakeSite = Callable[..., "Site"]
CURVE = "diagnose.curve=[0.5, 0.25]"


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """Enough clusters of validation questions that a rule can want tuning."""
    return make_site(examine={"shares": {"train": 0.3, "validation": 0.5, "calibration": 0.0, "exam": 0.2}})


def siblings(site: Site) -> list[str]:
    return sorted(place.name for place in (site.folder / "runs").iterdir() if place.name.startswith("lights."))


def diagnosed(site: Site, *overrides: str) -> tuple[dict[str, Any], list[Event]]:
    session, events = open_session(site.file, overrides), list[Event]()
    run_table(session, events.append, last="diagnose")
    return show(session, "diagnosis", 1), events


def test_small_runs_are_nested_siblings_that_stay(site: Site, fakes: Fakes, bring: Bring) -> None:
    data, events = diagnosed(site, CURVE)
    whole = data["curve"]["questions"]
    sizes = [round(whole / 4), round(whole / 2)]
    assert (data["curve"]["action"], [row["questions"] for row in data["curve"]["points"]]) == ("raft", sizes)
    tried = [event for event in events if event.state == "tries"]
    assert [event.source for event in tried] == [f"raft on {size} of {whole} questions" for size in sizes]
    assert all(event.expected.startswith("about ") for event in tried), "what each takes is told before it starts"
    first, second = siblings(site)
    asked = [
        {
            row["question_id"]
            for row in Folder(site.folder / "runs" / name / "50-lessons/01-raft").read_jsonl("lessons.jsonl")
        }
        for name in (first, second)
    ]
    assert min(asked, key=len) < max(asked, key=len), "the smaller run's questions are among the larger one's"
    sides = {row["question"]["id"]: row["side"] for row in show(open_session(site.file), "exam", 99)}
    assert {sides[name] for names in asked for name in names} == {"train"}
    assert {sides[row["question_id"]] for row in Folder(site.run / "40-diagnosis").read_jsonl("curve.jsonl")} == {
        "validation"
    }
    for name in (first, second):
        place = Folder(site.folder / "runs" / name)
        assert list(place.folder("50-lessons/01-raft").read_jsonl("validation.jsonl")) == []
        assert not place.has("70-scores/manifest.json")
    launched = len(fakes.launcher.launched)
    assert launched == 2
    bring(site, CURVE, "diagnose.resamples=150", last="diagnose")
    assert len(fakes.launcher.launched) == launched, "a diagnosis anew takes the small runs as they are"
    assert bring(site, CURVE, "diagnose.resamples=150", last="diagnose")["diagnose"] == "unchanged"
    assert bring(site, CURVE, "train.epochs=3", last="diagnose")["diagnose"] == "done", "how it is trained counts now"


def test_a_killed_small_run_goes_on(site: Site, fakes: Fakes) -> None:
    fakes.launcher.returncode = 1
    with pytest.raises(Exception, match=r"^Training stopped before its end"):
        diagnosed(site, CURVE)
    asked = len(fakes.asked)
    fakes.launcher.returncode = 0
    data, _ = diagnosed(site, CURVE)
    assert data["curve"]["action"] == "raft"
    assert {model for model, _ in fakes.asked[asked:]} == {
        str(site.folder / "runs" / name / "60-checkpoint/01-raft") for name in siblings(site)
    }, "the base is not asked again"


def test_small_runs_never_learn_from_another_exam(site: Site, fakes: Fakes) -> None:
    """After a sync the run keeps the corpus of its model, and a sibling would begin with the newer documents."""
    session = open_session(site.file, [CURVE])
    made = run_table(session, lambda event: None, last="examine")
    (site.folder / "docs" / "new.md").write_text("# New\n\nA lamp of its own.\n", encoding="utf-8")
    runs = small_runs(session.at(made), session.run.runs)
    assert runs is not None
    with pytest.raises(WorkspaceError, match=r"^Documents or questions are not those of the exam of run lights, so"):
        runs.tuned("raft", 3)
    assert fakes.launcher.launched == []


def test_other_indexes_are_siblings_and_change_no_result_of_the_run(site: Site, bring: Bring) -> None:
    bring(site, last="examine")
    before = show(open_session(site.file), "exam", 99)
    data, events = diagnosed(site, "diagnose.chunks=[24, 48]")
    assert [event.source for event in events if event.state == "tries"] == ["chunks of 24 tokens"], "48 is in use"
    names = [row["setting"] for row in data["retrieval"]["settings"]]
    assert [name for name in names if name.startswith("chunks")] == [f"chunks of 24 tokens, k {k}" for k in (2, 4, 8)]
    assert show(open_session(site.file), "exam", 99) == before
    (sibling,) = siblings(site)
    assert bring(site, "index.chunk_tokens=24", name="other", last="index")["index"] == "taken"
    assert sibling.startswith("lights.chunks-of-24-tokens-")


def test_what_is_tried_is_foretold(site: Site, bring: Bring) -> None:
    bring(site, last="examine")

    def expected(*overrides: str, stage: str = "diagnose") -> float:
        session = open_session(site.file, overrides)
        plan = Foresight(session.at(), session.run.runs).plan(stage)
        assert plan is not None
        return plan.expected.seconds

    plain, index, train = expected(), expected(stage="index"), expected(stage="train")
    assert expected("diagnose.chunks=[24, 96]") == pytest.approx(plain + 2 * index)
    assert expected(CURVE) == pytest.approx(plain + 0.75 * train)


def test_an_embedder_is_tried_as_its_source_says(site: Site) -> None:
    config = open_session(site.file, ["diagnose.embedders=[hashing, docs]"]).config
    tried = other_indexes(config)
    assert list(tried) == [f"embedder {site.folder / 'docs'}"], "hashing is in use; a path is one from the YAML on"
    (other,) = tried.values()
    assert (other.embedder, other.diagnose.embedders) == (str(site.folder / "docs"), ())


def test_faults_of_trials_are_told_before_anything_runs(site: Site) -> None:
    with pytest.raises(SourceError, match=r"^diagnose\.embedders: No model at gone: give hf:"):
        diagnosed(site, "diagnose.embedders=[gone]")
    assert not site.run.joinpath("10-corpus").exists()
    with pytest.raises(
        ConfigError, match=r"diagnose\.chunks: other indexes of ragraft's own are tried, and retrieve\."
    ):
        diagnosed(site, "diagnose.chunks=[24]", "retrieve.retriever=contexts")
    with pytest.raises(ConfigError, match=r"diagnose\.curve: 0\.5 stands twice"):
        diagnosed(site, "diagnose.curve=[0.5, 0.5]")
