"""Agreement with people, against scikit-learn, and what a file of labels must hold."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, cohen_kappa_score

from ragraft.errors import InputError
from ragraft.methods.agreement import Labelled, agreement, agreement_sentence, agreement_table, read_labelled
from ragraft.records import Claim, Judgement


def labelled(labels: Sequence[bool]) -> list[Labelled]:
    return [Labelled(Claim(f"claim {n}", (f"evidence {n}",)), label) for n, label in enumerate(labels)]


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([True, False, None])), min_size=1, max_size=40))
def test_figures_are_scikit_learns(rows: list[tuple[bool, bool | None]]) -> None:
    labels, verdicts = [row[0] for row in rows], [row[1] for row in rows]
    found = agreement(labelled(labels), [Judgement(one, reason="?") for one in verdicts], resamples=100, seed=0)
    kept = [(label, verdict) for label, verdict in rows if verdict is not None]
    assert (found["claims"], found["unscored"]) == (len(rows), len(rows) - len(kept))
    if not kept:
        assert found["figures"] == {}
        return
    people, grader = zip(*kept, strict=True)
    figures = found["figures"]
    assert figures["accuracy"]["value"] == pytest.approx(accuracy_score(people, grader))
    assert figures["accuracy"]["unscored"] == found["unscored"]
    assert sum(found["counts"].values()) == len(kept)
    if len(set(people)) > 1:
        assert figures["kappa"]["value"] == pytest.approx(cohen_kappa_score(people, grader))
        assert figures["balanced accuracy"]["value"] == pytest.approx(balanced_accuracy_score(people, grader))
    else:
        assert figures["balanced accuracy"] is None


def test_a_table_and_a_sentence() -> None:
    labels = [n % 2 == 0 for n in range(60)]
    verdicts = [label if n % 6 else not label for n, label in enumerate(labels)]
    judgements = [Judgement(one) for one in verdicts]
    judgements[0] = Judgement(None, reason="the reply names no verdict")
    found = agreement(labelled(labels), judgements, resamples=200, seed=0)
    table = agreement_table(found, "judge@openai:small")
    assert table.columns == ("Grader", "Cohen's kappa", "Accuracy", "Balanced accuracy", "n", "Unscored")
    (row,) = table.rows
    assert row[0] == "judge@openai:small"
    assert row[1].startswith("0.69 [0.")
    assert row[4:] == ("59", "1")
    assert "Supported by people, not supported by the grader: 9." in table.notes
    assert table.notes[-1] == "Always giving the commoner verdict would be right on 50.8 of 100."
    assert agreement_sentence(found).endswith("(n = 59, unscored 1)")


def test_nothing_judged_is_a_table_of_nothing() -> None:
    found = agreement(labelled([True]), [Judgement(None, reason="x")], resamples=100, seed=0)
    assert agreement_table(found, "x").rows == (("x", "-", "-", "-", "0", "1"),)


def test_claims_on_the_same_evidence_are_one_cluster() -> None:
    rows = [{"id": str(n), "claim": f"c{n}", "evidence": ["a", f"b{n // 2}"], "label": "supported"} for n in range(6)]
    found = read_labelled([json.dumps(row) for row in rows], "labels.jsonl")
    assert len({one.cluster for one in found}) == 3
    assert agreement(found, [Judgement(True)] * 6, resamples=100, seed=0)["figures"]["accuracy"]["clusters"] == 3


def test_rows_of_labelled_claims() -> None:
    rows = [
        {"claim": "a", "evidence": ["x", "y"], "label": "supported"},
        {"claim": "b", "evidence": "x", "label": "partially_supported", "question": "Which?"},
        {"claim": "c", "evidence": [], "label": "not_supported", "id": 3},
    ]
    lines = [json.dumps(row) for row in rows]
    found = read_labelled([lines[0], "", *lines[1:]], "labels.jsonl")
    assert [one.supported for one in found] == [True, False, False]
    assert found[1].claim == Claim("b", ("x",), "Which?")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{", "Expecting property name"),
        ("[]", "list indices must be"),
        ('{"claim": "a", "evidence": ["x"]}', "'label' is missing or no label"),
        ('{"claim": "a", "evidence": ["x"], "label": "maybe"}', "'maybe' is missing or no label"),
        ('{"claim": "a", "evidence": [1], "label": "supported"}', "claim, question and evidence must be texts"),
        ('{"claim": "a", "evidence": ["x"], "label": []}', "unhashable"),
    ],
)
def test_what_is_no_labelled_claim_is_told_with_its_line(line: str, fault: str) -> None:
    good = '{"claim": "a", "evidence": ["x"], "label": "supported"}'
    with pytest.raises(InputError, match=rf"^labels.jsonl line 2 is no labelled claim \({fault}.*\); a row is "):
        read_labelled([good, line], "labels.jsonl")
    with pytest.raises(InputError, match=r"^labels.jsonl holds no labelled claim; a row is "):
        read_labelled(["", " "], "labels.jsonl")
