"""Bad input, case by case: the sentence of docs/errors.md, exit 1, and nothing that the next run takes for whole."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest
import stamina

from ragraft import cli
from ragraft.backends.generators.openai import KEY, OpenAiGenerator
from ragraft.pipeline import ROWS
from tests.e2e import bad_commands, bad_evaluation, bad_upkeep
from tests.e2e.bad_input import CASES, Case, answer
from tests.e2e.bad_input_shipping import SHIPPING

if TYPE_CHECKING:
    from tests.conftest import Site

MakeSite = Callable[..., "Site"]
PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
ALL = (*CASES, *bad_commands.CASES, *SHIPPING, *bad_evaluation.CASES, *bad_upkeep.CASES)


def page() -> dict[str, str]:
    """Of each row of docs/errors.md what is wrong and what is said of it."""
    lines = [line.strip("|").split("|") for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    return {wrong.strip(): says.strip() for wrong, says in lines[1:]}


@dataclass(frozen=True, slots=True)
class Said:
    code: int | str | None
    out: str
    err: str


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """The command line in this process."""

    def call(site: Site, *arguments: str) -> Said:
        words = [word.replace("FILE", str(site.file)).replace("FOLDER", str(site.folder)) for word in arguments]
        monkeypatch.setattr(sys, "argv", ["ragraft", *words])
        capsys.readouterr()
        code: int | str | None = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        return Said(code, *capsys.readouterr())

    return call


Say = Callable[..., Said]


@pytest.fixture(autouse=True)
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """pip may look into the site's own folder alone, the hub is away, and endpoints say what `answer` says."""
    folder = str(tmp_path / "site")
    for name, value in {"PIP_FIND_LINKS": folder, "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", folder)
    monkeypatch.setenv(KEY, "")  # and what it was, when the case is over
    monkeypatch.setattr(OpenAiGenerator, "_client", httpx2.Client(transport=httpx2.MockTransport(answer)))
    with stamina.set_testing(True):
        yield


@pytest.mark.parametrize("case", ALL, ids=[case.wrong for case in ALL])
def test_one_sentence_and_nothing_half_done(make_site: MakeSite, say: Say, case: Case) -> None:
    site = make_site()
    case.spoil(site)
    before, stages = finished(site), list(ROWS)
    said = say(site, *case.command)
    wanted = page()[case.wrong].replace("FOLDER", str(site.folder))
    pattern = ".+".join(re.escape(part) for part in wanted.split("…"))
    assert said.code == 1, said
    assert re.fullmatch(rf"(?:changed since the last run: .+\n)?ragraft: {pattern}\n", said.err), said.err
    assert "Traceback" not in said.err
    assert finished(site) >= before
    for place in finished(site) - before:
        assert stages.index(place) < stages.index(case.command[0]) if case.command[0] in stages else False


def finished(site: Site) -> set[str]:
    """Stages that count as done."""
    places = (site.folder / "runs").rglob("manifest.json") if (site.folder / "runs").is_dir() else []
    return {json.loads(place.read_text("utf-8") or '{"stage": "ingest"}')["stage"] for place in places}


def test_the_page_lists_these_cases() -> None:
    assert list(page()) == [case.wrong for case in ALL]
