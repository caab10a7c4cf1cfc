from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragraft.backends.embedders.sentence_transformers import SentenceTransformersEmbedder
from ragraft.errors import SourceError


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"No model folder .*nowhere; check embedder: in your YAML"):
        SentenceTransformersEmbedder(tmp_path / "nowhere")


def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"sentence-transformers cannot open the model in"):
        SentenceTransformersEmbedder(tmp_path)


def test_it_is_quiet(tiny_embedder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    SentenceTransformersEmbedder(tiny_embedder).embed(["words " * 500, "the walrus"])
    assert capfd.readouterr() == ("", "")


def test_a_long_text_is_the_mean_of_its_parts(tiny_embedder: Path) -> None:
    embedder = SentenceTransformersEmbedder(tiny_embedder)
    halves = ["the walrus rests on ice " * 5, "penguin swims under paper " * 5]
    both, *parts = embedder.embed(["".join(halves), *halves])
    mean = parts[0] * len(halves[0]) + parts[1] * len(halves[1])
    assert float(both @ (mean / np.linalg.norm(mean))) > 0.999


def test_texts_of_as_many_tokens_share_a_batch(tiny_embedder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = SentenceTransformersEmbedder(tiny_embedder)
    words, marks = "penguin " * 5, "; " * 20  # as many characters, but marks are a token each
    texts = [words, marks] * 16
    widths: list[int] = []
    forward = embedder._model.forward

    def noting(features: dict[str, Any], **kwargs: Any) -> Any:
        widths.append(features["input_ids"].shape[1])
        return forward(features, **kwargs)

    monkeypatch.setattr(embedder._model, "forward", noting)
    found = embedder.embed(texts)
    assert len(widths) == len(set(widths)) == 2
    alone = [embedder.embed([text])[0] for text in (words, marks)]
    for row, vector in enumerate(found):
        assert vector == pytest.approx(alone[row % 2], abs=1e-6)
