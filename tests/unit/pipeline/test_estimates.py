"""What is expected of a run's stages: before anything is made, after, and once this machine was measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ragraft.methods.estimate import Work, answers_in
from ragraft.methods.own_answers import ANSWER_TOKENS
from ragraft.methods.seeds import seeds_for
from ragraft.pipeline import ROWS, open_session
from ragraft.pipeline.estimates import LONG, Foresight, Plan
from ragraft.pipeline.rates import RATES
from ragraft.pipeline.workload import LESSONS
from ragraft.workspace import Folder

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring

MakeSite = Callable[..., "Site"]


def foresight(site: Site, *overrides: str, fresh: bool = False) -> Foresight:
    session = open_session(site.file, overrides)
    return Foresight(session.at({} if fresh else None), session.run.runs)


def plan(found: Foresight, stage: str) -> Plan:
    made = found.plan(stage)
    assert made is not None
    return made


@pytest.fixture
def finished(make_site: MakeSite, bring: Bring, private_cache: Path) -> Site:
    """A run of which no pace was learnt."""
    site = make_site()
    bring(site)
    # A busy machine can take so long for a tiny stage that a rate is learned from it.
    (private_cache / RATES).unlink(missing_ok=True)
    return site


def test_only_long_stages_are_estimated(make_site: MakeSite) -> None:
    found = foresight(make_site())
    assert [stage for stage in ROWS if found.plan(stage)] == list(LONG)
    assert all(plan(found, stage).expected.guessed for stage in LONG)


def test_sizes_are_foretold_within_a_factor_of_two(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    before = {stage: plan(foresight(site), stage).work.tokens for stage in LONG}
    bring(site)
    after = foresight(site)
    # The tests' tokenizer of 512 pieces cuts words smaller than a real one, so that only the relation counts.
    real = {
        "index": after.really_indexed(plan(after, "index").work, Folder(after.at.made["index"].path), 1.0).tokens,
        "train": plan(after, "train").work.tokens,
    }
    for stage, tokens in real.items():
        assert tokens / 4 <= before[stage] <= tokens * 4
    counts = after.at.made["synthesize"].read_json("01-raft/counts.json")
    lessons = counts["tokens to compute"]
    assert plan(after, "train").work.tokens == lessons, "once lessons are there they are counted; epochs share copies"
    held = plan(after, "train").work.checked
    assert held == 3 * counts["validation tokens to compute"] > 0, "validation is read before, between and after"
    rows = foresight(site, "train.share=false")
    assert plan(rows, "train").work.tokens == counts["tokens"] > lessons, "rows share nothing"


def test_what_a_stage_took_is_expected_the_next_time(finished: Site, private_cache: Path) -> None:
    found = foresight(finished)
    found.learn(plan(found, "train"), _with_card(found.at.made["train"], 100.0), 100.0)
    again = plan(foresight(finished), "train").expected
    assert not again.guessed
    assert again.seconds == pytest.approx(100.0, rel=0.01)
    assert (private_cache / RATES).exists()
    whole, halved = plan(foresight(finished), "train"), plan(foresight(finished, "train.epochs=1"), "train")
    assert halved.work.tokens == pytest.approx(whole.work.tokens / 2, abs=1)
    assert halved.work.checked * 3 == whole.work.checked * 2, "before the first epoch, and after each"
    share = halved.work.effort / whole.work.effort
    assert 0.5 < share < 0.6
    assert halved.expected.seconds == pytest.approx(100.0 * share, rel=0.01)


def test_an_index_of_a_few_words_teaches_no_pace(finished: Site) -> None:
    found = foresight(finished)
    small = plan(found, "index")
    found.learn(small, found.at.made["index"], 40.0)
    assert plan(foresight(finished), "index").expected.guessed, "nearly all of it was opening the embedder"
    large = replace(small, work=Work(10_000_000))
    found.learn(large, found.at.made["index"], 1005.0)
    assert plan(foresight(finished), "index").expected.seconds == pytest.approx(
        5.0 + small.work.tokens / 10_000, rel=0.01
    )


def test_what_other_threads_took_tells_nothing(finished: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    found = foresight(finished)
    found.learn(plan(found, "train"), _with_card(found.at.made["train"], 100.0), 100.0)
    assert not plan(foresight(finished), "train").expected.guessed
    facts = found.at.backends.machine_facts()
    other = foresight(finished)
    monkeypatch.setattr(other.at.backends, "machine_facts", lambda: {**facts, "threads": facts["threads"] + 1})
    assert plan(other, "train").expected.guessed


def _with_card(folder: Folder, seconds: float) -> Folder:
    """The folder as if its work had taken so long."""
    card = folder.path / "01-raft" / "checkpoint.json"
    if card.exists():
        Folder(card.parent).write_json(card.name, {**Folder(card.parent).read_json(card.name), "seconds": seconds})
    return folder


def test_answering_is_measured_by_what_was_really_asked(finished: Site) -> None:
    found = foresight(finished)
    whole = plan(found, "evaluate")
    found.at.backends.meter.answered, found.at.backends.meter.seconds, found.at.backends.meter.tokens = 43, 20.0, 9000
    found.learn(whole, found.at.made["evaluate"], 25.0)
    again = plan(foresight(finished), "evaluate").expected
    answered = whole.work.written / 32
    assert again.seconds == pytest.approx(5.0 + 20.0 * answered / 43, rel=0.01)


def test_nothing_is_learnt_from_answers_that_were_kept(finished: Site, private_cache: Path) -> None:
    found = foresight(finished)
    found.learn(plan(found, "evaluate"), found.at.made["evaluate"], 25.0)
    assert not (private_cache / RATES).exists()


def test_the_base_is_not_asked_again_after_another_training(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    whole = plan(foresight(site), "evaluate").work
    bring(site)
    again = plan(foresight(site, "train.epochs=3"), "evaluate").work
    assert again.written < whole.written / 2
    other = plan(foresight(site, "train.epochs=3", "retrieve.k=3"), "evaluate").work
    assert other.written > again.written * 2, "other passages are other prompts"


def test_what_is_asked_beside_the_grid_is_expected(make_site: MakeSite) -> None:
    site = make_site()

    def answers(*overrides: str) -> float:
        return answers_in(plan(foresight(site, *overrides), "evaluate").work, 64)

    asked = answers("evaluate.contexts=[retrieved]")
    plain = answers("evaluate.contexts=[retrieved]", "prompt.abstain_above=0.5", "prompt.reread=false")
    assert asked > plain, "some to choose when the tuned model abstains, and whether it reads its quotes again"
    questions = (plain - 2 * 4) / 3  # three models, and two orders of the examples on four questions
    # Four points of k, and one more answer for a document that is taken away.
    more = answers("evaluate.contexts=[retrieved]", "evaluate.sweeps=[k]", "evaluate.probes=[removal]")
    assert more - asked == pytest.approx(3 * questions * (4 + 1))
    among = answers("evaluate.contexts=[retrieved,oracle+N]")
    assert among - asked == pytest.approx(3 * questions)


def test_asking_the_base_what_it_knows_is_expected_at_the_pace_of_the_exam(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    free = "prompt.grounded_only=false"
    assert foresight(site).plan(LESSONS) is None
    assert foresight(site, free, "train.method=sft").plan(LESSONS) is None, "nothing depends on it"
    few, all_train = (plan(foresight(site, f"synthesize.probe={size}"), LESSONS) for size in (5, 200))
    assert all_train.work.written == round(0.5 * 36) / 5 * few.work.written
    assert plan(foresight(site, free), LESSONS).work == all_train.work
    twice = plan(foresight(site, free, "synthesize.probe_answers=2"), LESSONS)
    assert twice.work.written == 2 * all_train.work.written
    assert all_train.expected.guessed
    bring(site, free, last="synthesize")
    folder = open_session(site.file, [free]).at().made["synthesize"]
    manifest = folder.manifest()
    assert manifest is not None
    assert manifest.estimate is not None
    assert manifest.summary["knows"] == f"0 of {len(list(folder.read_jsonl('probe.jsonl')))} asked without documents"


def test_manifests_keep_estimate_and_time(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site)
    for name, folder in open_session(site.file).at().made.items():
        manifest = folder.manifest()
        assert manifest is not None
        if name in LONG:
            assert manifest.estimate is not None
            assert manifest.estimate["seconds"] > 0
            assert manifest.estimate["guessed"] is True
        else:
            assert manifest.estimate is None


def test_disk_follows_what_is_trained(make_site: MakeSite) -> None:
    site = make_site()
    small, large = (plan(foresight(site, f"train.rank={rank}"), "train").expected for rank in (4, 8))
    whole = plan(foresight(site, "train.tuning=full"), "train").expected
    assert large.disk == 2 * small.disk
    assert whole.disk > large.disk


def test_what_hybrid_asks_the_base_model_is_foretold(make_site: MakeSite) -> None:
    site = make_site()
    hybrid = plan(foresight(site, "train.method=hybrid"), LESSONS)
    named = plan(foresight(site, "train.method=hybrid", "instructions=chats.jsonl"), LESSONS)
    seeds = len(seeds_for("replay"))
    assert hybrid.work.written - named.work.written == seeds * ANSWER_TOKENS // 2
    assert named.work.written > 0
    less = plan(foresight(site, "train.method=hybrid", "hybrid.with_documents=0.1"), LESSONS)
    assert less.expected.seconds < hybrid.expected.seconds
    for nothing in ("train.method=raft", "hybrid.ratio=[60, 40, 0]"):
        assert foresight(site, "train.method=hybrid", nothing).plan(LESSONS) is None
