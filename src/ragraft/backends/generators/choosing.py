"""Choose the next token of each row. Knows logits and token ids; knows nothing of prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ragraft.models.chat import ChatTokenizer
from ragraft.records import Sampling


class Chooser:
    """Greedy or sampled, by a seed; greedily with the one turn that `Sampling.turn` names."""

    def __init__(self, sampling: Sampling, tokenizer: ChatTokenizer) -> None:
        self._temperature = sampling.temperature
        self._draws = torch.Generator().manual_seed(sampling.seed)
        self._turn = sampling.turn if sampling.temperature == 0 else None
        if self._turn:
            opening = tokenizer.target_ids(self._turn.opening)[:-1]
            whole = tokenizer.target_ids(self._turn.opening + self._turn.way)[:-1]
            # A tokenizer that joins the opening's end and the way's beginning leaves no place to turn at.
            if not opening or whole[: len(opening)] != opening or len(whole) == len(opening):
                self._turn = None
            else:
                self._opening, self._first = opening, whole[len(opening)]

    def __call__(
        self, logits: torch.Tensor, before: Sequence[Sequence[tuple[int, float]]]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The next token of each row and its log-probability, on the CPU; `before` is what each row has got so far."""
        scores = torch.log_softmax(logits.float(), dim=-1)
        if self._temperature > 0:
            heated = torch.softmax(logits.float() / self._temperature, dim=-1).cpu()
            tokens = torch.multinomial(heated, 1, generator=self._draws)[:, 0]
        else:
            tokens = scores.argmax(dim=-1).cpu()
            for row in self._turning(before):
                tokens[row] = self._way(scores[row])
        return tokens, scores.cpu().gather(1, tokens[:, None])[:, 0]

    def _turning(self, before: Sequence[Sequence[tuple[int, float]]]) -> list[int]:
        """The rows that stand right behind the opening."""
        if self._turn is None:
            return []
        return [row for row, got in enumerate(before) if [token for token, _ in got] == self._opening]

    def _way(self, scores: torch.Tensor) -> Any:
        assert self._turn is not None
        if scores[self._first].exp() > self._turn.above:
            return self._first
        others = scores.clone()
        others[self._first] = -torch.inf
        return others.argmax()
