"""What the command line says beside results: its version, the next command, warnings, tables in little room."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

import ragraft.pipeline
from ragraft.cli.app import command
from ragraft.cli.printing import print_table
from ragraft.pipeline import Table, changed_keys, open_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Site
    from tests.unit.conftest import Bring, Ragraft

    MakeSite = Callable[..., Site]


def test_the_version(ragraft_: Ragraft) -> None:
    assert ragraft_("--version") == (0, f"ragraft {version('ragraft')}\n", "")


def test_a_command_names_the_yaml_where_it_is_not_the_one_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert command("run", tmp_path / "ragraft.yaml") == "ragraft run"
    assert command("run", Path("Größe & Maß/ragraft.yaml")) == "ragraft run 'Größe & Maß/ragraft.yaml'"
    assert command("questions", Path("a.yaml"), "--review") == "ragraft questions a.yaml --review"


def test_what_the_exam_warns_of_is_said_before_anything_is_trained(ragraft_: Ragraft, brief_exam: Site) -> None:
    out = ragraft_("examine", brief_exam.file)[1]
    assert "\n            note: the exam has 3 questions in 1 cluster: its intervals will be wide" in out


def test_a_narrow_table_loses_no_word(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    print_table(Table("Scores", ("Model", "Retrieved passages"), (("Base, few-shot", "incomprehensibilities"),)))
    printed = capsys.readouterr().out
    assert "…" not in printed
    cells = [line.split("│")[2].strip() for line in printed.splitlines() if line.count("│") == 3]
    assert "".join(cells) == "incomprehensibilities"


def test_a_setting_that_was_taken_out_is_told(bring: Bring, make_site: MakeSite) -> None:
    site = make_site(endpoint={"url": "http://nobody.test/v1", "body": {"top_p": 0.9}})
    bring(site, last="ingest")
    site.configure(endpoint={"body": {}})
    assert changed_keys(open_session(site.file)) == ["endpoint.body.top_p: 0.9 → None"]


def test_an_abstention_is_told_in_the_runs_own_words(
    ragraft_: Ragraft, make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site(prompt={"abstention": "Steht nicht darin."})
    parsed = SimpleNamespace(abstained=True, answer="", from_memory=False, quotes=(), citations=())
    reply = SimpleNamespace(parsed=parsed, fitted=SimpleNamespace(passages=()))
    asked = SimpleNamespace(reply=reply, decision=None, notes=(), model="base", index_version="1")
    monkeypatch.setattr(ragraft.pipeline, "ask", lambda *arguments, **options: asked)
    assert ragraft_("ask", "Wer?", "--file", site.file)[1] == "Steht nicht darin.\n"


def test_an_output_that_knows_few_signs_stops_nothing(make_site: MakeSite) -> None:
    site = make_site()
    code = "from ragraft.cli import main; main()"
    asked = [sys.executable, "-c", code, "status", str(site.file), "--set", "prompt.abstention=nein → nein"]
    done = subprocess.run(
        asked, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "prompt.abstention = nein ? nein (--set)" in done.stdout
