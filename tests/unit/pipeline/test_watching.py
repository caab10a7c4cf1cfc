"""Watch: what traffic is like, and whether tuning again pays, in drift.json and in tables."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ragraft.errors import ConfigError, WorkspaceError
from ragraft.pipeline import open_session, simulate, sync, watch
from ragraft.records import Completion, Prompt, Sampling
from tests.conftest import PLACES, STONES
from tests.unit.conftest import CountingEcho

if TYPE_CHECKING:
    from ragraft.pipeline import Watched
    from tests.conftest import Site
    from tests.unit.conftest import Bring, Fakes

MakeSite = Callable[..., "Site"]
STAKES = {"value": 0.1, "tuning": 80, "churn": 20}


KNOWN = "Who keeps the lamp of Esker?"


def serve(
    site: Site,
    days: int,
    abstain: Callable[[int], float],
    *,
    model: str = "tuned",
    question: Callable[[int], str] | None = None,
) -> date:
    """Traffic of so many days from today on, as a server would have logged it; the day after the last."""
    rng, first = np.random.default_rng(0), datetime.now(UTC).date() + timedelta(days=1)
    place = site.run / "90-traffic"
    place.mkdir(parents=True)
    with (place / "open.jsonl").open("w", encoding="utf-8") as out:
        for day in range(days):
            for number in range(20):
                row = {
                    "kind": "answer",
                    "id": f"{day}-{number}",
                    "at": f"{first + timedelta(days=day)}T12:00:00.000+00:00",
                    "model": model,
                    "retrieval": "always",
                    "passages": [{"id": "a", "score": round(float(rng.normal(0.5, 0.1)), 4)}],
                    "citations": ["a"],
                    "abstained": bool(rng.random() < abstain(day)),
                    "finish_reason": "stop",
                    **({"question": question(day)} if question else {}),
                }
                out.write(json.dumps(row) + "\n")
    return first + timedelta(days=days)


def watched(site: Site, today: date | None = None, *overrides: str) -> Watched:
    found = watch(open_session(site.file, overrides), today)
    assert json.loads((site.run / "95-drift" / "drift.json").read_text("utf-8")) == found.data
    return found


def said(found: Watched) -> str:
    return "\n".join(line for table in found.tables for line in (*map(" ".join, table.rows), *table.notes))


def test_before_anything_is_served_it_says_so(make_site: MakeSite) -> None:
    found = watched(make_site())
    assert found.data["alarms"] == []
    assert found.data["tuned"] is found.data["plan"] is None
    assert "No served answers to look at yet." in said(found)


def test_traffic_that_changes_raises_an_alarm_and_quiet_traffic_none(make_site: MakeSite, bring: Bring) -> None:
    quiet, changed = make_site("quiet"), make_site("changed")
    for site in (quiet, changed):
        bring(site, last="train")
    day = serve(quiet, 120, lambda day: 0.1)
    calm = watched(quiet, day)
    assert calm.data["alarms"] == []
    assert calm.data["traffic"] == {"answers": 2400, "days": 120, "a_day": 20.0}
    serve(changed, 120, lambda day: 0.1 if day < 80 else 0.5)
    found = watched(changed, day)
    (alarm,) = found.data["alarms"]
    assert (alarm["stream"], alarm["turn"]) == ("abstentions", "rose")
    assert "answers that abstain" in said(found)
    assert "rose from 0.1" in said(found)


def test_what_base_answered_is_another_models(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="train")
    day = serve(site, 100, lambda day: 0.1 if day < 60 else 0.9, model="base")
    assert watched(site, day).data["traffic"]["answers"] == 0


def test_the_plan_counts_from_the_day_of_training(make_site: MakeSite, bring: Bring) -> None:
    site = make_site(watch={**STAKES, "questions_a_day": 100, "decay": 0.001})
    bring(site, last="train")
    born = datetime.now(UTC).date()
    young, old = (watched(site, born + timedelta(days=days)).data["plan"] for days in (41, 142))
    assert (young["tune"], old["tune"]) == (False, True)
    assert young["age"] == 41
    assert young["wait"] == pytest.approx(100.4, abs=0.1)
    assert f"Next: {born + timedelta(days=141)}." in said(watched(site, born + timedelta(days=41)))
    budget = watched(site, born + timedelta(days=60), "watch.value=null", "watch.budget=730").data["plan"]
    assert (budget["basis"], budget["interval"], budget["tune"]) == ("budget", 50, True)


def test_questions_a_day_are_those_served(make_site: MakeSite, bring: Bring) -> None:
    site = make_site(watch=STAKES)
    bring(site, last="train")
    with pytest.raises(ConfigError, match=r"^watch\.questions_a_day is left out and no answer was served yet"):
        watch(open_session(site.file))
    day = serve(site, 30, lambda day: 0.1)
    asked = watched(site, day).data["plan"]
    stated = watched(site, day, "watch.questions_a_day=20").data["plan"]
    assert asked["interval"] == stated["interval"]


def actions(found: Watched) -> list[str]:
    return [finding["action"] for finding in found.data["findings"]]


def test_changed_documents_ask_for_a_sync_and_then_for_what_rests_on_them(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site)
    calm = watched(site)
    assert actions(calm) == ["nothing"]
    assert calm.data["evidence"]["exam"]["lost"] is None
    # Every keeper is another, which a third of the questions ask for.
    for file in (site.folder / "docs").glob("*.md"):
        file.write_text(file.read_text("utf-8").replace("lamp", "lantern"), encoding="utf-8")
    assert actions(watched(site)) == ["sync"]
    sync(open_session(site.file), lambda event: None)
    found = watched(site)
    assert actions(found) == ["re-examine", "re-synthesize"]
    evidence = found.data["evidence"]
    exam = [row for row in placed(site) if row["side"] == "exam"]
    touched = [row["question"]["id"] for row in exam if "lamp" in row["question"]["evidence"][0]]
    touched = [name for name in touched if int(name[1:]) // 3 % 2 == 0]  # every second lighthouse is a Markdown file
    assert set(touched) <= set(evidence["exam"]["ids"]["changed"])
    assert evidence["exam"]["ids"]["gone"] == []
    assert sum(evidence["exam"]["counts"].values()) == len([row for row in exam if row["oracle"]])
    assert 0 < evidence["lessons"]["lost"] < 1
    assert "Evidence of" in said(found)


def placed(site: Site) -> list[dict[str, Any]]:
    (file,) = (site.run / "30-exam" / "versions").glob("*/questions.jsonl")
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def test_what_is_renamed_is_not_lost(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site)
    for file in list((site.folder / "docs").glob("*.md")):
        file.rename(file.with_name(f"the-{file.name}"))
    sync(open_session(site.file), lambda event: None)
    found = watched(site)
    assert actions(found) == ["nothing"]
    assert found.data["evidence"]["exam"]["lost"] == found.data["evidence"]["lessons"]["lost"] == 0


def rewrite_some(site: Site) -> None:
    """Other stones in every second tower, a lighthouse that is new, and one that is gone."""
    for file in (site.folder / "docs").glob("*.md"):
        text = re.sub(r"is made of \w+", "is made of porphyry", file.read_text("utf-8"))
        file.write_text(text, encoding="utf-8")
    zell = "# Zell\n\nThe tower of Zell is made of obsidian glass, which ships brought. Zoltan Varga keeps the lamp.\n"
    (site.folder / "docs" / "Zell.md").write_text(zell, encoding="utf-8")
    learned = [row["question"]["evidence_ids"][0] for row in placed(site) if row["side"] == "train"]
    (site.folder / "docs" / next(name for name in learned if name.endswith(".md"))).unlink()


def test_models_are_asked_for_what_changed(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    site = make_site()
    bring(site)
    rewrite_some(site)
    sync(open_session(site.file), lambda event: None)
    lines: list[str] = []
    asked = len(fakes.asked)
    found = watch(open_session(site.file), ask=True, say=lines.append)
    facts = found.data["facts"]
    assert facts["facts"]["changed"] > 0
    assert facts["facts"]["unchanged"] > 0
    assert facts["facts"]["removed"] > 0
    assert {"exam", "lessons"} <= set(facts["sources"])
    number = sum(facts["facts"].values())
    assert lines == [line for line in lines if line.startswith(f"Asking {number} facts of each model: {4 * number} an")]
    rows = {(row["state"], row["model"], row["context"]): row for row in facts["rows"]}
    # The echo says the first sentence of the first passage: what the tower is made of now.
    changed = rows["changed", "tuned", "retrieved"]
    assert changed["right"]["value"] > 0.5
    assert changed["stale"]["value"] == changed["stale_shown"]["value"] == 0
    assert facts["figures"]["found"]["value"] > 0.5
    assert facts["figures"]["stale"] == facts["figures"]["worse"] == 0
    assert facts["language"]["pieces"]["changed documents"] > 0
    assert "Stale: the old value of a fact" in said(found)
    kept = {name: (site.run / "95-drift" / name).read_text("utf-8") for name in ("asked.jsonl", "facts.jsonl")}
    assert kept["asked.jsonl"].count("\n") == kept["facts.jsonl"].count("\n") == number
    batches = len(fakes.asked)
    assert batches > asked
    again = watch(open_session(site.file), ask=True)
    assert again.data["facts"] == facts
    assert len(fakes.asked) == batches, "what was asked is kept"
    assert {name: (site.run / "95-drift" / name).read_text("utf-8") for name in kept} == kept


def test_answers_that_stay_old_ask_for_tuning(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    site = make_site()
    bring(site)
    stones = {place: stone for place, stone in zip(PLACES, STONES, strict=True)}
    rewrite_some(site)
    sync(open_session(site.file), lambda event: None)

    def stuck(self: Any, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        """A model that knows the towers of before and reads nothing."""
        texts = [prompt.messages[-1].content.rpartition("Question:")[2] for prompt in prompts]
        said = [next((stones[place] for place in PLACES if place in text), "nobody") for text in texts]
        return [Completion(f"Answer: {one}") for one in said]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CountingEcho, "generate", stuck)
        found = watch(open_session(site.file), ask=True)
    facts = found.data["facts"]
    (row,) = (
        one for one in facts["rows"] if (one["state"], one["model"], one["context"]) == ("changed", "tuned", "none")
    )
    assert row["stale"]["value"] == 1
    assert row["stale_shown"] is None
    assert facts["figures"]["stale"] == 1
    assert "re-tune" in actions(found)
    assert found.due


def test_without_changes_facts_are_those_of_the_exam(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site)
    found = watch(open_session(site.file, ["watch.facts=6"]), ask=True)
    facts = found.data["facts"]
    assert facts["facts"] == {"unchanged": 6, "changed": 0, "added": 0, "removed": 0}
    assert facts["language"] == {}
    assert found.data["words"] is None
    assert actions(found) == ["nothing"]


def test_asking_needs_a_tuned_model(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    with pytest.raises(WorkspaceError, match=r"^No tuned model in .* to ask\. Run: ragraft run$"):
        watch(open_session(site.file), ask=True)
    bring(site, last="examine")
    with pytest.raises(WorkspaceError, match=r"^No tuned model in "):
        watch(open_session(site.file), ask=True)


def test_new_words_and_other_questions_are_told(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site)
    for file in (site.folder / "docs").glob("*.md"):
        file.write_text("The quirl of the wumpus quirls a wumpus, where the quirl glooms. " * 3, encoding="utf-8")
        break
    sync(open_session(site.file), lambda event: None)
    day = serve(site, 120, lambda day: 0.1, question=lambda day: KNOWN if day < 60 else "Which ferry goes to Odessa?")
    found = watched(site, day)
    assert [alarm["stream"] for alarm in found.data["alarms"]] == ["questions"]
    assert ["quirl", 6] in found.data["words"]["words"]
    assert [word for word, _ in found.data["questions"]["words"]] == ["ferry", "goes", "odessa"]
    assert "re-examine" in actions(found)
    assert "New in questions: ferry (1200), goes (1200), odessa (1200)." in said(found)


def test_simulated_worlds_take_the_stakes_of_the_yaml(make_site: MakeSite) -> None:
    def rows(**sections: Any) -> list[tuple[str, ...]]:
        session = open_session(make_site(f"site{len(sections)}", **sections).file)
        return list(simulate(session, 8, 0).rows)

    drawn, own = rows(), rows(watch={**STAKES, "questions_a_day": 100})
    assert {row[0] for row in drawn} == {row[0] for row in own}
    assert drawn != own
    assert "the rule" in {row[0] for row in own}
