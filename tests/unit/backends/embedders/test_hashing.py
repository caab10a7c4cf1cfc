from __future__ import annotations

import hashlib

import numpy as np

from ragraft.backends.embedders.hashing import HashingEmbedder


def test_vectors_are_the_same_in_every_process() -> None:
    # A fixed figure: Python's own hash() would give another one each time.
    matrix = HashingEmbedder().embed(["The walrus rests on the ice.", "שלום 🚀"])
    assert hashlib.blake2b(np.sign(matrix).astype(np.int8).tobytes(), digest_size=8).hexdigest() == "514a691cda54fdb6"


def test_shared_words_and_shared_stems_are_near() -> None:
    walrus, same, stem, other = HashingEmbedder().embed(
        ["the walrus rests", "a walrus rests here", "walruses resting", "stapler binds paper"]
    )
    assert walrus @ same > walrus @ stem > walrus @ other + 0.1
