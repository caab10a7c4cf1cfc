"""The benchmark of retiring questions, on a table of two lines that changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.renewal import main, measure


def write(folder: Path, date: str, lines: list[str], drifts: dict[str, str]) -> None:
    place = folder / date
    place.mkdir(parents=True)
    text = "Releases of Lamp:\n" + "\n".join(lines)
    row = {"id": f"lamp-1@{date}", "title": "Lamp", "text": text}
    (place / "corpus.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    asked = [
        {
            "key": f"lamp|{release}|eol",
            "question": f"When does Lamp {release} reach its end of life?",
            "answers": [line.partition("life ")[2].rstrip(".")],
            "evidence_ids": [row["id"]],
            "type": "eol",
            "drift": drifts[release],
        }
        for line in lines
        if (release := line[2:5]) in drifts
    ]
    (place / "train.jsonl").write_text("".join(json.dumps(one) + "\n" for one in asked), "utf-8")


def test_what_changed_is_retired_and_the_rest_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drifts = {"1.0": "unchanged", "1.1": "changed", "1.2": "removed"}
    older = [
        "- 1.0: released 2020-01-01; end of life 2022-03-05.",
        "- 1.1: released 2021-02-02; end of life 2023-04-06.",
        "- 1.2: released 2022-03-03; end of life 2024-05-07.",
    ]
    newer = [
        older[0],
        older[1].replace("2023-04-06", "2029-08-09"),
        "- 1.3: released 2025-06-06; end of life 2030-01-01.",
    ]
    write(tmp_path / "lamps", "2020-01-01", older, drifts)
    write(tmp_path / "lamps", "2026-01-01", newer, {})
    found = {row.kind: row for row in measure(tmp_path / "lamps") if row.type == "all"}
    assert {kind: row.retired for kind, row in found.items()} == {"unchanged": 0, "changed": 1, "removed": 1}
    main(["--data", str(tmp_path), "--folder", "lamps", "--json", str(tmp_path / "figures.json")])
    assert "changed     all              1    100.0" in capsys.readouterr().out
    assert json.loads((tmp_path / "figures.json").read_text("utf-8"))["benchmark"] == "renewal"
