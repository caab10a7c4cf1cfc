"""Choose the next token of each row. Knows logits, token ids and texts; knows nothing of prompts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import Any

import torch

from ragraft.backends.generators.quoting import Quoting
from ragraft.models.chat import ChatTokenizer
from ragraft.records import Sampling, Turn

# So many of the likeliest tokens are tried before a quotation goes on with its source's own words.
TRIED = 64
# What a decoder gives for a letter of which only some bytes are there.
HALF_A_LETTER = "\ufffd"

Written = Sequence[tuple[int, float]]


class Chooser:
    """Greedy or sampled, by a seed; greedily within what `Sampling.turn` and `Sampling.sources` say."""

    def __init__(self, sampling: Sampling, tokenizer: ChatTokenizer, ends: Set[int]) -> None:
        greedy = sampling.temperature == 0
        self._temperature = sampling.temperature
        self._draws = torch.Generator().manual_seed(sampling.seed)
        self._tokenizer, self._ends = tokenizer, ends
        self._quoting = [Quoting(sources) for sources in sampling.sources] if greedy else []
        self._turn = sampling.turn if greedy else None
        self.turning: dict[int, float] = {}
        """How likely the turn's way was, by place."""
        if self._turn:
            opening, whole = self._ids(self._turn.opening), self._ids(self._turn.opening + self._turn.way)
            # A tokenizer that joins the opening's end and the way's beginning leaves no place to turn at.
            if not opening or whole[: len(opening)] != opening or len(whole) == len(opening):
                self._turn = None
            else:
                self._opening, self._first = opening, whole[len(opening)]
                self._barred = self._spellings(opening, self._turn)

    def __call__(
        self, logits: torch.Tensor, places: Sequence[int], written: Sequence[Written]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The next token of each row and its log-probability, on the CPU.

        `logits` has a row for each of `places`, and `written` holds what each place has got so far.
        """
        scores = torch.log_softmax(logits.float(), dim=-1)
        if self._temperature > 0:
            heated = torch.softmax(logits.float() / self._temperature, dim=-1).cpu()
            tokens = torch.multinomial(heated, 1, generator=self._draws)[:, 0]
        else:
            tokens = scores.argmax(dim=-1).cpu()
            for row, place in enumerate(places):
                before = [token for token, _ in written[place]]
                if self._turn and before == self._opening:
                    tokens[row] = self._turned(scores[row], place)
                elif self._quoting:
                    tokens[row] = self._quoted(int(tokens[row]), scores[row], before, self._quoting[place])
        return tokens, scores.cpu().gather(1, tokens[:, None])[:, 0]

    def _turned(self, scores: torch.Tensor, place: int) -> Any:
        assert self._turn is not None
        self.turning[place] = float(scores[self._first].exp())
        if self.turning[place] > self._turn.above:
            return self._first
        others = scores.clone()
        others[self._barred] = -torch.inf
        return others.argmax()

    def _spellings(self, opening: list[int], turn: Turn) -> list[int]:
        """The way's first token, and those that spell it in other cases: " Not there" goes the same way."""
        first = self._tokenizer.decode([self._first]).casefold()
        found = [self._first]
        for way in (turn.way.title(), turn.way.upper(), turn.way.lower()):
            whole = self._ids(turn.opening + way)
            if whole[: len(opening)] == opening and self._tokenizer.decode([whole[len(opening)]]).casefold() == first:
                found.append(whole[len(opening)])
        return found

    def _quoted(self, likeliest: int, scores: torch.Tensor, before: list[int], quoting: Quoting) -> int:
        """The likeliest token that the sources allow."""
        if self._allowed(likeliest, before, quoting):
            return likeliest
        tries = self._tries(scores, before, quoting)
        return next((token for token in tries if self._allowed(token, before, quoting)), likeliest)

    def _tries(self, scores: torch.Tensor, before: list[int], quoting: Quoting) -> Iterator[int]:
        yield from scores.topk(min(TRIED, len(scores))).indices.tolist()
        text, begun = self._split(before)
        onward = {ids[len(begun)] for ids in self._onward(text, begun, quoting) if len(ids) > len(begun)}
        yield from sorted(onward, key=lambda token: -float(scores[token]))

    def _allowed(self, token: int, before: list[int], quoting: Quoting) -> bool:
        if token in self._ends:
            return quoting.ends(self._split(before)[0])
        ids = [*before, token]
        if quoting.allows(self._tokenizer.decode(ids)):
            return True
        text, begun = self._split(ids)
        return bool(begun and self._onward(text, begun, quoting))

    def _onward(self, text: str, begun: list[int], quoting: Quoting) -> list[list[int]]:
        """The ids of what could stand next in an open quotation, where they begin like this part of a letter."""
        further = [self._ids(words) for words in quoting.onward(text)]
        return [ids for ids in further if ids[: len(begun)] == begun]

    def _split(self, ids: list[int]) -> tuple[str, list[int]]:
        """The text in whole letters, and the ids behind it that are only a part of one."""
        for end in range(len(ids), -1, -1):
            text = self._tokenizer.decode(ids[:end])
            if not text.endswith(HALF_A_LETTER):
                return text, ids[end:]
        return "", ids

    def _ids(self, text: str) -> list[int]:
        return self._tokenizer.target_ids(text)[:-1]
