"""What is stale after the documents changed: two editions of a set, asked of base, tuned and refreshed model.

    python -m benchmarks.currency --data DIR --work DIR --json FILE                  eol and cortex_docs; hours
    python -m benchmarks.currency --data DIR --work DIR --only eol --questions 300   one set, more questions
    python -m benchmarks.currency --data DIR --work DIR --quick                      one set, few lessons and questions

A model is tuned on the older edition: on what is asked, and on other facts. Then the documents become those of the
newer edition, `ragraft sync` brings the index up to them, and last `ragraft refresh` tunes from the base on facts
of the newer edition, none of which is asked, and on older lessons that still stand. Each state is asked the same facts
with the passages that retrieval finds, and graded by the newer edition's answers: right ones, and stale ones, which
give the older edition's value of a fact that changed. Half of the facts, by the hash of their keys, are never learned
from the newer edition; the questions are drawn from that half, changed facts as often as unchanged ones. Intervals are
over products (eol) or parts of the reference (cortex_docs); differences are paired by question. Last stands how well
`ragraft watch --ask` tells what became of facts from the documents alone.

A stopped benchmark goes on with the same command: finished stages and answers are kept. --no-refresh leaves the
second training out: what the sync alone brings, in half of the time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from benchmarks.editions import SETS, Editions, Prepared, Row, prepare, question_of, trace_all
from benchmarks.ending import ended
from benchmarks.sets import aligned, recipes
from ragraft.errors import ConfigError
from ragraft.methods.asking import Room, answer_row
from ragraft.methods.contexts import Context
from ragraft.methods.oracle import Places, locate
from ragraft.methods.report_text import interval
from ragraft.methods.upkeep.currency import ALL, STATES, Fact, currency, stated
from ragraft.pipeline import Event, Session, open_session, refresh, run_table, sync
from ragraft.pipeline.ask import source_of
from ragraft.pipeline.runner import taught
from ragraft.pipeline.wiring import At, builder, finder
from ragraft.records import Answer, ExamQuestion
from ragraft.workspace import Checkpoint, Corpus, Exam, Folder, Index, hash_json, write_atomically

QUESTIONS, LESSONS = 200, 400
QUICK_SET, QUICK_QUESTIONS, QUICK_LESSONS = "eol", 12, 24
CONTEXT: Context = "retrieved"
BASE_BEFORE, TUNED_BEFORE, BASE, TUNED, REFRESHED = (
    "base, before sync",
    "tuned, before sync",
    "base, after sync",
    "tuned, after sync",
    "refreshed",
)
PAIRS = (
    (REFRESHED, TUNED),
    (REFRESHED, TUNED_BEFORE),
    (REFRESHED, BASE),
    (TUNED, TUNED_BEFORE),
    (TUNED, BASE),
)
STALE_LIMIT, MARGIN = 0.05, 0.03
LISTED = 30
"""Changed facts that are so few are listed one by one."""
PACKAGES = ("ragraft", "torch", "transformers")


def main(arguments: Sequence[str]) -> int:
    return ended(lambda: _main(_parse(arguments)))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="a folder a set")
    add("--work", type=Path, required=True, metavar="DIR", help="where the runs are kept")
    add("--only", nargs="+", metavar="NAME", choices=list(SETS), help=f"these of {', '.join(SETS)}")
    add("--questions", type=int, metavar="N", help=f"facts that are asked; {QUESTIONS}")
    add("--lessons", type=int, metavar="N", help=f"questions that are learned, each time; {LESSONS}")
    add("--quick", action="store_true", help=f"{QUICK_SET} alone, {QUICK_QUESTIONS} facts, {QUICK_LESSONS} lessons")
    add("--no-refresh", dest="refresh", action="store_false", help="only what is before and after the sync")
    add("--json", type=Path, metavar="FILE", help="also keep the rows here, set by set")
    add("--seed", type=int, default=0, metavar="N", help="of what is drawn")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting for every run")
    options = parser.parse_args(arguments)
    options.only = options.only or ([QUICK_SET] if options.quick else list(SETS))
    options.questions = options.questions or (QUICK_QUESTIONS if options.quick else QUESTIONS)
    options.lessons = options.lessons or (QUICK_LESSONS if options.quick else LESSONS)
    if options.lessons <= options.questions:
        parser.error(f"--lessons {options.lessons}: more than the {options.questions} facts that are asked are learned")
    return options


def _main(options: argparse.Namespace) -> int:
    found: dict[str, Row] = {}
    for name in options.only:
        found[name] = measure(name, options)
        print("\n".join(lines_of(found[name])), flush=True)
        if options.json:
            _write(options, found)
    return 0


def measure(name: str, options: argparse.Namespace) -> Row:
    """Bring a set's runs through all its states, and what each answers."""
    prepared = prepare(
        options.data, SETS[name], questions=options.questions, lessons=options.lessons, seed=options.seed
    )
    place = Place(options.work / name, SETS[name], prepared, tuple(options.set))
    place.write()
    session = place.tuned()
    synced = place.synced(session)
    newer = session.at()
    older = replace(newer, made={**newer.made, **_older(session)})
    facts = place_facts(prepared.asked, newer)
    # What the older index shows is no evidence of now.
    then = [replace(one, question=replace(one.question, oracle=(), parts=())) for one in facts]
    answers: list[Answer] = []
    for state, asked in (
        (State(BASE_BEFORE, session, older, "base"), then),
        (State(TUNED_BEFORE, session, older, "tuned"), then),
        (State(BASE, session, newer, "base"), facts),
        (State(TUNED, session, newer, "tuned"), facts),
    ):
        answers += place.ask(state, asked)
    refreshed = place.refreshed() if options.refresh else None
    if refreshed:
        answers += place.ask(State(REFRESHED, refreshed, refreshed.at(), "tuned"), facts)
    figures = currency(facts, answers, pairs=PAIRS)
    changed = [fact for fact in facts if fact.state == "changed"]
    return {
        "set": name,
        "questions": len(facts),
        "lost": len(prepared.asked) - len(facts),
        "lessons": {"tuned": len(prepared.taught), "refreshed": len(prepared.refresh)},
        "learned": _learned(facts, session),
        **figures,
        "costs": place.costs(session, refreshed, synced),
        "wanted": wanted(figures),
        "traced": trace_all(options.data, SETS[name]),
        "changed": list(_listed(changed, answers)) if len(changed) < LISTED else [],
    }


