"""Refresh: a sibling run from the same base on newer documents, compared, promoted or refused, and nothing twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from ragraft.errors import ConfigError, WorkspaceError
from ragraft.pipeline import STAGES, Event, open_session, promote, refresh, registry_of, rollback, standing, sync
from ragraft.records import Completion, Prompt, Sampling
from ragraft.workspace import Exam, Folder, Lessons, Run, Since, read_since
from ragraft.workspace.run import Place
from tests.conftest import KEEPERS, PLACES, Site, lighthouse_questions, write_rows

if TYPE_CHECKING:
    from ragraft.pipeline import Refreshed
    from tests.unit.conftest import Bring, Fakes

MakeSite = Callable[..., Site]
RUN: Mapping[str, Any] = {
    "examine": {"shares": {"train": 0.35, "validation": 0.1, "calibration": 0.05, "exam": 0.5}, "recall_at": [2]},
    "evaluate": {"models": ["base", "tuned"], "contexts": ["retrieved"]},
    "promote": {"formats": None},
}
NEW_KEEPER = "Zenobia"


@dataclass
class Pupils:
    """Models by the folder of their run: the base knows nothing, a tuned one the questions file as it was."""

    known: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    dies_at: int | None = None

    def generator(self, model: str) -> Pupil:
        return Pupil(model, self)


@dataclass
class Pupil:
    model: str
    pupils: Pupils

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        if len(self.pupils.asked) == self.pupils.dies_at:
            raise KeyboardInterrupt
        self.pupils.asked.append(self.model)
        known = next((facts for run, facts in self.pupils.known.items() if f"/{run}/60-" in self.model), {})
        questions = [prompt.messages[-1].content.rpartition("Question: ")[2].strip() for prompt in prompts]
        return [Completion(f"Answer: {known.get(one, 'mud')}", (1,)) for one in questions]


@pytest.fixture
def pupils(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> Pupils:
    found = Pupils()
    monkeypatch.setattr(fakes, "generator", found.generator)
    return found


def facts(site: Site) -> dict[str, str]:
    rows = map(json.loads, (site.folder / "questions.jsonl").read_text("utf-8").splitlines())
    return {row["question"]: (row["answers"] or ["not in the documents."])[0] for row in rows}


def keepers_change(site: Site, number: int, *, told: bool = True) -> list[str]:
    """Give the first lighthouses another keeper; with `told` the questions file says so, too. The ids."""
    rows, changed = lighthouse_questions(), list[str]()
    for place, keeper in list(zip(PLACES, KEEPERS, strict=True))[:number]:
        for file in (site.folder / "docs" / f"{place}.md", site.folder / "more.jsonl"):
            if file.exists() and (file.suffix == ".md" or PLACES.index(place) % 2):
                file.write_text(file.read_text("utf-8").replace(f"{keeper} has", f"{NEW_KEEPER} has"), "utf-8")
        for row in rows:
            if row["question"] == f"Who keeps the lamp of {place}?":
                changed.append(row["id"])
                if told:
                    row["answers"] = [NEW_KEEPER]
                    row["evidence"] = [row["evidence"][0].replace(keeper, NEW_KEEPER)]
    write_rows(site.folder / "questions.jsonl", rows)
    return changed


def refreshed(site: Site, *overrides: str, dry: bool = False) -> tuple[Refreshed, dict[str, str]]:
    states: dict[str, str] = {}

    def tell(event: Event) -> None:
        states[event.stage] = event.state

    return refresh(open_session(site.file, overrides), tell, dry=dry), states


def synced(site: Site) -> None:
    sync(open_session(site.file), lambda event: None)


@pytest.fixture
def site(make_site: MakeSite, bring: Bring, pupils: Pupils) -> Site:
    """A tuned run in service that knows what was true then."""
    made = make_site(**RUN)
    pupils.known["lights"] = facts(made)
    bring(made)
    promote(open_session(made.file))
    return made


def exam_of(site: Site, name: str) -> Exam:
    folder = open_session(site.file, run=name).at().made["examine"]
    return Exam(folder)


def test_a_better_model_takes_the_place_of_the_one_in_service(site: Site, pupils: Pupils) -> None:
    before = registry_of(open_session(site.file)).state().current
    changed = keepers_change(site, 12)
    synced(site)
    pupils.known["lights-refresh-1"] = facts(site)
    found, states = refreshed(site)
    assert (found.event, found.run) == ("promoted", "lights-refresh-1")
    assert states == {
        **dict.fromkeys(("ingest", "index"), "unchanged"),
        **{stage: "done" for stage in STAGES if stage not in ("ingest", "index")},
        "compare": "done",
    }
    registry = registry_of(open_session(site.file))
    assert registry.state().serving[:-1] == (before,)
    assert registry.state().serving[-1].startswith("lights-refresh-1-")
    exam = exam_of(site, "lights-refresh-1")
    old = {one.id: one.side for one in exam_of(site, "lights").questions()}
    assert {one.id: one.side for one in exam.questions()} == old
    rows = exam.changes()
    assert {name for name, row in rows.items() if row["part"] == "changed"} == set(changed)
    assert {tuple(rows[name]["was"]) for name in changed} == {(keeper,) for keeper in KEEPERS}
    assert found.data is not None
    parts = found.data["parts"]
    assert list(parts) == ["whole exam", "unchanged", "changed"]

    def score(part: str, model: str) -> float:
        cards = {one["model"]: one["metrics"] for one in parts[part]["conditions"]}
        return float(cards[model]["f1"]["value"])

    assert (
        score("unchanged", "in service, then") == score("unchanged", "in service") == score("unchanged", "tuned") == 1
    )
    assert (score("changed", "in service"), score("changed", "tuned")) == (0, 1)
    assert {check["name"] for check in registry.log()[-1]["gate"]} == {
        "score",
        "score where nothing changed, against the model in service",
        "score where something changed, against it",
    }
    assert rollback(open_session(site.file)).current == before
    again, _ = refreshed(site)
    assert (again.event, again.refused) == ("taken back", True)
    assert "ragraft promote --run lights-refresh-1" in again.says


def test_nothing_changed_is_nothing_to_do(site: Site, pupils: Pupils) -> None:
    asked = len(pupils.asked)
    found, states = refreshed(site)
    assert (found.event, found.run, states) == ("nothing", None, {})
    assert found.says == "Nothing to do: the model was taught documents and questions as they are."
    assert found.notes == ()
    keepers_change(site, 12, told=False)
    found, _ = refreshed(site)
    assert found.event == "nothing"
    assert "needs a ragraft sync" in found.notes[0]
    assert len(pupils.asked) == asked
    assert sorted(place.name for place in (site.folder / "runs").iterdir()) == [".answers", "lights"]


def test_after_a_promotion_there_is_nothing_to_do_until_something_changes(site: Site, pupils: Pupils) -> None:
    keepers_change(site, 6)
    synced(site)
    pupils.known["lights-refresh-1"] = facts(site)
    found, _ = refreshed(site)
    assert found.event == "promoted", found.says
    assert refreshed(site)[0].event == "nothing"
    old = standing(open_session(site.file))
    assert old is not None
    assert (old.run.name, old.complete) == ("lights-refresh-1", True)
    sides = {one.id: one.side for one in exam_of(site, "lights").questions()}
    keepers_change(site, 12)
    synced(site)
    pupils.known["lights-refresh-2"] = facts(site)
    found, _ = refreshed(site)
    assert (found.event, found.run) == ("promoted", "lights-refresh-2")
    since = read_since(Run(site.folder / "runs", "lights-refresh-2"))
    assert since is not None
    assert (since.home, since.run, since.model) == ("lights", "lights-refresh-1", old.model)
    assert {one.id: one.side for one in exam_of(site, "lights-refresh-2").questions()} == sides
    with pytest.raises(ConfigError, match=r"^lights-refresh-2 is a refresh of lights itself; .*--run lights$"):
        refresh(open_session(site.file, run="lights-refresh-2"), lambda event: None)


def test_the_gate_refuses_what_is_worse_than_the_model_in_service(site: Site, pupils: Pupils) -> None:
    before = registry_of(open_session(site.file)).state()
    keepers_change(site, 12)
    synced(site)
    # It learned the news and lost how every other lighthouse is reached: better than the base, and worse than before.
    pupils.known["lights-refresh-1"] = {q: a for q, a in facts(site).items() if "reached" not in q}
    found, _ = refreshed(site)
    assert (found.event, found.refused) == ("refused", True)
    assert found.data is not None
    assert found.data["outcome"]["failed"] == ("score where nothing changed, against the model in service",)
    assert found.says.startswith("lights-refresh-1-")
    registry = registry_of(open_session(site.file))
    assert registry.state().current == before.current
    rows = len(registry.log())
    asked = len(pupils.asked)
    again, states = refreshed(site)
    assert (again.event, again.run) == ("refused", "lights-refresh-1")
    assert "nothing changed since" in again.says
    assert set(states.values()) == {"unchanged"}
    assert (len(registry.log()), len(pupils.asked)) == (rows, asked)
    softer, _ = refreshed(site, "promote.in_service=null")
    assert softer.event == "promoted"


def test_a_model_that_was_not_compared_with_the_one_in_service_does_not_pass(
    site: Site, pupils: Pupils, bring: Bring
) -> None:
    keepers_change(site, 12)
    synced(site)
    pupils.known["lights-refresh-1"] = {}
    refreshed(site)
    pupils.known["other"] = facts(site)
    bring(site, "train.seed=5", name="other")
    promote(open_session(site.file, run="other"))
    found = promote(open_session(site.file, run="lights-refresh-1"))
    assert "score where nothing changed, against the model in service" in found.failed
    assert any(
        "compare it with the model that is in service now: ragraft refresh" in note for note in found.table.notes
    )


def test_what_no_longer_stands_is_retired_by_name_and_taught_no_more(site: Site, pupils: Pupils) -> None:
    changed = keepers_change(site, 10, told=False)
    (site.folder / "docs" / "Kestle.md").rename(site.folder / "docs" / "The Kestle.md")
    synced(site)
    pupils.known["lights-refresh-1"] = facts(site)
    refreshed(site)
    exam = exam_of(site, "lights-refresh-1")
    assert {one.id for one in exam.questions()} == {one["id"] for one in lighthouse_questions()} - set(changed)
    rejected = {row["id"]: row["reason"] for row in exam.folder.read_jsonl("rejected.jsonl")}
    assert rejected == dict.fromkeys(changed, "its evidence says something else now")
    assert exam.renamed() == {"Kestle.md": "The Kestle.md"}
    lessons = Lessons(open_session(site.file, run="lights-refresh-1").at().made["synthesize"])
    taught = {lesson.question_id for step in lessons.steps().values() for lesson in step.train()}
    assert taught
    assert taught.isdisjoint(changed)


def test_a_share_of_what_nothing_touched_is_replayed(site: Site, pupils: Pupils) -> None:
    keepers_change(site, 4)
    synced(site)
    pupils.known["lights-refresh-1"] = facts(site)
    plan, _ = refreshed(site, "refresh.replay=0.5", dry=True)
    refreshed(site, "refresh.replay=0.5")
    exam = exam_of(site, "lights-refresh-1")
    train = [one.id for one in exam.questions("train")]
    fresh = {name for name in train if exam.changes()[name]["fresh"]}
    made = open_session(site.file, run="lights-refresh-1").at().made["synthesize"]
    (step,) = Lessons(made).steps().values()
    taught = {lesson.question_id for lesson in step.train()}
    assert fresh <= taught
    assert len(taught) == len(fresh) + round(0.5 * (len(train) - len(fresh)))
    left = [row for row in step.folder.read_jsonl("rejected.jsonl") if "refresh.replay" in row["reason"]]
    assert {row["id"] for row in left} == set(train) - taught
    assert plan.data is not None
    assert plan.data["lessons"] == {"fresh": len(fresh), "replayed": len(taught - fresh)}


def test_a_plan_says_what_would_be_done_and_changes_nothing(site: Site, pupils: Pupils) -> None:
    site.configure(watch={"value": 0.1, "tuning": 60, "churn": 20, "questions_a_day": 10})
    rows = lighthouse_questions()
    changed = keepers_change(site, 12)
    synced(site)
    extra = {"id": "new", "question": "Which quarry is the slate of Boskar from?", "answers": ["Boskar Bay"]}
    with (site.folder / "questions.jsonl").open("a", encoding="utf-8") as out:
        out.write(json.dumps({**extra, "evidence_ids": ["Boskar"]}) + "\n")
    before = {file: file.stat().st_mtime_ns for file in site.folder.rglob("*") if file.name != ".lock"}
    found, states = refreshed(site, dry=True)
    assert {file: file.stat().st_mtime_ns for file in site.folder.rglob("*") if file.name != ".lock"} == before
    assert (found.event, found.run, states) == ("planned", "lights-refresh-1", {})
    assert found.data is not None
    assert found.data["documents"] == {"added": 0, "changed": 12, "renamed": 0, "removed": 0, "unchanged": 0}
    exam = [one.id for one in exam_of(site, "lights").questions("exam")]
    assert found.data["questions"]["exam"] == {
        "unchanged": len(exam) - len(set(exam) & set(changed)),
        "changed": len(set(exam) & set(changed)),
        "added": 0,
        "retired": 0,
    }
    assert found.data["added"] == 1
    assert found.data["expected"]["money"] == 80
    assert found.data["expected"]["seconds"] > 0
    (table,) = found.tables
    said = {name: what for name, what in table.rows}
    assert said["money"] == "80 (watch.tuning and watch.churn)"
    assert {"train", "evaluate", "compare", "in all"} <= said.keys()
    assert len(rows) == 36


@pytest.mark.parametrize("moment", ["examine", "train", "evaluate", "compare", "outcome"])
def test_a_killed_refresh_goes_on_and_ends_as_one_left_in_peace(  # noqa: PLR0917 — fixtures
    make_site: MakeSite, bring: Bring, pupils: Pupils, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    killed, whole = make_site("killed", **RUN), make_site("whole", **RUN)
    for site in (killed, whole):
        pupils.known["lights"] = facts(site)
        bring(site)
        keepers_change(site, 12)
        synced(site)
    pupils.known["lights-refresh-1"] = facts(whole)
    assert refreshed(whole)[0].event == "promoted"

    def stop(*given: Any, **named: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if moment in ("examine", "train"):
            patch.setattr(f"ragraft.stages.{moment}.{moment}", stop)
        elif moment == "evaluate":
            pupils.dies_at = len(pupils.asked) + 5
        else:
            name = "compare_with_service" if moment == "compare" else "_keep"
            patch.setattr(f"ragraft.pipeline.refreshing.{name}", stop)
        with pytest.raises(KeyboardInterrupt):
            refreshed(killed)
    pupils.dies_at = None
    found, states = refreshed(killed)
    assert (found.event, found.run) == ("promoted", "lights-refresh-1")
    if moment in ("train", "evaluate"):
        assert states[moment] == "done"
        assert states["examine"] == "unchanged"
    places = [site.folder / "runs" / "lights-refresh-1" for site in (killed, whole)]
    for name in ("70-scores/answers.jsonl", "70-scores/scorecard.json", "96-refresh/service.jsonl"):
        first, second = (place.joinpath(name).read_bytes() for place in places)
        assert first == second, name
    models = [registry_of(open_session(site.file)).state().current for site in (killed, whole)]
    assert models[0] == models[1]


def test_a_refresh_keeps_its_index_whatever_comes(site: Site, pupils: Pupils, bring: Bring) -> None:
    keepers_change(site, 12)
    synced(site)
    pupils.known["lights-refresh-1"] = facts(site)
    refreshed(site)
    for file in (site.folder / "docs").glob("*.md"):
        file.write_text(file.read_text("utf-8") + "\n\nThe lamp is lit at dusk.\n", "utf-8")
    assert set(bring(site, name="lights-refresh-1").values()) == {"unchanged"}
    synced(site)
    assert refreshed(site, dry=True)[0].run == "lights-refresh-2"


def test_what_no_refresh_can_go_on_from_is_refused(make_site: MakeSite, bring: Bring, pupils: Pupils) -> None:
    site = make_site(**RUN)
    with pytest.raises(WorkspaceError, match=r"^No tuned model in .*lights to refresh\. Run: ragraft run$"):
        refreshed(site)
    bring(site)
    with pytest.raises(
        WorkspaceError, match=r"made under other settings \(index\.chunk_tokens: 48 → 64\), and a refresh"
    ):
        refreshed(site, "index.chunk_tokens=64")
    keepers_change(site, 12)
    synced(site)
    card = Folder(site.run / "60-checkpoint" / "01-raft")
    card.write_json("checkpoint.json", {**card.read_json("checkpoint.json"), "base_identity": "another"})
    with pytest.raises(
        ConfigError, match=r"^The model that answers was tuned from .* a refresh starts from the same base"
    ):
        refreshed(site)


def test_a_damaged_since_says_so(tmp_path: Any) -> None:
    run = Run(tmp_path, "a")
    Folder(run.path).write_json("since.json", {"home": "b"})
    with pytest.raises(WorkspaceError, match=r"since\.json is damaged"):
        read_since(run)
    since = Since(tmp_path, "b", "b", None, {"train": "0" * 32}, {})
    with pytest.raises(WorkspaceError, match=r"^The train results 000000000000 of .*b are gone, and a refresh goes on"):
        since.folder(Place("60-checkpoint", versioned=False), "train")
