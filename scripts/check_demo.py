#!/usr/bin/env python3
"""Say how many of the demo's questions this Python's reference can answer; needs nothing but this Python.

Run it with each Python that you have: `python3.13 scripts/check_demo.py`.
"""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path
from pydoc_data.topics import topics

QUESTIONS = Path(__file__).parents[1] / "src" / "ragraft" / "demo" / "questions.jsonl"
FEWEST = 320
"""Below it the demo's exam is too small to show a difference."""


def main() -> int:
    """Print what is there and what is lost; 1 where too little is left."""
    rows = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    texts = ["".join(text.split()) for text in topics.values()]
    lost = [(row["id"], quote) for row in rows for quote in row["evidence"] if not stands(quote, texts)]
    left = len(rows) - len({name for name, _ in lost})
    print(f"Python {platform.python_version()}: {left} of {len(rows)} questions have their quotes in its reference")
    for name, quote in lost:
        print(f"  {name}: {quote}")
    if left >= FEWEST:
        return 0
    print(f"At least {FEWEST} should; rephrase the quotes above so that all supported Pythons have them")
    return 1


def stands(quote: str, texts: list[str]) -> bool:
    """Whether the quote stands in one of the texts, whatever the white space: Pythons wrap their lines differently."""
    return any("".join(quote.split()) in text for text in texts)


if __name__ == "__main__":
    sys.exit(main())