def place_facts(asked: Sequence[Row], at: At) -> list[Fact]:
    """The facts with their evidence among the newer chunks; one whose evidence is nowhere is left out."""
    corpus = Corpus(at.made["ingest"])
    places = Places(list(corpus.documents()), Index(at.made["index"]).chunks(), corpus.same())
    facts = []
    for row in asked:
        question = question_of(row)
        evidence = locate(question, places)
        placed = ExamQuestion(question, "exam", row["metadata"]["cluster"], evidence.chunks, parts=evidence.parts)
        fact = stated(placed, "exam")
        if fact and (evidence.chunks or not question.answerable):
            facts.append(fact)
    return facts


@dataclass(frozen=True, slots=True)
class State:
    """A model with the index that it answers from."""

    label: str
    session: Session
    at: At
    model: str
    """base or tuned."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a set's runs are kept, and how they are made."""

    folder: Path
    editions: Editions
    prepared: Prepared
    settings: tuple[str, ...]

    def write(self) -> None:
        """The files that do not depend on the state, and the YAML; raises ConfigError where others were drawn there."""
        drawn = {
            **{name: getattr(self.prepared, name) for name in ("asked", "taught", "refresh")},
            "settings": self.settings,
        }
        folder, digest = Folder(self.folder), hash_json(drawn)
        if folder.has("drawn.json") and folder.read_json("drawn.json") != digest:
            raise ConfigError(f"{self.folder} holds runs on other questions or settings; name another --work")
        folder.write_json("drawn.json", digest)
        for name in ("taught", "refresh", "exam", "exam_newer"):
            folder.write_jsonl(f"{name}.jsonl", map(dict, getattr(self.prepared, name)))
        recipe = recipes()[self.editions.recipe]
        recipe |= {
            "name": "tuned",
            "documents": "documents.jsonl",
            "questions": {"lessons": "taught.jsonl", "exam": "exam.jsonl"},
            # Most of the lessons' questions are learned; on the others it is chosen when the model abstains.
            "examine": {"shares": {"train": 0.81, "validation": 0.14, "calibration": 0.0, "exam": 0.05}},
            "evaluate": {"models": ["base", "tuned"], "contexts": [CONTEXT], "forgetting": False},
        }
        recipe["synthesize"] = {**recipe["synthesize"], "max_questions": None, "max_validation": 16}
        text = yaml.safe_dump(recipe, sort_keys=False)
        self.folder.joinpath("ragraft.yaml").write_text(text, encoding="utf-8", newline="\n")

    def tuned(self) -> Session:
        """The run that was tuned on the older edition."""
        session = self._open("tuned")
        if "evaluate" not in session.at().made:
            self._documents("older")
            run_table(session, self._tell, last="evaluate")
        return session

    def synced(self, session: Session) -> float:
        """Bring its index up to the newer edition; the seconds that this took."""
        self._documents("newer")
        began = time.monotonic()
        found = sync(session, self._tell)
        return self._took("sync", {"seconds": time.monotonic() - began} if found.any else {})["seconds"]

    def refreshed(self) -> Session:
        """The run that `ragraft refresh` makes on facts of the newer edition."""
        session = self._open("tuned", "questions.lessons=refresh.jsonl", "questions.exam=exam_newer.jsonl")
        # Where it was put into service before, there is nothing left to refresh.
        run = refresh(session, self._tell).run or f"{session.config.name}-refresh-1"
        return self._open(run, "questions.lessons=refresh.jsonl", "questions.exam=exam_newer.jsonl")

    def ask(self, state: State, facts: Sequence[Fact]) -> list[Answer]:
        """A state's answers, with the passages that its index finds."""
        label, at = state.label, state.at
        at.backends.close_models()  # what is counted from here on is this state's
        print(f"{self.folder.name}: asking {len(facts)} facts of {label}", file=sys.stderr, flush=True)
        config, passages = at.config, Index(at.made["index"]).passages()
        room = Room(finder(at), builder(at, state.model), passages, config.retrieve.k, config.evaluate.batch)
        shown = room.show(CONTEXT, [fact.question for fact in facts])
        replies = room.replies(shown, at.backends.generator(source_of(state.session, at, state.model)))
        meter = at.backends.meter
        if meter.answered:  # what was kept from before took no time
            spent = {"answers": meter.answered, "seconds": meter.seconds, "tokens": meter.tokens}
            self._took(label, spent)
        at.backends.close_models()
        return [answer_row(label, CONTEXT, one, reply) for (one, _), reply in zip(shown, replies, strict=True)]

    def costs(self, session: Session, refreshed: Session | None, synced: float) -> dict[str, Any]:
        """Minutes and tokens: of exam, lessons and training, of sync, and of a thousand answers each."""
        found: dict[str, Any] = {"sync": {"minutes": round(synced / 60, 2)}}
        for name, one in (("tuned", session), ("refreshed", refreshed)):
            if one is None:
                continue
            made = one.at().made
            seconds = {stage: _seconds(made[stage]) for stage in ("examine", "synthesize", "train")}
            found[name] = {
                "minutes": round(sum(seconds.values()) / 60, 1),
                "minutes of training": round(seconds["train"] / 60, 1),
                "tokens": Checkpoint(made["train"]).card()["tokens"],
            }
        for label, spent in self._read_took().items():
            if spent.get("answers"):
                per = 1000 / spent["answers"]
                found[label] = {
                    **found.get(label, {}),
                    "minutes a thousand answers": round(per * spent["seconds"] / 60, 1),
                    "tokens a thousand answers": round(per * spent["tokens"]),
                }
        return found

    def _open(self, run: str, *settings: str) -> Session:
        return open_session(self.folder / "ragraft.yaml", [*settings, *self.settings], run)

    def _documents(self, edition: str) -> None:
        Folder(self.folder).write_jsonl("documents.jsonl", map(dict, self.prepared.documents[edition]))

    def _tell(self, event: Event) -> None:
        print(f"{self.folder.name}: {event.stage} {event.state} {event.expected}".rstrip(), file=sys.stderr, flush=True)

    def _took(self, what: str, spent: Mapping[str, float]) -> dict[str, float]:
        """Add to what was spent on something, over all sittings."""
        book = self._read_took()
        before = book.get(what, {})
        book[what] = {**before, **{key: before.get(key, 0.0) + value for key, value in spent.items()}}
        Folder(self.folder).write_json("took.json", book)
        return {"seconds": 0.0, **book[what]}

    def _read_took(self) -> dict[str, dict[str, float]]:
        folder = Folder(self.folder)
        found: dict[str, dict[str, float]] = folder.read_json("took.json") if folder.has("took.json") else {}
        return found


