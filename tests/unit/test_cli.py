from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer

import ragraft.pipeline
from ragraft import cli
from ragraft.errors import ConfigError
from ragraft.pipeline import ROWS, SHOWN, STAGES

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Fakes

MakeSite = Callable[..., "Site"]
HELP = """\
Usage: ragraft [OPTIONS] COMMAND [ARGS]...

  Fine-tune the language model inside a RAG system, and prove what changed.

Options:
  --version  Say which version this is.
  --help     Show this message and exit.

Commands:
  run         Bring the whole run up to date, from documents to the report.
  ingest      Read the documents, and stop there.
  index       Up to the index: cut, embed and store the chunks.
  examine     Up to the exam: place the questions, measure retrieval.
  diagnose    Ask what the base model fails at, and say what would pay.
  synthesize  Up to the lessons: rows of train.method from the train side.
  train       Up to the checkpoint: tune the model.
  calibrate   Learn when retrieval can be skipped, and when to abstain.
  evaluate    Up to the scores: ask the exam under every condition.
  report      Up to the report: the table and the page.
  sweep       Try a grid of settings, best first.
  new         Write a ragraft.yaml to begin with.
  demo        Tune the embedded model on Python's language reference.
  questions   Propose questions, where you have none yet.
  ask         Answer a question from the run's documents, with citations.
  serve       Answer over HTTP as OpenAI's API does, until Ctrl-C.
  sync        Bring the index up to the documents as they are now.
  watch       Say whether to tune again, and what has changed.
  refresh     Tune again for the documents as they are now.
  status      Say which stages are done, and where each setting came from.
  show        Show an artifact's first rows as JSON, or a report as tables.
  compare     Put several runs in one table.
  traffic     Compare the models that a server answered with.
  agreement   Measure how far the grader of answers agrees with people.
  promote     Put the tuned model into service, if its exam allows it.
  rollback    Go back to the model that was in service before.
  registry    Show the models that were put into service, and how it came.
  export      Write model, exam prompts or lessons for other programs.
"""
LONG = ("index", "train", "evaluate")
EXPECTED = r"about \d+ s, [\d,]+ tokens, under 0\.1 GB( \(first guess\))?"
HEAVY = ("torch", "transformers", "pyarrow", "numpy", "pydantic")


@dataclass(frozen=True, slots=True)
class Result:
    code: int | str | None
    out: str
    err: str


Ragraft = Callable[..., Result]


@pytest.fixture
def ragraft_(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ragraft:
    """The command line in this process."""
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments: str | Path) -> Result:
        monkeypatch.setattr(sys, "argv", ["ragraft", *map(str, arguments)])
        capsys.readouterr()
        code: int | str | None = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        return Result(code, *capsys.readouterr())

    return call


def commands() -> dict[str, Any]:
    found: dict[str, Any] = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
    return found


def test_the_help(ragraft_: Ragraft) -> None:
    assert ragraft_("--help") == Result(0, HELP, "")


def test_without_a_command_the_help_is_shown(ragraft_: Ragraft) -> None:
    found = ragraft_()
    assert found.out + found.err == HELP


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_explains_itself(ragraft_: Ragraft, name: str) -> None:
    command = commands()[name]
    assert command.help
    assert "\n" not in command.help
    assert command.help.endswith(".")
    for parameter in command.params:
        assert parameter.help, f"{name} says nothing of {parameter.name}"
    found = ragraft_(name, "--help")
    assert found.code == 0
    assert command.help in " ".join(found.out.split())


def test_agreement_prints_its_table_and_writes_its_figures(
    ragraft_: Ragraft, make_site: MakeSite, save_cross_encoder: Callable[[int], Path]
) -> None:
    site = make_site(evaluate={"grader": f"entailment@{save_cross_encoder(2)}"})
    labels, out = site.folder / "labels.jsonl", site.folder / "agreement.json"
    row = '{"claim": "walrus", "evidence": ["the walrus rests"], "label": "supported"}\n'
    labels.write_text(row + row.replace('"supported"', '"not_supported"'), encoding="utf-8")
    found = ragraft_("agreement", labels, "--file", site.file, "--json", out)
    assert (found.code, found.err) == (0, "")
    assert "Agreement with people's labels" in found.out
    assert json.loads(out.read_text("utf-8"))["claims"] == 2


