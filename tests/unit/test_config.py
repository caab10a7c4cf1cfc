from __future__ import annotations

import math
from importlib import resources
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ragraft.config import Config, QuestionFiles, Shares, load_config
from ragraft.errors import ConfigError

ROOT = Path(__file__).parents[2]
LEAST = "documents: docs\nquestions: questions.jsonl\n"


def write(folder: Path, text: str) -> Path:
    file = folder / "ragraft.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def load(folder: Path, text: str, *overrides: str) -> Config:
    return load_config(write(folder, text), overrides)[0]


def fault(folder: Path, text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, text, *overrides)
    return str(caught.value)


def test_the_least_yaml_takes_its_name_from_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    folder.mkdir()
    assert load(folder, LEAST).name == "acme"


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("my papers (2)", "my-papers-2"),
        ("Übersicht", "Ubersicht"),
        ("..x", "x"),
        ("文書", "run"),
        ("a_b-c.d", "a_b-c.d"),
    ],
)
def test_a_name_from_a_folder_is_legal(tmp_path: Path, folder: str, name: str) -> None:
    (tmp_path / folder).mkdir()
    assert load(tmp_path / folder, LEAST).name == name


def test_paths_are_relative_to_the_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    far = tmp_path / "far" / "more.jsonl"
    found = load(tmp_path, f"documents: [docs, {far.as_posix()}]\nquestions: {{lessons: a.jsonl, exam: b/c.jsonl}}\n")
    assert found.documents == (tmp_path / "docs", far)
    assert found.questions == QuestionFiles(lessons=tmp_path / "a.jsonl", exam=tmp_path / "b" / "c.jsonl")
    assert load(tmp_path, LEAST).questions == tmp_path / "questions.jsonl"


def test_home_is_expanded_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "model").mkdir()
    one = load(tmp_path, "documents: ~/docs\nquestions: ~/q.jsonl\nmodel: ~/model\n")
    assert (one.documents, one.questions, one.model) == (
        (tmp_path / "docs",),
        tmp_path / "q.jsonl",
        str((tmp_path / "model").resolve()),
    )
    two = load(tmp_path, "documents: d\nquestions: {lessons: ~/a, exam: ~/b}\n").questions
    assert two == QuestionFiles(lessons=tmp_path / "a", exam=tmp_path / "b")


def test_local_models_become_absolute_and_others_stay(tmp_path: Path) -> None:
    (tmp_path / "models" / "base").mkdir(parents=True)
    found = load(tmp_path, LEAST + "model: models/base\nembedder: hashing\n")
    assert found.model == str((tmp_path / "models" / "base").resolve())
    assert found.embedder == "hashing"
    for source in ("hf:org/name", "pypi:package==1.0#file.gguf", "models/gone"):
        assert load(tmp_path, LEAST + f"model: {source}\n").model == source


def test_every_models_source_is_meant_from_the_yaml(tmp_path: Path) -> None:
    (tmp_path / "nli").mkdir()
    text = """
retrieve: {reranker: cross-encoder@nli}
synthesize: {generate: {model: nli}, teacher: {model: "openai:nli"}}
evaluate: {grader: entailment@nli}
"""
    found, here = load(tmp_path, LEAST + text), str((tmp_path / "nli").resolve())
    assert found.retrieve.reranker == f"cross-encoder@{here}"
    assert found.evaluate.grader == f"entailment@{here}"
    assert (found.synthesize.generate.model, found.synthesize.teacher.model) == (here, "openai:nli")
    plain = load(tmp_path, LEAST + "retrieve: {reranker: overlap}\nevaluate: {grader: entailment@hf:a/b}\n")
    assert (plain.retrieve.reranker, plain.evaluate.grader) == ("overlap", "entailment@hf:a/b")


