"""Lessons for other trainers: what they read is what ragraft would have learned."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
import pytest
import yaml

from ragraft.errors import WorkspaceError
from ragraft.models.chat import ChatTokenizer, load_tokenizer
from ragraft.models.gguf_tokenizer import shipped_template
from ragraft.pipeline import Session, export, open_session
from ragraft.training.trees import read_rows

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring

MakeSite = Callable[..., "Site"]
Learned = tuple[list[int], list[int]]
"""Tokens that are only read, and those that are learned."""


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def ours(session: Session, step: str = "01-raft") -> list[Learned]:
    """What ragraft's own training would read."""
    file = session.run.path / "50-lessons" / step / "lessons.jsonl"
    found = read_rows(file, tokenizer(session), 100_000)
    return [(list(row.ids[: row.answer_from]), list(row.ids[row.answer_from :])) for row in found]


def tokenizer(session: Session) -> ChatTokenizer:
    return load_tokenizer(Path(session.backends.model_facts()["path"]))


@pytest.fixture
def made(make_site: MakeSite, bring: Bring) -> Session:
    site = make_site()
    bring(site, last="synthesize")
    return open_session(site.file)


def test_without_lessons_there_is_nothing_to_export(make_site: MakeSite, tmp_path: Path) -> None:
    site = make_site()
    with pytest.raises(WorkspaceError, match=r"^No lessons in .+\. Run: ragraft synthesize$"):
        export(open_session(site.file), "chat", tmp_path / "out")


def test_chat_rows_hold_every_lesson(made: Session, tmp_path: Path) -> None:
    found = export(made, "chat", tmp_path / "out")
    exported = rows(found.folder / "lessons.jsonl")
    assert len(exported) == len(ours(made))
    assert {row["messages"][-1]["role"] for row in exported} == {"assistant"}
    assert rows(found.folder / "validation.jsonl")
    assert found.notes == (
        "not carried: settings; documents that lessons share are read anew for each of them, and an epoch takes all "
        "copies of a question",
    )


@pytest.mark.parametrize("kind", ["prompt-completion", "llama-factory"])
def test_pairs_are_the_tokens_that_ragraft_learns(made: Session, tmp_path: Path, kind: str) -> None:
    folder = export(made, kind, tmp_path / "out").folder
    plain = tokenizer(made).plain_ids
    assert [(plain(row["prompt"]), plain(row["completion"])) for row in rows(folder / "lessons.jsonl")] == ours(made)


def test_segments_are_the_tokens_that_ragraft_learns(made: Session, tmp_path: Path) -> None:
    folder = export(made, "axolotl", tmp_path / "out").folder
    plain = tokenizer(made).plain_ids
    segments = [row["segments"] for row in rows(folder / "lessons.jsonl")]
    assert {tuple(part["label"] for part in parts) for parts in segments} == {(False, True)}
    assert [(plain(read["text"]), plain(learned["text"])) for read, learned in segments] == ours(made)
    config = yaml.safe_load((folder / "axolotl.yaml").read_text("utf-8"))
    assert (config["lora_r"], config["lora_alpha"], config["learning_rate"]) == (32, 64.0, 5e-4)
    assert config["num_epochs"] == 1.0, "two epochs over two copies are one over the file"
    assert (folder / "axolotl.yaml").read_text("utf-8").startswith("# In this folder: axolotl train axolotl.yaml\n")


def test_llama_factory_finds_its_files(made: Session, tmp_path: Path) -> None:
    folder = export(made, "llama-factory", tmp_path / "out").folder
    config = yaml.safe_load((folder / "llamafactory.yaml").read_text("utf-8"))
    info = json.loads((folder / "dataset_info.json").read_text("utf-8"))
    for key in ("dataset", "eval_dataset"):
        assert (folder / info[config[key]]["file_name"]).exists()
    assert (config["template"], config["train_on_prompt"]) == ("empty", False)


def test_plain_texts_and_control_tokens_are_told(made: Session, tmp_path: Path) -> None:
    file = made.run.path / "50-lessons" / "01-raft" / "lessons.jsonl"
    lesson, other, *_ = rows(file)
    lesson["prompt"]["messages"][-1]["content"] += " <end>"
    text = {**other, "id": "t", "kind": "text", "prompt": {"messages": [], "cut": 0}, "target": "Granite is hard."}
    file.write_text("".join(json.dumps(row) + "\n" for row in (lesson, other, text)), encoding="utf-8")
    chat = export(made, "chat", tmp_path / "chat")
    assert len(rows(chat.folder / "lessons.jsonl")) == 2
    assert rows(chat.folder / "texts-lessons.jsonl") == [{"text": "Granite is hard."}]
    assert chat.notes[1] == "1 plain texts have no turns and stand in texts-*.jsonl"
    axolotl = export(made, "axolotl", tmp_path / "axolotl")
    read, learned = rows(axolotl.folder / "lessons.jsonl")[2]["segments"]
    plain = tokenizer(made).plain_ids
    assert (plain(read["text"]), plain(learned["text"])) == ours(made)[2]
    assert axolotl.notes[1].startswith("Axolotl reads 1 lessons as other tokens than ragraft (a control token's text")
    trl = export(made, "prompt-completion", tmp_path / "trl")
    assert trl.notes[2] == "TRL adds an end token to 1 plain texts that have none"


