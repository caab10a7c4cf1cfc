"""The seeds' data file: what may be trained on and what may not."""

from __future__ import annotations

import itertools
from collections import Counter

from ragraft.methods.format_rules import RULES
from ragraft.methods.same_question import Wording, same_groups
from ragraft.methods.seeds import Seed, asks_held_out, load_seeds, seeds_for
from ragraft.records import Message, Prompt


def test_there_are_enough_of_each_use_and_kind() -> None:
    uses = Counter(seed.use for seed in load_seeds())
    assert uses == {"replay": 95, "documents": 16, "probe": 40, "format": 144}
    replay, probe = (Counter(seed.kind for seed in seeds_for(use)) for use in ("replay", "probe"))
    assert len(replay) >= 12
    assert set(probe) <= set(replay)


def test_every_id_and_every_wording_stands_once() -> None:
    seeds = load_seeds()
    assert len({seed.id for seed in seeds}) == len(seeds)
    assert same_groups([Wording(seed.id, seed.prompt) for seed in seeds]) == []
    assert all(seed.prompt == seed.prompt.strip() and seed.id.startswith(f"{seed.use}-{seed.kind}-") for seed in seeds)


def test_what_is_trained_on_and_what_is_held_out_share_few_words() -> None:
    held_out = [*seeds_for("probe"), *seeds_for("format")]
    learned = [*seeds_for("replay"), *seeds_for("documents")]
    alike = [
        (seed.id, other.id, likeness)
        for seed, other in itertools.product(learned, held_out)
        if (likeness := _likeness(seed, other)) > 0.7
    ]
    assert alike == []


def test_seeds_of_a_form_alone_have_a_rule_and_each_rule_is_used() -> None:
    assert all(seed.rule in RULES for seed in seeds_for("documents"))
    assert {seed.rule for seed in seeds_for("format")} == set(RULES)
    assert {seed.rule for use in ("replay", "probe") for seed in load_seeds() if seed.use == use} == {""}


def test_what_forgetting_is_measured_on_is_known_however_it_is_written() -> None:
    for seed in [*seeds_for("probe"), *seeds_for("format")]:
        chat = (Message("user", f" {seed.prompt.upper()}\n"), Message("assistant", "x"), Message("user", "And now?"))
        assert asks_held_out(Prompt(chat)), seed.id
    assert not any(asks_held_out(seed.ask()) for seed in [*seeds_for("replay"), *seeds_for("documents")])


def test_a_seed_is_asked_without_a_system_text() -> None:
    seed = Seed("probe-x-01", "probe", "x", "What is ice?")
    assert seed.ask().messages == (Message("user", "What is ice?"),)


def _likeness(one: Seed, other: Seed) -> float:
    mine, theirs = set(one.prompt.lower().split()), set(other.prompt.lower().split())
    return len(mine & theirs) / len(mine | theirs)
