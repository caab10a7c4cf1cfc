"""What the verdict of `ragraft diagnose` is worth: foretold and real gains, and its regret beside that of fixed rules.

    python -m benchmarks.verdicts --data DIR                      the sets that benchmarks.methods has finished
    python -m benchmarks.verdicts --data DIR --only squad nq      these
    python -m benchmarks.verdicts --data DIR --quick --json FILE  the quick set of benchmarks.methods, few questions

Run `python -m benchmarks.methods` first, with the same --work or --kept, on the sets and on the arms raft, hybrid and
dap+hybrid: what each action really gave is read there, on the exam with retrieved passages, against the base as it is.
A set that lacks raft or hybrid is left out, as is one whose verdict leads to an arm that was not run; without
dap+hybrid the best of the others counts as best, and that is said. The verdict comes from the validation side. Where it
names another search setting, base and few-shot base are asked the exam once more under that setting. A policy's regret
is how far the arm it picks stays below the best one, which is known only afterwards; always-X picks X on every set.
Scores are F1 over all questions (F1 of 1 for a right abstention), 0..1; intervals are over clusters of documents, and
every set weighs alike.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.arms.cells import Cell, Done, read_done
from benchmarks.arms.kept import read_kept
from benchmarks.ending import ended
from benchmarks.methods import PACKAGES, QUICK, data_folder, work_folder
from benchmarks.sets import aligned, names_of, open_set
from ragraft.config import RetrieveConfig
from ragraft.errors import ConfigError
from ragraft.methods.report_text import interval
from ragraft.methods.stats import Floats, mean_interval, paired_difference, statistic_interval
from ragraft.pipeline import ROWS, Event, Session, run_table, show
from ragraft.pipeline.compare import scored_run
from ragraft.records import Answer, Interval, to_json
from ragraft.workspace import write_atomically

SETS = ("covid_qa", "cuad", "cortex_docs_v1.21.1", "squad", "nq")
TUNED = ("raft", "hybrid", "dap+hybrid")
SEARCH = "retrieval"
ARM_OF: Mapping[str, str] = {
    "leave": "base",
    "more-questions": "base",
    "prompt": "base-fewshot",
    SEARCH: SEARCH,
    **{arm: arm for arm in TUNED},
}
"""What a user who follows the verdict ends up with."""
FIXED = ("base-fewshot", "raft", "hybrid")
"""Policies that ask nothing: always this arm."""
NEEDED = tuple(arm for arm in TUNED if arm in FIXED)
"""Tuned arms without which a set has no policy to compare with."""
SETTING = re.compile(r"(?P<way>.+), k (?P<k>\d+)")
WAYS: Mapping[str, tuple[str, ...]] = {
    "as it is": (),
    "words alone": ("retrieve.dense_weight=0", "retrieve.lexical_weight=1"),
    "vectors alone": ("retrieve.dense_weight=1", "retrieve.lexical_weight=0"),
    "words and vectors alike": ("retrieve.dense_weight=1", "retrieve.lexical_weight=1"),
    "reranker overlap": ("retrieve.reranker=overlap",),
}
"""Ways to search, as diagnose names them → the settings that they are."""
BASES_ALONE = (
    "evaluate.models=[base, base-fewshot]",
    "evaluate.contexts=[retrieved]",
    "evaluate.forgetting=false",
    # A run evaluates what it has tuned, and nothing tuned is asked here.
    *("synthesize.max_questions=8", "synthesize.max_validation=0", "train.epochs=1"),
)
Row = dict[str, Any]
Scores = Mapping[str, float]
"""Question → F1."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A set's verdict, and what every arm really scored."""

    name: str
    diagnosis: Mapping[str, Any]
    arms: Mapping[str, Scores]
    clusters: Mapping[str, str]
    minutes: float = 0.0
    """What the diagnosis took, index and exam not counted."""

    @property
    def wanted(self) -> str:
        """The arm that the verdict leads to, be it there or not."""
        return ARM_OF[self.diagnosis["decision"]["action"]]

    @property
    def missing(self) -> tuple[str, ...]:
        """Tuned arms that were not run."""
        return tuple(arm for arm in TUNED if arm not in self.arms)

    @property
    def chosen(self) -> str:
        """The arm that is gone by; search without a setting to try leads to nothing yet."""
        return "base" if self.wanted == SEARCH and SEARCH not in self.arms else self.wanted

    @property
    def best(self) -> str:
        return max(self.arms, key=lambda arm: (mean_of(self.arms[arm]), arm == self.chosen))

    def gain(self, a: str, b: str) -> Interval:
        """Arm a minus arm b, paired."""
        names = list(self.clusters)
        first, second = ([self.arms[arm][name] for name in names] for arm in (a, b))
        return paired_difference(first, second, [self.clusters[name] for name in names])


