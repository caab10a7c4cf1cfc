"""Plain text and reStructuredText, verbatim. Knows underlined headings; knows no directives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ragraft.backends.readers.decoding import one_document, read_bytes, text_of
from ragraft.records import Document, Rejected

UNDERLINED = re.compile(r"""^(?P<title>\S.*)\n(?P<line>([=\-~`^"'*+#:._])\3{2,})[ \t]*$""", re.MULTILINE)


class PlainReader:
    """A text file as one document; its title is the first underlined line, else the file's stem."""

    suffixes = (".txt", ".text", ".rst")

    def read(self, path: Path) -> Iterator[Document | Rejected]:
        found = text_of(read_bytes(path))
        yield one_document(path, _title(found.text), found.text, found.facts)


def _title(text: str) -> str | None:
    for found in UNDERLINED.finditer(text):
        title = found["title"].rstrip()
        # A shorter line is a table's or a list's, and two ruled lines are no title.
        if len(found["line"]) >= len(title) and any(character.isalnum() for character in title):
            return title
    return None
