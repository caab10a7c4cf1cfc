"""The tuned model for other programs: each opens what is written, and the card says what is known of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
import yaml
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from ragraft.errors import ConfigError, SourceError
from ragraft.models.chat import PLAIN_TEMPLATE
from ragraft.models.load import open_model
from ragraft.pipeline import ROWS, STAGES, Session, Wishes, export, open_session
from ragraft.workspace import Folder
from tests.conftest import lighthouse_questions, write_rows

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring

MakeSite = Callable[..., "Site"]
IDS = torch.arange(3, 60)[None]


def opened(folder: Path, **given: Any) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **given).eval()


def logits(network: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = network(IDS).logits
    return found


@pytest.fixture
def tuned(make_site: MakeSite, bring: Bring, tiny_llama: Path) -> Session:
    """A finished run whose checkpoint is an adapter that PEFT opens."""
    site = make_site()
    bring(site)
    tune(site, tiny_llama)
    return open_session(site.file)


def tune(site: Site, base: Path) -> None:
    torch.manual_seed(0)
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM, r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False
    )
    get_peft_model(opened(base), config).save_pretrained(site.run / "60-checkpoint" / "01-raft")


@pytest.fixture
def expected(tuned: Session) -> torch.Tensor:
    network, _ = open_model(str(tuned.run.path / "60-checkpoint" / "01-raft"), precision="fp32", device="cpu")
    return logits(network)


def test_transformers_opens_the_merged_model(tuned: Session, tmp_path: Path, expected: torch.Tensor) -> None:
    for kind in ("merged", "hub-folder"):
        folder = export(tuned, kind, tmp_path / kind).folder
        torch.testing.assert_close(logits(opened(folder)), expected, rtol=1e-4, atol=1e-4)
        assert AutoTokenizer.from_pretrained(folder).chat_template == PLAIN_TEMPLATE, "the form that it was taught in"


def test_peft_opens_the_adapter(tuned: Session, tmp_path: Path, expected: torch.Tensor, tiny_llama: Path) -> None:
    found = export(tuned, "adapter", tmp_path / "out")
    network = PeftModel.from_pretrained(opened(tiny_llama), found.folder).eval()
    torch.testing.assert_close(logits(network), expected, rtol=1e-3, atol=1e-3)
    assert found.notes[0].startswith("its base is llama")


@pytest.mark.parametrize("weights", ["f16", "q8_0"])
def test_a_gguf_file_holds_the_model(tuned: Session, tmp_path: Path, expected: torch.Tensor, weights: str) -> None:
    folder = export(tuned, "gguf", tmp_path / "out", Wishes(weights=weights)).folder
    assert sorted(file.name for file in folder.iterdir()) == ["README.md", f"lights-{weights}.gguf"]
    network = opened(folder, gguf_file=f"lights-{weights}.gguf")
    share = 0.02 if weights == "f16" else 0.4
    assert float((logits(network) - expected).abs().max()) < share * float(expected.std())
    assert ("rounded to 8 bits" in (folder / "README.md").read_text("utf-8")) == (weights == "q8_0")


def test_ollama_gets_the_runs_prompt(tuned: Session, tmp_path: Path) -> None:
    folder = export(tuned, "ollama", tmp_path / "out").folder
    text = (folder / "Modelfile").read_text("utf-8")
    assert text.startswith("FROM ./lights-f16.gguf\n")
    assert 'SYSTEM """Answer from the documents.' in text
    assert "PARAMETER num_predict 64" in text
    assert 'PARAMETER stop "<end>"' in text


def test_the_card_is_of_this_run(tuned: Session, tmp_path: Path) -> None:
    card = (export(tuned, "hub-folder", tmp_path / "out").folder / "README.md").read_text("utf-8")
    assert "# lights-raft\n" in card
    assert "The exam: " in card
    assert "| documents | 12 |" in card
    assert str(tmp_path) not in card, "no place of this machine"
    settings = yaml.safe_load(card.partition("```yaml\n")[2].partition("```")[0])
    assert settings["retrieve"]["k"] == 2
    assert settings["model"].startswith("llama")
    assert not {"documents", "questions", "serve"} & set(settings)


def test_a_report_of_another_model_is_not_this_models(tuned: Session, tmp_path: Path) -> None:
    manifest = tuned.run.path / "60-checkpoint" / "manifest.json"
    data = json.loads(manifest.read_text("utf-8"))
    manifest.write_text(json.dumps({**data, "fingerprint": "0" * 32}), encoding="utf-8")
    card = (export(tuned, "merged", tmp_path / "out").folder / "README.md").read_text("utf-8")
    assert "It was not examined" in card


