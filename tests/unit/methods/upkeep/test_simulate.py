"""The simulator: costs are what they must be, nobody beats who knows all, and at no drift the rule hardly tunes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ragraft.methods.upkeep.cadence import Stakes
from ragraft.methods.upkeep.simulate import (
    EVERY,
    KNOWING,
    LOOK_COST,
    NEVER,
    RULE,
    Calendar,
    Lived,
    Seen,
    compare,
    know,
    live,
    policies,
)
from ragraft.methods.upkeep.stopping import Rule
from ragraft.methods.upkeep.tables import simulation_table
from ragraft.methods.upkeep.worlds import KINDS, LARGEST, World, draw_worlds

WORLDS = draw_worlds(16, seed=3)


def steady(decay: float, days: int = 200) -> World:
    stakes = Stakes(questions=10, value=0.1, tuning=8, churn=2)
    return World("gradual", decay * np.arange(days, dtype=float), stakes, fresh=0.8, asked=100, asked_new=300)


def test_a_seed_draws_its_worlds_and_kinds_take_turns() -> None:
    again, other = draw_worlds(16, seed=3), draw_worlds(16, seed=4)
    assert [world.kind for world in WORLDS] == [*KINDS] * 4
    for one, same, another in zip(WORLDS, again, other, strict=True):
        assert np.array_equal(one.path, same.path)
        assert one.stakes == same.stakes != another.stakes
        assert (one.kind == "none") == (not one.losses(0).any())
        assert one.losses(100)[0] == 0
        assert 0 <= one.losses(0).min() <= one.losses(0).max() <= LARGEST
    own = Stakes(questions=5, value=2, tuning=3)
    assert {world.stakes for world in draw_worlds(8, seed=3, stakes=own)} == {own}


@pytest.mark.parametrize("days", [7, 30, 90, float("inf")])
def test_a_calendar_costs_what_can_be_counted(days: float) -> None:
    world = steady(0.001)
    lived = live(world, Calendar(days), seed=0)
    every = min(round(days / EVERY) * EVERY, 10_000) if days < 1000 else 10_000
    assert lived.tuned == tuple(range(every, 199, every))
    # A model is exchanged at the end of its day.
    lost = sum(0.001 * (day - max([0, *(at for at in lived.tuned if at < day)])) for day in range(200))
    assert lived.cost == pytest.approx(lost + 10 * len(lived.tuned))


def test_looking_costs_and_changes_nothing_else() -> None:
    world, worse = steady(0.0), replace(steady(0.0), asked=10)

    never, looking = Calendar(float("inf")), Calendar(float("inf"), looks=True)
    assert live(world, never, seed=0).cost == 0
    assert live(world, looking, seed=0).cost == pytest.approx(28 * LOOK_COST * 10)
    assert live(worse, looking, seed=1).cost == live(world, looking, seed=0).cost


def test_nobody_beats_who_knows_all() -> None:
    made = policies(Rule())
    for place, world in enumerate(WORLDS):
        least = know(world)
        for make in made.values():
            assert live(world, make(world), seed=place).cost >= least.cost - 1e-9


def test_knowing_all_finds_the_best_plan_of_a_small_world() -> None:
    world = steady(0.01, days=29)
    best = min(
        sum(0.01 * (day - max([0, *(at for at in tuned if at < day)])) for day in range(29)) + 10 * len(tuned)
        for tuned in ((), (7,), (14,), (21,), (7, 14), (7, 21), (14, 21), (7, 14, 21))
    )
    assert know(world).cost == pytest.approx(best)
    dear = replace(world, stakes=replace(world.stakes, questions=2000))
    assert know(dear).tuned == (7, 14, 21)
    assert know(replace(world, path=np.zeros(29))) == Lived(0.0)


def test_the_closest_re_tunes_of_a_year_are_counted() -> None:
    assert Lived(0).most_in_a_year == 0
    assert Lived(0, (10, 380, 400, 700)).most_in_a_year == 3
    assert Lived(0, (10, 375)).most_in_a_year == 1


def test_a_look_is_a_score_with_its_error() -> None:
    look = Seen(7, (0,) * 60 + (1,) * 40).look()
    assert look.day == 7
    assert look.score == pytest.approx(62 / 104)
    assert look.error == pytest.approx((look.score * (1 - look.score) / 104) ** 0.5)
    assert Seen(7, (0,) * 50).look().error > 0


def test_the_comparison_is_paired_and_repeats() -> None:
    made = {name: make for name, make in policies(Rule()).items() if name in (RULE, NEVER, "every 30 days", "DDM")}
    found = {one.policy: one for one in compare(WORLDS, made, seed=1, resamples=200)}
    assert set(found) == {*made, KNOWING}
    assert found == {one.policy: one for one in compare(WORLDS, made, seed=1, resamples=200)}
    rule, often = found[RULE], found["every 30 days"]
    assert rule.more is None
    assert often.more is not None
    assert often.more.value == pytest.approx(often.cost.value - rule.cost.value)
    assert set(rule.by_kind) == set(KINDS)
    assert np.mean([one.value for one in rule.by_kind.values()]) == pytest.approx(rule.cost.value)
    assert found[NEVER].tuned == found[NEVER].quiet == 0
    assert found["every 30 days"].quiet == 14
    table = simulation_table(list(found.values()), worlds=16, days=730)
    assert table.rows[0][0] == KNOWING
    assert all(len(row) == len(table.columns) for row in table.rows)


def test_without_drift_the_rule_tunes_at_most_once_a_year() -> None:
    quiet = [world for world in draw_worlds(80, seed=9) if world.kind == "none"]
    make = policies(Rule())[RULE]
    assert max(live(world, make(world), seed=place).most_in_a_year for place, world in enumerate(quiet)) <= 1