def test_all_faults_come_at_once_with_their_paths(tmp_path: Path) -> None:
    text = """
questions: {lessons: a.jsonl, exm: b.jsonl}
retreive: {}
examine: {shares: {train: 0.9}}
synthesize: {distractors: [3, 1]}
train: {epoch: 3, batch: 8}
evaluate: {contexts: [closed]}
index: {chunk_tokens: 4}
"""
    message = fault(tmp_path, text)
    assert message.startswith(f"{tmp_path / 'ragraft.yaml'} has 9 faults: ")
    assert set(message.split(" faults: ")[1].split("; ")) >= {
        "documents: missing",
        "questions.exam: missing",
        "questions.exm: unknown",
        "examine.shares: the four shares add up to 1.250, not 1",
        "retreive: unknown",
        "did you mean retrieve?",
        "train.epoch: unknown",
        "did you mean epochs?",
        "evaluate.contexts.0: must be 'none', 'retrieved', 'oracle' or 'oracle+N' (got 'closed')",
        "index.chunk_tokens: must be greater than or equal to 16 (got 4)",
    }
    assert "synthesize.distractors: 3 to 1 is not a range" in message


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ("synthesize: {hard: 0.8, low: 0.4}", "synthesize: hard and low add up to more than 1"),
        ("synthesize: {distractors: [-1, 2]}", "synthesize.distractors: -1 to 2 is not a range"),
        (
            "train: {patience: 1, average: 0.9}",
            "train: patience keeps the best epoch's weights and average their mean; set one of them",
        ),
        ("synthesize: {distractors: [1]}", "synthesize.distractors: must hold two numbers, the fewest and the most"),
        ("hybrid: {ratio: [60, 40]}", "hybrid.ratio: must hold three numbers, for raft's lessons, questions without"),
        ("retrieve: {url: 'http://a.test'}", "retrieve.retriever: http and url go together"),
        ("train: {average: 1.0}", "train.average: must be less than 1"),
        ("train: {pack_tokens: 3}", "train.pack_tokens: must be greater than or equal to 16"),
        ("train: {micro_batch: 2}", "train.micro_batch: unknown"),
        ("synthesize: {variants: 2}", "synthesize.variants: unknown"),
        ("synthesize: {group: 0}", "synthesize.group: must be greater than or equal to 1"),
        ("name: a/b", "name: write letters, digits, dots, hyphens and underscores, a letter or digit first"),
        ("name: ../up", "name: write letters, digits, dots, hyphens and underscores, a letter or digit first"),
        ("train:", "train: must be a section, with its keys on lines below it (got nothing)"),
        ("train: {epochs: .inf}", "train.epochs: must be a finite number (got inf)"),
        ("evaluate: {models: []}", "evaluate.models: must hold at least one (got [])"),
        ("evaluate: {contexts: [none, none]}", "evaluate.contexts: none stands twice"),
        ("examine: {recall_at: [0]}", "examine.recall_at.0: must be greater than or equal to 1 (got 0)"),
        ("prompt: {abstention: ' '}", "prompt.abstention: must be one line of text (got ' ')"),
        ("prompt: {max_tokens: 64, answer_tokens: 64}", "prompt: answer_tokens 64 leaves no room in max_tokens 64"),
        ("1: one", "1: must be a text: put it in quotation marks (got 1)"),
    ],
)
def test_one_fault_is_one_fault(tmp_path: Path, section: str, sentence: str) -> None:
    message = fault(tmp_path, f"{LEAST}{section}\n")
    assert message.startswith(f"{tmp_path / 'ragraft.yaml'} has 1 fault: {sentence}")


@pytest.mark.parametrize("written", ["questions:", ""])
def test_there_may_be_no_questions_yet(tmp_path: Path, written: str) -> None:
    file = tmp_path / "ragraft.yaml"
    file.write_text(f"documents: docs\n{written}\n", encoding="utf-8")
    assert load_config(file)[0].questions is None


@pytest.mark.parametrize("written", ["3", "[a, b]"])
def test_questions_of_another_kind_are_one_plain_fault(tmp_path: Path, written: str) -> None:
    message = fault(tmp_path, f"documents: docs\nquestions: {written}\n")
    assert message.startswith(f"{tmp_path / 'ragraft.yaml'} has 1 fault: questions: must be a path")


