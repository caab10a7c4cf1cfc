"""The router on made-up worlds, and its promise with fitted probabilities on draws that it has not seen."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import numpy as np
import pytest

from ragraft.errors import InputError
from ragraft.methods.answer import Reply
from ragraft.methods.prompt import PromptBuilder
from ragraft.methods.risk_control import NOTHING
from ragraft.methods.routing import (
    Both,
    Decision,
    Router,
    abstaining,
    answered_both_ways,
    decided,
    fit_router,
    right,
    router_from_json,
    score,
    wrong,
)
from ragraft.methods.routing_figures import route, routing_figures
from ragraft.ports import Tokenizer
from ragraft.records import ExamQuestion, Question, to_json
from tests.unit.methods.replies import ABSTENTION, reply, words

FIT: dict[str, Any] = {"max_wrong": None, "folds": 5, "seed": 0}


def both(
    number: int, *, knows: bool, reads: bool, sure: float, sure_reading: float = -0.1, answerable: bool = True
) -> Both:
    gold = (f"answer {number}",) if answerable else ()
    question = ExamQuestion(Question(f"q{number}", f"What is thing {number}?", gold), "calibration", f"c{number // 2}")
    draft = reply(f"Answer: {f'answer {number}' if knows else 'nonsense'}", sure=sure, prompt_tokens=40)
    said = f"answer {number}" if reads else "something" if answerable else ABSTENTION
    shown = reply(f"Answer: {said}", sure=sure_reading, scores=(0.5, 0.2), prompt_tokens=900)
    return answered_both_ways(question, draft, shown, words)


def world(number: int, *, knows: float, reads: float, seed: int = 0) -> list[Both]:
    """Memory and reading are right in these shares, and the model is surer where it is right."""
    draw = random.Random(seed)
    made = []
    for place in range(number):
        remembered, read = draw.random() < knows, draw.random() < reads
        made.append(
            both(
                place,
                knows=remembered,
                reads=read,
                sure=math.log(draw.betavariate(8, 2) if remembered else draw.betavariate(2, 5)),
                sure_reading=math.log(draw.betavariate(8, 2) if read else draw.betavariate(3, 3)),
            )
        )
    return made


def test_grades_of_both_answers() -> None:
    row = both(3, knows=True, reads=False, sure=-0.1)
    assert [score(row.closed), score(row.shown), row.gain] == pytest.approx([1.0, 0.0, -1.0])
    assert (right(row.closed), wrong(row.closed), right(row.shown), wrong(row.shown)) == (True, False, False, True)
    silent = both(4, knows=False, reads=False, sure=-0.1, answerable=False)
    assert (score(silent.shown), right(silent.shown), wrong(silent.shown)) == (1.0, True, False)
    assert (score(silent.closed), wrong(silent.closed)) == (0.0, True)
    assert row.closed_confidence == pytest.approx(math.exp(-0.1))


def test_a_memory_that_knows_all_is_trusted_with_nearly_all() -> None:
    rows = world(240, knows=1.0, reads=0.6)
    fitted = fit_router(rows, max_loss=0.01, **FIT)
    assert fitted.skip.promised
    assert fitted.skip.taken >= 0.95 * len(rows)
    assert fitted.skip.loss == 0.0


def test_a_memory_that_knows_nothing_is_trusted_with_nothing_that_reading_would_win() -> None:
    rows = world(240, knows=0.0, reads=1.0)
    fitted = fit_router(rows, max_loss=0.01, **FIT)
    assert fitted.skip.taken <= 1
    assert fitted.skip.loss <= 0.01


def test_a_memory_that_knows_half_saves_what_it_is_sure_of() -> None:
    rows = world(600, knows=0.5, reads=0.8, seed=3)
    fitted = fit_router(rows, max_loss=0.03, **FIT)
    assert 0.1 < fitted.skip.taken / len(rows) < 0.6
    routed = route(rows, fitted.closed_book, fitted.with_passages, fitted.router)
    figures = routing_figures(routed, resamples=200, seed=0)["figures"]
    assert figures["lost"]["value"] <= figures["loss"]["value"] <= 0.03
    assert figures["skipped"]["value"] == pytest.approx(fitted.skip.taken / len(rows))
    assert figures["tokens_saved"]["value"] > 0


def test_skipping_that_saves_less_than_its_drafts_cost_is_left() -> None:
    """4 of 200 are known: skipping saves 860 tokens each, and 200 drafts cost 43 each."""
    rows = [both(n, knows=n < 4, reads=True, sure=-0.01 if n < 4 else -3.0) for n in range(200)]
    found, all_the_same = (fit_router(rows, max_loss=0.02, **FIT, saves=saves) for saves in ("tokens", "retrievals"))
    assert found.skip == all_the_same.skip
    assert found.skip.promised
    assert 4 <= found.skip.taken < 10
    assert (found.worth, found.router.drafts) == (False, False)
    assert (all_the_same.worth, all_the_same.router.skip_above) == (True, found.skip.threshold)


def test_too_few_questions_promise_nothing_and_skip_nothing() -> None:
    fitted = fit_router(world(60, knows=1.0, reads=0.2), max_loss=0.01, **FIT)
    assert (fitted.skip.promised, fitted.skip.too_few, fitted.router.skip_above) == (False, True, NOTHING)
    assert fit_router([], max_loss=0.01, **FIT).router.skip_above == NOTHING


def test_wrong_answers_are_bounded_by_abstaining() -> None:
    rows = world(400, knows=0.3, reads=0.6, seed=1)
    without = fit_router(rows, max_loss=0.02, **FIT)
    assert without.answer is None
    assert not without.router.may_abstain
    bound = fit_router(rows, max_loss=0.02, **{**FIT, "max_wrong": 0.1})
    assert bound.answer is not None
    assert bound.answer.promised
    routed = route(rows, bound.closed_book, bound.with_passages, bound.router)
    assert sum(row.wrong for row in routed) / len(rows) <= 0.1
    assert 0 < sum(row.abstains for row in routed) < len(rows)
    answered = [row for row in routed if not row.abstains]
    assert sum(row.wrong for row in answered) / len(answered) < 0.3, "it abstains where it is wrong"


def test_where_skipping_says_too_much_that_is_wrong_nothing_is_skipped() -> None:
    rows = world(400, knows=0.9, reads=0.5, seed=1)
    bound = fit_router(rows, max_loss=0.5, **{**FIT, "max_wrong": 0.005})
    assert bound.answer is not None
    assert bound.router.skip_above == NOTHING
    routed = route(rows, bound.closed_book, bound.with_passages, bound.router)
    assert sum(row.wrong for row in routed) <= 1
    assert {row.decision.route for row in routed} == {"retrieve", "abstain"}
    few = fit_router(rows[:50], max_loss=0.5, **{**FIT, "max_wrong": 0.005})
    assert few.answer is not None
    assert few.answer.too_few
    assert few.router.decide(0.999, 0.999).route == "abstain"


@pytest.mark.parametrize("knows", [0.2, 0.6])
def test_the_promise_holds_on_average_with_fitted_probabilities(knows: float) -> None:
    """Fits and thresholds from one draw, losses on another: many times over."""
    most, lost = 0.05, []
    fresh = world(1000, knows=knows, reads=0.7, seed=10_000)
    for seed in range(12):
        router = fit_router(world(150, knows=knows, reads=0.7, seed=seed), max_loss=most, **FIT).router
        skipped = [row for row in fresh if router.closed_book.probability(row.draft_signals) > router.skip_above]
        lost.append(sum(max(row.gain, 0.0) for row in skipped) / len(fresh))
    error = float(np.std(lost)) / len(lost) ** 0.5
    assert np.mean(lost) <= most + 3 * error
    assert np.mean(lost) > most / 4, "and it is not kept by never skipping"


def test_the_order_of_rows_decides_nothing() -> None:
    rows = world(200, knows=0.5, reads=0.7)
    one, two = (fit_router(some, max_loss=0.05, **FIT) for some in (rows, rows[::-1]))
    assert one.closed_book == pytest.approx(two.closed_book[::-1])
    assert one.router.skip_above == pytest.approx(two.router.skip_above)


def test_a_router_survives_json() -> None:
    router = fit_router(world(200, knows=0.5, reads=0.7), max_loss=0.05, **{**FIT, "max_wrong": 0.2}).router
    assert router_from_json(json.loads(json.dumps(to_json(router)))) == router


def test_a_question_goes_its_way(word_tokenizer: Tokenizer) -> None:
    rows = world(300, knows=0.5, reads=0.7)
    fitted = fit_router(rows, max_loss=0.05, **{**FIT, "max_wrong": 0.2}).router
    builder = PromptBuilder(word_tokenizer, ABSTENTION, 300, 40)
    draft = reply("Answer: answer 7", sure=-0.01)
    shown = reply("Answer: something", sure=-2.0, scores=(0.5, 0.2))
    drafted: list[int] = []
    looked: list[int] = []

    def remember() -> Reply:
        drafted.append(1)
        return draft

    def look_up() -> Reply:
        looked.append(1)
        return shown

    def ask(router: Router) -> tuple[Reply, Decision]:
        return decided("What is thing 7?", remember, look_up, router=router, builder=builder)

    assert ask(Router()) == (shown, Decision("retrieve"))
    assert (len(drafted), len(looked)) == (0, 1), "nothing depends on a draft"
    given, decision = ask(Router(skip_above=0.6))
    assert (given, decision.route, decision.closed_book) == (shown, "retrieve", 0.5)
    skipping = Router(fitted.closed_book, fitted.with_passages, 0.0, 0.0)
    given, decision = ask(skipping)
    assert (given, decision.route, decision.with_passages) == (draft, "skip", None)
    strict = Router(fitted.closed_book, fitted.with_passages, NOTHING, NOTHING)
    given, decision = ask(strict)
    assert decision.route == "abstain"
    assert (given.parsed.abstained, given.completion.text) == (True, f"Answer: {ABSTENTION}")
    assert given == abstaining(shown, builder)
    assert (len(drafted), len(looked)) == (3, 3)


def test_a_generator_without_probabilities_is_told() -> None:
    router = fit_router(world(200, knows=0.5, reads=0.7), max_loss=0.05, **FIT).router
    with pytest.raises(InputError, match=r"^retrieval auto was calibrated on probabilities .* ask with retrieval"):
        router.of_draft("Why?", reply("Answer: x", sure=None), words)


def test_decisions_of_known_probabilities() -> None:
    router = Router(skip_above=0.6, answer_above=0.3)
    assert router.decide(0.7, 0.1) == Decision("skip", 0.7)
    assert router.decide(0.6, 0.31) == Decision("retrieve", 0.6, 0.31)
    assert router.decide(0.6, 0.3) == Decision("abstain", 0.6, 0.3)
