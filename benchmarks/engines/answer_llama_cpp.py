"""llama.cpp over the GGUF file, by its own C calls: several prompts are sequences of one context, decoded together."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import llama_cpp as lc
import numpy as np

from benchmarks.engines.answering import Ids, main

CHUNK = 512
"""Tokens of a prompt that are read at a time."""
ROOM = 1024
"""Tokens of a prompt and its answer, at most."""


class LlamaCpp:
    """A context with room for all prompts that come at once."""

    def __init__(self, job: dict[str, Any]) -> None:
        lc.llama_backend_init()
        silent = lc.llama_log_callback(lambda level, text, data: None)
        self._silent = silent  # as long as the library may call it
        lc.llama_log_set(silent, ctypes.c_void_p(0))
        self._model = lc.llama_model_load_from_file(job["gguf"][job["way"]].encode(), lc.llama_model_default_params())
        if not self._model:
            raise SystemExit(f"llama.cpp cannot open {job['gguf'][job['way']]}")
        asked = lc.llama_context_default_params()
        asked.n_ctx, asked.n_batch, asked.n_seq_max = job["most"] * ROOM, CHUNK, job["most"]
        asked.n_threads = asked.n_threads_batch = job["threads"]
        self._context = lc.llama_init_from_model(self._model, asked)
        self._batch = lc.llama_batch_init(CHUNK, 0, 1)
        self._vocabulary = lc.llama_vocab_n_tokens(lc.llama_model_get_vocab(self._model))

    def one(self, prompt: Ids, tokens: int) -> Ids:
        return self.many([prompt], tokens)[0]

    def many(self, prompts: Sequence[Ids], tokens: int) -> list[Ids]:
        lc.llama_memory_clear(lc.llama_get_memory(self._context), True)
        answers = [[self._read(prompt, sequence)] for sequence, prompt in enumerate(prompts)]
        for step in range(tokens - 1):
            rows = [
                (answer[-1], len(prompt) + step, sequence, True)
                for sequence, (prompt, answer) in enumerate(zip(prompts, answers, strict=True))
            ]
            self._decode(rows)
            for place, answer in enumerate(answers):
                answer.append(self._likeliest(place))
        return answers

    def _read(self, prompt: Ids, sequence: int) -> int:
        """Read a prompt; the first token of its answer."""
        last = len(prompt) - 1
        for start in range(0, len(prompt), CHUNK):
            part = prompt[start : start + CHUNK]
            self._decode([(token, start + at, sequence, start + at == last) for at, token in enumerate(part)])
        return self._likeliest(last % CHUNK)

    def _decode(self, rows: Sequence[tuple[int, int, int, bool]]) -> None:
        """Read tokens, each with its position, its sequence, and whether what comes next is asked for."""
        batch = self._batch
        batch.n_tokens = len(rows)
        for at, (token, position, sequence, asked) in enumerate(rows):
            batch.token[at], batch.pos[at], batch.logits[at] = token, position, asked
            batch.n_seq_id[at], batch.seq_id[at][0] = 1, sequence
        if lc.llama_decode(self._context, batch):
            raise SystemExit("llama.cpp failed to read a batch")

    def _likeliest(self, place: int) -> int:
        logits = lc.llama_get_logits_ith(self._context, place)
        return int(np.ctypeslib.as_array(logits, shape=(self._vocabulary,)).argmax())


if __name__ == "__main__":
    main(LlamaCpp, "llama-cpp-python")
