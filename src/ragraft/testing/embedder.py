"""The contract of an Embedder. Subclass EmbedderContract and give it an `embedder` fixture; knows no adapter."""

from __future__ import annotations

import numpy as np
import pytest

from ragraft.ports import Embedder

TEXTS = (
    "The walrus rests on the ice.",
    "",
    "  \n",
    "🚀🧪",
    "שלום עולם",
    "\x00",
    "def f(x): return x",
    "word " * 40 + "and a tail that makes this the longest text of all",
)


class EmbedderContract:
    """What every Embedder does. `embedder` is the one fixture that a subclass provides."""

    def test_rows_are_float32_of_length_one(self, embedder: Embedder) -> None:
        matrix = embedder.embed(TEXTS)
        assert matrix.ndim == 2
        assert len(matrix) == len(TEXTS)
        assert matrix.dtype == np.float32
        assert np.linalg.norm(matrix, axis=1) == pytest.approx(1, abs=1e-5)

    def test_equal_texts_give_equal_rows_whatever_stands_beside(self, embedder: Embedder) -> None:
        together = embedder.embed(TEXTS)
        alone = np.concatenate([embedder.embed([text]) for text in TEXTS])
        turned = embedder.embed(TEXTS[::-1])[::-1]
        assert together == pytest.approx(alone, abs=1e-5)
        assert together == pytest.approx(turned, abs=1e-5)

    def test_the_same_call_gives_the_same_bytes(self, embedder: Embedder) -> None:
        assert embedder.embed(TEXTS).tobytes() == embedder.embed(TEXTS).tobytes()

    def test_no_text_no_row(self, embedder: Embedder) -> None:
        assert embedder.embed([]).shape == (0, embedder.embed(["one"]).shape[1])

    def test_the_end_of_a_long_text_counts(self, embedder: Embedder) -> None:
        start = "the same words again and again " * 200
        first, second = embedder.embed([start + "walrus " * 200, start + "stapler " * 200])
        assert float(first @ second) < 0.9999

    def test_a_text_is_nearest_to_itself(self, embedder: Embedder) -> None:
        texts = ["The walrus rests on the ice.", "A stapler binds paper.", "def f(x): return x"]
        matrix = embedder.embed(texts)
        assert (matrix @ matrix.T).argmax(axis=1).tolist() == [0, 1, 2]
