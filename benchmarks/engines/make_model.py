"""Write a Llama with random weights, in bf16, for engines to open. Arguments: its settings as JSON, the folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM


def main() -> None:
    config = LlamaConfig(**json.loads(Path(sys.argv[1]).read_text("utf-8")))
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    LlamaForCausalLM(config).save_pretrained(sys.argv[2])


if __name__ == "__main__":
    main()
