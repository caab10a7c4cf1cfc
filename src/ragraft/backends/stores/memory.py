"""A store of plain files that is searched in memory: NumPy for vectors, bm25s for text. Knows no embedder."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragraft.errors import BackendError
from ragraft.ports import Matrix
from ragraft.records import Chunk, Hit

IDS = "ids.json"
VECTORS = "vectors.npy"
BM25 = "bm25"
_DIGITS = 6
# Chinese and Japanese write no spaces: a character is a word there.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+")


class MemoryStore:
    """Exact cosine and BM25 over all rows; title and text, no stemming, no stop words."""

    def write(self, folder: Path, batches: Iterable[tuple[Sequence[Chunk], Matrix]]) -> None:
        """Write ids.json, vectors.npy and the arrays of bm25s."""
        import bm25s

        ids: list[str] = []
        vectors: list[Matrix] = []
        # Numbered by first appearance: bm25s itself would number words by a set, differently in each process.
        numbers: dict[str, int] = {"": 0}
        words: list[list[int]] = []
        for chunks, matrix in batches:
            ids += [chunk.id for chunk in chunks]
            vectors.append(matrix)
            for chunk in chunks:
                words.append([numbers.setdefault(w, len(numbers)) for w in _words(f"{chunk.title}\n{chunk.text}")])
        if not ids:
            raise BackendError(f"No chunks to write into {folder}; add documents and run: ragraft ingest")
        folder.mkdir(parents=True, exist_ok=True)
        ranking = bm25s.BM25()
        ranking.index((words, numbers), show_progress=False)
        ranking.save(folder / BM25, show_progress=False)
        np.save(folder / VECTORS, np.concatenate(vectors), allow_pickle=False)
        (folder / IDS).write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8", newline="\n")

    def open(self, folder: Path) -> OpenMemoryStore:
        """Load what `write` left in `folder`."""
        import bm25s

        if not (folder / IDS).exists():
            raise BackendError(f"No store in {folder}. Run: ragraft index")
        ids = json.loads((folder / IDS).read_text(encoding="utf-8"))
        return OpenMemoryStore(ids, np.load(folder / VECTORS, allow_pickle=False), bm25s.BM25.load(folder / BM25))


class OpenMemoryStore:
    """All rows in memory; reading changes nothing, so that many threads may."""

    def __init__(self, ids: Sequence[str], vectors: Matrix, ranking: Any) -> None:
        self._ids = ids
        self._vectors = vectors
        self._ranking = ranking

    def dense(self, vectors: Matrix, k: int) -> list[list[Hit]]:
        """Score is the cosine, rounded to six digits."""
        lengths = np.linalg.norm(self._vectors, axis=1)
        return [
            self._best(self._vectors @ vector / (lengths * np.linalg.norm(vector)), k, lowest=-np.inf)
            for vector in vectors
        ]

    def lexical(self, texts: Sequence[str], k: int) -> list[list[Hit]]:
        """Score is BM25 (bm25s's default, Lucene's formula), rounded to six digits."""
        return [self._lexical(text, k) for text in texts]

    def vectors(self) -> Iterator[tuple[list[str], Matrix]]:
        """All at once."""
        yield list(self._ids), self._vectors

    def _lexical(self, text: str, k: int) -> list[Hit]:
        words = self._ranking.get_tokens_ids(_words(text))
        return self._best(self._ranking.get_scores_from_ids(words), k, lowest=0.0) if words else []

    def _best(self, scores: NDArray[np.floating[Any]], k: int, *, lowest: float) -> list[Hit]:
        rounded = np.round(scores.astype(np.float64), _DIGITS)
        border = max(lowest, np.partition(rounded, -k)[-k]) if k < len(rounded) else lowest
        rows = np.flatnonzero((rounded >= border) & (rounded > lowest))
        hits = [Hit(self._ids[row], float(rounded[row])) for row in rows.tolist()]
        return sorted(hits, key=lambda hit: (-hit.score, hit.id))[:k]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
