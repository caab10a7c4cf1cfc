"""Fakes of what is slow: a trainer that writes a plausible checkpoint, an echo that counts and can die, a page."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ragraft import cli
from ragraft.backends.generators.echo import EchoGenerator
from ragraft.pipeline import Event, backends, open_session, run_table
from ragraft.ports import Command, Outcome, TrainJob
from ragraft.records import Completion, Prompt, Sampling
from ragraft.stages import report
from ragraft.workspace import Folder

if TYPE_CHECKING:
    from tests.conftest import Site

Ragraft = Callable[..., tuple[Any, str, str]]
DECIDES = ("data", "tuning", "rank", "learning_rate", "epochs", "batch", "seed", "base_identity", "after_identity")


@pytest.fixture
def set_cores() -> Iterator[Callable[[int], None]]:
    """torch.set_num_threads, undone after the test."""
    import torch

    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


class FakeTrainer:
    def command(self, job: TrainJob) -> Command:
        return Command(("fake-training", str(job.folder)))


@dataclass
class FakeLauncher:
    """Writes a checkpoint whose weights are a digest of what would decide the real ones."""

    launched: list[Path] = field(default_factory=list)
    returncode: int = 0

    def launch(self, command: Command) -> Outcome:
        work = Folder(Path(command.arguments[1]))
        self.launched.append(work.path)
        if self.returncode:
            return Outcome(self.returncode, f"exit code {self.returncode}")
        job = work.read_json("job.json")
        weights = hashlib.sha256(json.dumps([job[key] for key in DECIDES]).encode()).digest()
        work.file("adapter_model.safetensors").write_bytes(weights)
        work.write_jsonl("metrics.jsonl", [{"step": 0, "validation_loss": 2.0}, {"step": 3, "loss": 1.0, "tokens": 30}])
        card = {
            "base": job["base"],
            "after": job["after"],
            "steps": 3,
            "tokens": 30,
            "seconds": 1.0,
            "validation_loss": 1.5,
            "sharing": 1.5,
        }
        work.write_json("checkpoint.json", card)
        return Outcome(0)


@dataclass
class Fakes:
    """What the fakes saw, and how they are to fail."""

    launcher: FakeLauncher = field(default_factory=FakeLauncher)
    asked: list[tuple[str, tuple[Prompt, ...]]] = field(default_factory=list)
    """Model and prompts of each batch that a generator was really asked."""
    dies_at: int | None = None
    """The generator is stopped when asked this batch."""

    def generator(self, model: str) -> CountingEcho:
        return CountingEcho(model, self)


@dataclass
class CountingEcho:
    """The echo generator, noting its batches."""

    model: str
    fakes: Fakes

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        if len(self.fakes.asked) == self.fakes.dies_at:
            raise KeyboardInterrupt
        self.fakes.asked.append((self.model, tuple(prompts)))
        return EchoGenerator(self.model).generate(prompts, sampling)


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Fakes:
    """Puts the fakes in the place of trainer, launcher, the echo generator and the report's page."""
    found = Fakes()
    real = backends.load

    def load(port: str, name: str, also: Sequence[str] = ()) -> Any:
        fake: dict[tuple[str, str], Any] = {
            ("trainers", "transformers"): FakeTrainer,
            ("launchers", "here"): lambda: found.launcher,
            ("generators", "echo"): found.generator,
        }
        return fake.get((port, name)) or real(port, name, also)

    monkeypatch.setattr(backends, "load", load)
    # Six charts take longer than all stages together, and have tests of their own.
    monkeypatch.setattr(report, "render_page", lambda data: f"<h1>{data['name']}</h1>")
    return found


Bring = Callable[..., dict[str, str]]


@pytest.fixture
def bring(fakes: Fakes) -> Bring:
    """Brings a site's run up to date; each stage's last state."""

    def run(
        site: Site,
        *overrides: str,
        name: str | None = None,
        first: str | None = None,
        last: str | None = None,
        dry: bool = False,
    ) -> dict[str, str]:
        states: dict[str, str] = {}

        def tell(event: Event) -> None:
            states[event.stage] = event.state

        run_table(open_session(site.file, overrides, name), tell, first=first, last=last, dry=dry)
        return states

    return run


@pytest.fixture
def brief_exam(make_site: Callable[..., Site]) -> Site:
    """A site whose exam has three of its questions, each file of questions being of one side."""
    site = make_site()
    rows = (site.folder / "questions.jsonl").read_text("utf-8").splitlines(keepends=True)
    (site.folder / "exam.jsonl").write_text("".join(rows[:3]), encoding="utf-8")
    (site.folder / "lessons.jsonl").write_text("".join(rows[3:]), encoding="utf-8")
    data = json.loads(site.file.read_text("utf-8"))
    data["questions"] = {"lessons": "lessons.jsonl", "exam": "exam.jsonl"}
    site.file.write_text(json.dumps(data), encoding="utf-8")
    return site


@pytest.fixture
def ragraft_(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ragraft:
    """The command line in this process: exit code, output, errors."""
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str | Path) -> tuple[Any, str, str]:
        monkeypatch.setattr(sys, "argv", ["ragraft", *map(str, arguments)])
        capsys.readouterr()
        code: Any = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        return (code, *capsys.readouterr())

    return call
