"""Evaluate lets the validation side choose when the tuned model abstains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ragraft.records import Completion, Prompt, Sampling
from tests.unit.stages.test_evaluate import ABSTAINED, TOWNS, UNANSWERABLE, Reader, bring, cell, question


@dataclass
class Shy(Reader):
    """Would rather abstain, by a bit, than tell what it reads."""

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        assert sampling.turn is not None
        found = super().generate(prompts, sampling)
        said = [replace(one, turning=0.62) for one in found]
        return [replace(one, text=ABSTAINED) for one in said] if sampling.turn.above < 0.62 else said


@pytest.mark.parametrize(("given", "abstains"), [(None, False), (0.6, True), (0.7, False)])
def test_the_tuned_model_abstains_where_the_validation_side_says(
    tmp_path: Path, given: float | None, abstains: bool
) -> None:
    rows = [replace(question(n), side="validation") for n in range(TOWNS) if n not in (UNANSWERABLE, 11)]
    rows = [replace(one, question=replace(one.question, id=f"{copy}{one.id}")) for one in rows for copy in "ab"]
    made = bring(
        tmp_path,
        {"base": Shy(), "tuned": Shy()},
        rows=[*rows, question(6)],
        models=["base", "tuned"],
        contexts=["retrieved"],
        abstain_above=given,
    )
    assert made.abstain_above() == (0.65 if given is None else None)
    assert cell(made, "tuned", "retrieved")["q6"].abstained == abstains
    assert cell(made, "base", "retrieved")["q6"].abstained == (given != 0.7)
    assert cell(made, "tuned", "retrieved")["q6"].scores["abstention_probability"] == 0.62
