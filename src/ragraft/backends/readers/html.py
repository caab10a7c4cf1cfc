"""HTML pages: the main text as Markdown, or the whole visible text where no main text is found.

Knows pages; knows no site, so it can't tell a short page from its menus better than trafilatura does.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ragraft.backends.readers.decoding import one_document, read_bytes, text_of
from ragraft.errors import InputError
from ragraft.records import Document, Rejected

if TYPE_CHECKING:
    from bs4 import BeautifulSoup

UNSEEN = ("script", "style", "template", "noscript", "head")
BLOCKS = re.compile(
    "address|article|aside|blockquote|br|caption|dd|details|div|dl|dt|fieldset|figcaption|figure|footer|form|h[1-6]|"
    "header|hr|li|main|nav|ol|p|pre|section|summary|table|td|th|tr|ul"
)


class HtmlReader:
    """A page as one document; its title is `<title>`, else the first `<h1>`, else the file's stem.

    The metadata say how the text was taken (`extraction`) and what share of the page's visible words it holds
    (`share_of_page`): menus and footers are left out on purpose, a low share shows where too much was.
    """

    suffixes = (".html", ".htm")

    def read(self, path: Path) -> Iterator[Document | Rejected]:
        from bs4 import BeautifulSoup, XMLParsedAsHTMLWarning
        from bs4.dammit import EncodingDetector

        data = read_bytes(path)
        page = text_of(data, EncodingDetector.find_declared_encoding(data, is_html=True))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)  # XHTML is HTML enough for its text
                soup = BeautifulSoup(page.text, "lxml")
            title = _title(soup)
            whole = _visible_text(soup)
            main = _main_text(page.text)
        except Exception as error:  # the parsers raise whatever damaged markup makes them stumble over
            raise InputError(f"not readable as HTML: {type(error).__name__}: {error}") from error
        facts = {**page.facts, "extraction": "main text" if main else "whole page"}
        if main:
            facts["share_of_page"] = round(min(1.0, len(main.split()) / max(len(whole.split()), 1)), 2)
        yield one_document(path, title, main or whole, facts)


def _title(soup: BeautifulSoup) -> str | None:
    for name in ("title", "h1"):
        found = soup.find(name)
        if found is not None and found.get_text(strip=True):
            return found.get_text(" ")
    return None


def _visible_text(soup: BeautifulSoup) -> str:
    """The page's text, a line a block: white space counts only in `<pre>`."""
    from bs4.element import NavigableString

    for unseen in soup(UNSEEN):
        unseen.decompose()
    for string in soup.find_all(string=True):
        if type(string) is NavigableString and string.find_parent("pre") is None:
            string.replace_with(" ".join(f".{string}.".split())[1:-1])
    for block in soup(lambda tag: BLOCKS.fullmatch(tag.name) is not None):
        block.insert_before("\n")
        block.append("\n")
    lines = (line.rstrip() for line in soup.get_text().splitlines())
    return "\n".join(line for line in lines if line)


def _main_text(page: str) -> str | None:
    import trafilatura

    found: str | None = trafilatura.extract(page, output_format="markdown", include_comments=False, favor_recall=True)
    return found
