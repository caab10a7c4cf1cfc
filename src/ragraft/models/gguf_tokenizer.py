"""A tokenizer as GGUF keeps it: pieces with their kinds, merges or scores, and the name of how text is split.

llama.cpp splits text by names of its own, and does so as the model was taught only if the right one is written; a
tokenizer that splits in a way without such a name is refused. Knows tokenizers; knows no tensors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ragraft.errors import SourceError
from ragraft.models.chat import PLAIN_TEMPLATE, ChatTokenizer

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
"""GGUF's kinds of pieces."""
_TAIL = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
SPLITS: Mapping[tuple[str, ...], str] = {
    ("ByteLevel split",): "gpt-2",
    ("Digits each", "ByteLevel split"): "smollm",
    (f"Split {_WORDS}|\\p{{N}}{{1,3}}|{_TAIL}", "ByteLevel"): "llama-bpe",
    (f"Split {_WORDS}|\\p{{N}}|{_TAIL}", "ByteLevel"): "qwen2",
}
"""How text is split before pieces are merged → llama.cpp's name for it."""
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_BLANK = "▁"


@dataclass(frozen=True, slots=True)
class Pieces:
    """A vocabulary with its kinds, as GGUF wants it."""

    model: str
    """gpt2: merges of bytes; llama: SentencePiece's, by scores."""
    pre: str
    tokens: tuple[str, ...]
    kinds: tuple[int, ...]
    merges: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    add_space: bool = False


def read_pieces(tokenizer: ChatTokenizer, rows: int) -> Pieces:
    """The pieces of a tokenizer, for a model of so many embeddings. Raises SourceError for what GGUF cannot carry."""
    data = json.loads(tokenizer.tokenizer.backend_tokenizer.to_str())
    inner = data["model"]
    if inner["type"] != "BPE":
        raise SourceError(f"GGUF is written for BPE tokenizers, and this one is {inner['type']}; export it merged")
    added = {row["id"]: row for row in data["added_tokens"]}
    tokens, kinds = _tokens(inner, added, rows)
    merges = [tuple(pair.split(" ", 1)) if isinstance(pair, str) else tuple(pair) for pair in inner["merges"]]
    if inner.get("byte_fallback"):
        scores = _scores(tokens, merges)
        # What is matched whole in the text is written with the blanks that the text has.
        shown = [t.replace(_BLANK, " ") if kind == USER_DEFINED else t for t, kind in zip(tokens, kinds, strict=True)]
        return Pieces("llama", "default", tuple(shown), tuple(kinds), scores=scores, add_space=_adds_space(data))
    pre = SPLITS.get(_steps(data["pre_tokenizer"]))
    if pre is None or (data["normalizer"] or {"type": "NFC"})["type"] != "NFC":
        raise SourceError(
            "This tokenizer splits text in a way that llama.cpp has no name for that ragraft knows; export it merged "
            "(--to merged), and convert that with llama.cpp's own convert_hf_to_gguf.py"
        )
    return Pieces("gpt2", pre, tuple(tokens), tuple(kinds), merges=tuple(" ".join(pair) for pair in merges))


def shipped_template(tokenizer: ChatTokenizer) -> str:
    """The chat template as the model was taught with it: without a thinking mode, where it has one."""
    template = str(tokenizer.tokenizer.chat_template or PLAIN_TEMPLATE)
    return "{%- set enable_thinking = false %}" + template if "enable_thinking" in template else template


def adds_bos(tokenizer: ChatTokenizer) -> bool:
    """Whether the tokenizer opens every text with its first token."""
    added = tokenizer.tokenizer("")["input_ids"]
    return bool(added) and added[0] == tokenizer.tokenizer.bos_token_id


def _tokens(inner: Mapping[str, Any], added: Mapping[int, Mapping[str, Any]], rows: int) -> tuple[list[str], list[int]]:
    known = {number: token for token, number in inner["vocab"].items()}
    tokens, kinds = [], []
    for number in range(rows):
        if number in added:
            tokens.append(str(added[number]["content"]))
            unknown = tokens[-1] == inner.get("unk_token")
            kinds.append(UNKNOWN if unknown else CONTROL if added[number]["special"] else USER_DEFINED)
        elif number in known:
            tokens.append(known[number])
            kinds.append(BYTE if inner.get("byte_fallback") and _BYTE.fullmatch(known[number]) else NORMAL)
        else:  # embeddings that no piece uses
            tokens.append(f"[PAD{number}]")
            kinds.append(UNUSED)
    return tokens, kinds


def _scores(tokens: Sequence[str], merges: Sequence[tuple[str, ...]]) -> tuple[float, ...]:
    """SentencePiece merges the pair of the best score first, which is the pair whose merge comes first."""
    rank: dict[str, int] = {}
    for place, pair in enumerate(merges):
        rank.setdefault("".join(pair), place)
    last = len(merges)
    return tuple(-float(rank.get(token, last)) for token in tokens)


def _adds_space(data: Mapping[str, Any]) -> bool:
    pre = data["pre_tokenizer"] or {}
    if pre.get("type") == "Metaspace":
        return bool(pre.get("prepend_scheme", "always") != "never")
    return "Prepend" in json.dumps(data["normalizer"])


def _steps(pre: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The steps of splitting, each in a word or two."""
    if pre is None:
        return ()
    steps = pre["pretokenizers"] if pre["type"] == "Sequence" else [pre]
    return tuple(_step(step) for step in steps)


def _step(step: Mapping[str, Any]) -> str:
    if step["type"] == "ByteLevel" and not step["add_prefix_space"]:
        return "ByteLevel split" if step["use_regex"] else "ByteLevel"
    if step["type"] == "Digits" and step["individual_digits"]:
        return "Digits each"
    if step["type"] == "Split" and step["behavior"] == "Isolated" and not step["invert"]:
        return f"Split {step['pattern'].get('Regex')}"
    return f"unknown {step['type']}"
