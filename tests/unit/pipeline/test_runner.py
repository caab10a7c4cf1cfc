from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ragraft.errors import BackendError, ConfigError, InputError, TrainingError, WorkspaceError
from ragraft.pipeline import STAGES, Event, changed_keys, open_session, run_table
from ragraft.workspace import Folder

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring, Fakes

MakeSite = Callable[..., "Site"]
BOOKKEEPING = (".lock", "started.json", "history.jsonl")
ALL = {stage: "done" for stage in STAGES}


def unchanged_down_to(stage: str) -> dict[str, str]:
    """Everything above `stage` is unchanged; it and all below run."""
    border = STAGES.index(stage)
    return {name: "done" if place >= border else "unchanged" for place, name in enumerate(STAGES)}


def contents(folder: Path) -> dict[str, bytes]:
    """What the files of finished results hold."""
    files = (place for place in sorted(folder.rglob("*")) if place.is_file() and place.name not in BOOKKEEPING)
    return {place.relative_to(folder).as_posix(): place.read_bytes() for place in files}


def test_a_first_run_makes_everything_and_a_second_one_nothing(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    site = make_site()
    assert bring(site) == ALL
    made, asked = contents(site.run), len(fakes.asked)
    assert bring(site) == dict.fromkeys(STAGES, "unchanged")
    assert contents(site.run) == made
    assert len(fakes.asked) == asked
    assert len(fakes.launcher.launched) == 1


def test_every_manifest_names_its_inputs_and_they_chain(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site)
    made = open_session(site.file).at().made
    manifests = {name: folder.manifest() for name, folder in made.items()}
    assert list(manifests) == list(STAGES)
    for name, manifest in manifests.items():
        assert manifest is not None
        assert manifest.stage == name
        assert manifest.summary == made[name].read_json("summary.json")
        for needed, fingerprint in manifest.inputs.items():
            above = manifests[needed]
            assert above is not None
            assert above.fingerprint == fingerprint
            assert STAGES.index(needed) < STAGES.index(name)


@pytest.mark.parametrize(
    ("setting", "first"),
    [
        ("ingest.near_duplicate=0.95", "ingest"),
        ("index.chunk_tokens=64", "index"),
        ("examine.seed=3", "examine"),
        ("retrieve.pool=6", "examine"),
        ("synthesize.seed=1", "synthesize"),
        ("prompt.answer_tokens=80", "synthesize"),
        ("train.epochs=3", "train"),
        ("retrieve.k=3", "evaluate"),
        ("evaluate.resamples=120", "evaluate"),
        ("report.examples=2", "report"),
    ],
)
def test_a_changed_setting_reruns_its_stage_and_what_lies_below(
    make_site: MakeSite, bring: Bring, setting: str, first: str
) -> None:
    site = make_site()
    bring(site)
    assert bring(site, setting) == unchanged_down_to(first)


def test_a_changed_document_reruns_all(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site)
    place = site.folder / "docs" / "Arlen.md"
    place.write_text(place.read_text("utf-8") + "\nA bell rings there in fog.\n", encoding="utf-8")
    assert bring(site) == ALL


def test_a_changed_question_reruns_the_exam_and_all_below(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site)
    rows = site.folder / "questions.jsonl"
    rows.write_text(rows.read_text("utf-8").replace("Who keeps", "Who minds"), encoding="utf-8")
    assert bring(site) == unchanged_down_to("examine")


def test_changed_weights_of_the_base_rerun_what_they_touch(make_site: MakeSite, bring: Bring, tmp_path: Path) -> None:
    site = make_site()
    base = Path(open_session(site.file).config.model)
    other = tmp_path / "other"
    other.mkdir()
    for file in base.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    bring(site)
    assert set(bring(site, f"model={other}").values()) == {"unchanged"}  # another place, the same bytes
    weights = bytearray((other / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (other / "model.safetensors").write_bytes(weights)
    assert bring(site, f"model={other}") == unchanged_down_to("index")


def test_going_back_takes_the_kept_results(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    site = make_site()
    bring(site)
    made = contents(site.run / "60-checkpoint") | contents(site.run / "70-scores")
    assert bring(site, "train.epochs=3")["train"] == "done"
    back = {name: "taken" if name in ("train", "evaluate", "report") else "unchanged" for name in STAGES}
    assert bring(site) == back
    assert contents(site.run / "60-checkpoint") | contents(site.run / "70-scores") == made
    assert bring(site, "train.epochs=3") == back
    assert len(fakes.launcher.launched) == 2


def test_versioned_stages_keep_both_versions(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="index")
    first = (site.run / "20-index" / "current").read_text("utf-8").strip()
    bring(site, "index.chunk_tokens=64", last="index")
    second = (site.run / "20-index" / "current").read_text("utf-8").strip()
    assert sorted(place.name for place in (site.run / "20-index" / "versions").iterdir()) == sorted({first, second})
    assert bring(site, last="index") == {"ingest": "unchanged", "index": "taken"}
    assert (site.run / "20-index" / "current").read_text("utf-8").strip() == first


def test_a_sibling_run_takes_what_is_equal(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    site = make_site()
    bring(site)
    taken = ("ingest", "index", "examine", "synthesize")
    states = bring(site, "train.epochs=3", name="longer")
    assert states == {name: "taken" if name in taken else "done" for name in STAGES}
    for folder in ("10-corpus", "20-index", "30-exam", "50-lessons"):
        assert contents(site.run.parent / "longer" / folder) == contents(site.run / folder)
    # The base's answers are the first run's; only the tuned model is asked again.
    assert {model for model, _ in fakes.asked[-9:]} == {str(site.run.parent / "longer" / "60-checkpoint" / "01-raft")}


def test_a_taken_result_names_its_source(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="ingest")
    told: list[Event] = []
    run_table(open_session(site.file, run="other"), told.append, last="ingest")
    assert [(event.state, event.source) for event in told] == [("taken", "lights")]


def test_a_run_may_be_named_like_a_number(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, name="2", last="ingest")
    assert (site.run.parent / "2" / "10-corpus").is_dir()


def test_from_reruns_what_is_unchanged(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    site = make_site()
    bring(site)
    scores = (site.run / "70-scores" / "answers.jsonl").read_bytes()
    assert bring(site, first="train") == unchanged_down_to("train")
    assert len(fakes.launcher.launched) == 2
    assert (site.run / "70-scores" / "answers.jsonl").read_bytes() == scores


def test_until_stops_and_the_next_run_goes_on(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    assert list(bring(site, last="examine")) == ["ingest", "index", "examine"]
    assert not (site.run / "50-lessons").exists()
    assert bring(site) == unchanged_down_to("synthesize")


@pytest.mark.parametrize("names", [{"first": "traim"}, {"last": "traim"}])
def test_an_unknown_stage_is_named(make_site: MakeSite, bring: Bring, names: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"^traim is no stage; did you mean train\?$"):
        bring(make_site(), **names)


def test_dry_says_what_would_run_and_makes_nothing(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    assert bring(site, dry=True) == dict.fromkeys(STAGES, "to run")
    assert contents(site.folder / "runs") == {}
    assert list(bring(site, dry=True, last="index")) == ["ingest", "index"]
    bring(site)
    made = contents(site.run)
    expected = unchanged_down_to("train")
    said = bring(site, "train.epochs=3", dry=True)
    assert said == {name: "to run" if state == "done" else state for name, state in expected.items()}
    assert contents(site.run) == made


def test_dry_says_what_would_be_taken_and_goes_on_below_it(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site)
    made = contents(site.run)
    taken = ("ingest", "index", "examine", "synthesize")
    other = bring(site, "train.epochs=3", name="longer", dry=True)
    assert other == {name: "to take" if name in taken else "to run" for name in STAGES}
    bring(site, "train.epochs=3")
    back = bring(site, dry=True)
    assert back == {name: "unchanged" if name in taken else "to take" for name in STAGES}
    assert not (site.run.parent / "longer" / "10-corpus").exists()
    assert contents(site.run / "replaced")
    assert {name: made[name] for name in made if name.startswith("10-")} == {
        name: content for name, content in contents(site.run).items() if name.startswith("10-")
    }


def test_faults_that_are_known_at_once_are_told_before_anything_runs(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    (site.folder / "questions.jsonl").write_text("{broken\n", encoding="utf-8")
    with pytest.raises(InputError, match="broken JSON"):
        bring(site)
    assert open_session(site.file).at().made == {}
    assert list(bring(site, last="index")) == ["ingest", "index"]  # these read no questions
    for setting in ("index.store=x", "retrieve.reranker=x", "train.trainer=x", "evaluate.generator=x"):
        with pytest.raises(BackendError, match=r"^No backend x in ragraft\.\w+; known: "):
            bring(make_site(setting), setting)
    bring(make_site("later"), "evaluate.generator=x", last="index")


def test_changed_keys_name_old_and_new(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    assert changed_keys(open_session(site.file)) == []
    bring(site, last="ingest")
    assert changed_keys(open_session(site.file)) == []
    changed = open_session(site.file, ["train.epochs=3", "evaluate.models=[base, tuned]"])
    assert changed_keys(changed) == [
        "train.epochs: 2.0 → 3.0",
        "evaluate.models: ['base', 'base-fewshot', 'tuned'] → ['base', 'tuned']",
    ]


def test_two_runs_at_once_are_refused(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    with open_session(site.file).run.locked():
        with pytest.raises(WorkspaceError, match=r"^Another ragraft is at work in .*lights; wait for it to end$"):
            bring(site)
        assert list(bring(site, name="other", last="ingest")) == ["ingest"]


def test_a_failed_stage_leaves_nothing_that_counts_as_done(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    questions = site.folder / "questions.jsonl"
    good = questions.read_text("utf-8")
    broken = {"id": "q", "question": "Who?", "answers": ["Nobody"], "evidence_ids": ["nowhere"]}
    questions.write_text(json.dumps(broken) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="have no evidence in these documents"):
        bring(site)
    assert set(open_session(site.file).at().made) == {"ingest", "index"}
    questions.write_text(good, encoding="utf-8")
    assert bring(site) == unchanged_down_to("examine")
    assert len(list((site.run / "30-exam" / "versions").glob("*/manifest.json"))) == 1


def test_failed_training_goes_on_in_its_folder(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    site = make_site()
    fakes.launcher.returncode = 7
    with pytest.raises(TrainingError, match=r"^Training stopped before its end \(exit code 7\); the same command"):
        bring(site)
    work = site.run / "60-checkpoint" / "01-raft"
    job = (work / "job.json").read_bytes()
    (work / "steps").mkdir()
    started = work.parent / "started.json"
    started.write_text(json.dumps(json.loads(started.read_text("utf-8")) | {"seconds": 600.0}), encoding="utf-8")
    fakes.launcher.returncode = 0
    told: list[Event] = []
    run_table(open_session(site.file), told.append)
    states = [(event.stage, event.state) for event in told]
    assert ("train", "resumed") in states
    assert next(event.seconds for event in told if (event.stage, event.state) == ("train", "done")) >= 600
    assert ("evaluate", "begun") in states
    assert (work / "job.json").read_bytes() == job
    assert (work / "steps").is_dir()


def test_failed_training_under_other_settings_begins_anew(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    site = make_site()
    fakes.launcher.returncode = 7
    with pytest.raises(TrainingError):
        bring(site)
    (site.run / "60-checkpoint" / "01-raft" / "steps").mkdir()
    fakes.launcher.returncode = 0
    told: list[Event] = []
    run_table(open_session(site.file, ["train.seed=1"]), told.append)
    assert ("train", "begun") in [(event.stage, event.state) for event in told]
    assert not (site.run / "60-checkpoint" / "01-raft" / "steps").exists()


def test_interrupted_evaluation_loses_at_most_a_batch(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    site = make_site("whole")
    bring(site)
    whole = len(fakes.asked)
    wanted = Folder(site.run / "70-scores")
    broken = make_site("broken")
    fakes.asked.clear()
    fakes.dies_at = 5
    with pytest.raises(KeyboardInterrupt):
        bring(broken)
    kept = broken.answers()
    assert len(kept) == 5
    assert not (broken.run / "70-scores" / "manifest.json").exists()
    fakes.dies_at = None
    bring(broken)
    assert len(fakes.asked) == len(set(fakes.asked)) == whole
    assert {name: broken.answers()[name] for name in kept} == kept
    for name in ("answers.jsonl", "scorecard.json", "fewshot.json"):
        assert Folder(broken.run / "70-scores").file(name).read_bytes() == wanted.file(name).read_bytes()


def test_no_batch_is_generated_twice(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    site = make_site()
    bring(site)
    assert len(fakes.asked) == len(set(fakes.asked)) == len(site.answers())
    asked = len(fakes.asked)
    bring(site, first="evaluate")
    assert len(fakes.asked) == asked


def test_the_report_tells_the_same_twice(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site)
    first = Folder(site.run / "80-report").read_json("report.json")
    bring(site, first="ingest")
    again = Folder(site.run / "80-report").read_json("report.json")
    for report in (first, again):
        del report["created"], report["timing"]
    assert again == first
    assert first["grid"]["models"] == ["base", "base-fewshot", "tuned"]
    assert first["exam"]["questions"] == 9


@pytest.mark.parametrize("last", [None, *STAGES[2:]])
def test_without_questions_stages_from_examine_on_say_so_before_anything_is_done(
    make_site: MakeSite, bring: Bring, last: str | None
) -> None:
    site = make_site(questions=None)
    with pytest.raises(ConfigError, match=r"^No questions: in the YAML of lights, .*propose some: ragraft questions$"):
        bring(site, last=last)
    assert not (site.run / "10-corpus").exists()
    if last == "examine":
        assert bring(site, last="index") == {"ingest": "done", "index": "done"}