def test_an_unknown_key_far_from_all_gets_the_known_ones(tmp_path: Path) -> None:
    message = fault(tmp_path, LEAST + "report: {zzz: 1}\n")
    assert message.endswith("report.zzz: unknown; known: examples, track")
    assert fault(tmp_path, "documents: d\nquestions: {lessons: a, exam: b, exan: c}\n").endswith("did you mean exam?")


def test_files_that_are_no_settings(tmp_path: Path) -> None:
    file = tmp_path / "ragraft.yaml"
    with pytest.raises(ConfigError, match=r"^No .*ragraft.yaml. Write one with: ragraft new DIR$"):
        load_config(file)
    with pytest.raises(ConfigError, match=r"is a folder; give the YAML file in it$"):
        load_config(tmp_path)
    file.write_bytes(b"documents: \xff\n")
    with pytest.raises(
        ConfigError, match=r"^Cannot read .* is not UTF-8 \(invalid start byte at byte 11\); save it as UTF-8$"
    ):
        load_config(file)
    broken = fault(tmp_path, "documents: [a")
    assert broken.startswith(f"{file} is not YAML: ")
    assert "\n" not in broken
    assert "line 1, column" in broken
    for text, sentence in {
        "": "is empty; write keys such as documents: and questions: into it",
        "- documents\n": "holds a list at the top; write keys such as documents: and questions: there",
        "words\n": "holds a bare value at the top; write keys such as documents: and questions: there",
    }.items():
        assert fault(tmp_path, text) == f"{file} {sentence}"


@pytest.mark.parametrize(
    ("override", "found"),
    [
        ("train.epochs=3", ("train", "epochs", 3.0)),
        ("train.learning_rate=5e-4", ("train", "learning_rate", 5e-4)),
        ("train={epochs: 3}", ("train", "epochs", 3.0)),
        ("synthesize.distractors=[2, 5]", ("synthesize", "distractors", (2, 5))),
        ("synthesize.max_questions=null", ("synthesize", "max_questions", None)),
        ("retrieve.reranker=cross-encoder@hf:a/b", ("retrieve", "reranker", "cross-encoder@hf:a/b")),
        ("prompt.abstention=a=b", ("prompt", "abstention", "a=b")),
        ("evaluate.models=[base, tuned]", ("evaluate", "models", ("base", "tuned"))),
    ],
)
def test_set_overrides_the_yaml(tmp_path: Path, override: str, found: tuple[str, str, object]) -> None:
    section, key, value = found
    config, origins = load_config(write(tmp_path, LEAST + "train: {epochs: 1, rank: 8}\n"), [override])
    assert getattr(getattr(config, section), key) == value
    assert origins[f"{section}.{key}"] == "--set"


def test_an_endpoint_has_a_web_address_and_any_body(tmp_path: Path) -> None:
    text = LEAST + "endpoint: {url: 'http://localhost:8000/v1', body: {max_tokens: null, stop: [x]}}\n"
    endpoint = load(tmp_path, text).endpoint
    assert (endpoint.url, endpoint.body) == ("http://localhost:8000/v1", {"max_tokens": None, "stop": ["x"]})
    with pytest.raises(ConfigError, match=r"endpoint.url: write it as http://HOST:PORT/PATH \(got 'localhost:8000'\)"):
        load(tmp_path, LEAST + "endpoint: {url: 'localhost:8000'}\n")


def test_later_overrides_win(tmp_path: Path) -> None:
    assert load(tmp_path, LEAST, "train.epochs=3", "train.epochs=4").train.epochs == 4


