"""Write a Llama with random weights, in bf16, for engines to open. Arguments: its settings as JSON, the folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast


def main() -> None:
    config = LlamaConfig(**json.loads(Path(sys.argv[1]).read_text("utf-8")))
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    LlamaForCausalLM(config).save_pretrained(sys.argv[2])
    _tokenizer().save_pretrained(sys.argv[2])


def _tokenizer() -> Any:
    """Rows come as ids: of a tokenizer the peers only need that it opens, and names the token that pads."""
    inner = Tokenizer(models.WordLevel({"<pad>": 0, "<unk>": 1, "<end>": 2}, unk_token="<unk>"))
    return PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>", eos_token="<end>", unk_token="<unk>")


if __name__ == "__main__":
    main()
