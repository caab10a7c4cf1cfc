"""ONNX Runtime GenAI over what its own model builder makes of the folder; several prompts are one batch to the end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime_genai as genai

from benchmarks.engines.answering import Ids, main


class OnnxRuntime:
    """The model, built in the way's precision."""

    def __init__(self, job: dict[str, Any]) -> None:
        built = Path(job["scratch"]) / f"onnx-{job['way']}"
        if not (built / "genai_config.json").exists():
            builder = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-e", "cpu", "-p", job["way"]]
            folders = ["-i", job["model"], "-o", str(built), "-c", job["scratch"]]
            done = subprocess.run([*builder, *folders], capture_output=True, encoding="utf-8", check=False)
            if done.returncode:
                raise SystemExit(f"its model builder failed: {done.stderr.strip().splitlines()[-1]}")
        _use_threads(built / "genai_config.json", job["threads"])
        self._model = genai.Model(str(built))

    def one(self, prompt: Ids, tokens: int) -> Ids:
        return self.many([prompt], tokens)[0]

    def many(self, prompts: Sequence[Ids], tokens: int) -> list[Ids]:
        length = len(prompts[0])
        asked = genai.GeneratorParams(self._model)
        asked.set_search_options(do_sample=False, max_length=length + tokens, batch_size=len(prompts))
        generator = genai.Generator(self._model, asked)
        generator.append_tokens(np.array(prompts, dtype=np.int32))
        while not generator.is_done():
            generator.generate_next_token()
        return [list(map(int, generator.get_sequence(row)[length:])) for row in range(len(prompts))]


def _use_threads(file: Path, threads: int) -> None:
    config = json.loads(file.read_text("utf-8"))
    options = config["model"]["decoder"].setdefault("session_options", {})
    options["intra_op_num_threads"] = threads
    file.write_text(json.dumps(config), encoding="utf-8")


if __name__ == "__main__":
    main(OnnxRuntime, "onnxruntime-genai", "onnxruntime", "transformers")
