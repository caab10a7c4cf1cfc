"""Rerank by a cross-encoder of sentence-transformers in a local folder. Knows that library; knows no stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ragraft.errors import BackendError, SourceError
from ragraft.records import Passage

_BATCH = 32
# Padding moves a score in its last digits; without rounding, ties would depend on who stands in the batch.
_DIGITS = 5


class CrossEncoderReranker:
    """A model folder as a Reranker: scores are the model's own, ties keep the order in which they came.

    What of question, title and text is longer than the model's window (usually 512 tokens) isn't read.
    """

    def __init__(self, folder: Path) -> None:
        import torch
        from sentence_transformers import CrossEncoder
        from transformers.utils import logging

        if not folder.is_dir():
            raise SourceError(f"No model folder {folder}; check retrieve.reranker in your YAML")
        logging.disable_progress_bar()
        try:
            self._model = CrossEncoder(str(folder), local_files_only=True, model_kwargs={"dtype": torch.float32})
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).strip().splitlines()[0]
            raise SourceError(f"sentence-transformers cannot open the model in {folder}: {reason}") from error
        if self._model.num_labels != 1:
            raise BackendError(
                f"The model in {folder} gives {self._model.num_labels} scores a pair, not one; "
                "set retrieve.reranker to a reranking model"
            )

    def rerank(self, question: str, passages: Sequence[Passage]) -> list[Passage]:
        if not passages:
            return []
        pairs = [(question, f"{passage.title}\n{passage.text}") for passage in passages]
        scores = self._model.predict(pairs, batch_size=_BATCH, show_progress_bar=False)
        scored = [
            replace(passage, score=round(float(score), _DIGITS))
            for passage, score in zip(passages, scores, strict=True)
        ]
        return sorted(scored, key=lambda passage: -passage.score)
