"""OpenVINO GenAI over the GGUF file, which it opens by itself; several prompts by its own scheduler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import openvino as ov
import openvino_genai as genai

from benchmarks.engines.answering import Ids, main


class OpenVino:
    """The pipeline over a file of the way's precision."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._pipe = genai.LLMPipeline(job["gguf"][job["way"]], "CPU", INFERENCE_NUM_THREADS=job["threads"])

    def one(self, prompt: Ids, tokens: int) -> Ids:
        return self.many([prompt], tokens)[0]

    def many(self, prompts: Sequence[Ids], tokens: int) -> list[Ids]:
        config = genai.GenerationConfig(max_new_tokens=tokens, do_sample=False, ignore_eos=True)
        ids = np.array(prompts, dtype=np.int64)
        given = genai.TokenizedInputs(ov.Tensor(ids), ov.Tensor(np.ones_like(ids)))
        return [list(map(int, one)) for one in self._pipe.generate(given, config).tokens]


if __name__ == "__main__":
    main(OpenVino, "openvino-genai", "openvino")
