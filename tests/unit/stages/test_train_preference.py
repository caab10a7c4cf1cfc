"""The preference stage as train plans it: whom it asks what, its job, its pairs, going on and being taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from ragraft.config import PromptConfig, TrainConfig
from ragraft.errors import TrainingError
from ragraft.ports import Backends, Command, Outcome, TrainJob
from ragraft.records import Completion, Lesson, Message, Prompt, lesson_to_row
from ragraft.stages.train import train
from ragraft.training.job import read_job
from ragraft.workspace import Checkpoint, Folder, Lessons, hash_file
from tests.unit.stages.test_train import Fakes

ABSENT = "Answer: not in the documents."


@dataclass
class Tuned:
    """The tuned model: answers everything alike, and notes who was asked what."""

    text: str = "Answer: the moon"
    asked: list[tuple[Path, int]] = field(default_factory=list)

    def __call__(self, model: Path, prompts: Sequence[Prompt]) -> list[Completion]:
        self.asked.append((model, len(prompts)))
        return [Completion(self.text)] * len(prompts)


def rows() -> list[dict[str, Any]]:
    """Seven lessons that show their oracle and five that don't."""
    made = []
    for number in range(12):
        shown = number < 7
        prompt = Prompt((Message("system", "Answer."), Message("user", f"Question: {number}?")))
        target = "Answer: form 7" if shown else ABSENT
        oracle = ("p1",) if shown else ()
        lesson = Lesson(f"l{number}", f"q{number}", "oracle", prompt, target, ("p1",), oracle)
        made.append(lesson_to_row(lesson))
    return made


def bring(
    folder: Path, fakes: Fakes, tuned: Tuned | None, *, earlier: Sequence[Folder] = (), **settings: Any
) -> Checkpoint:
    lessons = Lessons(Folder(folder).folder("lessons"))
    config = TrainConfig(preference="dpo", **settings)
    for number, method in enumerate(config.method, start=1):
        step = lessons.folder.folder(f"{number:02d}-{method}")
        step.write_jsonl("lessons.jsonl", rows())
        step.write_jsonl("validation.jsonl", [])
    return train(
        lessons,
        settings=config,
        prompt=PromptConfig(max_tokens=1000),
        backends=cast(Backends, fakes),
        out=Folder(folder).folder("checkpoint"),
        earlier=earlier,
        answer=tuned,
    )


def test_it_follows_the_last_method_with_pairs_of_its_own_answers(tmp_path: Path) -> None:
    fakes, tuned = Fakes(), Tuned()
    made = bring(tmp_path, fakes, tuned, processes=3, patience=2, seed=4)
    place = tmp_path / "checkpoint" / "02-dpo"
    assert fakes.jobs == [TrainJob(tmp_path / "checkpoint" / "01-raft", 3), TrainJob(place, 1)]
    assert tuned.asked == [(tmp_path / "checkpoint" / "01-raft", 12)]
    pairs = list(Folder(place).read_jsonl("pairs.jsonl"))
    assert [(row["chosen"], row["rejected"]) for row in pairs[:7]] == [("Answer: form 7", "Answer: the moon")] * 7
    assert [row["chosen"] for row in pairs[7:]] == [ABSENT] * 3
    assert Folder(place).read_json("pairs.json") == {
        "pairs": 10,
        "pairs, answer over a wrong one": 7,
        "pairs, abstention over an invention": 3,
        "rejected": 2,
        "rejected: over train.dpo.abstaining": 2,
    }
    assert len(list(Folder(place).read_jsonl("pairs-rejected.jsonl"))) == 2
    job = read_job(place)
    assert (job.method, job.after, job.after_identity) == (
        "dpo",
        "01-raft",
        hash_file(tmp_path / "checkpoint" / "01-raft" / "model.safetensors"),
    )
    assert (job.lessons, job.data) == (str(place / "pairs.jsonl"), hash_file(place / "pairs.jsonl"))
    assert (job.learning_rate, job.epochs, job.batch, job.seed) == (5e-5, 1.0, 8, 4)
    assert (job.processes, job.patience, job.preference) == (1, None, {"beta": 0.1, "sft": 1.0})
    assert made.final() == place
    assert made.folder.read_json("summary.json")["method"] == "raft+dpo"


@pytest.mark.parametrize(
    ("settings", "key", "value"),
    [
        ({"tuning": "full"}, "learning_rate", 5e-6),
        ({"dpo": {"learning_rate": 1e-6}}, "learning_rate", 1e-6),
        ({"learning_rate": 1e-3}, "learning_rate", 5e-5),
        ({"steps": {"raft": {"rank": 8}}}, "rank", 8),
        ({"dpo": {"batch": 4}, "batch": 16}, "batch", 4),
        ({"dpo": {"beta": 0.3, "sft": 0}}, "preference", {"beta": 0.3, "sft": 0.0}),
    ],
)
def test_what_it_does_not_set_is_as_its_last_method_has_it(
    tmp_path: Path, settings: dict[str, Any], key: str, value: object
) -> None:
    bring(tmp_path, Fakes(), Tuned(), **settings)
    assert getattr(read_job(tmp_path / "checkpoint" / "02-dpo"), key) == value


class Stopped(Fakes):
    def launch(self, command: Command) -> Outcome:
        if command.arguments[1].endswith("dpo"):
            return Outcome(-9, "killed by signal 9")
        return super().launch(command)


def test_a_stopped_stage_goes_on_with_the_pairs_that_it_has(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="killed by signal 9"):
        bring(tmp_path, Stopped(), Tuned())
    again, tuned = Fakes(), Tuned("Answer: the sun")
    bring(tmp_path, again, tuned)
    assert tuned.asked == []
    assert [job.folder.name for job in again.jobs] == ["02-dpo"]


def test_what_an_equal_stage_made_is_taken(tmp_path: Path) -> None:
    bring(tmp_path / "one", Fakes(), Tuned())
    bring(tmp_path / "sun", Fakes(), Tuned("Answer: the sun"))
    earlier = [
        Folder(tmp_path / name / "checkpoint" / step) for name in ("sun", "one") for step in ("01-raft", "02-dpo")
    ]
    fakes = Fakes()
    made = bring(tmp_path / "again", fakes, Tuned(), earlier=earlier)
    assert fakes.launched == []
    assert made.folder.read_json("summary.json")["taken from an equal run"] == "01-raft, 02-dpo"
    other = Fakes()
    bring(tmp_path / "other", other, Tuned(), earlier=earlier, dpo={"beta": 0.2})
    assert [job.folder.name for job in other.jobs] == ["02-dpo"]


def test_without_any_pair_there_is_nothing_to_learn(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"^train.preference: no lesson of .*01-raft gave a pair \(reasons in .*"):
        bring(tmp_path, Fakes(), Tuned(ABSENT), dpo={"max_pairs": 1}, seed=_seed_that_draws_an_unanswerable())


def _seed_that_draws_an_unanswerable() -> int:
    from ragraft.methods.preference import asked_lessons
    from ragraft.workspace.artifacts import lesson_from_json

    lessons = [lesson_from_json(row) for row in rows()]
    drawn = ((seed, asked_lessons(lessons, ABSENT[8:], most=1, seed=seed)[0][0]) for seed in range(100))
    return next(seed for seed, lesson in drawn if not lesson.oracle)
