"""Embeddings by a sentence-transformers model in a local folder. Knows that library; knows no chunks and no stores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ragraft.errors import SourceError
from ragraft.ports import Matrix

# On a processor small batches stay in its cache: 16 ran 1.5 times as fast as 64 with MiniLM.
_BATCH_ON_CPU = 16
_BATCH = 256


class SentenceTransformersEmbedder:
    """A model folder as an Embedder: float32, rows of length 1, no network.

    A text longer than the model's window is cut into parts that fit, and its vector is the mean of theirs, weighted
    by length: nothing of it is left out.
    """

    def __init__(self, folder: Path) -> None:
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        if not folder.is_dir():
            raise SourceError(f"No model folder {folder}; check embedder: in your YAML")
        logging.disable_progress_bar()
        try:
            # The dtype is named because some models are saved in half precision, which would make rows depend on
            # what stands beside them.
            self._model = SentenceTransformer(
                str(folder), local_files_only=True, model_kwargs={"dtype": torch.float32}
            ).eval()
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).strip().splitlines()[0]
            raise SourceError(f"sentence-transformers cannot open the model in {folder}: {reason}") from error

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Shape (len(texts), dimensions of the model), float32."""
        if not texts:
            return np.zeros((0, self._model.get_embedding_dimension() or 0), dtype=np.float32)
        parts, owners = self._parts(texts)
        vectors = self._encode(parts)
        if len(parts) == len(texts):
            return vectors
        weights = np.array([max(len(part), 1) for part in parts], dtype=np.float32)
        sums = np.zeros((len(texts), vectors.shape[1]), dtype=np.float32)
        np.add.at(sums, owners, vectors * weights[:, None])
        means: Matrix = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return means

    def _encode(self, parts: Sequence[str]) -> Matrix:
        """Parts of like length share a batch: by tokens, where the library's own order goes by characters."""
        size = _BATCH_ON_CPU if self._model.device.type == "cpu" else _BATCH
        order = list(range(len(parts)))
        if len(parts) > size:  # a question by itself is not measured
            order.sort(key=[self._length(part) for part in parts].__getitem__)
        found = [
            self._model.encode(
                [parts[at] for at in order[start : start + size]],
                batch_size=size,
                show_progress_bar=False,
                convert_to_numpy=True,
                normalize_embeddings=True,
            )
            for start in range(0, len(parts), size)
        ]
        vectors: Matrix = np.concatenate(found).astype(np.float32, copy=False)[np.argsort(order)]
        return vectors

    def _parts(self, texts: Sequence[str]) -> tuple[list[str], list[int]]:
        """Texts that fit the window, and for each the number of the text that it comes from."""
        parts: list[str] = []
        owners: list[int] = []
        for owner, text in enumerate(texts):
            fitting = self._fitting(text)
            parts += fitting
            owners += [owner] * len(fitting)
        return parts, owners

    def _fitting(self, text: str) -> list[str]:
        window = self._model.max_seq_length
        if window is None or len(text) < window or self._length(text) <= window:
            return [text]
        middle = len(text) // 2
        space = text.rfind(" ", 1, middle)
        cut = space if space > 0 else middle
        return [*self._fitting(text[:cut]), *self._fitting(text[cut:])]

    def _length(self, text: str) -> int:
        return len(self._model.tokenizer(text, truncation=False, verbose=False)["input_ids"])
