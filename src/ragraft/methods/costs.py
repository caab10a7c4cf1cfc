"""What an action costs: minutes, tokens, operations, and money on this machine and on named ones.

Knows sizes and prices; knows no folder and no setting. Prices are data (`advice/machines.yaml`), to be edited.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from ragraft.errors import ConfigError
from ragraft.yaml_file import read_yaml

WHOLE, ADAPTER = 6, 4
"""Operations for a parameter and a token learned: forward 2, backward 4; with frozen weights backward is 2 (Kaplan et
al. 2020, 2001.08361, section 2.1)."""
FORWARD = 2
"""Operations for a parameter and a token read."""
PER_TERA = 1e12
HERE = "this machine"


@dataclass(frozen=True, slots=True)
class Cost:
    """What an action takes once, and what each answer takes more from then on."""

    minutes: float = 0.0
    """Of this machine."""
    tokens: int = 0
    """Learned, embedded or read."""
    flops: float = 0.0
    tokens_an_answer: float = 0.0
    """Further prompt tokens of every answer to come."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine that can be hired."""

    name: str
    tflops: float
    price: float
    """An hour."""


@dataclass(frozen=True, slots=True)
class Machines:
    """Named machines, as the data file has them."""

    dated: str
    currency: str
    utilisation: float
    machines: tuple[Machine, ...]

    def told(self, cost: Cost, *, price_here: float) -> dict[str, Any]:
        """The cost as plain data, with minutes and money here and on each machine."""
        money = {HERE: round(cost.minutes / 60 * price_here, 4)}
        minutes = {}
        for one in self.machines:
            hours = cost.flops / (one.tflops * PER_TERA * self.utilisation) / 3600
            money[one.name] = round(hours * one.price, 4)
            minutes[one.name] = round(60 * hours, 2)
        return {
            "minutes": round(cost.minutes, 1),
            "tokens": cost.tokens,
            "flops": cost.flops,
            "tokens_an_answer": round(cost.tokens_an_answer, 1),
            "money": money,
            "minutes_on": minutes,
            "currency": self.currency,
            "prices_of": self.dated,
        }


def training_flops(parameters: int, tokens: float, *, whole: bool) -> float:
    """Operations to learn so many tokens, all parameters or an adapter's alone."""
    return float((WHOLE if whole else ADAPTER) * parameters * tokens)


def load_machines(file: Path | None = None) -> Machines:
    """The package's machines, or the user's own. Raises ConfigError where the file is not of their form."""
    if file is None:
        return _own()
    if not file.is_file():
        raise ConfigError(f"diagnose.machines: no file {file}; check the path, which is relative to the YAML")
    return _machines(read_yaml(file), str(file))


@functools.cache
def _own() -> Machines:
    with resources.as_file(resources.files("ragraft.methods").joinpath("advice", "machines.yaml")) as file:
        return _machines(read_yaml(file), file.name)


def _machines(data: Mapping[str, Any], where: str) -> Machines:
    try:
        return Machines(
            dated=str(data["dated"]),
            currency=str(data["currency"]),
            utilisation=_positive(data["utilisation"]),
            machines=tuple(
                Machine(str(name), _positive(row["tflops"]), float(row["price"]))
                for name, row in data["machines"].items()
            ),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"diagnose.machines: {where} is no list of machines ({error!r}); give dated, currency, utilisation and "
            "machines: {NAME: {tflops, price}}"
        ) from None


def _positive(value: Any) -> float:
    number = float(value)
    if number <= 0:
        raise ValueError(f"{value} is not above 0")
    return number