def main(arguments: Sequence[str]) -> int:
    return ended(lambda: _main(_parse(arguments)))


def _main(options: argparse.Namespace) -> int:
    data = data_folder(options.data)
    wanted = names_of(data, options.only or (["squad"] if options.quick else None))
    judged, left_out = [], {}
    for name in [name for name in wanted if options.only or options.quick or name in SETS]:
        found = _judged(name, data, options)
        if isinstance(found, str):
            left_out[name] = found
            print(f"{name}: left out: {found}", file=sys.stderr)
        else:
            judged.append(found)
    if not judged:
        place = options.kept or options.work
        raise ConfigError(f"No set in {place} has all of {', '.join(NEEDED)}; run benchmarks.methods first")
    rows = [row for one in judged for row in gain_rows(one)] + policy_rows(judged)
    print("\n".join(lines_of(judged, rows)))
    if options.json:
        facts = {
            "quick": options.quick,
            "settings": options.set,
            "verdicts": {one.name: one.diagnosis["decision"] for one in judged},
            "minutes": {one.name: round(one.minutes, 1) for one in judged},
            "missing": {one.name: one.missing for one in judged if one.missing},
            "left_out": left_out,
            "versions": {name: version(name) for name in PACKAGES},
        }
        write_atomically(options.json, (json.dumps({"rows": rows, **facts}, indent=1) + "\n").encode())
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", type=Path, metavar="DIR", help="a folder a set")
    add("--work", type=Path, metavar="DIR", help="where benchmarks.methods keeps its runs; ragraft's cache by default")
    add("--only", nargs="+", metavar="NAME", help=f"these recipes instead of {', '.join(SETS)}")
    add("--kept", type=Path, metavar="DIR", help="read the cells that benchmarks.methods kept here, of any machine")
    add("--quick", action="store_true", help="the quick set of benchmarks.methods, few questions")
    add("--json", type=Path, metavar="FILE", help="also write the rows here")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting for every set, as given to methods")
    options = parser.parse_args(arguments)
    options.work = work_folder(options.work)
    options.set = [*((*QUICK, "diagnose.max_questions=8") if options.quick else ()), *options.set]
    return options


def _judged(name: str, data: Path, options: argparse.Namespace) -> Judged | str:
    """A set, or why it is left out: an arm that was not run is never guessed."""
    runs = options.work.resolve() / "runs"
    cells = {arm: Cell(name, arm, quick=options.quick) for arm in TUNED}
    found = {
        arm: read_kept(options.kept, cell) if options.kept else read_done(runs, cell) for arm, cell in cells.items()
    }
    missing = [arm for arm in NEEDED if found[arm] is None]
    if missing:
        return f"{', '.join(missing)} not finished by benchmarks.methods"
    one = judge(name, [done for done in found.values() if done], data, options)
    if one.wanted in one.missing:
        return f"its verdict is {one.wanted}, which is not finished by benchmarks.methods"
    return one


def judge(name: str, done: Sequence[Done], data: Path, options: argparse.Namespace) -> Judged:
    """The verdict, made now where it isn't there, and the scores of all arms on the questions that all were asked."""
    session = Cell(name, TUNED[0], quick=options.quick).open(data, options.work, options.set)
    _run(session, name, last="diagnose")
    diagnosis: dict[str, Any] = show(session, "diagnosis", 1)
    told = [answer for one in done for answer in one.scored.answers]  # kept cells name the base's once
    arms = {base: scores_of(told, base) for base in ("base", "base-fewshot")}
    arms |= {one.cell.arm: scores_of(one.scored.answers, "tuned") for one in done}
    search = _searched(name, diagnosis, data, options, used=session.config.retrieve)
    if search is not None:
        arms[SEARCH] = search
    asked = set.intersection(*(set(scores) for scores in arms.values()))
    clusters = {one.id: one.cluster for one in done[0].scored.questions if one.id in asked}
    return Judged(name, diagnosis, arms, clusters, _minutes(session))


def _searched(
    name: str, diagnosis: Mapping[str, Any], data: Path, options: argparse.Namespace, *, used: RetrieveConfig
) -> Scores | None:
    """The base under the search setting that the verdict names, where it names one."""
    named = next((row.get("setting") for row in diagnosis["verdict"] if row["action"] == SEARCH), None)
    settings = search_settings(named) if named else ()
    if not settings:
        return None
    run = f"{'quick.' * options.quick}{name}.search"
    session = open_set(name, data, options.work, [*options.set, *settings, *BASES_ALONE], run=run)
    if session.config.retrieve == used:
        return None
    _run(session, name)
    return scores_of(scored_run(options.work.resolve() / "runs", run).answers, "base")


def _minutes(session: Session) -> float:
    folder = session.run.current(ROWS["diagnose"].place)
    manifest = folder.manifest() if folder else None
    return manifest.seconds / 60 if manifest else 0.0


