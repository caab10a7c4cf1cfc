from __future__ import annotations

from collections.abc import Sequence

import torch

from ragraft.backends.generators.prefixes import SHORTEST, Prefixes
from ragraft.models.attention import KeysValues

SYSTEM = list(range(100, 100 + SHORTEST))
ONE = SHORTEST * 4 * 2
"""Bytes of keys and values of a token sequence as long as SYSTEM."""


def layers(ids: Sequence[int]) -> list[KeysValues]:
    keys = torch.tensor(list(ids)).float()[None, None, :, None]
    return [(keys, -keys)]


def known(prefixes: Prefixes, ids: Sequence[int]) -> list[int]:
    """The tokens of the beginning that is known."""
    found = prefixes.find(ids)
    return [int(value) for value in found[0][0][0, 0, :, 0]] if found else []


def test_the_longest_known_beginning_is_found_and_never_all_of_a_prompt() -> None:
    prefixes = Prefixes()
    for rest in ([1, 2, 3], [1, 2, 4, 5], [9]):
        prefixes.keep([*SYSTEM, *rest], layers([*SYSTEM, *rest]))
    assert known(prefixes, [*SYSTEM, 1, 2, 4, 7]) == [*SYSTEM, 1, 2, 4]
    assert known(prefixes, [*SYSTEM, 7]) == SYSTEM
    assert known(prefixes, [*SYSTEM, 1, 2, 3]) == [*SYSTEM, 1, 2]
    assert known(prefixes, [*SYSTEM[1:], 1]) == []
    assert known(prefixes, SYSTEM[:-1]) == []
    assert known(Prefixes(), SYSTEM) == []


def test_too_little_in_common_is_read_again() -> None:
    prefixes = Prefixes()
    prefixes.keep([*SYSTEM[:-1], 1, 2], layers([*SYSTEM[:-1], 1, 2]))
    assert known(prefixes, [*SYSTEM[:-1], 7, 8, 9]) == []


def test_what_helped_longest_ago_makes_room() -> None:
    prefixes = Prefixes(most=2 * ONE)
    first, second, third = ([number, *SYSTEM[1:]] for number in range(3))
    prefixes.keep(first, layers(first))
    prefixes.keep(second, layers(second))
    assert known(prefixes, [*first, 7]) == first
    prefixes.keep(third, layers(third))
    assert known(prefixes, [*second, 7]) == []
    assert known(prefixes, [*first, 7]) == first
    assert known(prefixes, [*third, 7]) == third


def test_a_prompt_that_goes_on_takes_the_place_of_its_beginning() -> None:
    prefixes = Prefixes(most=3 * ONE)
    prefixes.keep(SYSTEM, layers(SYSTEM))
    longer = [*SYSTEM, *SYSTEM]
    prefixes.keep(longer, layers(longer))
    prefixes.keep([5, *SYSTEM[1:]], layers([5, *SYSTEM[1:]]))
    assert known(prefixes, [*longer, 1]) == longer


def test_one_that_is_larger_than_all_room_is_not_kept() -> None:
    prefixes = Prefixes(most=ONE - 1)
    prefixes.keep(SYSTEM, layers(SYSTEM))
    assert known(prefixes, [*SYSTEM, 1]) == []
