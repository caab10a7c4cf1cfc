"""transformers by itself, in bf16: `generate`, its continuous batching, or compiled by zentorch for AMD processors."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoModelForCausalLM, ContinuousBatchingConfig, GenerationConfig
from transformers.utils import logging

from benchmarks.engines.answering import Answerer, Ids, main

ROOM, PAGE, BATCH = 2048, 256, 1024
"""Tokens of a prompt and its answer, of a block of keys and values, and of a forward pass, at most."""
PLAIN = {"do_sample": False, "repetition_penalty": 1.0}


class Generate:
    """`generate`: several prompts are one batch from its first step to its last."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._model = opened(job, "sdpa")
        if job["way"] == "zentorch":
            importlib.import_module("zentorch")  # registers itself with torch.compile
            self._model.forward = torch.compile(self._model.forward, backend="zentorch")

    def one(self, prompt: Ids, tokens: int) -> Ids:
        return self.many([prompt], tokens)[0]

    def many(self, prompts: Sequence[Ids], tokens: int) -> list[Ids]:
        ids = torch.tensor(prompts)
        with torch.inference_mode():
            found = self._model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, **PLAIN
            )
        return [list(map(int, row[ids.shape[1] :])) for row in found]


class Continuous:
    """Its continuous batching: one manager, which prompts join and leave."""

    def __init__(self, job: dict[str, Any]) -> None:
        model = opened(job, "sdpa")
        ends = model.generation_config.eos_token_id
        # Room for all prompts at once; left to itself it takes most of the machine's memory.
        room = ContinuousBatchingConfig(num_blocks=job["most"] * ROOM // PAGE, page_size=PAGE, max_batch_tokens=BATCH)
        self._manager = model.init_continuous_batching(
            generation_config=GenerationConfig(eos_token_id=ends, pad_token_id=ends, **PLAIN),
            continuous_batching_config=room,
        )
        self._manager.start()

    def one(self, prompt: Ids, tokens: int) -> Ids:
        return self.many([prompt], tokens)[0]

    def many(self, prompts: Sequence[Ids], tokens: int) -> list[Ids]:
        names = self._manager.add_requests(inputs=list(prompts), max_new_tokens=tokens)
        found: dict[str, Ids] = {}
        while len(found) < len(names):
            result = self._manager.get_result(timeout=1)
            if result is not None and result.is_finished():
                found[result.request_id] = list(result.generated_tokens)
            elif result is None and not self._manager.is_running():
                raise SystemExit("its continuous batching ended by itself")
        return [found[name] for name in names]


def opened(job: dict[str, Any], attention: str) -> Any:
    """The model in bf16."""
    torch.set_num_threads(job["threads"])
    logging.disable_progress_bar()  # a fault's own words come last
    return AutoModelForCausalLM.from_pretrained(
        job["model"], dtype=torch.bfloat16, attn_implementation=attention, local_files_only=True
    ).eval()


def opens(job: dict[str, Any]) -> Answerer:
    """The way that the job names."""
    return Continuous(job) if job["way"] == "continuous" else Generate(job)


if __name__ == "__main__":
    main(opens, "transformers", "torch", "zentorch")
