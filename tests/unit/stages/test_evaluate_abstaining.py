"""Evaluate lets the validation side choose when the tuned model abstains, and whether it reads its quotes again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ragraft.records import Completion, ExamQuestion, Prompt, Sampling
from tests.unit.stages.test_evaluate import ABSTAINED, TOWNS, UNANSWERABLE, Reader, bring, cell, question


@dataclass
class Shy(Reader):
    """Would rather abstain, by a bit, than tell what it reads."""

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        assert sampling.turn is not None
        found = super().generate(prompts, sampling)
        said = [replace(one, turning=0.62) for one in found]
        return [replace(one, text=ABSTAINED) for one in said] if sampling.turn.above < 0.62 else said


def validation() -> list[ExamQuestion]:
    """Twenty questions, each of a cluster of two."""
    rows = [replace(question(n), side="validation") for n in range(TOWNS) if n not in (UNANSWERABLE, 11)]
    return [replace(one, question=replace(one.question, id=f"{copy}{one.id}")) for one in rows for copy in "ab"]


@pytest.mark.parametrize(("given", "abstains"), [(None, False), (0.6, True), (0.7, False)])
def test_the_tuned_model_abstains_where_the_validation_side_says(
    tmp_path: Path, given: float | None, abstains: bool
) -> None:
    made = bring(
        tmp_path,
        {"base": Shy(), "tuned": Shy()},
        rows=[*validation(), question(6)],
        models=["base", "tuned"],
        contexts=["retrieved"],
        abstain_above=given,
    )
    assert made.manner() == {"above": given or 0.65, "rereads": False}
    assert cell(made, "tuned", "retrieved")["q6"].abstained == abstains
    assert cell(made, "base", "retrieved")["q6"].abstained == (given != 0.7)
    assert cell(made, "tuned", "retrieved")["q6"].scores["abstention_probability"] == 0.62


@dataclass
class Hasty(Reader):
    """Takes the wrong words while it sees more than a quote, though it quotes rightly; or, if `careless`, there too."""

    careless: bool = False

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        found = super().generate(prompts, sampling)
        whole = ["It grinds grain" in prompt.messages[-1].content for prompt in prompts]
        return [
            replace(one, text=re.sub("Answer: t", "Answer: the mill of not t", one.text)) if hasty else one
            for one, hasty in zip(found, [seen or self.careless for seen in whole], strict=True)
        ]


@pytest.mark.parametrize(
    ("given", "careless", "rereads"), [(None, False, True), (None, True, False), (False, False, False)]
)
def test_the_tuned_model_reads_its_quotes_again_where_the_validation_side_gains(
    tmp_path: Path, given: bool | None, careless: bool, rereads: bool
) -> None:
    models = {"base": Hasty(careless=careless), "tuned": Hasty(careless=careless)}
    made = bring(
        tmp_path,
        models,
        rows=[*validation(), question(6)],
        models=["base", "tuned"],
        contexts=["none", "retrieved"],
        reread=given,
    )
    assert made.manner() == {"above": 0.5, "rereads": rereads}
    rows = cell(made, "tuned", "retrieved"), cell(made, "base", "retrieved")
    right = "t6mill" if rereads else "the mill of not t6mill"
    assert [one["q6"].answer for one in rows] == [right, "the mill of not t6mill"]
    assert [one["q6"].prompt_tokens for one in rows] == [7 + 7 * rereads, 7]
    assert rows[0]["q6"].citations == rows[1]["q6"].citations == ("t6#0",)
    assert rows[0]["q6"].quotes == rows[1]["q6"].quotes
    told = made.card()["manner"]["rereading"]
    assert (told is None) == (given is not None)
    assert told is None or (told["questions"], told["changed"]) == (20, 20 if rereads else 0)
