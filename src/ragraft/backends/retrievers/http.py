"""Ask the user's own retrieval system over HTTP. Knows one small JSON shape; knows nothing of indexes and exams.

    POST URL   {"questions": ["…", …], "k": 50}
    answers    {"passages": [[{"id": "…", "text": "…", "document_id": "…", "title": "…", "score": 0.5}, …], …]}

One list a question, in their order, best passage first; document_id, title and score may be left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import httpx2
import stamina

from ragraft.backends.asking import BROKEN, bearer, hush_retries, may_pass, writable
from ragraft.errors import BackendError
from ragraft.records import Passage

TOKEN = "RAGRAFT_RETRIEVER_TOKEN"
BATCH = 16
"""Questions in a request."""
ATTEMPTS = 4
# A system that reranks on a CPU may think for a while over a batch.
TIMEOUT = httpx2.Timeout(120.0, connect=10.0)


class HttpRetriever:
    """A Retriever behind a URL; asks again, a few times, where nothing answers or the answer is 429 or 5xx."""

    def __init__(self, url: str, transport: httpx2.BaseTransport | None = None) -> None:
        self._url, self._transport = url, transport
        hush_retries()

    def retrieve(self, questions: Sequence[str], k: int) -> list[list[Passage]]:
        """The best `k` passages of each question; what the server sends beyond them is left out."""
        found: list[list[Passage]] = []
        with httpx2.Client(headers=bearer(TOKEN), timeout=TIMEOUT, transport=self._transport) as client:
            for start in range(0, len(questions), BATCH):
                batch = list(questions[start : start + BATCH])
                answer = self._ask(client, {"questions": batch, "k": k})
                found += [passages[:k] for passages in self._lists(answer, len(batch))]
        return found

    def _ask(self, client: httpx2.Client, asked: dict[str, Any]) -> httpx2.Response:
        try:
            for attempt in stamina.retry_context(on=may_pass, attempts=ATTEMPTS, timeout=None, wait_initial=0.5):
                with attempt:
                    answer = client.post(self._url, json=asked)
                    answer.raise_for_status()
        except httpx2.HTTPStatusError as error:
            status = error.response.status_code
            raise BackendError(f"{self._url} answered {status} {error.response.reason_phrase}{_hint(status)}") from None
        except httpx2.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise BackendError(
                f"No answer from {self._url} ({reason}); start your retriever or correct retrieve.url, then run again"
            ) from None
        return answer

    def _lists(self, answer: httpx2.Response, asked: int) -> list[list[Passage]]:
        try:
            data = answer.json()
        except ValueError:
            start = " ".join(answer.text.split())[:60]
            raise self._wrong(f"is no JSON (it begins “{start}”)") from None
        lists = data.get("passages") if isinstance(data, dict) else None
        if not isinstance(lists, list) or not all(isinstance(one, list) for one in lists):
            raise self._wrong("holds no list of lists under passages")
        if len(lists) != asked:
            raise self._wrong(f"holds {len(lists)} lists of passages where {asked} were asked for")
        return [
            [self._passage(row, f"passage {place} of question {number}") for place, row in enumerate(rows, start=1)]
            for number, rows in enumerate(lists, start=1)
        ]

    def _passage(self, row: Any, where: str) -> Passage:
        if not isinstance(row, dict):
            raise self._wrong(f"holds a {where} that is no object")
        texts: dict[str, Any] = {key: row.get(key) for key in ("id", "document_id", "title", "text")}
        if isinstance(texts["id"], int) and not isinstance(texts["id"], bool):
            texts["id"] = str(texts["id"])
        for key, value in texts.items():
            if value is None and key in ("document_id", "title"):
                texts[key] = ""
            elif not isinstance(value, str) or not writable(value) or (key in ("id", "text") and not value.strip()):
                raise self._wrong(f"holds a {where} whose {key} is no text")
        score = row.get("score")
        if score is not None and not (isinstance(score, int | float) and math.isfinite(score)):
            raise self._wrong(f"holds a {where} whose score is no number")
        return Passage(texts["id"], texts["document_id"], texts["title"], texts["text"], float(score or 0.0))

    def _wrong(self, what: str) -> BackendError:
        return BackendError(f"The answer of {self._url} {what}; docs/using.md says what ragraft expects")


def _hint(status: int) -> str:
    hints = {
        401: f"; put its token into {TOKEN}",
        403: f"; put a token that may read into {TOKEN}",
        404: "; correct retrieve.url",
        405: "; correct retrieve.url, it must take POST",
    }
    return hints.get(status, "; see its own log, then run again" if status >= BROKEN else "; see its own log")
