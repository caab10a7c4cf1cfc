"""Costs: arithmetic, the package's machines, and a user's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragraft.errors import ConfigError
from ragraft.methods.costs import Cost, load_machines, training_flops


def test_training_takes_six_operations_a_parameter_and_token_and_an_adapter_four() -> None:
    assert training_flops(135_000_000, 1_000_000, whole=True) == pytest.approx(8.1e14)
    assert training_flops(135_000_000, 1_000_000, whole=False) == pytest.approx(5.4e14)


def test_money_is_hours_of_what_a_machine_really_gets(tmp_path: Path) -> None:
    file = tmp_path / "machines.yaml"
    file.write_text(
        "dated: 2030\ncurrency: EUR\nutilisation: 0.5\nmachines:\n  Ours: {tflops: 100, price: 2}\n", encoding="utf-8"
    )
    told = load_machines(file).told(Cost(minutes=90, tokens=5, flops=3600 * 50e12), price_here=4)
    assert told["money"] == {"this machine": 6.0, "Ours": 2.0}
    assert told["minutes_on"] == {"Ours": 60.0}
    assert (told["currency"], told["prices_of"], told["minutes"], told["tokens"]) == ("EUR", "2030", 90, 5)


def test_the_packages_machines_are_priced_and_dated() -> None:
    found = load_machines()
    assert len(found.machines) >= 4
    assert all(one.tflops > 10 and one.price > 0 for one in found.machines)
    assert found.dated


@pytest.mark.parametrize("text", ["machines: 3", "dated: 1\ncurrency: x\nutilisation: 0\nmachines: {A: {tflops: 1}}"])
def test_a_file_that_is_no_list_of_machines_is_one_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "machines.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"^diagnose\.machines: {file} is no list of machines .*; give dated, "):
        load_machines(file)
    with pytest.raises(ConfigError, match=r"^diagnose\.machines: no file .*none\.yaml; check the path"):
        load_machines(tmp_path / "none.yaml")
