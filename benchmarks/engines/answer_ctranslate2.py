"""CTranslate2 over what its own converter makes of the folder; several prompts are one batch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ctranslate2

from benchmarks.engines.answering import Ids, main


class CTranslate2:
    """The model, converted to the way's precision."""

    def __init__(self, job: dict[str, Any]) -> None:
        converted = Path(job["scratch"]) / f"ctranslate2-{job['way']}"
        if not (converted / "model.bin").exists():
            converter = ctranslate2.converters.TransformersConverter(job["model"])
            converter.convert(str(converted), quantization=job["way"], force=True)
        self._generator = ctranslate2.Generator(
            str(converted), device="cpu", compute_type=job["way"], inter_threads=1, intra_threads=job["threads"]
        )
        vocabulary = json.loads((converted / "vocabulary.json").read_text("utf-8"))
        self._tokens: list[str] = vocabulary

    def one(self, prompt: Ids, tokens: int) -> Ids:
        return self.many([prompt], tokens)[0]

    def many(self, prompts: Sequence[Ids], tokens: int) -> list[Ids]:
        found = self._generator.generate_batch(
            [[self._tokens[token] for token in prompt] for prompt in prompts],
            max_length=tokens,
            sampling_topk=1,
            include_prompt_in_result=False,
            max_batch_size=len(prompts),
        )
        return [list(one.sequences_ids[0]) for one in found]


if __name__ == "__main__":
    main(CTranslate2, "ctranslate2", "transformers")
