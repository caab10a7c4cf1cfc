from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ragraft.backends.rerankers.cross_encoder import CrossEncoderReranker
from ragraft.errors import BackendError, SourceError
from ragraft.testing.reranker import PASSAGES, QUESTION


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"No model folder .*nowhere; check retrieve.reranker in your YAML"):
        CrossEncoderReranker(tmp_path / "nowhere")


def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"sentence-transformers cannot open the model in"):
        CrossEncoderReranker(tmp_path)


def test_a_classifier_is_told(save_cross_encoder: Callable[[int], Path]) -> None:
    with pytest.raises(BackendError, match=r"gives 3 scores a pair, not one; set retrieve.reranker to a reranking"):
        CrossEncoderReranker(save_cross_encoder(3))


def test_it_is_quiet(tiny_cross_encoder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    CrossEncoderReranker(tiny_cross_encoder).rerank(QUESTION, PASSAGES)
    assert capfd.readouterr() == ("", "")


def test_scores_are_the_models_own(tiny_cross_encoder: Path) -> None:
    import torch
    from transformers import AutoTokenizer, BertForSequenceClassification

    network = BertForSequenceClassification.from_pretrained(tiny_cross_encoder).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny_cross_encoder)
    passage = PASSAGES[1]
    with torch.no_grad():
        pair = tokenizer(QUESTION, f"{passage.title}\n{passage.text}", truncation=True, return_tensors="pt")
        expected = torch.sigmoid(network(**pair).logits[0, 0]).item()
    [found] = CrossEncoderReranker(tiny_cross_encoder).rerank(QUESTION, [passage])
    assert found.score == pytest.approx(expected, abs=1e-4)
