"""Answer prompts as they come: rows join and leave a batch that is being decoded, and each is told piece by piece.

One thread computes. It reads waiting prompts one by one, each from the longest beginning that it knows already, then
takes a step with all rows; a row that ends, or that nobody wants any more, leaves. Knows tokens; knows nothing of RAG.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from transformers.cache_utils import DynamicCache

from ragraft.backends.generators.choosing import HALF_A_LETTER, Chooser
from ragraft.backends.generators.decoding import completion_of, forward, layers_of, window_of
from ragraft.backends.generators.prefixes import Prefixes
from ragraft.backends.generators.slots import Slots
from ragraft.errors import BackendError
from ragraft.models.chat import ChatTokenizer
from ragraft.records import Delta, Prompt, Sampling

ROWS = 32
"""Decoded together; more wait."""
READ_AT_ONCE = 4
"""Prompts read between two steps while the batch is less than half full, so that a burst soon fills it; then one, so
that rows about to end are not held up by all that wait."""

Tell = Callable[[Delta | BaseException], None]


@dataclass(slots=True)
class Row:
    """A prompt being answered."""

    prompt: Prompt
    sampling: Sampling
    tell: Tell
    ids: list[int] = field(default_factory=list)
    written: list[tuple[int, float]] = field(default_factory=list)
    told: str = ""
    gone: bool = False
    """Nobody waits for it any more."""
    choose: Chooser | None = None


class Decoding(Protocol):
    """How rows are decoded: their places are kept from 0 without gaps."""

    def join(self, ids: Sequence[int]) -> Any:
        """Read a prompt into the next place; the logits (1, vocabulary) after it."""
        ...

    def leave(self, gone: Sequence[int]) -> list[int]:
        """Free places; which old place stands in each that is left."""
        ...

    def step(self, tokens: Sequence[int]) -> Any:
        """Read a token of every row; logits (rows, vocabulary)."""
        ...


class Engine:
    """A Streamer over an opened model; its thread begins with the first prompt."""

    def __init__(self, network: Any, tokenizer: ChatTokenizer, ends: Set[int], *, plain_cache: bool) -> None:
        self._tokenizer, self._ends = tokenizer, ends
        self._decoding: Decoding = Together(network) if plain_cache else Apart(network)
        self._window = window_of(network)
        self._waiting: deque[Row] = deque()
        self._rows: list[Row] = []
        self._next: list[int] = []
        """The token of each row that is to be read."""
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    async def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Delta]:
        """The completion as it is written; leaving early takes the row out of the batch."""
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[Delta | BaseException] = asyncio.Queue()

        def tell(piece: Delta | BaseException) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody listens
                loop.call_soon_threadsafe(pieces.put_nowait, piece)

        row = Row(prompt, sampling, tell)
        self._add(row)
        try:
            while True:
                piece = await pieces.get()
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
                if piece.completion is not None:
                    return
        finally:
            row.gone = True

    @property
    def load(self) -> tuple[int, int]:
        """Rows in the batch, and prompts that wait."""
        return len(self._rows), len(self._waiting)

    def close(self) -> None:
        """End the thread; an answer that is still under way gets an error."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _add(self, row: Row) -> None:
        with self._changed:
            if self._closed:
                raise BackendError("This model was let go meanwhile; ask again")
            self._waiting.append(row)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="ragraft-engine", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _work(self) -> None:
        with torch.inference_mode():
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._waiting or self._rows or self._closed)
                    if self._closed:
                        for row in (*self._rows, *self._waiting):
                            row.tell(BackendError("This model was let go meanwhile; ask again"))
                        return
                try:
                    self._admit()
                    self._step()
                except Exception as error:  # a failed step ends the answers under way, not the server
                    for row in self._rows:
                        row.tell(error)
                    self._drop(range(len(self._rows)))

    def _admit(self) -> None:
        """Read waiting prompts while there is room."""
        for _ in range(READ_AT_ONCE if len(self._rows) < ROWS // 2 else 1):
            if not self._waiting or len(self._rows) >= ROWS:
                return
            row = self._waiting.popleft()
            if row.gone:
                continue
            try:
                self._begin(row)
            except Exception as error:  # of this prompt alone
                row.gone = True
                row.tell(error)

    def _begin(self, row: Row) -> None:
        row.ids = self._tokenizer.render(row.prompt)
        if len(row.ids) + row.sampling.max_tokens > self._window:
            raise BackendError(
                f"A prompt of {len(row.ids)} tokens leaves no room for {row.sampling.max_tokens} more in the model's "
                f"window of {self._window}; ask for fewer, or shorten it"
            )
        row.choose = Chooser(row.sampling, self._tokenizer, ends=self._ends)
        logits = self._decoding.join(row.ids)
        self._rows.append(row)
        self._next.append(0)
        self._take([len(self._rows) - 1], logits)

    def _step(self) -> None:
        self._drop([place for place, row in enumerate(self._rows) if row.gone])
        if self._rows:
            self._take(range(len(self._rows)), self._decoding.step(self._next))

    def _take(self, places: Sequence[int], logits: Any) -> None:
        """Choose the next token of the rows at these places, tell it, and let go of those that end."""
        ended = []
        for number, place in enumerate(places):
            row = self._rows[place]
            assert row.choose is not None
            tokens, values = row.choose(logits[number : number + 1], [0], [row.written])
            token = int(tokens[0])
            row.written.append((token, float(values[0])))
            self._next[place] = token
            if token in self._ends or len(row.written) >= row.sampling.max_tokens:
                ended.append(place)
                row.tell(self._whole(row))
            else:
                self._tell_more(row)
        self._drop(ended)

    def _tell_more(self, row: Row) -> None:
        """Tell what the last token added; half a letter, or white space that may be the end, waits."""
        text = self._tokenizer.decode([token for token, _ in row.written]).rstrip(HALF_A_LETTER).strip()
        if len(text) > len(row.told) and text.startswith(row.told):
            new, row.told = text[len(row.told) :], text
            row.tell(Delta(new))

    def _whole(self, row: Row) -> Delta:
        completion = completion_of(
            row.written,
            tokenizer=self._tokenizer,
            ends=self._ends,
            prompt_tokens=len(row.ids),
            turning=row.choose.turning.get(0) if row.choose else None,
        )
        return Delta(completion.text.removeprefix(row.told), completion)

    def _drop(self, places: Sequence[int]) -> None:
        if places:
            order = self._decoding.leave(places)
            self._rows = [self._rows[place] for place in order]
            self._next = [self._next[place] for place in order]


class Together:
    """Rows of plain key-value caches, side by side; a prompt's known beginning is not read again."""

    def __init__(self, network: Any) -> None:
        self._network = network
        self._slots = Slots(network.config)
        self._known = Prefixes()

    def join(self, ids: Sequence[int]) -> Any:
        """Read a prompt into the next place; the logits (1, vocabulary) after it."""
        before = self._known.find(ids)
        cache, read = None, 0
        if before:
            cache, read = DynamicCache(config=self._network.config), before[0][0].shape[2]
            for place, (keys, values) in enumerate(before):
                cache.update(keys, values, place)
        found = forward(self._network, ids[read:], read, cache)
        layers = layers_of(found.past_key_values)
        self._known.keep(ids, layers)
        self._slots.join(layers)
        return found.logits[:, -1]

    def leave(self, gone: Sequence[int]) -> list[int]:
        """Free places; which old place stands in each that is left."""
        return self._slots.leave(gone)

    def step(self, tokens: Sequence[int]) -> Any:
        """Read a token of every row; logits (rows, vocabulary)."""
        return self._slots.step(self._network, tokens)


class Apart:
    """Rows whose caches are windows or states, which can't stand side by side: each is read by itself, in turn."""

    def __init__(self, network: Any) -> None:
        self._network = network
        self._caches: list[tuple[Any, int]] = []
        """A row's cache and its length."""

    def join(self, ids: Sequence[int]) -> Any:
        """Read a prompt into the next place; the logits (1, vocabulary) after it."""
        found = forward(self._network, ids, 0)
        self._caches.append((found.past_key_values, len(ids)))
        return found.logits[:, -1]

    def leave(self, gone: Sequence[int]) -> list[int]:
        """Free places; which old place stands in each that is left."""
        order = [place for place in range(len(self._caches)) if place not in gone]
        self._caches = [self._caches[place] for place in order]
        return order

    def step(self, tokens: Sequence[int]) -> Any:
        """Read a token of every row; logits (rows, vocabulary)."""
        found = []
        for place, (token, (cache, length)) in enumerate(zip(tokens, self._caches, strict=True)):
            found.append(forward(self._network, [token], length, cache).logits[:, -1])
            self._caches[place] = (cache, length + 1)
        return torch.cat(found)
