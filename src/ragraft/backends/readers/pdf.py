"""PDF files with a text layer. Knows pages; does no OCR and restores no layout."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragraft.backends.readers.decoding import clean, one_document, read_bytes
from ragraft.errors import InputError
from ragraft.records import Document, Rejected

if TYPE_CHECKING:
    from pypdf import PdfReader as Pdf

BETWEEN_PAGES = "\n\n"


class PdfReader:
    """A PDF as one document; its title is the metadata's, else the file's stem.

    Metadata: `pages` (their number), `page_starts` (the offset in the text at which each begins) and, where there
    are any, `pages_without_text` (numbered from 1), which are pictures to this reader.
    """

    suffixes = (".pdf",)

    def read(self, path: Path) -> Iterator[Document | Rejected]:
        data = read_bytes(path)
        try:
            title, pages = _read(data)
        except InputError:
            raise
        except Exception as error:  # pypdf raises much beside its own errors on damaged files
            raise InputError(f"not readable as PDF: {type(error).__name__}: {error}") from error
        # Cleaned page by page, so that the offsets are those of the text that is kept.
        cleaned = [clean(page) for page in pages]
        facts = _page_facts([page.text for page in cleaned])
        if len(facts.get("pages_without_text", ())) == len(pages):
            raise InputError(f"no text on any of its {len(pages)} pages (scanned?): run OCR on it first")
        for page in cleaned:
            for name, count in page.facts.items():
                facts[name] = facts.get(name, 0) + count
        yield one_document(path, title, BETWEEN_PAGES.join(page.text for page in cleaned), facts)


def _read(data: bytes) -> tuple[str | None, list[str]]:
    from pypdf import PasswordType
    from pypdf import PdfReader as Pdf

    log = logging.getLogger("pypdf")
    if not log.handlers:
        # Without one, warnings about repaired files go to stderr, through the progress bar.
        log.addHandler(logging.NullHandler())
    pdf = Pdf(io.BytesIO(data))
    # Many files are encrypted under the empty password, only to forbid printing.
    if pdf.is_encrypted and pdf.decrypt("") == PasswordType.NOT_DECRYPTED:
        raise InputError("encrypted: save it without a password")
    return _title(pdf), [page.extract_text() for page in pdf.pages]


def _title(pdf: Pdf) -> str | None:
    title = pdf.metadata.title if pdf.metadata else None
    return title if isinstance(title, str) else None


def _page_facts(pages: list[str]) -> dict[str, Any]:
    starts, offset = [], 0
    for page in pages:
        starts.append(offset)
        offset += len(page) + len(BETWEEN_PAGES)
    facts: dict[str, Any] = {"pages": len(pages), "page_starts": starts}
    empty = [number for number, page in enumerate(pages, 1) if not page.strip()]
    return {**facts, "pages_without_text": empty} if empty else facts
