"""An entailment model as a grader: which label counts, and how long evidence is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ragraft.backends.graders.entailment import EntailmentGrader, entailment_label
from ragraft.errors import BackendError, SourceError
from ragraft.records import Claim

Save = Callable[[int], Path]


@pytest.mark.parametrize(
    ("labels", "place"),
    [
        (["CONTRADICTION", "NEUTRAL", "ENTAILMENT"], 2),
        (["entailment", "not_entailment"], 0),
        (["non-entailment", "entailment"], 1),
        (["hallucinated", "consistent"], 1),
        (["LABEL_0"], 0),
        (["LABEL_0", "LABEL_1"], 1),
    ],
)
def test_the_label_that_counts(labels: list[str], place: int) -> None:
    assert entailment_label(dict(enumerate(labels)), Path("model")) == place


@pytest.mark.parametrize("labels", [["LABEL_0", "LABEL_1", "LABEL_2"], ["positive", "negative"]])
def test_a_model_of_other_labels_is_refused(labels: list[str]) -> None:
    told = rf"^The model in model names no label for entailment \({', '.join(labels)}\); set evaluate.grader to an"
    with pytest.raises(BackendError, match=told):
        entailment_label(dict(enumerate(labels)), Path("model"))


def test_a_folder_that_holds_no_model_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^transformers cannot open the entailment model in .+: "):
        EntailmentGrader(tmp_path)
    with pytest.raises(SourceError, match=r"^No model folder .+gone; check evaluate.grader in your YAML$"):
        EntailmentGrader(tmp_path / "gone")


def test_the_score_is_the_models_own(save_cross_encoder: Save) -> None:
    grader = EntailmentGrader(save_cross_encoder(2))
    claim = Claim("the walrus swims", ("the walrus rests on ice",))
    inputs = grader._tokenizer(claim.passages[0], claim.text, return_tensors="pt")
    with torch.inference_mode():
        wanted = float(grader._network(**inputs.to(grader._device)).logits.softmax(-1)[0, 1])
    (found,) = grader.judge([claim])
    assert found.score == pytest.approx(wanted, abs=1e-4)
    assert found.supported == (wanted >= 0.5)


def test_of_long_evidence_the_best_window_counts(save_cross_encoder: Save) -> None:
    grader = EntailmentGrader(save_cross_encoder(2))
    evidence = "the penguin swims under the ice and the stapler binds paper where the walrus rests " * 12
    claim = "the walrus rests"
    room = grader._window - grader._length("", claim)
    windows = grader._windows(evidence, claim, room)
    assert len(windows) > 3
    assert all(len(window["input_ids"]) <= grader._window for window in windows)
    (found,) = grader.judge([Claim(claim, (evidence,))])
    assert found.score == max(grader._scores(windows))


def test_a_claim_without_room_for_evidence_is_unscored(save_cross_encoder: Save) -> None:
    found = EntailmentGrader(save_cross_encoder(2)).judge([Claim("walrus " * 60, ("ice",)), Claim("ice", ("ice",))])
    assert found[0].supported is None
    assert found[0].reason == "the claim leaves no room for evidence in 64 tokens"
    assert found[1].supported is not None