def search_settings(named: str) -> tuple[str, ...]:
    """Of a setting's name in a diagnosis; raises ConfigError for one that this benchmark doesn't know."""
    read = SETTING.fullmatch(named)
    if read is None or read["way"] not in WAYS:
        raise ConfigError(f"The search setting {named!r} of the verdict is unknown to this benchmark")
    return (f"retrieve.k={read['k']}", *WAYS[read["way"]])


def _run(session: Session, name: str, *, last: str | None = None) -> None:
    def tell(event: Event) -> None:
        print(f"{name}: {event.stage} {event.state}", file=sys.stderr, flush=True)

    try:
        run_table(session, tell, last=last)
    finally:
        session.backends.close_models()


def scores_of(answers: Sequence[Answer], model: str) -> Scores:
    """F1 of each question with retrieved passages; an unscored one has none."""
    asked = [one for one in answers if (one.model, one.context) == (model, "retrieved")]
    return {one.question_id: score for one in asked if (score := one.scores["f1_all"]) is not None}


def mean_of(scores: Scores) -> float:
    return sum(scores.values()) / len(scores)


def gain_rows(one: Judged) -> list[Row]:
    """A row an action whose arm was really asked: what was foretold, and what came, against the base."""
    rows = []
    for advised in one.diagnosis["verdict"]:
        arm = ARM_OF[advised["action"]]
        if arm in one.arms and arm != "base":
            real = one.gain(arm, "base")
            told = {"foretold": advised["gain"], "at_most": advised["at_most"], "real": to_json(real)}
            rows.append({"data": one.name, "action": advised["action"], **told, "chosen": arm == one.chosen})
    return rows


def policy_rows(judged: Sequence[Judged]) -> list[Row]:
    """Mean regret of the verdict and of each fixed policy, and the verdict's minus theirs; every set weighs alike."""
    picks = {"verdict": {one.name: one.chosen for one in judged}}
    picks |= {f"always {arm}": {one.name: arm for one in judged} for arm in FIXED}
    rows: list[Row] = []
    for policy, arms in picks.items():
        regret = over_sets(judged, {one.name: (one.best, arms[one.name]) for one in judged})
        rows.append({"policy": policy, "regret": to_json(regret), "arms": arms})
        if policy != "verdict":
            apart = over_sets(judged, {one.name: (arms[one.name], one.chosen) for one in judged})
            # The best arm's score cancels out: what is left says which of the two picks better.
            rows[-1]["verdict_minus_policy"] = to_json(apart)
    return rows


def over_sets(judged: Sequence[Judged], pairs: Mapping[str, tuple[str, str]]) -> Interval:
    """First arm minus second, question by question, as the mean over sets of each set's mean."""
    values, sets, clusters = [], [], []
    for place, one in enumerate(judged):
        first, second = (one.arms[arm] for arm in pairs[one.name])
        for name, cluster in one.clusters.items():
            values.append(first[name] - second[name])
            sets.append(place)
            clusters.append(f"{one.name}|{cluster}")
    if len(judged) == 1:
        return mean_interval(values, clusters)

    def mean(weights: Floats) -> float:
        each: dict[int, tuple[float, float]] = {}
        for value, place, weight in zip(values, sets, weights.tolist(), strict=True):
            total, whole = each.get(place, (0.0, 0.0))
            each[place] = (total + weight * value, whole + weight)
        drawn = [total / whole for total, whole in each.values() if whole]
        return sum(drawn) / len(drawn)

    return statistic_interval(mean, clusters)


def lines_of(judged: Sequence[Judged], rows: Sequence[Row]) -> list[str]:
    """What was advised a set, gains foretold and real, and the policies."""
    lines = []
    for one in judged:
        decision = one.diagnosis["decision"]
        scores = ", ".join(f"{arm} {100 * mean_of(found):.1f}" for arm, found in one.arms.items())
        lines.append(f"{one.name}: {decision['does']} ({decision['rule']}) -> {one.chosen}; best {one.best}: {scores}")
        if one.missing:
            lines.append(f"{one.name}: {', '.join(one.missing)} not run, so the best may be better")
    lines += aligned(
        [("set", "action", "foretold", "real", ""), *(_gain_cells(row) for row in rows if "action" in row)]
    )
    head = ("policy", "mean regret", "the verdict's regret minus it")
    return lines + aligned([head, *(_policy_cells(row) for row in rows if "policy" in row)])


def _gain_cells(row: Row) -> tuple[str, ...]:
    gains = (interval(row[key], signed=True) for key in ("foretold", "real"))
    return (row["data"], row["action"], *gains, "chosen" * row["chosen"])


def _policy_cells(row: Row) -> tuple[str, ...]:
    apart = row.get("verdict_minus_policy")
    return (row["policy"], interval(row["regret"]), interval(apart, signed=True) if apart else "")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
