"""Lessons as token ids, and batches of them. Knows tokens; knows nothing of documents or questions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragraft.errors import TrainingError
from ragraft.models.chat import ChatTokenizer
from ragraft.records import prompt_from_json

IGNORED = -100


@dataclass(frozen=True, slots=True)
class Row:
    """One training row: the model reads `ids`, and learns those from `answer_from` on."""

    ids: tuple[int, ...]
    answer_from: int


def read_rows(path: Path, tokenizer: ChatTokenizer, max_tokens: int) -> list[Row]:
    """Render a JSONL file of prompts and targets. Raises TrainingError on a row over `max_tokens`: nothing is cut."""
    rows = []
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            data = json.loads(line)
            prompt = tokenizer.render(prompt_from_json(data["prompt"]))
            ids = (*prompt, *tokenizer.target_ids(data["target"]))
            if len(ids) > max_tokens:
                raise TrainingError(f"Lesson {data['id']} has {len(ids)} tokens, more than the window of {max_tokens}")
            rows.append(Row(ids, len(prompt)))
    return rows


def collate(rows: Sequence[Row], pad: int) -> dict[str, Any]:
    """Tensors of shape (rows, longest), padded on the left so that all answers end together.

    A single row gets no mask: attention then needs none.
    """
    import torch

    longest = max(len(row.ids) for row in rows)
    padding = [longest - len(row.ids) for row in rows]
    ids = torch.tensor([[pad] * gap + list(row.ids) for row, gap in zip(rows, padding, strict=True)])
    labels = ids.clone()
    for place, (row, gap) in enumerate(zip(rows, padding, strict=True)):
        labels[place, : gap + row.answer_from] = IGNORED
    batch = {"input_ids": ids, "labels": labels}
    if any(padding):
        mask = torch.tensor([[0] * gap + [1] * len(row.ids) for row, gap in zip(rows, padding, strict=True)])
        batch["attention_mask"] = mask
        batch["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)
    return batch
