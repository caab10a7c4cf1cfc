"""Asking, showing and exporting a finished run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import ragraft
from ragraft.errors import ConfigError, RagraftError, WorkspaceError
from ragraft.models import load as models
from ragraft.pipeline import ROWS, SHOWN, STAGES, ask, export, open_session, show

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring, Fakes

MakeSite = Callable[..., "Site"]
QUESTION = "Who keeps the lamp of Esker?"


def sentence(kind: type[RagraftError], action: Callable[[], Any]) -> str:
    with pytest.raises(kind) as caught:
        action()
    return str(caught.value)


def test_ask_answers_from_the_index_with_citations(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site)
    asked = ask(open_session(site.file), QUESTION)
    assert asked.model == "tuned"
    assert asked.index_version == (site.run / "20-index" / "current").read_text("utf-8").strip()
    assert [passage.document_id for passage in asked.reply.cited] == ["Esker.md"]
    assert len(asked.reply.fitted.passages) == 2
    assert asked.reply.parsed.quotes[0][0] in " ".join(asked.reply.fitted.passages[0].text.split())
    assert ragraft.ask(QUESTION, site.file) == asked.reply


def test_ask_uses_the_base_before_there_is_a_tuned_model(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    site = make_site()
    bring(site, last="index")
    session = open_session(site.file)
    assert ask(session, QUESTION).model == "base"
    assert fakes.asked[-1][0] == session.config.model
    lacks = f"No tuned model in {site.run}. Run: ragraft run"
    assert sentence(WorkspaceError, lambda: ask(session, QUESTION, model="tuned")) == lacks
    unknown = sentence(ConfigError, lambda: ask(session, QUESTION, model="best"))
    assert unknown == "--model best is no model of a run; known: base, tuned"


def test_ask_without_an_index_says_what_to_run(make_site: MakeSite) -> None:
    site = make_site()
    wanted = f"No index in {site.run}. Run: ragraft run --until index"
    assert sentence(WorkspaceError, lambda: ask(open_session(site.file), QUESTION)) == wanted


def test_every_artifact_can_be_shown(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site)
    session = open_session(site.file)
    assert len(SHOWN) == len(ROWS) == 9
    for artifact in ("corpus", "index", "exam", "lessons", "scores"):
        rows = show(session, artifact, 2)
        assert len(rows) == 2
        assert rows == show(session, artifact, 5)[:2]
    assert show(session, "corpus", 1)[0]["id"] == "Arlen.md"
    assert set(show(session, "lessons", 1)[0]) >= {"prompt", "target", "passages"}
    assert show(session, "checkpoint", 1)["steps"] == 3
    assert show(session, "report", 1)["name"] == "lights"


def test_what_cannot_be_shown_is_one_sentence(make_site: MakeSite) -> None:
    site = make_site()
    session = open_session(site.file)
    near = sentence(ConfigError, lambda: show(session, "scared", 1))
    assert near == "scared is no artifact; did you mean scores?"
    known = "corpus, index, exam, diagnosis, lessons, checkpoint, calibration, scores, report"
    assert sentence(ConfigError, lambda: show(session, "zzz", 1)) == f"zzz is no artifact; known: {known}"
    for artifact, stage in zip(SHOWN, ROWS, strict=True):
        found = sentence(WorkspaceError, lambda name=artifact: show(session, name, 1))  # type: ignore[misc]
        assert found == f"No {artifact} in {site.run}. Run: ragraft {stage}"


def test_export_writes_the_final_checkpoint(
    make_site: MakeSite, bring: Bring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site()
    saved: list[str] = []
    monkeypatch.setattr(models, "save_merged", lambda model, target, **_: saved.append(model))
    session = open_session(site.file)
    missing = sentence(WorkspaceError, lambda: export(session, "merged", tmp_path / "out"))
    assert missing == f"No tuned model in {site.run}. Run: ragraft run"
    bring(site)
    empty = tmp_path / "empty"
    empty.mkdir()
    for target in (tmp_path / "out", empty):
        assert export(session, "merged", target).folder == target
        assert [file.name for file in target.iterdir()] == ["README.md"]
    assert saved == [str(site.run / "60-checkpoint" / "01-raft")] * 2


def test_export_overwrites_nothing(make_site: MakeSite, bring: Bring, tmp_path: Path) -> None:
    site = make_site()
    bring(site, last="train")
    session = open_session(site.file)
    file = tmp_path / "notes.txt"
    file.write_text("mine", encoding="utf-8")
    for target in (tmp_path, file):
        found = sentence(ConfigError, lambda place=target: export(session, "merged", place))  # type: ignore[misc]
        assert found == f"{target} is not empty; give a new folder"
    assert file.read_text("utf-8") == "mine"
    unknown = sentence(ConfigError, lambda: export(session, "onnx", tmp_path / "new"))
    assert unknown.startswith("--to onnx is no form to export; known: merged, adapter, gguf, ollama, hub-folder, ")


def test_run_of_the_api_returns_the_report(make_site: MakeSite, fakes: Fakes) -> None:
    site = make_site()
    assert ragraft.run(site.file, until="index") == {}
    told: list[str] = []
    report = ragraft.run(str(site.file), set=["report.examples=2"], tell=lambda event: told.append(event.stage))
    assert report["exam"]["questions"] == 9
    assert list(dict.fromkeys(told)) == list(STAGES)
