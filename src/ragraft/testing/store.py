"""The contract of a Store. Subclass StoreContract and give it a `store` fixture; knows no adapter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from ragraft.errors import BackendError
from ragraft.ports import Matrix, OpenStore, Store
from ragraft.records import Chunk, Hit

Fill: TypeAlias = Callable[[Sequence[Chunk], Matrix], OpenStore]

ODD_TEXTS = (
    "",
    "   \n\t",
    '"',
    "' OR 1=1; DROP TABLE chunks; --",
    "AND OR NOT (walrus",
    "walrus^2 AND -penguin title:x ~ * ? [a TO b] {c}",
    "\\",
    "🚀🧪",
    "שלום עולם",
    "مرحبا",
    "\x00",
    "x" * 5000,
)
TEXTS = (
    ("sea", "The walrus rests on the ice and eats clams."),
    ("sea", "The penguin swims under the ice."),
    ("desk", "A stapler binds paper, paper and more paper."),
    ("desk", "The lamp is bright."),
    ("שלום", "שלום עולם, a greeting in Hebrew."),
    ("code", "object.__getattr__(self, name) is called by not_implemented_yet."),
    ("東京", "東京は日本の首都です。"),
)


def rows(count: int, width: int = 8, seed: int = 0) -> tuple[list[Chunk], Matrix]:
    """`count` chunks with random vectors of length 1, shape (count, width)."""
    vectors = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    chunks = [Chunk(f"d{n}#0", f"d{n}", "title", f"common words and number{n}", 0, 1, 1) for n in range(count)]
    return chunks, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def nearest(chunks: Sequence[Chunk], matrix: Matrix, vector: Matrix, k: int) -> list[str]:
    """What any exact store must find: ids by cosine, ties by id."""
    scores = np.round((matrix.astype(np.float64) @ vector.astype(np.float64)), 6)
    return [chunks[n].id for n in sorted(range(len(chunks)), key=lambda n: (-scores[n], chunks[n].id))[:k]]


def ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.id for hit in hits]


class StoreContract:
    """What every Store does. `store` is the one fixture that a subclass provides."""

    @pytest.fixture
    def fill(self, store: Store, tmp_path: Path) -> Fill:
        """Writes rows in one batch and opens them."""

        def write_and_open(chunks: Sequence[Chunk], matrix: Matrix) -> OpenStore:
            store.write(tmp_path / "store", [(chunks, matrix)])
            return store.open(tmp_path / "store")

        return write_and_open

    @pytest.fixture
    def library(self, fill: Fill) -> OpenStore:
        """TEXTS, ids t0, t1 and so on."""
        chunks = [Chunk(f"t{n}", f"t{n}", title, text, 0, len(text), 1) for n, (title, text) in enumerate(TEXTS)]
        return fill(chunks, rows(len(chunks))[1])

    def test_dense_is_exact(self, fill: Fill) -> None:
        chunks, matrix = rows(200)
        queries = rows(70, seed=1)[1]
        found = fill(chunks, matrix).dense(queries, 10)
        assert [ids(hits) for hits in found] == [nearest(chunks, matrix, query, 10) for query in queries]

    def test_dense_scores_are_cosines(self, fill: Fill) -> None:
        chunks, matrix = rows(30)
        [hits] = fill(chunks, matrix).dense(matrix[:1], 30)
        cosines = {chunk.id: float(score) for chunk, score in zip(chunks, matrix @ matrix[0], strict=True)}
        assert {hit.id: hit.score for hit in hits} == pytest.approx(cosines, abs=1e-5)

    def test_a_question_finds_the_same_alone_and_among_others(self, fill: Fill) -> None:
        opened = fill(*rows(50))
        queries = rows(5, seed=1)[1]
        texts = ["number7", "common number3", "words"]
        assert opened.dense(queries, 5) == [opened.dense(queries[n : n + 1], 5)[0] for n in range(5)]
        assert opened.lexical(texts, 5) == [opened.lexical([text], 5)[0] for text in texts]

    def test_dense_ties_break_by_id(self, fill: Fill) -> None:
        chunks = list(reversed(rows(40)[0]))
        matrix = np.repeat(rows(1)[1], 40, axis=0)
        [hits] = fill(chunks, matrix).dense(matrix[:1], 3)
        assert ids(hits) == sorted(chunk.id for chunk in chunks)[:3]

    def test_lexical_ties_break_by_id(self, fill: Fill) -> None:
        chunks = list(reversed(rows(40)[0]))
        [hits] = fill(chunks, rows(40)[1]).lexical(["common"], 3)
        assert ids(hits) == sorted(chunk.id for chunk in chunks)[:3]

    @pytest.mark.parametrize(
        ("text", "best"),
        [
            ("walrus", "t0"),
            ("Where does the WALRUS rest?", "t0"),
            ("paper", "t2"),
            ("lamp desk", "t3"),
            ("שלום", "t4"),
            ("__getattr__", "t5"),
            ("is not_implemented_yet called?", "t5"),
            ("日本の首都", "t6"),
        ],
    )
    def test_lexical_finds_the_obvious_row_first(self, library: OpenStore, text: str, best: str) -> None:
        assert ids(library.lexical([text], 3)[0])[:1] == [best]

    def test_lexical_reads_titles(self, library: OpenStore) -> None:
        assert set(ids(library.lexical(["sea"], 10)[0])) == {"t0", "t1"}

    def test_lexical_leaves_out_rows_without_a_common_term(self, library: OpenStore) -> None:
        assert library.lexical(["xylophone"], 10) == [[]]

    @pytest.mark.parametrize("text", ODD_TEXTS)
    def test_any_text_is_data(self, library: OpenStore, text: str) -> None:
        plain, odd = library.lexical(["walrus", f"walrus {text}"], len(TEXTS))
        assert ids(plain) == ["t0"]
        assert "t0" in ids(odd)
        assert len(library.lexical([text], len(TEXTS))) == 1

    @pytest.mark.parametrize("text", ["", "  ", '"', "()*"])
    def test_text_without_words_finds_nothing(self, library: OpenStore, text: str) -> None:
        assert library.lexical([text], 5) == [[]]

    def test_rows_without_words(self, fill: Fill) -> None:
        chunks = [Chunk(f"e{n}", "e", "", text, 0, 1, 1) for n, text in enumerate(("", "?!", "word"))]
        opened = fill(chunks, rows(3)[1])
        assert ids(opened.lexical(["word"], 5)[0]) == ["e2"]
        assert len(opened.dense(rows(1)[1], 5)[0]) == 3

    def test_k_beyond_the_rows(self, fill: Fill) -> None:
        chunks, matrix = rows(3)
        opened = fill(chunks, matrix)
        assert len(opened.dense(matrix[:1], 100)[0]) == 3
        assert len(opened.lexical(["common"], 100)[0]) == 3

    def test_no_question_no_list(self, fill: Fill) -> None:
        opened = fill(*rows(3))
        assert opened.dense(np.zeros((0, 8), dtype=np.float32), 2) == []
        assert opened.lexical([], 2) == []

    def test_odd_ids_come_back_as_they_were(self, fill: Fill) -> None:
        odd = ["a/b c#0", 'quote"', "it's", "naïve 🚀", "שלום", "back\\slash", "new\nline", "%_*"]
        chunks = [Chunk(name, "d", "", f"common word{n}", 0, 1, 1) for n, name in enumerate(odd)]
        opened = fill(chunks, rows(len(odd))[1])
        assert sorted(ids(opened.lexical(["common"], 20)[0])) == sorted(odd)
        assert sorted(ids(opened.dense(rows(1)[1], 20)[0])) == sorted(odd)

    def test_batches_make_no_difference(self, store: Store, tmp_path: Path) -> None:
        chunks, matrix = rows(25)
        store.write(tmp_path / "one", [(chunks, matrix)])
        store.write(tmp_path / "many", ((chunks[n : n + 4], matrix[n : n + 4]) for n in range(0, 25, 4)))
        one, many = store.open(tmp_path / "one"), store.open(tmp_path / "many")
        assert one.dense(matrix, 7) == many.dense(matrix, 7)
        assert one.lexical(["number3 words", "common"], 7) == many.lexical(["number3 words", "common"], 7)

    def test_reopening_finds_the_same(self, store: Store, fill: Fill, tmp_path: Path) -> None:
        chunks, matrix = rows(10)
        opened = fill(chunks, matrix)
        again = store.open(tmp_path / "store")
        assert again.dense(matrix, 4) == opened.dense(matrix, 4)
        assert again.lexical(["number4"], 4) == opened.lexical(["number4"], 4)

    def test_many_readers_at_once(self, fill: Fill) -> None:
        chunks, matrix = rows(50)
        opened = fill(chunks, matrix)
        dense, lexical = opened.dense(matrix[:5], 5), opened.lexical(["number7 words"], 5)
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda _: opened.dense(matrix[:5], 5), range(12))) == [dense] * 12
            assert list(pool.map(lambda _: opened.lexical(["number7 words"], 5), range(12))) == [lexical] * 12

    def test_vectors_come_back_as_they_were_written(self, fill: Fill) -> None:
        chunks, matrix = rows(300)
        found = [
            (name, row) for names, part in fill(chunks, matrix).vectors() for name, row in zip(names, part, strict=True)
        ]
        assert sorted(name for name, _ in found) == sorted(chunk.id for chunk in chunks)
        back = dict(found)
        assert all(np.array_equal(back[chunk.id], row) for chunk, row in zip(chunks, matrix, strict=True))
        assert {row.dtype for row in back.values()} == {np.dtype(np.float32)}

    def test_nothing_to_write_is_told(self, store: Store, tmp_path: Path) -> None:
        with pytest.raises(BackendError, match=r"No chunks to write into"):
            store.write(tmp_path / "store", [])

    def test_nothing_to_open_is_told(self, store: Store, tmp_path: Path) -> None:
        with pytest.raises(BackendError, match=r"Run: ragraft index"):
            store.open(tmp_path / "nothing")
        (tmp_path / "empty").mkdir()
        with pytest.raises(BackendError, match=r"Run: ragraft index"):
            store.open(tmp_path / "empty")
