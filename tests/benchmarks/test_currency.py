"""The benchmark of two editions: what it draws, what it teaches, and a whole run over echoes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks import currency
from benchmarks.editions import SETS, draw, is_exam, prepare, question_of, stands
from ragraft.pipeline import backends
from tests.conftest import write_rows
from tests.unit.conftest import FakeLauncher, FakeTrainer

PRODUCTS = 40
STATES = ("unchanged", "changed", "added", "removed")
BEFORE_REFRESH = (currency.BASE_BEFORE, currency.TUNED_BEFORE, currency.BASE, currency.TUNED)


def make_editions(folder: Path) -> Path:
    """Two editions of a table of products: each has a fact of every state, and a document that is in both."""
    for edition, other in (("2024-12-31", "2026-08-22"), ("2026-08-22", "2024-12-31")):
        newer = edition > other
        corpus, rows = [], []
        for number in range(PRODUCTS):
            name = f"Harbour{number:02d}"
            place = f"eol-{name}-releases-1@{edition}"
            lines = [f"{name} 1: released 20{number + 10}-01-05; latest version 1.{number}.{7 if newer else 3}."]
            lines += [f"{name} 2: released 20{number + 10}-02-06."] * newer + [f"{name} 0: end {number}-7."] * (
                not newer
            )
            corpus.append({"id": place, "title": name, "text": "\n".join(lines), "metadata": {"date": edition}})
            facts: list[tuple[str, str, list[str], dict[str, Any]]] = [
                ("released", "unchanged", [f"20{number + 10}-01-05"], {}),
                ("latest", "changed", [f"1.{number}.{7 if newer else 3}"], {}),
                ("second", "added", [f"20{number + 10}-02-06"] if newer else [], {}),
                ("end", "removed", [] if newer else [f"{number}-7"], {}),
            ]
            for kind, drift, answers, more in facts:
                key = f"eol-{name}|{kind}"
                if newer and drift in ("changed", "removed"):
                    more = {"old_answers": [f"1.{number}.3" if drift == "changed" else f"{number}-7"]}
                if not newer and drift == "changed":
                    more = {"new_answers": [f"1.{number}.7"]}
                row: dict[str, Any] = {
                    "id": f"{key}@{edition}",
                    "key": key,
                    "question": f"What of {kind} has {name}?",
                    "drift": drift,
                }
                row |= {"answers": answers, "evidence_ids": [place] if answers else [], "metadata": {"product": name}}
                rows.append({**row, "type": kind, **more})
        at = folder / "eol" / edition
        at.mkdir(parents=True)
        write_rows(at / "corpus.jsonl", corpus)
        # Some facts were asked of one edition alone.
        write_rows(at / "train.jsonl", rows[16 * newer : 4 * (PRODUCTS - 6)])
        write_rows(
            at / "dev.jsonl", [{**row, "id": f"{row['id']}-dev", "key": f"{row['key']}-dev"} for row in rows[-24:]]
        )
    return folder


def test_what_is_asked_is_taught_of_the_older_edition_and_never_of_the_newer(tmp_path: Path) -> None:
    data = make_editions(tmp_path)
    found = prepare(data, SETS["eol"], questions=24, lessons=40, seed=0)
    assert found == prepare(data, SETS["eol"], questions=24, lessons=40, seed=0)
    asked, taught, refresh = ({row["id"]: row for row in rows} for rows in (found.asked, found.taught, found.refresh))
    assert (len(asked), len(taught)) == (24, 40)
    assert set(asked) <= set(taught)
    assert not set(asked) & set(refresh)
    assert all(map(is_exam, asked))
    assert Counter(row["drift"] for row in found.asked) == {"unchanged": 9, "changed": 9, "added": 3, "removed": 3}
    changed = next(row for row in found.asked if row["drift"] == "changed")
    assert taught[changed["id"]]["answers"] == changed["old_answers"] != changed["answers"]
    assert changed["evidence_ids"] == [
        found.documents["older"][0]["id"].replace("00", changed["metadata"]["product"][-2:])
    ]
    assert changed["metadata"]["cluster"] == changed["metadata"]["product"]
    assert {row["id"] for row in found.documents["older"]} == {row["id"] for row in found.documents["newer"]}
    question = question_of(changed)
    assert (question.answers, question.metadata["old_answers"]) == (tuple(changed["answers"]), changed["old_answers"])


def test_other_seeds_draw_others_and_few_of_a_state_leave_room() -> None:
    rows = [{"key": f"{state}{n}", "drift": state} for state in STATES for n in range(4 if state == "changed" else 50)]
    found = draw(rows, 40, seed=0)
    assert Counter(row["drift"] for row in found) == {"unchanged": 26, "changed": 4, "added": 5, "removed": 5}
    assert {row["key"] for row in found} != {row["key"] for row in draw(rows, 40, seed=1)}
    assert len(draw(rows, 400, seed=0)) == len(rows)


def test_clusters_are_drawn_in_turn() -> None:
    rows = [{"key": f"k{n}", "drift": "changed", "metadata": {"cluster": f"c{n // 10}"}} for n in range(40)]
    assert len({row["metadata"]["cluster"] for row in draw(rows, 4, seed=0)}) == 4
    counts = Counter(row["metadata"]["cluster"] for row in draw(rows, 12, seed=0))
    assert set(counts.values()) == {3}


def test_a_lesson_is_replayed_only_while_its_answer_stands() -> None:
    documents = [{"id": "d", "text": "The lamp is red."}]
    assert stands({"answers": ["red"], "evidence_ids": ["d"]}, documents)
    assert not stands({"answers": ["blue"], "evidence_ids": ["d"]}, documents)
    assert not stands({"answers": ["red"], "evidence_ids": ["gone"]}, documents)
    assert not stands({"answers": [], "evidence_ids": []}, documents)


@pytest.fixture
def fake_training(monkeypatch: pytest.MonkeyPatch) -> FakeLauncher:
    launcher, real = FakeLauncher(), backends.load
    fakes: dict[tuple[str, str], Any] = {
        ("trainers", "transformers"): FakeTrainer,
        ("launchers", "here"): lambda: launcher,
    }
    monkeypatch.setattr(backends, "load", lambda port, name, also=(): fakes.get((port, name)) or real(port, name, also))
    return launcher


def test_a_run_goes_through_all_states_and_on_where_it_stopped(
    tmp_path: Path, tiny_llama: Path, fake_training: FakeLauncher, capsys: pytest.CaptureFixture[str]
) -> None:
    data, work, target = make_editions(tmp_path / "data"), tmp_path / "work", tmp_path / "rows.json"
    settings = [f"model={tiny_llama}", "embedder=hashing", "index.store=memory", "evaluate.generator=echo"]
    command = ["--data", str(data), "--work", str(work), "--quick", "--json", str(target)]
    command += [word for setting in settings for word in ("--set", setting)]
    assert currency.main([*command, "--no-refresh"]) == 0
    capsys.readouterr()
    (found,) = json.loads(target.read_text("utf-8"))["sets"]
    assert len(fake_training.launched) == 1
    assert {row["model"] for row in found["rows"]} == set(BEFORE_REFRESH)
    assert "refreshed" not in found["costs"]
    assert currency.main(command) == 0
    out = capsys.readouterr().out
    (found,) = json.loads(target.read_text("utf-8"))["sets"]
    assert len(fake_training.launched) == 2
    states = (*BEFORE_REFRESH, currency.REFRESHED)
    rows = {(row["state"], row["model"]): row for row in found["rows"]}
    assert set(rows) == {(state, model) for state in (*STATES, "all") for model in states}
    # The echo says the first document's first sentence: that of the older edition before the sync, of the newer after.
    assert rows["changed", currency.TUNED_BEFORE]["right"]["value"] == 0
    assert rows["changed", currency.TUNED_BEFORE]["stale"]["value"] > 0.5
    assert rows["changed", currency.TUNED]["stale"]["value"] == 0
    assert rows["changed", currency.TUNED]["right"]["value"] > 0.5
    assert (found["questions"], found["lost"]) == (12, 0)
    assert len(found["changed"]) == found["facts"]["changed"]
    assert {row["what"] for row in found["wanted"]} >= {"stale after refresh, upper end below 5 %"}
    assert found["costs"]["tuned"]["tokens"] == 30
    assert {"tokens", "tokens a thousand answers"} <= set(found["costs"][currency.REFRESHED])
    assert found["traced"]["told"]["changed"] == {"facts": PRODUCTS, "right": PRODUCTS}
    assert found["traced"]["values"] == {"read": PRODUCTS, "right": PRODUCTS}
    assert 8 <= found["learned"] <= 12
    assert out.startswith(f"eol: 12 facts, {found['learned']} of them learned as they were\nfacts      state ")
    again = json.loads(target.read_text("utf-8"))
    assert currency.main(command) == 0
    assert json.loads(target.read_text("utf-8")) == again
    assert len(fake_training.launched) == 2
    capsys.readouterr()
    assert currency.main([*command, "--seed", "1"]) == 1
    assert "holds runs on other questions or settings; name another --work" in capsys.readouterr().err


def test_what_cannot_run_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert currency.main(["--data", str(tmp_path), "--work", str(tmp_path / "work"), "--quick"]) == 1
    assert capsys.readouterr().err.startswith(f"benchmark: No {tmp_path / 'eol' / '2024-12-31' / 'corpus.jsonl'}; ")
    with pytest.raises(SystemExit):
        currency.main(["--data", str(tmp_path), "--work", str(tmp_path), "--questions", "9", "--lessons", "9"])
    assert "--lessons 9: more than the 9 facts" in capsys.readouterr().err
