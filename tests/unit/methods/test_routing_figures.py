"""Figures of a routed side: against sums by hand, and the laws of its curves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ragraft.methods.routing import Router, tokens
from ragraft.methods.routing_figures import Routed, risk_coverage, route, routing_curve, routing_figures
from tests.unit.methods.test_routing import both, world

# knows, reads, probability closed-book, probability with passages
CASES = (
    (True, True, 0.9, 0.9),
    (True, False, 0.8, 0.2),
    (False, True, 0.7, 0.9),
    (False, True, 0.3, 0.6),
    (False, False, 0.1, 0.1),
)


def routed(skip_above: float = 0.6, answer_above: float = 0.15) -> list[Routed]:
    rows = [both(n, knows=knows, reads=reads, sure=-0.1) for n, (knows, reads, _, _) in enumerate(CASES)]
    router = Router(skip_above=skip_above, answer_above=answer_above)
    return route(rows, [case[2] for case in CASES], [case[3] for case in CASES], router)


def test_figures_are_sums() -> None:
    found = routing_figures(routed(), resamples=200, seed=0)
    values = {name: figure["value"] for name, figure in found["figures"].items()}
    assert (found["n"], found["clusters"]) == (5, 3)
    assert values["skipped"] == pytest.approx(3 / 5)
    assert (values["always"], values["never"]) == (pytest.approx(3 / 5), pytest.approx(2 / 5))
    assert values["auto"] == pytest.approx(3 / 5)
    assert values["lost"] == pytest.approx(0.0), "what one loses another wins"
    assert values["loss"] == pytest.approx(1 / 6), "one of two questions in one of three clusters"
    assert (values["wrong_always"], values["wrong"]) == (pytest.approx(2 / 5), pytest.approx(1 / 5))
    assert values["abstains"] == pytest.approx(1 / 5)
    assert (values["oracle"], values["oracle_skipped"]) == (pytest.approx(4 / 5), pytest.approx(3 / 5))
    draft, shown = tokens(routed()[0].both.closed), tokens(routed()[0].both.shown)
    assert (draft, shown) == (43.0, 903.0)
    spent, always = sum(row.tokens for row in routed()), sum(tokens(row.both.shown) for row in routed())
    assert values["tokens_saved"] == pytest.approx(1 - spent / always)
    assert 0.5 < values["tokens_saved"] < 0.6


def test_to_abstain_is_right_where_there_is_no_answer() -> None:
    rows = [both(n, knows=False, reads=False, sure=-0.1, answerable=n % 2 == 0) for n in range(4)]
    figures = routing_figures(route(rows, [0.1] * 4, [0.1] * 4, Router(answer_above=0.5)), resamples=200, seed=0)
    values = {name: figure["value"] for name, figure in figures["figures"].items()}
    assert values["auto_abstaining"] == pytest.approx(0.5)
    assert (values["wrong"], values["abstains"], values["abstains_always"]) == (0.0, 1.0, 0.5)


def test_drafts_that_save_nothing_cost_tokens() -> None:
    found = routing_figures(routed(skip_above=0.95), resamples=200, seed=0)["figures"]
    assert found["tokens_saved"]["value"] < 0
    assert found["skipped"]["value"] == 0.0


def test_a_router_that_always_looks_up_costs_nothing_more() -> None:
    found = routing_figures(routed(skip_above=1.0, answer_above=0.0), resamples=200, seed=0)["figures"]
    assert (found["tokens_saved"]["value"], found["skipped"]["value"]) == (0.0, 0.0)


def test_what_is_bounded_weighs_clusters_alike() -> None:
    """The promise is of clusters: a large one that loses nothing hides no small one that does."""
    rows = [both(n, knows=n != 4, reads=True, sure=-0.1) for n in range(5)]
    rows = [replace(row, question=replace(row.question, cluster="ab"[n == 4])) for n, row in enumerate(rows)]
    made = route(rows, [0.9] * 5, [0.9] * 5, Router(skip_above=0.5))
    found = routing_figures(made, resamples=200, seed=0)["figures"]
    assert found["lost"]["value"] == pytest.approx(1 / 5)
    assert found["loss"]["value"] == found["wrong_bounded"]["value"] == pytest.approx(1 / 2)
    assert (found["loss"]["n"], found["loss"]["clusters"]) == (5, 2)


def test_curves_go_from_always_to_never_and_the_oracle_is_never_below() -> None:
    rows = world(150, knows=0.5, reads=0.7)
    made = route(rows, [row.draft_signals["answer mean log-probability"] / -9 for row in rows], [0.5] * 150, Router())
    curve = routing_curve(made)
    figures = routing_figures(made, resamples=200, seed=0)["figures"]
    assert (curve[0]["saved"], curve[-1]["saved"]) == (0.0, 1.0)
    for name in ("router", "oracle"):
        assert curve[0][name] == pytest.approx(figures["always"]["value"])
        assert curve[-1][name] == pytest.approx(figures["never"]["value"])
    assert all(point["oracle"] >= point["router"] - 1e-12 for point in curve)
    assert max(point["oracle"] for point in curve) <= figures["oracle"]["value"] + 1e-12
    assert len(curve) <= 41


def test_the_surest_answers_come_first() -> None:
    curve = risk_coverage(routed())
    # 0.9 right, 0.8 right, 0.7 wrong from memory, 0.6 right, 0.1 wrong
    assert [point["risk"] for point in curve] == pytest.approx([0, 0, 1 / 3, 1 / 4, 2 / 5])
    assert [point["coverage"] for point in curve] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_calibration_is_told_before_and_after() -> None:
    assert routing_figures([], resamples=200, seed=0) == {}
    found = routing_figures(routed(), resamples=200, seed=0)["calibration"]
    assert found["closed_book"]["before"]["n"] == found["with_passages"]["after"]["n"] == 5
    # Confidence is 0.905 for all, and two of five drafts are right.
    assert found["closed_book"]["before"]["ece"]["value"] == pytest.approx(0.9048 - 0.4, abs=1e-3)
    silent = [both(n, knows=True, reads=True, sure=-0.1) for n in range(3)]
    silent = [replace(row, closed_confidence=None, shown_confidence=None) for row in silent]
    untold = routing_figures(route(silent, [0.9] * 3, [0.9] * 3, Router()), resamples=200, seed=0)
    assert untold["calibration"] == {name: {"before": {}, "after": {}} for name in ("closed_book", "with_passages")}
