"""Embeddings without a model: words and character trigrams, hashed. For tests and for machines with no model at all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ragraft.ports import Matrix

DIMENSIONS = 512
_TRIGRAM_WEIGHT = 0.5
_WORD = re.compile(r"\w+")


class HashingEmbedder:
    """Signed feature hashing (Weinberger et al. 2009) into 512 dimensions; rows of length 1."""

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Shape (len(texts), 512), float32; a text without any word is the first axis."""
        matrix = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for row, text in enumerate(texts):
            matrix[row] = _vector(text)
        return matrix


def _vector(text: str) -> NDArray[np.float64]:
    features = [_features(word) for word in _WORD.findall(text.casefold())]
    if features:
        places = np.concatenate([place for place, _ in features])
        weights = np.concatenate([weight for _, weight in features])
        vector = np.bincount(places, weights=weights, minlength=DIMENSIONS)
        length = float(np.linalg.norm(vector))
        if length > 0:
            normed: NDArray[np.float64] = vector / length
            return normed
    first_axis = np.zeros(DIMENSIONS)
    first_axis[0] = 1
    return first_axis


@lru_cache(maxsize=1 << 16)
def _features(word: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    framed = f"<{word}>"
    trigrams = [framed[at : at + 3] for at in range(len(framed) - 2)]
    hashes = np.array([_hash(feature) for feature in [f"w {word}", *trigrams]])
    weights = np.full(len(hashes), _TRIGRAM_WEIGHT)
    weights[0] = 1.0
    signs = np.where(hashes & 1, 1.0, -1.0)
    return (hashes >> 1) % DIMENSIONS, weights * signs


def _hash(feature: str) -> int:
    # Python's own hash() changes from process to process. Lone surrogates are data too.
    return int.from_bytes(hashlib.blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "big")
