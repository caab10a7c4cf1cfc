"""An index that takes over what an earlier one has: the same to the last byte, with less work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from ragraft.backends.stores.memory import MemoryStore
from ragraft.ports import Backends
from ragraft.records import Document
from ragraft.stages.index import Earlier, index
from ragraft.workspace import Corpus, Folder, Index
from tests.unit.stages.test_index import DOCUMENTS, SETTINGS, Fakes, Noting, Words, contents, corpus, run

OTHER = " ".join(f"Sentence {n} stands here for the first time." for n in range(9))


class Counting(Words):
    """Counts how often it counts."""

    def __init__(self) -> None:
        self.counted = 0

    def count(self, text: str) -> int:
        self.counted += 1
        return super().count(text)


def change(kind: str) -> list[Document]:
    changed = list(DOCUMENTS)
    if kind == "changed":
        changed[4] = replace(changed[4], text=changed[4].text + " And a word more.")
    elif kind == "added":
        changed.insert(2, Document("fresh", "Fresh", OTHER))
    elif kind == "removed":
        del changed[5]
    elif kind == "renamed":
        changed[6] = replace(changed[6], id="elsewhere")
    elif kind == "retitled":
        changed[6] = replace(changed[6], title="Elsewhere")
    elif kind == "reversed":
        changed.reverse()
    return changed


def take_over(folder: Path, documents: list[Document], fakes: Fakes, *, earlier: Index, source: Corpus) -> Index:
    new = corpus(folder / "new-corpus", documents)
    return index(
        new,
        settings=SETTINGS,
        backends=cast(Backends, fakes),
        out=Folder(folder).folder("new-index"),
        earlier=Earlier(source, earlier, MemoryStore()),
    )


@pytest.mark.parametrize(
    ("kind", "cut", "embedded"),
    [
        ("nothing", False, (0, 0)),
        ("changed", True, (1, 6)),
        ("added", True, (4, 8)),
        ("removed", False, (0, 0)),
        ("renamed", True, (0, 0)),
        ("retitled", True, (1, 12)),
        ("reversed", False, (0, 0)),
    ],
)
def test_it_is_the_index_that_would_be_made_anew(
    tmp_path: Path, kind: str, *, cut: bool, embedded: tuple[int, int]
) -> None:
    before = run(tmp_path / "before", Fakes())
    source = Corpus(Folder(tmp_path / "before" / "corpus"))
    documents = change(kind)
    whole = run(tmp_path / "whole", Fakes(), documents)
    fakes = Fakes(tokenizer=Counting())
    made = take_over(tmp_path, documents, fakes, earlier=before, source=source)
    assert contents(made) == contents(whole)
    assert (cast(Counting, fakes.tokenizer).counted > 0) == cut
    least, most = embedded
    assert least <= sum(len(call) for call in fakes.embedder.calls) <= most


@pytest.mark.parametrize("dies_at", [0, 1])
def test_one_that_is_killed_goes_on(tmp_path: Path, dies_at: int) -> None:
    before = run(tmp_path / "before", Fakes())
    source = Corpus(Folder(tmp_path / "before" / "corpus"))
    documents = [*DOCUMENTS[:3], Document("fresh", "Fresh", OTHER), *DOCUMENTS[3:], Document("last", "Last", OTHER * 2)]
    whole = run(tmp_path / "whole", Fakes(), documents)
    with pytest.raises(KeyboardInterrupt):
        take_over(tmp_path, documents, Fakes(Noting(dies_at=dies_at)), earlier=before, source=source)
    made = take_over(tmp_path, documents, Fakes(), earlier=before, source=source)
    assert contents(made) == contents(whole)


def test_a_document_without_text_stays_rejected(tmp_path: Path) -> None:
    documents = [*DOCUMENTS, Document("blank", "Blank", " ")]
    before = run(tmp_path / "before", Fakes(), documents)
    source = Corpus(Folder(tmp_path / "before" / "corpus"))
    made = take_over(tmp_path, documents, Fakes(), earlier=before, source=source)
    assert [row["id"] for row in made.folder.read_jsonl("rejected.jsonl")] == ["blank"]
