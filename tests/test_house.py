"""The house itself: who may import whom, how long a module may be, what the page on architecture says."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

import pytest

import ragraft
import ragraft.pipeline
from ragraft.pipeline.backends import load, names

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "ragraft"
LONGEST = 400
PORTS = {
    "readers": ["docx", "html", "jsonl", "markdown", "pdf", "plain"],
    "embedders": ["hashing", "sentence-transformers"],
    "stores": ["lance", "memory"],
    "rerankers": ["cross-encoder", "overlap"],
    "retrievers": ["http"],
    "generators": ["echo", "openai", "transformers"],
    "graders": ["entailment", "judge"],
    "trackers": ["mlflow", "trackio"],
    "trainers": ["transformers"],
    "launchers": ["here"],
}
METHODS = {
    "readers": ("read",),
    "embedders": ("embed",),
    "stores": ("write", "open"),
    "rerankers": ("rerank",),
    "retrievers": ("retrieve",),
    "generators": ("generate",),
    "graders": ("judge",),
    "trackers": ("track",),
    "trainers": ("command",),
    "launchers": ("launch",),
}


def test_the_import_contracts_are_kept() -> None:
    script = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Contracts: 7 kept, 0 broken." in done.stdout


def test_no_contract_is_softened() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    assert len(settings["contracts"]) == 7
    assert not any("ignore_imports" in contract for contract in settings["contracts"])


def test_no_module_is_long() -> None:
    modules = [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    assert len(modules) > 100
    lengths = {file.relative_to(ROOT).as_posix(): len(file.read_text("utf-8").splitlines()) for file in modules}
    assert {name: length for name, length in lengths.items() if length >= LONGEST} == {}


def test_every_module_says_what_it_is() -> None:
    silent = [
        file.relative_to(ROOT).as_posix()
        for file in PACKAGE.rglob("*.py")
        if (text := file.read_text("utf-8")) and not text.startswith('"""')
    ]
    assert silent == []


def test_the_tree_in_architecture_matches_the_disk() -> None:
    lines = (ROOT / "ARCHITECTURE.md").read_text("utf-8").split("```")[1].splitlines()
    start = lines.index("src/ragraft/") + 1
    tree = []
    for line in lines[start:]:
        if not line.startswith(" "):
            break
        name, *phrase = line.split()
        assert phrase, f"{name} has no phrase"
        tree.append(name.rstrip("/"))
    disk = [place.name for place in PACKAGE.iterdir() if place.name != "__pycache__"]
    assert sorted(tree) == sorted(disk)


def test_the_built_in_backends_are_those_of_the_ports() -> None:
    groups = {group.removeprefix("ragraft.") for group in entry_points().groups if group.startswith("ragraft.")}
    assert groups == set(PORTS)
    for port, known in PORTS.items():
        own = [point.name for point in entry_points(group=f"ragraft.{port}") if point.value.startswith("ragraft.")]
        assert sorted(own) == known
        assert set(known) <= set(names(port))


@pytest.mark.parametrize(("port", "name"), [(port, name) for port, known in PORTS.items() for name in known])
def test_every_backend_loads_through_its_entry_point(port: str, name: str) -> None:
    kind = load(port, name)
    assert kind.__module__.startswith(f"ragraft.backends.{port}.")
    assert kind.__doc__
    for method in METHODS[port]:
        assert callable(getattr(kind, method, None)), f"{name} has no {method}"


def test_every_adapter_on_disk_is_registered() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]
    registered = {value.partition(":")[0] for group in settings.values() for value in group.values()}
    helpers = {
        "ragraft.backends.readers.decoding",
        "ragraft.backends.generators.choosing",
        "ragraft.backends.generators.decoding",
        "ragraft.backends.generators.engine",
        "ragraft.backends.generators.prefixes",
        "ragraft.backends.generators.quoting",
        "ragraft.backends.generators.roomy_cache",
        "ragraft.backends.generators.scoring",
        "ragraft.backends.generators.side_by_side",
        "ragraft.backends.generators.slots",
    }
    disk = {
        f"ragraft.backends.{file.parent.name}.{file.stem}"
        for file in (PACKAGE / "backends").glob("*/*.py")
        if file.stem != "__init__"
    }
    assert registered == disk - helpers


@pytest.mark.parametrize("module", [ragraft, ragraft.pipeline])
def test_the_public_names_are_those_that_are_there(module: ModuleType) -> None:
    own = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not isinstance(value, ModuleType)
        and (getattr(value, "__module__", "") or "").startswith("ragraft")
    }
    listed: list[str] = module.__all__
    assert listed == sorted(listed, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert own <= set(listed)
    assert all(hasattr(module, name) for name in listed)


def test_naming_a_generator_loads_no_heavy_library() -> None:
    """A run that finds nothing to do must end at once."""
    look = "import sys, ragraft.pipeline, ragraft.backends.generators.transformers; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