def _older(session: Session) -> dict[str, Folder]:
    kept = taught(session)
    if not kept:
        raise ConfigError(f"{session.run.path} was not synced, or made anew since; remove it and run again")
    return kept


def _learned(facts: Sequence[Fact], session: Session) -> int:
    """How many of the facts the tuned model learned as they were; of the others it was chosen when it abstains."""
    train = {one.id for one in Exam(session.at().made["examine"]).questions("train")}
    return sum(fact.id in train for fact in facts)


def _seconds(folder: Folder | None) -> float:
    manifest = folder.manifest() if folder else None
    return manifest.seconds if manifest else 0.0


def wanted(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a refresh should bring, each with whether it does: the fewer the facts, the less can be shown."""
    rows = {(row["state"], row["model"]): row for row in figures["rows"]}
    differences = {
        (row["state"], row["a"], row["b"]): row for row in figures["differences"] if row["metric"] == "right"
    }
    found = []
    stale = (rows.get(("changed", REFRESHED)) or {}).get("stale")
    if stale and stale["high"] is not None:
        found.append(
            {"what": "stale after refresh, upper end below 5 %", "figure": stale, "so": stale["high"] < STALE_LIMIT}
        )
    for other in (TUNED_BEFORE, TUNED):
        gained = differences.get(("changed", REFRESHED, other))
        if gained and gained["low"] is not None:
            what = f"changed facts: refreshed above {other}"
            found.append({"what": what, "figure": gained, "so": gained["low"] > 0})
    kept = differences.get(("unchanged", REFRESHED, TUNED))
    if kept and kept["low"] is not None:
        what = f"unchanged facts: refreshed no worse than {TUNED} by 3 points"
        found.append({"what": what, "figure": kept, "so": kept["low"] > -MARGIN})
    return found


def _listed(changed: Sequence[Fact], answers: Sequence[Answer]) -> Iterator[dict[str, Any]]:
    for fact in changed:
        said = {row.model: row.answer if not row.abstained else "" for row in answers if row.question_id == fact.id}
        asked = fact.question.question
        yield {"question": asked.question, "now": list(asked.answers), "before": list(fact.old), "said": said}


def lines_of(found: Row) -> list[str]:
    """A set's table, what was wanted, and what it took."""
    table: list[tuple[str, ...]] = [("facts", "state", "right", "stale", "stale, shown", "abstained", "n")]
    for row in found["rows"]:
        figures = (interval(row[metric]) for metric in ("right", "stale", "stale_shown", "abstained"))
        table.append((row["state"], row["model"], *figures, str(row["facts"])))
    head = f"{found['set']}: {found['questions']} facts, {found['learned']} of them learned as they were"
    lines = [head, *aligned(table)]
    for row in found["differences"]:
        if row["state"] in (*STATES, ALL) and row["metric"] == "right":
            lines.append(f"{row['state']}: {row['a']} minus {row['b']} {interval(row, signed=True)}")
    for row in found["wanted"]:
        signed = "stale" not in row["what"]
        lines.append(f"{'yes' if row['so'] else 'no '}  {row['what']}: {interval(row['figure'], signed=signed)}")
    for row in found["changed"]:
        said = "; ".join(f"{model}: {text or '(abstains)'}" for model, text in row["said"].items())
        lines.append(f"{row['question']} {' | '.join(row['before'])} -> {' | '.join(row['now'])}. {said}")
    traced = found["traced"]
    told = ", ".join(f"{one['facts']} {state} ({one['right']} rightly)" for state, one in traced["told"].items())
    values = traced["values"]
    lines.append(
        f"read off the documents alone, of {traced['facts']} facts: {told}; {values['right']} of {values['read']} new "
        f"values rightly; nothing of {traced['unclear']}"
    )
    for what, spent in found["costs"].items():
        lines.append(f"{what}: " + ", ".join(f"{value:,} {name}" for name, value in spent.items()))
    return lines


def _write(options: argparse.Namespace, found: Mapping[str, Row]) -> None:
    data = {
        "benchmark": "currency",
        "quick": options.quick,
        "settings": list(options.set),
        "seed": options.seed,
        "sets": list(found.values()),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "machine": {"system": platform.platform(), "processors": os.cpu_count()},
    }
    write_atomically(options.json, (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode())


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
