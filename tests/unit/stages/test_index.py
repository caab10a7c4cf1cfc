from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from ragraft.backends.embedders.hashing import HashingEmbedder
from ragraft.backends.stores.memory import MemoryStore
from ragraft.config import IndexConfig
from ragraft.errors import InputError
from ragraft.ports import Backends, Matrix
from ragraft.records import Document, Prompt, to_json
from ragraft.stages.index import index
from ragraft.workspace import Corpus, Folder, Index

SETTINGS = IndexConfig(chunk_tokens=16, batch=3, shard=8)
DOCUMENTS = [
    Document(f"doc{n}", f"Title {n}", " ".join(f"This is sentence {m} of text {n}." for m in range(n % 7 * 3 + 1)))
    for n in range(12)
]


class Words:
    def count(self, text: str) -> int:
        return len(text.split())

    def count_prompt(self, prompt: Prompt) -> int:
        return sum(self.count(message.content) for message in prompt.messages)


@dataclass
class Noting:
    """The hashing embedder; notes the texts of each call, and dies at call number `dies_at`."""

    dies_at: int | None = None
    calls: list[list[str]] = field(default_factory=list)

    def embed(self, texts: Sequence[str]) -> Matrix:
        if len(self.calls) == self.dies_at:
            raise KeyboardInterrupt
        self.calls.append(list(texts))
        return HashingEmbedder().embed(texts)


@dataclass
class Fakes:
    embedder: Noting = field(default_factory=Noting)
    tokenizer: Words = field(default_factory=Words)
    store: MemoryStore = field(default_factory=MemoryStore)


def corpus(folder: Path, documents: Sequence[Document]) -> Corpus:
    made = Folder(folder)
    made.write_jsonl("documents.jsonl", (to_json(document) for document in documents))
    return Corpus(made)


def run(folder: Path, fakes: Fakes, documents: Sequence[Document] = DOCUMENTS) -> Index:
    source = corpus(folder / "corpus", documents)
    out = Folder(folder).folder("index")
    return index(source, settings=SETTINGS, backends=cast(Backends, fakes), out=out)


def contents(made: Index) -> dict[str, bytes]:
    return {
        place.relative_to(made.path).as_posix(): place.read_bytes()
        for place in sorted(made.path.rglob("*"))
        if place.is_file()
    }


def test_chunks_rebuild_the_documents_and_are_found(tmp_path: Path) -> None:
    fakes = Fakes()
    made = run(tmp_path, fakes)
    chunks = made.chunks()
    texts = {document.id: document.text for document in DOCUMENTS}
    assert {chunk.document_id for chunk in chunks} == set(texts)
    assert all(texts[chunk.document_id][chunk.start : chunk.end] == chunk.text for chunk in chunks)
    opened = fakes.store.open(made.store)
    found = opened.dense(HashingEmbedder().embed([f"{chunk.title}\n{chunk.text}" for chunk in chunks]), 1)
    assert [hits[0].id for hits in found] == [chunk.id for chunk in chunks]


def test_batches_hold_chunks_of_like_length(tmp_path: Path) -> None:
    fakes = Fakes()
    made = run(tmp_path, fakes)
    sizes = [len(call) for call in fakes.embedder.calls]
    assert max(sizes) == SETTINGS.batch
    assert sum(sizes) == len(made.chunks())
    first_shard = [Words().count(text) for call in fakes.embedder.calls[:3] for text in call]
    assert first_shard == sorted(first_shard)


def test_summary_counts_what_is_there(tmp_path: Path) -> None:
    empty = [Document("blank", "Blank", " \n "), Document("none", "None", "")]
    made = run(tmp_path, Fakes(), [*DOCUMENTS, *empty])
    chunks = made.chunks()
    tokens = sum(chunk.tokens for chunk in chunks)
    assert made.folder.read_json("summary.json") == {
        "documents": 14,
        "documents without text": 2,
        "chunks": len(chunks),
        "tokens": tokens,
        "mean chunk tokens": round(tokens / len(chunks), 1),
    }
    assert list(made.folder.read_jsonl("rejected.jsonl")) == [
        {"id": "blank", "reason": "no text to cut into chunks", "detail": "Blank"},
        {"id": "none", "reason": "no text to cut into chunks", "detail": "None"},
    ]


def test_nothing_to_index_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"No text in the 1 documents of .*corpus; add some and run again"):
        run(tmp_path, Fakes(), [Document("blank", "Blank", " ")])


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    one, two = run(tmp_path / "one", Fakes()), run(tmp_path / "two", Fakes())
    assert contents(one) == contents(two)
    assert not one.folder.has("shards")


@pytest.mark.parametrize("dies_at", [0, 2, 4, 7])
def test_a_killed_run_goes_on_after_its_last_whole_shard(tmp_path: Path, dies_at: int) -> None:
    whole = Fakes()
    undisturbed = run(tmp_path / "undisturbed", whole)
    killed = Fakes(Noting(dies_at=dies_at))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", killed)
    finished = dies_at // 3  # A shard of eight chunks is three batches of at most three.
    assert len(list((tmp_path / "killed/index/shards").glob("[0-9]*.npy"))) == finished
    again = Fakes()
    made = run(tmp_path / "killed", again)
    assert again.embedder.calls == whole.embedder.calls[3 * finished :]
    assert contents(made) == contents(undisturbed)


def test_what_is_cut_is_not_cut_again(tmp_path: Path) -> None:
    class Counting(Words):
        counted = 0

        def count(self, text: str) -> int:
            self.counted += 1
            return super().count(text)

    undisturbed = run(tmp_path / "undisturbed", Fakes())
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", Fakes(Noting(dies_at=4)))
    tokenizer = Counting()
    made = run(tmp_path / "killed", Fakes(tokenizer=tokenizer))
    assert tokenizer.counted == 0
    assert contents(made) == contents(undisturbed)


@pytest.mark.parametrize("calls", [0, 20])
def test_a_run_killed_while_cutting_starts_over(tmp_path: Path, calls: int) -> None:
    class Dying(Words):
        left = calls

        def count(self, text: str) -> int:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return super().count(text)

    undisturbed = run(tmp_path / "undisturbed", Fakes())
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", Fakes(tokenizer=Dying()))
    assert contents(run(tmp_path / "killed", Fakes())) == contents(undisturbed)


def test_a_run_killed_in_the_store_embeds_nothing_again(tmp_path: Path) -> None:
    class Dying(MemoryStore):
        def write(self, folder: Path, batches: object) -> None:
            folder.mkdir()
            (folder / "half").write_text("written", encoding="utf-8")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Fakes(store=Dying()))
    again = Fakes()
    made = run(tmp_path, again)
    assert again.embedder.calls == []
    assert "store/half" not in contents(made)


def test_chunk_batches_are_the_chunks(tmp_path: Path) -> None:
    made = run(tmp_path, Fakes())
    chunks = made.chunks()
    for size in (1, 5, 8, 1000):
        batches = list(made.chunk_batches(size))
        assert [chunk for batch in batches for chunk in batch] == list(chunks)
        assert all(len(batch) == size for batch in batches[:-1])


def test_vectors_stand_beside_their_chunks(tmp_path: Path) -> None:
    made = run(tmp_path, Fakes())
    texts = [f"{chunk.title}\n{chunk.text}" for chunk in made.chunks()]
    assert np.array_equal(np.load(made.store / "vectors.npy"), HashingEmbedder().embed(texts))