def test_every_stage_has_a_command() -> None:
    assert [name for name in commands() if name in ROWS] == list(ROWS)


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; from ragraft.cli import main\ntry: main()\nfinally: print([m for m in {} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script.format(HEAVY), "--help"], capture_output=True, text=True, check=True
    )
    assert "Commands:" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("run", "none.yaml"), "No none.yaml. Write one with: ragraft new DIR"),
        (("status",), "No ragraft.yaml. Write one with: ragraft new DIR"),
        (("run", "site/ragraft.yaml", "--from", "traim"), "traim is no stage; did you mean train?"),
        (("run", "site/ragraft.yaml", "--set", "train.epoch=3"), "site/ragraft.yaml has 1 fault: train.epoch: unknown"),
        (("show", "corpus", "--file", "site/ragraft.yaml"), "No corpus in "),
        (("ask", "who?", "--file", "site/ragraft.yaml"), "No index in "),
        (("export", "out", "--file", "site/ragraft.yaml"), "No tuned model in "),
        (("ingest", "site/ragraft.yaml", "--set", "documents=gone"), "No documents at "),
    ],
)
def test_what_a_user_can_cause_is_one_sentence(
    ragraft_: Ragraft,
    make_site: MakeSite,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    make_site()
    monkeypatch.chdir(tmp_path)
    found = ragraft_(*arguments)
    assert (found.code, found.out) == (1, "")
    assert found.err.startswith(f"ragraft: {sentence}")
    assert found.err.count("\n") == 1


def test_the_list_of_commands_is_cut_nowhere() -> None:
    assert "..." not in HELP.partition("Commands:")[2]


def test_a_process_shows_no_traceback(tmp_path: Path) -> None:
    script = "from ragraft.cli import main; main()"
    arguments = [sys.executable, "-c", script, "run", str(tmp_path / "none.yaml")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"ragraft: No {tmp_path / 'none.yaml'}. Write one with: ragraft new DIR\n"


def test_bugs_keep_their_traceback(ragraft_: Ragraft, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli.running, "opened", broken)
    with pytest.raises(ZeroDivisionError):
        ragraft_("run")


def test_ctrl_c_says_how_to_go_on(ragraft_: Ragraft, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.running, "opened", interrupted)
    found = ragraft_("run")
    assert (found.code, found.err) == (130, "ragraft: stopped; the same command goes on from here\n")


def test_wrong_usage_is_exit_2(ragraft_: Ragraft) -> None:
    for arguments in (("run", "--bogus"), ("bogus",), ("ask",)):
        found = ragraft_(*arguments)
        assert found.code == 2
        assert "Error: " in found.err


def test_new_writes_a_yaml_and_overwrites_nothing(ragraft_: Ragraft, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    found = ragraft_("new", folder)
    file = folder / "ragraft.yaml"
    wanted = f"Wrote {file}; put your documents and questions beside it, then: ragraft run {file}\n"
    assert found == Result(0, wanted, "")
    file.write_text("mine", encoding="utf-8")
    again = ragraft_("new", folder)
    assert again.code == 1
    assert again.err == f"ragraft: {file} exists already; remove it or give another folder\n"
    assert file.read_text("utf-8") == "mine"


def test_new_and_demo_on_a_file_are_refused(ragraft_: Ragraft, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("mine", encoding="utf-8")
    for command in ("new", "demo"):
        found = ragraft_(command, file)
        assert found.code == 1
        assert found.err.startswith(f"ragraft: Cannot make the folder {file} (")
    assert file.read_text("utf-8") == "mine"


def test_demo_writes_its_files_and_runs_them(
    ragraft_: Ragraft, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = []

    def run_table(session: ragraft.pipeline.Session, *arguments: object, **options: object) -> None:
        ran.append(session.config)
        raise ConfigError("stopped here")

    monkeypatch.setattr(ragraft.pipeline, "run_table", run_table)
    found = ragraft_("demo", tmp_path / "demo", "--set", "train.epochs=1")
    assert found.code == 1
    assert found.err.endswith("ragraft: stopped here\n")
    assert [(config.name, config.train.epochs) for config in ran] == [("python-reference", 1.0)]
    assert sorted(file.name for file in (tmp_path / "demo").iterdir()) == [
        "documents.jsonl",
        "questions.jsonl",
        "ragraft.yaml",
    ]


def test_run_tells_its_stages_then_the_table_then_nothing_to_do(
    ragraft_: Ragraft, make_site: MakeSite, fakes: Fakes
) -> None:
    site = make_site()
    first = ragraft_("run", site.file)
    assert first.code == 0
    said = [line.split()[0] for line in first.out.splitlines() if " done in " in line]
    assert said == list(STAGES)
    assert "train       done in " in first.out
    assert "steps 3 · tokens 30" in first.out
    assert f"Page: {site.run / '80-report' / 'report.html'}" in first.out
    assert first.err == ""
    again = ragraft_("run", site.file)
    assert f"Nothing to do: {site.run} is up to date." in again.out
    assert first.out.endswith(again.out.split("is up to date.\n")[1])
    assert "tuned minus few-shot base" in first.out
    changed = ragraft_("run", site.file, "--set", "train.epochs=3", "--dry")
    assert changed.err == "changed since the last run: train.epochs: 2.0 → 3.0\n"
    lines = dict(line.split(maxsplit=1) for line in changed.out.splitlines())
    assert list(lines) == list(STAGES)
    assert {lines[stage] for stage in STAGES[:4]} == {"unchanged"}
    assert lines["report"] == "to run"
    for stage in ("train", "evaluate"):
        assert re.fullmatch(rf"to run: {EXPECTED}", lines[stage])
    sibling = ragraft_("run", site.file, "--run", "two", "--until", "index")
    assert [line.split(maxsplit=1)[1] for line in sibling.out.splitlines()] == ["taken from an equal run (lights)"] * 2


def test_a_stage_command_stops_after_its_stage(ragraft_: Ragraft, make_site: MakeSite, fakes: Fakes) -> None:
    site = make_site()
    for place, stage in enumerate(STAGES):
        found = ragraft_(stage, site.file)
        lines = [line for line in found.out.splitlines() if line.split()[:1] and line.split()[0] in STAGES]
        told = [line.split(maxsplit=1) for line in lines]
        assert [name for name, _ in told] == [*STAGES[: place + 1], stage]
        assert {state for _, state in told[:-2]} <= {"unchanged"}
        assert re.fullmatch(f"{EXPECTED} …" if stage in LONG else "…", told[-2][1])
        assert told[-1][1].startswith("done in ")


def test_a_stopped_stage_goes_on(ragraft_: Ragraft, make_site: MakeSite, fakes: Fakes) -> None:
    site = make_site()
    fakes.dies_at = 3
    stopped = ragraft_("run", site.file)
    assert stopped.code == 130
    assert stopped.err == "ragraft: stopped; the same command goes on from here\n"
    fakes.dies_at = None
    assert re.search(
        rf"^evaluate    goes on where it was stopped \({EXPECTED} from its beginning\) …$",
        ragraft_("run", site.file).out,
        re.MULTILINE,
    )


def test_status_tells_stages_and_where_settings_came_from(ragraft_: Ragraft, make_site: MakeSite, fakes: Fakes) -> None:
    site = make_site()
    before = ragraft_("status", site.file).out.splitlines()
    assert before[0] == str(site.run)
    assert [line.split()[:3] for line in before[1:10]] == [[stage, "not", "yet:"] for stage in ROWS]
    ragraft_("index", site.file)
    found = ragraft_("status", site.file, "--set", "train.epochs=3")
    assert found.code == 0
    lines = found.out.splitlines()
    assert "documents 12 · rejected 0" in lines[1]
    assert "chunks " in lines[2]
    assert "not yet: What must it answer?" in lines[3]
    assert "  train.epochs = 3.0 (--set)" in lines
    assert "  retrieve.k = 2 (ragraft.yaml)" in lines
    assert "  train.rank = 32 (default)" in lines


def test_show_prints_every_artifact(ragraft_: Ragraft, make_site: MakeSite, fakes: Fakes) -> None:
    site = make_site()
    ragraft_("run", site.file)
    for artifact in (name for name in SHOWN if name not in ("diagnosis", "calibration", "report")):
        found = ragraft_("show", artifact, "--limit", "2", "--file", site.file)
        assert found.code == 0
        data = json.loads(found.out)
        assert data["steps"] == 3 if artifact == "checkpoint" else len(data) == 2
    table = ragraft_("show", "report", "--file", site.file)
    assert "few-shot base" in table.out
    unknown = ragraft_("show", "scared", "--file", site.file)
    assert unknown.code == 1
    assert unknown.err.startswith("ragraft: scared is no artifact; did you mean scores?")


def test_ask_prints_answer_quotes_and_sources(ragraft_: Ragraft, make_site: MakeSite, fakes: Fakes) -> None:
    site = make_site()
    ragraft_("run", site.file)
    found = ragraft_("ask", "Who keeps the lamp of Esker?", "--file", site.file)
    assert found.code == 0
    answer, quote, source = found.out.splitlines()
    assert "Esker" in answer
    assert quote == f'  "{answer}" [1]'
    assert source.startswith("[1] Esker (Esker.md#")
    version = (site.run / "20-index" / "current").read_text("utf-8").strip()
    assert found.err == f"(tuned, index {version}, 2 passages)\n"
    assert ragraft_("ask", "Who?", "--model", "base", "--file", site.file).err.startswith("(base, ")


def test_export_refuses_a_folder_that_holds_something(
    ragraft_: Ragraft, make_site: MakeSite, fakes: Fakes, tmp_path: Path
) -> None:
    site = make_site()
    ragraft_("train", site.file)
    found = ragraft_("export", tmp_path, "--file", site.file)
    assert found == Result(1, "", f"ragraft: {tmp_path} is not empty; give a new folder\n")
    unknown = ragraft_("export", tmp_path / "out", "--to", "onnx", "--file", site.file)
    assert (unknown.code, unknown.err) == (
        1,
        "ragraft: --to onnx is no form to export; known: merged, adapter, gguf, ollama, hub-folder, openai-batch, "
        "chat, prompt-completion, axolotl, llama-factory\n",
    )


def test_an_exam_of_three_questions_runs_and_claims_nothing(ragraft_: Ragraft, brief_exam: Site, fakes: Fakes) -> None:
    found = ragraft_("run", brief_exam.file)
    assert found.code == 0
    said = " ".join(found.out.split())
    assert "No verdict (an exam of 3 questions in 1 cluster can show nothing; have at least 5 clusters)" in said
    assert "have at least 10 questions in 5 clusters" in said
