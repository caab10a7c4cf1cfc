"""The generators that are measured, in the ways that their users could choose, and what came of each. Runs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from statistics import fmean, median
from typing import Any

from benchmarks.engines.environments import CTRANSLATE2, LLAMA_CPP, ONNXRUNTIME, OPENVINO, VLLM, ZENTORCH, Peer

REFERENCE, OURS = "ragraft float32", "ragraft"
"""Whose answers the others are held to, and whose speed."""


@dataclass(frozen=True, slots=True)
class Generator:
    """A library and the way it goes."""

    name: str
    module: str
    way: str
    peer: Peer | None = None
    """Whose environment it runs in; None: ragraft's own."""
    gguf: bool = False
    """Whether it reads the model's GGUF file of its way, not the folder."""
    quick: bool = True
    """Whether a quick run has it."""


_ours = partial(Generator, module="benchmarks.engines.answer_ragraft")
_transformers = partial(Generator, module="benchmarks.engines.answer_transformers")
_openvino = partial(Generator, module="benchmarks.engines.answer_openvino", peer=OPENVINO, gguf=True)
_onnx = partial(Generator, module="benchmarks.engines.answer_onnxruntime", peer=ONNXRUNTIME)
_ctranslate2 = partial(Generator, module="benchmarks.engines.answer_ctranslate2", peer=CTRANSLATE2)
_vllm = partial(Generator, module="benchmarks.engines.answer_vllm", peer=VLLM)
_llama = partial(Generator, module="benchmarks.engines.answer_llama_cpp", peer=LLAMA_CPP, gguf=True)
GENERATORS: Sequence[Generator] = (
    _ours(REFERENCE, way="fp32"),
    _ours(OURS, way="auto"),
    _transformers("transformers generate", way="generate"),
    _transformers("transformers continuous batching", way="continuous", quick=False),
    _openvino("openvino f16", way="f16"),
    _openvino("openvino q8_0", way="q8_0", quick=False),
    _onnx("onnxruntime fp32", way="fp32", quick=False),
    _onnx("onnxruntime int4", way="int4"),
    _ctranslate2("ctranslate2 float32", way="float32", quick=False),
    _ctranslate2("ctranslate2 int8", way="int8"),
    _vllm("vllm eager", way="eager"),
    _vllm("vllm compiled", way="compiled", quick=False),
    _transformers("zentorch", way="zentorch", peer=ZENTORCH, quick=False),
    _llama("llama.cpp f16", way="f16", quick=False),
    _llama("llama.cpp q8_0", way="q8_0"),
)
Told = Mapping[str, Any]


def row_of(name: str, told: Sequence[Told], *, prompt: int, tokens: int) -> dict[str, Any]:
    """A generator's figures over all its runs; `prompt` and `tokens` are the lengths of a prompt and an answer."""
    reading = median(seconds for one in told for seconds in one["reading"])
    alone = median(seconds for one in told for seconds in one["alone"])
    count = len(told[0]["answers"]["together"])
    return {
        "generator": name,
        "read_tokens_a_second": prompt / reading,
        "written_tokens_a_second": (tokens - 1) / max(alone - reading, 1e-9),
        "answers_a_second": 1 / alone,
        "answers_a_second_together": count / median(one["together"] for one in told),
        "peak_gib": max(one["peak_gib"] for one in told),
        "versions": told[0]["versions"],
    }


def compare(rows: Mapping[str, dict[str, Any]], answers: Mapping[str, Mapping[str, Sequence[Sequence[int]]]]) -> None:
    """Add to each row its speed against ours, and how far its answers agree with ours in float32."""
    ours, reference = rows.get(OURS), answers.get(REFERENCE)
    for name, row in rows.items():
        if ours is not None:
            for kind in ("answers_a_second", "answers_a_second_together"):
                row[f"{kind}_ratio"] = row[kind] / ours[kind]
        if reference is not None:
            row["agreement"] = {way: agreement(answers[name][way], reference[way]) for way in reference}


def agreement(answers: Sequence[Sequence[int]], wanted: Sequence[Sequence[int]]) -> dict[str, float]:
    """The share of answers that are the same to the last token, and of tokens before the first other one."""
    begun = [
        sum(1 for _ in takewhile(lambda two: two[0] == two[1], zip(mine, right, strict=False))) / len(right)
        for mine, right in zip(answers, wanted, strict=True)
    ]
    same = [list(mine) == list(right) for mine, right in zip(answers, wanted, strict=True)]
    return {"same": fmean(same), "begun": fmean(begun), "n": len(same)}


def lines_of(rows: Sequence[Mapping[str, Any]], left: Mapping[str, str]) -> list[str]:
    """The table, and below it what gave no figure."""
    lines = [
        f"{'generator':<33} {'read t/s':>9} {'write t/s':>9} {'alone/s':>8} {'×':>5} {'together/s':>10} {'×':>5} "
        f"{'same':>5} {'begun':>5} {'same*':>5} {'GiB':>5}"
    ]
    for row in rows:
        agreed = row.get("agreement", {})
        alone, together = agreed.get("alone", {}), agreed.get("together", {})
        lines.append(
            f"{row['generator']:<33} {row['read_tokens_a_second']:>9,.0f} {row['written_tokens_a_second']:>9,.1f} "
            f"{row['answers_a_second']:>8.3f} {_part(row.get('answers_a_second_ratio'))} "
            f"{row['answers_a_second_together']:>10.3f} {_part(row.get('answers_a_second_together_ratio'))} "
            f"{_part(alone.get('same'))} {_part(alone.get('begun'))} {_part(together.get('same'))} "
            f"{row['peak_gib']:>5.2f}"
        )
    if rows:
        lines.append(
            f"×: of {OURS}'s; same, begun: share of answers that are {REFERENCE}'s, and of their tokens before the "
            "first other one, asked alone; same*: asked together"
        )
    return [*lines, *(f"{name}: no figure: {why}" for name, why in left.items())]


def _part(value: float | None) -> str:
    return f"{'-':>5}" if value is None else f"{value:>5.2f}"
