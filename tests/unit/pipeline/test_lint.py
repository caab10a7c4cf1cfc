"""Lessons are looked over before training: those just made, and those that somebody edited."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ragraft.errors import InputError, WorkspaceError
from ragraft.models import chat
from ragraft.pipeline import lesson_table, open_session
from ragraft.workspace import LINT, Folder

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring

MakeSite = Callable[..., "Site"]


def edit(site: Site, change: Callable[[dict[str, Any]], None]) -> None:
    """Change every lesson of the run in place."""
    file = site.run / "50-lessons" / "01-raft" / "lessons.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    for row in rows:
        change(row)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_lessons_that_were_just_made_pass(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="train")
    found = Folder(site.run / "60-checkpoint").read_json(LINT)
    assert list(found) == ["01-raft"]
    assert found["01-raft"]["lessons"] > 20
    assert {row["state"] for row in found["01-raft"]["findings"]} <= {"fine", "look"}
    assert found["01-raft"]["lengths"]["prompt tokens"]["longest"] > 50


def test_lessons_edited_by_hand_are_looked_over_and_refused(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="synthesize")
    edit(site, lambda row: row.update(target=f"Question: why?\n{row['target']}"))
    sentence = r"lessons\.jsonl: \d+ of \d+ lessons repeat text of the prompt .*show lessons$"
    with pytest.raises(InputError, match=sentence):
        bring(site, last="train")
    table = lesson_table(open_session(site.file))
    (row,) = (row for row in table.rows if row[1] == "prompt text in the target")
    assert row[6] == "grave"
    assert any("leave only the answer" in note for note in table.notes)


def test_an_edit_is_learned(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    assert bring(site, last="train")["train"] == "done"
    assert bring(site, last="train")["train"] == "unchanged"
    edit(site, lambda row: row.update(target=row["target"] + "!"))
    assert bring(site, last="train")["train"] == "done"


def test_a_row_that_is_no_lesson_is_named(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="synthesize")
    edit(site, lambda row: row.pop("prompt"))
    with pytest.raises(WorkspaceError, match=r"lessons\.jsonl, row 1, is no lesson \('prompt'\); mend or remove it"):
        bring(site, last="train")


def test_the_tokenizer_is_opened_once_for_all_methods(
    make_site: MakeSite, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site(train={"method": ["sft", "raft"]})
    bring(site, last="synthesize")
    opened: list[Path] = []
    real = chat.load_tokenizer

    def load(folder: Path) -> chat.ChatTokenizer:
        opened.append(folder)
        return real(folder)

    monkeypatch.setattr(chat, "load_tokenizer", load)
    lesson_table(open_session(site.file))
    assert len(opened) == 1