def test_a_chain_has_a_folder_a_method(make_site: MakeSite, bring: Bring, tmp_path: Path) -> None:
    site = make_site(train={"method": ["sft", "raft"], "steps": {"sft": {"rank": 4}}})
    bring(site, last="synthesize")
    found = export(open_session(site.file), "axolotl", tmp_path / "out")
    configs = [(found.folder / name / "axolotl.yaml").read_text("utf-8") for name in ("01-sft", "02-raft")]
    assert [yaml.safe_load(config)["lora_r"] for config in configs] == [4, 32]
    assert found.notes[-1].startswith("each method begins from what the one before made")


TRL = """
import json, sys
from datasets import load_dataset
from trl import SFTConfig, SFTTrainer
rows = load_dataset("json", data_files="lessons.jsonl", split="train")
settings = SFTConfig("out", use_cpu=True, bf16=False, report_to="none", max_length=None)
trainer = SFTTrainer(sys.argv[1], settings, train_dataset=rows)
for row in trainer.train_dataset:
    ids, labels = row["input_ids"], row["labels"]
    print("ROW", json.dumps([[i for i, l in zip(ids, labels) if l == -100], [l for l in labels if l != -100]]))
"""
FACTORY = """
import importlib.util, json, sys, types
from importlib.machinery import ModuleSpec
sound = sys.modules["torchaudio"] = types.ModuleType("torchaudio")  # what it would load to hear nothing
sound.__spec__ = ModuleSpec("torchaudio", None)
import yaml
from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
from llamafactory.hparams import get_train_args
from llamafactory.model import load_tokenizer
settings = {**yaml.safe_load(open("llamafactory.yaml")), "use_cpu": True, "bf16": False, "report_to": "none"}
model, data, training, _, _ = get_train_args(settings)
module = load_tokenizer(model)
template = get_template_and_fix_tokenizer(module["tokenizer"], data)
for row in get_dataset(template, model, data, training, stage="sft", **module)["train_dataset"]:
    ids, labels = row["input_ids"], row["labels"]
    print("ROW", json.dumps([[i for i, l in zip(ids, labels) if l == -100], [l for l in labels if l != -100]]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("peer", "kind"), [("trl", "prompt-completion"), ("llamafactory", "llama-factory")])
def test_the_peer_itself_learns_the_same_tokens(made: Session, tmp_path: Path, peer: str, kind: str) -> None:
    python = _python_of(peer)
    folder = export(made, kind, tmp_path / "out").folder
    script = {"trl": TRL, "llamafactory": FACTORY}[peer]
    assert _read_by(python, script, folder, str(made.backends.model_facts()["path"])) == ours(made)


@pytest.mark.slow
def test_trl_trains_on_chats(made: Session, tmp_path: Path) -> None:
    python = _python_of("trl")
    folder = export(made, "chat", tmp_path / "out").folder
    (folder / "template.jinja").write_text(shipped_template(tokenizer(made)), encoding="utf-8")
    script = TRL.replace("max_length=None", 'max_length=None, max_steps=1, chat_template_path="template.jinja"')
    # Chats say nothing of where learning begins: TRL learns every token of them, and ends them as the template does.
    wanted = [[*read, *learned[:-1]] for read, learned in ours(made)]
    found = _read_by(python, script + "trainer.train()\n", folder, str(made.backends.model_facts()["path"]))
    assert [learned[: len(ids)] for (_, learned), ids in zip(found, wanted, strict=True)] == wanted


def _python_of(peer: str) -> Path:
    python = Path(platformdirs.user_cache_dir("ragraft")) / "benchmarks" / peer / "bin" / "python"
    if not python.exists():
        pytest.skip(f"no environment of {peer}; python -m benchmarks.training makes it")
    return python


def _read_by(python: Path, script: str, folder: Path, model: str) -> Sequence[Learned]:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hub"), "DISABLE_VERSION_CHECK": "1"}
    command = [str(python), "-c", script, model]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line.removeprefix("ROW ") for line in done.stdout.splitlines() if line.startswith("ROW ")]
    return [(read, learned) for read, learned in map(json.loads, lines)]


def test_lessons_of_other_methods_are_not_exported(made: Session, tmp_path: Path) -> None:
    other = open_session(made.run.path.parents[1] / "ragraft.yaml", ["train.method=[sft, raft]"])
    told = r"^The lessons in .+ are of raft, and train\.method is sft, raft\. Run: ragraft synthesize, or take"
    with pytest.raises(WorkspaceError, match=told):
        export(other, "chat", tmp_path / "out")


def test_lessons_made_under_other_settings_say_so(made: Session, tmp_path: Path) -> None:
    file = made.run.path.parents[1] / "ragraft.yaml"
    other = open_session(file, ["synthesize.seed=7", "serve.port=0", "promote.formats=0.05"])
    told = "made under other settings (synthesize.seed: 0 → 7); ragraft run makes what is there now anew"
    assert export(other, "chat", tmp_path / "out").notes[-1] == told
    assert told not in export(made, "chat", tmp_path / "same").notes


def test_hybrids_mix_in_every_step_is_not_carried(make_site: MakeSite, bring: Bring, tmp_path: Path) -> None:
    site = make_site(train={"method": "hybrid"}, hybrid={"with_documents": 0}, instructions="chats.jsonl")
    chat = [{"role": "user", "content": "Say so."}, {"role": "assistant", "content": "So."}]
    (site.folder / "chats.jsonl").write_text(json.dumps({"messages": chat}) + "\n", encoding="utf-8")
    bring(site, last="synthesize")
    notes = export(open_session(site.file), "chat", tmp_path / "out").notes
    assert sum("dealt over those steps by learned tokens" in note for note in notes) == 1