def test_origins_name_the_file_and_the_flag_and_not_the_defaults(tmp_path: Path) -> None:
    text = LEAST + "train: {epochs: 1}\nexamine: {shares: {train: 0.65}}\n"
    _, origins = load_config(write(tmp_path, text), ["retrieve.k=9"])
    assert origins == {
        "documents": "ragraft.yaml",
        "questions": "ragraft.yaml",
        "train.epochs": "ragraft.yaml",
        "examine.shares.train": "ragraft.yaml",
        "retrieve.k": "--set",
    }


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("train.epochs", "--set train.epochs: write it as section.key=value"),
        ("=3", "--set =3: write it as section.key=value"),
        ("name.x=3", "--set name.x=3: name is no section"),
        ("train.epochs.more=3", "--set train.epochs.more=3: epochs is no section"),
        ("train.epochs=[3", "--set train.epochs=[3: [3 is not a YAML value"),
    ],
)
def test_faults_of_set(tmp_path: Path, override: str, sentence: str) -> None:
    assert fault(tmp_path, LEAST + "name: acme\ntrain: {epochs: 1}\n", override) == sentence


def test_an_unknown_key_in_set_is_a_fault_like_any(tmp_path: Path) -> None:
    assert fault(tmp_path, LEAST, "train.epoch=3").endswith("train.epoch: unknown; did you mean epochs?")


@pytest.mark.parametrize("questions", ["q.jsonl", "{lessons: a.jsonl, exam: b.jsonl}"])
def test_a_resolved_config_comes_back(tmp_path: Path, questions: str) -> None:
    config = load(tmp_path, f"documents: d\nquestions: {questions}\n", "train.alpha=3", "examine.recall_at=[2]")
    assert Config.model_validate(config.model_dump(mode="json")) == config


@given(parts=st.tuples(*[st.integers(1, 50)] * 4))
def test_shares_that_add_up_are_taken(parts: tuple[int, int, int, int]) -> None:
    total = sum(parts)
    train, validation, calibration, exam = (part / total for part in parts)
    shares = Shares(train=train, validation=validation, calibration=calibration, exam=exam)
    assert math.isclose(shares.train + shares.validation + shares.calibration + shares.exam, 1)
    with pytest.raises(ValueError, match="the four shares add up to"):
        Shares(train=train + 0.01, validation=validation, calibration=calibration, exam=exam)


def test_every_shipped_yaml_parses() -> None:
    recipes = sorted((ROOT / "recipes").glob("*.yaml"))
    shipped = [Path(str(resources.files("ragraft.demo").joinpath(name))) for name in ("demo.yaml", "example.yaml")]
    names = [load_config(file)[0].name for file in (*recipes, *shipped)]
    assert len(recipes) == 14
    assert names == [*(recipe.stem for recipe in recipes), "python-reference", "demo"]
    for recipe in recipes:
        assert f"ragraft run {recipe.name}" in recipe.read_text("utf-8"), "a recipe is headed by its command"


def test_every_recipe_takes_a_fixed_part_of_its_set() -> None:
    for recipe in sorted((ROOT / "recipes").glob("*.yaml")):
        config, _ = load_config(recipe)
        place = (
            (ROOT / "recipes" / "data").joinpath(*recipe.stem.rsplit("_", 1))
            if recipe.stem[-1].isdigit()
            else (ROOT / "recipes" / "data" / recipe.stem)
        )
        assert config.documents == (place / "corpus.jsonl",)
        assert config.questions == QuestionFiles(lessons=place / "train.jsonl", exam=place / "dev.jsonl")
        assert (config.evaluate.max_questions or 999) <= 200, recipe.name
        assert (config.synthesize.max_questions or 999) <= 400, recipe.name


def test_the_example_names_only_known_keys_in_its_comments(tmp_path: Path) -> None:
    text = resources.files("ragraft.demo").joinpath("example.yaml").read_text(encoding="utf-8")
    uncommented = [
        line.removeprefix("# ")
        for line in text.splitlines()
        if line.startswith(("# model:", "# retrieve:", "# train:"))
    ]
    assert len(uncommented) == 3
    config = load(tmp_path, "\n".join([text, *uncommented]))
    written = yaml.safe_load("\n".join(uncommented))
    assert config.model == written["model"]
    assert config.retrieve.k == written["retrieve"]["k"]
    assert config.train.tuning == written["train"]["tuning"]
