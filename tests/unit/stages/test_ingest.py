"""Ingest: every file and row is a document, a rejected row with its reason, or a duplicate with its holder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ragraft.backends.readers.jsonl import JsonlReader
from ragraft.backends.readers.markdown import MarkdownReader
from ragraft.backends.readers.plain import PlainReader
from ragraft.config import IngestConfig
from ragraft.errors import InputError
from ragraft.ports import Embedder, Generator, Launcher, Reader, Reranker, Scorer, Store, Tokenizer, Trainer
from ragraft.stages.ingest import fingerprint_documents, ingest
from ragraft.workspace import Corpus, Folder

LONG = " ".join(f"w{number}" for number in range(40))
READERS: tuple[Reader, ...] = (MarkdownReader(), PlainReader(), JsonlReader())


@dataclass(frozen=True, slots=True)
class OnlyReaders:
    """Backends of which ingest may use nothing but the readers."""

    def reader(self, path: Path) -> Reader | None:
        return next((reader for reader in READERS if path.suffix.lower() in reader.suffixes), None)

    @property
    def tokenizer(self) -> Tokenizer:
        raise AssertionError("not ingest's")

    @property
    def embedder(self) -> Embedder:
        raise AssertionError("not ingest's")

    @property
    def store(self) -> Store:
        raise AssertionError("not ingest's")

    @property
    def reranker(self) -> Reranker | None:
        raise AssertionError("not ingest's")

    @property
    def trainer(self) -> Trainer:
        raise AssertionError("not ingest's")

    @property
    def launcher(self) -> Launcher:
        raise AssertionError("not ingest's")

    def generator(self, model: str) -> Generator:
        raise AssertionError("not ingest's")

    def scorer(self, model: str) -> Scorer:
        raise AssertionError("not ingest's")

    def model_facts(self) -> dict[str, Any]:
        raise AssertionError("not ingest's")

    def machine_facts(self) -> dict[str, Any]:
        raise AssertionError("not ingest's")


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    return tmp_path / "docs"


@pytest.fixture
def out(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "runs" / "r" / "10-corpus")


def write(place: Path, text: str | bytes) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(text if isinstance(text, bytes) else text.encode())
    return place


def run(out: Folder, *documents: Path, **settings: Any) -> Corpus:
    chosen = IngestConfig(**{"max_rejected": 1.0, **settings})
    return ingest(documents=documents, settings=chosen, backends=OnlyReaders(), out=out)


def ids(corpus: Corpus) -> list[str]:
    return [document.id for document in corpus.documents()]


def rejected(corpus: Corpus) -> Iterator[tuple[str, str, str]]:
    return ((row["id"], row["reason"], row["detail"]) for row in corpus.folder.read_jsonl("rejected.jsonl"))


def test_files_are_named_by_their_path_and_sorted_and_hidden_ones_skipped(docs: Path, out: Folder) -> None:
    for name in ("b.md", "a/z.TXT", "a/b.md", "a.md", ".hidden.md", ".git/x.md", "a/.x/y.md"):
        write(docs / name, f"# About {name}")
    single = write(docs.parent / "other" / "one.md", "# One")
    corpus = run(out, docs, single)
    assert ids(corpus) == ["a.md", "a/b.md", "a/z.TXT", "b.md", "one.md"]
    assert [document.title for document in corpus.documents()][1] == "About a/b.md"


def test_rows_keep_their_ids_and_bad_ones_name_their_line(docs: Path, out: Folder) -> None:
    write(docs / "faq.jsonl", '{"id": "q1", "text": "One."}\n{\n{"id": "q2", "text": ""}\n')
    corpus = run(out, docs)
    assert ids(corpus) == ["q1"]
    assert [(place, reason[:8]) for place, reason, _ in rejected(corpus)] == [
        ("faq.jsonl line 2", "not JSON"),
        ("faq.jsonl line 3", "text is "),
    ]


def test_every_unusable_file_has_its_reason(docs: Path, out: Folder) -> None:
    write(docs / "good.md", "Text.")
    write(docs / "empty.md", "")
    write(docs / "junk.txt", bytes(range(256)))
    write(docs / "none.jsonl", "\n")
    (docs / "gone.md").symlink_to(docs / "nowhere")
    write(docs / "x.zip", b"PK")
    write(docs / "LICENSE", "Free.")
    corpus = run(out, docs)
    assert list(rejected(corpus)) == [
        ("empty.md", "holds no text", ""),
        ("gone.md", "cannot be opened: No such file or directory", ""),
        ("junk.txt", "binary data, not text in any known encoding", ""),
        ("none.jsonl", "holds no documents", ""),
        ("LICENSE", "no reader for files without a suffix", ""),
        ("x.zip", "no reader for .zip", ""),
    ]
    summary = corpus.folder.read_json("summary.json")
    assert (summary["files"], summary["documents"], summary["rejected"], summary["files without a reader"]) == (
        7,
        1,
        4,
        2,
    )


def test_second_document_of_an_id_is_rejected(docs: Path, out: Folder) -> None:
    write(docs / "a.md", "File.")
    write(docs / "b.jsonl", '{"id": "a.md", "text": "Row."}')
    corpus = run(out, docs)
    assert [document.text for document in corpus.documents()] == ["File."]
    assert list(rejected(corpus)) == [("a.md", "another document has this id", "in b.jsonl; the first is in a.md")]


def test_file_reached_twice_is_read_once(docs: Path, out: Folder) -> None:
    write(docs / "in" / "a.md", "File.")
    (docs / "loop").symlink_to(docs)
    assert ids(run(out, docs, docs / "in", docs / "in" / "a.md")) == ["in/a.md"]


def test_rate_of_failures_is_the_limit(docs: Path, out: Folder) -> None:
    for number in range(7):
        write(docs / f"{number}.md", f"Text {number}." if number < 3 else "")
    write(docs / "x.zip", b"PK")
    assert len(ids(run(out, docs, max_rejected=4 / 7))) == 3
    with pytest.raises(InputError) as caught:
        run(out, docs, max_rejected=0.5)
    assert str(caught.value) == (
        "4 of 7 files and rows cannot be used (limit 50 %): 3.md: holds no text; 4.md: holds no text; "
        f"5.md: holds no text; all reasons: {out.file('rejected.jsonl')}. "
        "Correct or remove them, or raise ingest.max_rejected"
    )
    assert len(list(out.read_jsonl("rejected.jsonl"))) == 5


def test_no_document_at_all_is_an_error_at_any_rate(docs: Path, out: Folder) -> None:
    write(docs / "x.zip", b"PK")
    with pytest.raises(InputError) as caught:
        run(out, docs)
    assert str(caught.value) == (
        f"No document to use in 1 files (x.zip: no reader for .zip); all reasons: {out.file('rejected.jsonl')}"
    )


def duplicates(docs: Path) -> Path:
    write(docs / "0.md", " ".join(LONG.split()[:20]))
    write(docs / "1.md", LONG)
    write(docs / "2.md", LONG.replace(" ", "\n"))
    write(docs / "3.md", LONG + " end")
    write(docs / "4.md", "Something else entirely.")
    return docs


def test_duplicates_are_dropped_and_told(docs: Path, out: Folder) -> None:
    corpus = run(out, duplicates(docs))
    assert ids(corpus) == ["3.md", "4.md"]
    assert corpus.same() == {"0.md": "3.md", "1.md": "3.md", "2.md": "3.md"}
    assert list(corpus.folder.read_jsonl("duplicates.jsonl")) == [
        {"id": "0.md", "other": "3.md", "kind": "contained", "share": 1.0, "kept": "3.md"},
        {"id": "1.md", "other": "3.md", "kind": "near-duplicate", "share": 0.973, "kept": "3.md"},
        {"id": "2.md", "other": "1.md", "kind": "exact", "share": 1.0, "kept": "3.md"},
    ]
    assert corpus.folder.read_json("summary.json") == {
        "files": 5,
        "documents": 2,
        "rejected": 0,
        "files without a reader": 0,
        "exact duplicates": 1,
        "near-duplicates": 1,
        "contained in another": 1,
        "dropped": 3,
    }


def test_duplicates_can_be_kept_and_are_still_told(docs: Path, out: Folder) -> None:
    corpus = run(out, duplicates(docs), drop_duplicates=False)
    assert ids(corpus) == ["0.md", "1.md", "2.md", "3.md", "4.md"]
    assert corpus.same() == {}
    assert len(list(corpus.folder.read_jsonl("duplicates.jsonl"))) == 3
    assert corpus.folder.read_json("summary.json")["dropped"] == 0


def test_thresholds_come_from_the_settings(docs: Path, out: Folder) -> None:
    assert ids(run(out, duplicates(docs), near_duplicate=1.0, contained=1.0)) == ["3.md", "4.md"]
    write(docs / "0.md", LONG[:60] + " and more of its own")
    assert "0.md" in ids(run(out, docs))
    assert "0.md" not in ids(run(out, docs, contained=0.5))


def test_same_input_gives_the_same_bytes_and_nothing_is_left_over(docs: Path, out: Folder) -> None:
    duplicates(docs)
    found = []
    for _ in range(2):
        run(out, docs)
        found.append({path.name: path.read_bytes() for path in out.path.iterdir()})
    assert found[0] == found[1]
    names = {"documents.jsonl", "rejected.jsonl", "same.json", "duplicates.jsonl", "facts.json", "summary.json"}
    assert set(found[0]) == names


def test_what_was_not_read_is_said_in_words(docs: Path, out: Folder) -> None:
    write(docs / "a.md", LONG)
    for name in ("b.zip", "c"):
        write(docs / name, "no text")
    rows = [{"id": "scan", "text": LONG[::-1], "metadata": {"pages_without_text": [2]}}, {"id": "empty", "text": ""}]
    write(docs / "d.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    run(out, docs, max_rejected=0.5)
    assert out.read_json("facts.json")["warnings"] == [
        "2 files passed over, no reader: b.zip, c",
        "1 of the files and rows rejected: d.jsonl line 2: text is empty",
        "1 document with pages that hold no text (scanned? run OCR on them): scan",
    ]


def test_documents_survive_the_way_to_disk(docs: Path, out: Folder) -> None:
    row = {"id": "a", "title": "T", "text": "Größe\u2028\x85 \t\n日本", "metadata": {"n": [1, None]}}
    write(docs / "a.jsonl", json.dumps(row))
    (document,) = run(out, docs).documents()
    assert (document.text, document.metadata) == (row["text"], row["metadata"])


@pytest.mark.parametrize("call", ["ingest", "fingerprint"])
def test_missing_path_and_empty_folder_say_what_to_correct(docs: Path, out: Folder, call: str) -> None:
    def start(*places: Path) -> object:
        return run(out, *places) if call == "ingest" else fingerprint_documents(places)

    write(docs / ".hidden", "x")
    with pytest.raises(InputError) as caught:
        start(docs / "nowhere")
    assert str(caught.value) == f"No documents at {docs / 'nowhere'}; correct documents: in the YAML"
    with pytest.raises(InputError) as caught:
        start(docs)
    assert str(caught.value) == f"No file in {docs}; put documents there or correct documents:"


def test_folder_that_holds_the_results_is_refused(docs: Path, out: Folder) -> None:
    write(docs / "a.md", "A.")
    with pytest.raises(InputError) as caught:
        run(out, docs.parent)
    assert str(caught.value) == f"{docs.parent} also holds ragraft's results; name a folder below it in documents:"


def test_folder_that_cannot_be_opened_is_named(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError) as caught:
        fingerprint_documents([docs])
    assert str(caught.value) == f"Cannot open the folder {docs}: Permission denied; allow it or move it away"


def test_fingerprint_sees_names_and_contents_and_nothing_else(docs: Path) -> None:
    write(docs / "a.md", "A")
    write(docs / "b.md", "B")
    (docs / "gone.md").symlink_to(docs / "nowhere")
    first = fingerprint_documents([docs])
    write(docs / "a.md", "A")
    write(docs / ".hidden", "x")
    assert fingerprint_documents([docs]) == first
    write(docs / "a.md", "AB")
    changed = fingerprint_documents([docs])
    (docs / "a.md").rename(docs / "c.md")
    renamed = fingerprint_documents([docs])
    assert len({first, changed, renamed, fingerprint_documents([docs / "c.md"])}) == 4


def test_fingerprint_does_not_depend_on_where_the_folder_lies(docs: Path) -> None:
    write(docs / "in" / "a.md", "A")
    first = fingerprint_documents([docs])
    assert fingerprint_documents([docs.rename(docs.parent / "moved")]) == first
