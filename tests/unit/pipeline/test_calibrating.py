"""Calibrate in a run: asked for, kept, shown beside the scores, and obeyed by ask and serve only while it holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from ragraft.errors import ConfigError, InputError, WorkspaceError
from ragraft.methods.routing import Decision
from ragraft.pipeline import STAGES, ask, open_session, show
from ragraft.workspace import Folder
from tests.conftest import lighthouse_questions

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring, Fakes

MakeSite = Callable[..., "Site"]
QUESTION = lighthouse_questions()[0]["question"]
UP_TO = ("ingest", "index", "examine", "synthesize", "train")


def test_it_runs_apart_and_reads_no_train_side(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    assert bring(site) == dict.fromkeys(STAGES, "done")
    assert bring(site, last="calibrate") == dict.fromkeys(UP_TO, "unchanged") | {"calibrate": "done"}
    sides = {row["question"]["id"]: row["side"] for row in show(open_session(site.file), "exam", 99)}
    rows = list(Folder(site.run / "65-calibration").read_jsonl("answers.jsonl"))
    assert {sides[row["question_id"]] for row in rows} == {"calibration", "exam"}
    assert all(sides[row["question_id"]] == row["side"] for row in rows)
    assert bring(site, last="calibrate") == dict.fromkeys((*UP_TO, "calibrate"), "unchanged")


def test_evaluate_and_calibrate_ask_the_exam_once(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    site = make_site()
    bring(site)
    before = len(fakes.asked)
    bring(site, last="calibrate")
    data = show(open_session(site.file), "calibration", 1)
    asked = sum(len(prompts) for _, prompts in fakes.asked[before:])
    assert asked == 2 * data["questions"], "the exam's answers are kept"
    card = Folder(site.run / "70-scores").read_json("scorecard.json")
    cells = {(row["model"], row["context"]): row["metrics"] for row in card["conditions"]}
    assert data["exam"]["figures"]["always"]["value"] == pytest.approx(cells["tuned", "retrieved"]["f1_all"]["value"])
    assert data["exam"]["figures"]["never"]["value"] == pytest.approx(cells["tuned", "none"]["f1_all"]["value"])


def test_a_report_shows_the_calibration_of_its_own_settings(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site)
    assert show(open_session(site.file), "report", 1)["calibration"] == {}
    bring(site, last="calibrate")
    states = bring(site)
    assert (states["calibrate"], states["evaluate"], states["report"]) == ("unchanged", "unchanged", "done")
    calibration = show(open_session(site.file), "calibration", 1)
    assert show(open_session(site.file), "report", 1)["calibration"] == calibration
    again = bring(site, "train.epochs=3")
    assert again["calibrate"] == "outdated", "another model"
    assert show(open_session(site.file), "report", 1)["calibration"] == {}


def test_a_killed_calibration_asks_only_what_is_left(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    site = make_site()
    bring(site, last="train")
    before = len(fakes.asked)
    fakes.dies_at = before + 2
    with pytest.raises(KeyboardInterrupt):
        bring(site, last="calibrate")
    fakes.dies_at = None
    bring(site, last="calibrate")
    killed = len(fakes.asked) - before
    whole = make_site("other")
    bring(whole, last="train")
    before = len(fakes.asked)
    bring(whole, last="calibrate")
    assert len(fakes.asked) - before == killed
    ours, theirs = (Folder(one.run / "65-calibration").read_json("calibration.json") for one in (site, whole))
    assert ours == theirs


def test_ask_goes_by_the_calibration_while_it_holds(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="train")
    session = open_session(site.file)
    with pytest.raises(WorkspaceError, match=r"^No calibration in .*, which retrieval auto needs\. Run: ragraft cal"):
        ask(session, QUESTION, retrieval="auto")
    bring(site, last="calibrate")
    asked = ask(open_session(site.file), QUESTION, retrieval="auto")
    assert asked.decision == Decision("retrieve"), "nothing can be promised of so few: nothing is drafted"
    assert asked.reply == ask(session, QUESTION).reply
    with pytest.raises(InputError, match=r"^retrieval auto is calibrated for tuned, not for base"):
        ask(session, QUESTION, model="base", retrieval="auto")
    with pytest.raises(ConfigError, match=r"^--retrieval sometimes is no way to ask; known: always, never, auto$"):
        ask(session, QUESTION, retrieval="sometimes")
    never = ask(session, QUESTION, retrieval="never")
    assert (never.reply.fitted.passages, never.decision) == ((), None)
    other = open_session(site.file, ["retrieve.k=1"])
    with pytest.raises(WorkspaceError, match=r"is of another model, index or setting \(retrieve\.k: 2 → 1\)\. Run: "):
        ask(other, QUESTION, retrieval="auto")
    bring(site, "train.epochs=3", last="train")
    with pytest.raises(WorkspaceError, match="is of another model, index or setting"):
        ask(open_session(site.file, ["train.epochs=3"]), QUESTION, retrieval="auto")


def test_a_loose_bound_skips(make_site: MakeSite, bring: Bring) -> None:
    """The echo is never right from memory, and what may be lost is nearly all."""
    site = make_site(calibrate={"max_loss": 0.9, "exam": False}, examine={"shares": SHARES})
    bring(site, last="calibrate")
    data = show(open_session(site.file), "calibration", 1)
    assert data["skip"]["promised"]
    assert data["exam"] == {}
    asked = ask(open_session(site.file), QUESTION, retrieval="auto")
    assert asked.decision is not None
    assert asked.decision.route == "skip"
    assert asked.reply.fitted.passages == ()


SHARES = {"train": 0.3, "validation": 0.1, "calibration": 0.4, "exam": 0.2}
