from __future__ import annotations

from pathlib import Path

import pytest

from ragraft.methods.estimate import Pace
from ragraft.pipeline.rates import RATES, Measured, Rates

MEASURED = Measured(Pace(123.4, 5.0), 1.2)


def test_what_was_kept_is_there_for_the_next_process(tmp_path: Path) -> None:
    Rates(tmp_path / "cache").put("train a cpu", MEASURED)
    Rates(tmp_path / "cache").put("index a cpu", Measured(Pace(1.0, 2.0)))
    again = Rates(tmp_path / "cache")
    assert again.get("train a cpu") == MEASURED
    assert again.get("index a cpu") == Measured(Pace(1.0, 2.0), 1.0)
    assert again.get("train a cuda") is None
    assert [file.name for file in (tmp_path / "cache").iterdir()] == [RATES], "written by rename, nothing left beside"


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"a": 1}', '{"a": {"rate": 2}}', "\ud83d"])
def test_a_damaged_file_is_as_none(tmp_path: Path, damage: str) -> None:
    (tmp_path / RATES).write_bytes(damage.encode("utf-8", "surrogatepass"))
    rates = Rates(tmp_path)
    assert rates.get("a") is None
    rates.put("a", MEASURED)
    assert rates.get("a") == MEASURED


def test_a_cache_that_cannot_be_written_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    Rates(tmp_path / "file" / "cache").put("a", MEASURED)
    assert Rates(tmp_path / "file" / "cache").get("a") is None