def test_prompts_of_the_exam_are_those_that_evaluate_asks(tuned: Session, tmp_path: Path) -> None:
    found = export(tuned, "openai-batch", tmp_path / "out", Wishes(model="acme"))
    rows = list(Folder(found.folder).read_jsonl("batch.jsonl"))
    answers = list(Folder(tuned.run.path / "70-scores").read_jsonl("answers.jsonl"))
    assert {row["custom_id"] for row in rows} == {row["question_id"] for row in answers}
    first = rows[0]
    assert (first["method"], first["url"]) == ("POST", "/v1/chat/completions")
    assert {key: first["body"][key] for key in ("model", "temperature", "max_tokens")} == {
        "model": "acme",
        "temperature": 0,
        "max_tokens": 64,
    }
    assert [turn["role"] for turn in first["body"]["messages"]] == ["system", "user"]
    assert first["body"]["messages"][1]["content"].startswith("Documents:\n\n[1] ")
    assert found.notes[-1].startswith("abstaining by probability and copying of quotes are ragraft's own")


def test_other_questions_get_the_passages_that_the_run_finds(tuned: Session, tmp_path: Path) -> None:
    file = tmp_path / "asked.jsonl"
    write_rows(file, [{"id": "x", "question": lighthouse_questions()[0]["question"], "answers": []}])
    found = export(tuned, "openai-batch", tmp_path / "out", Wishes(questions=file))
    (row,) = Folder(found.folder).read_jsonl("batch.jsonl")
    assert row["custom_id"] == "x"
    assert "The tower of Arlen" in row["body"]["messages"][1]["content"]
    with pytest.raises(ConfigError, match=r"^--questions .*gone\.jsonl: no such file; give one of questions$"):
        export(tuned, "openai-batch", tmp_path / "no", Wishes(questions=tmp_path / "gone.jsonl"))
    assert not (tmp_path / "no").exists(), "whole or not at all"


@pytest.mark.parametrize(
    ("kind", "wishes", "told"),
    [
        ("merged", Wishes(weights="q8_0"), "--type belongs to --to gguf and ollama; merged has no use for it"),
        ("chat", Wishes(model="acme"), "--model belongs to --to openai-batch; chat has no use for it"),
        ("gguf", Wishes(questions=Path("q.jsonl")), "--questions belongs to --to openai-batch; gguf has no use for it"),
    ],
)
def test_a_wish_that_a_form_has_no_use_for_is_told(
    tuned: Session, tmp_path: Path, *, kind: str, wishes: Wishes, told: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{told}$"):
        export(tuned, kind, tmp_path / "out", wishes)


def test_what_cannot_be_written_leaves_nothing(tuned: Session, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--type q4 is no type of weights; known: f16, q8_0$"):
        export(tuned, "gguf", tmp_path / "out", Wishes(weights="q4"))
    (tuned.run.path / "60-checkpoint" / "01-raft" / "adapter_config.json").unlink()
    with pytest.raises(SourceError, match=r"^01-raft tuned all parameters, so that no adapter"):
        export(tuned, "adapter", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".*.part"))


def test_the_card_counts_the_documents_licences(
    make_site: MakeSite, bring: Bring, tmp_path: Path, tiny_llama: Path
) -> None:
    site = make_site()
    rows = [json.loads(line) for line in (site.folder / "more.jsonl").read_text("utf-8").splitlines()]
    rows[0]["metadata"] = {"licence": "CC-BY-4.0"}
    rows[1] |= {"license": "MIT"}
    write_rows(site.folder / "more.jsonl", rows)
    bring(site)
    tune(site, tiny_llama)
    corpus = open_session(site.file).run.current(ROWS["ingest"].place)
    assert corpus is not None
    total = len(list(corpus.read_jsonl("documents.jsonl")))

    def card(*overrides: str) -> str:
        session = open_session(site.file, overrides)
        folder = export(session, "adapter", tmp_path / f"out-{len(overrides)}").folder
        return (folder / "README.md").read_text("utf-8")

    counts = "CC-BY-4.0 (1 document), MIT (1 document)"
    assert f"tuned on: {counts}, of {total - 2} documents not known to ragraft; a tuned" in card()
    assert bring(site, "documents_licence=proprietary") == dict.fromkeys(STAGES, "unchanged")
    assert f"tuned on: proprietary ({total - 2} documents), {counts}; a tuned" in card("documents_licence=proprietary")
