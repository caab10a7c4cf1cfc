"""DAP: continued pretraining on the documents, as reading-comprehension texts or as they are.

General instructions are mixed in. The documents of a few clusters are kept out; their text is the validation side.
Knows documents; asks no question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ragraft.errors import InputError
from ragraft.methods.deck import Deck
from ragraft.methods.domain_words import DomainWords
from ragraft.methods.hold_out import hold_out
from ragraft.methods.raft import Made
from ragraft.methods.reading_data import load_reading
from ragraft.methods.reading_texts import ReadingMaker, passages, titled
from ragraft.methods.teaching.materials import Lot, Materials, general, in_copy, plain_text
from ragraft.records import Document, ExamQuestion, Rejected

LEAST = 10_000_000
"""Tokens below which continued pretraining rarely brings anything."""


@dataclass(frozen=True, slots=True)
class _Text:
    name: str
    text: str
    tokens: int
    kinds: tuple[str, ...] = ()
    """Kinds of its tasks."""


def make(
    materials: Materials, questions: Sequence[ExamQuestion], *, side: Literal["train", "validation"], copies: int
) -> Lot:
    """Every document once a copy, with other tasks and other instructions; the validation side is what was kept out.

    Raises InputError where there is too little text and nothing says to go on.
    """
    settings = materials.own["dap"]
    documents = list(materials.documents())
    held = hold_out(documents, settings["held_out"], seed=settings["seed"])
    count = materials.builder.tokenizer.count
    room = min(settings["row_tokens"], materials.builder.max_tokens) - 1  # the token that opens a text
    if side == "validation":
        kept_out = [document for document in documents if document.id in held]
        return Lot([plain_text(one.name, one.text) for one in _raw(kept_out, count, room)])
    learned = [document for document in documents if document.id not in held]
    write = _writer(learned, settings, count, room)
    share = settings["general"] if settings["form"] == "reading" else settings["replay"] / (1 - settings["replay"])
    pool = _Pool(materials, settings["seed"])
    made: list[Made] = []
    facts: Counter[str] = Counter()
    for copy in range(copies):
        texts = _within(list(write(copy)), settings["max_tokens"], f"{settings['seed']}.{copy}", facts)
        tokens = sum(one.tokens for one in texts)
        if copy == 0:
            _refuse_too_little(tokens, force=settings["force"])
        made += [plain_text(f"{one.name}~{copy}", one.text, copy=copy) for one in texts]
        made += pool.take(round(share * tokens), copy)
        facts.update(Counter(f"tasks, {kind}" for one in texts for kind in one.kinds))
        facts["text tokens"] += tokens
        facts["general tokens wanted"] += round(share * tokens)
    told = {
        "documents learned": len(learned),
        "documents kept out": len(held),
        **dict(sorted(facts.items())),
        "general tokens": pool.tokens,
        **_warning(facts["text tokens"] // copies, pool.tokens, facts["general tokens wanted"]),
    }
    return Lot(made, pool.rejected, told)


def _within(texts: list[_Text], most: int | None, seed: str, facts: Counter[str]) -> list[_Text]:
    """Texts of about so many tokens, drawn by seed; what is left out of the copy is counted."""
    if most is None:
        return texts
    taken = Deck(texts, lambda one: one.tokens, seed).take(most)
    facts["text tokens left out"] += sum(one.tokens for one in texts) - sum(one.tokens for one in taken)
    return taken


def _writer(
    documents: Sequence[Document], settings: Mapping[str, Any], count: Callable[[str], int], room: int
) -> Callable[[int], Iterator[_Text]]:
    """Makes the texts of a copy."""
    if settings["form"] == "raw":
        return lambda copy: _raw(documents, count, room)
    terms = DomainWords((document.text for document in documents), count)
    maker = ReadingMaker(load_reading(settings["language"]), terms, count, room)

    def write(copy: int) -> Iterator[_Text]:
        for document in documents:
            for one in maker.texts(document, seed=f"{settings['seed']}.{copy}"):
                yield _Text(one.passage.id, one.text, count(one.text), one.kinds)

    return write


def _raw(documents: Sequence[Document], count: Callable[[str], int], room: int) -> Iterator[_Text]:
    """The documents' own text, each part under its title where that fits."""
    for document in documents:
        for passage in passages(document, count, room):
            shown = titled(passage)
            text = shown if count(shown) <= room else passage.text
            yield _Text(passage.id, text, count(text))


class _Pool:
    """The general instructions as lessons; another copy gets others while there are any."""

    def __init__(self, materials: Materials, seed: int) -> None:
        self._tokenizer = materials.builder.tokenizer
        rows = [general(row, materials.builder) for row in materials.instructions]
        self.rejected = [row for row in rows if isinstance(row, Rejected)]
        self._deck = Deck([row for row in rows if isinstance(row, Made)], self._size, f"{seed}|general")
        self.tokens = 0

    def take(self, tokens: float, copy: int) -> list[Made]:
        """Lessons of so many tokens, or all of them once."""
        taken = self._deck.take(tokens)
        self.tokens += sum(map(self._size, taken))
        return [in_copy(one, copy) for one in taken]

    def _size(self, made: Made) -> int:
        return self._tokenizer.count_prompt(made.lesson.prompt) + self._tokenizer.count(made.lesson.target)


def _refuse_too_little(tokens: int, *, force: bool) -> None:
    if tokens < LEAST and not force:
        raise InputError(
            f"Too little text for dap: the documents make {tokens:,} tokens, and continued pretraining on fewer than "
            f"{LEAST:,} mostly costs more than it brings; leave dap out of train.method, add documents of the field "
            "(dap.form: reading stretches them), or set dap.force=true to go on"
        )


def _warning(text: int, taken: int, wanted: int) -> dict[str, str]:
    """What the user should know of what was made."""
    found = []
    if text < LEAST:
        found.append(f"dap learns from {text:,} tokens, fewer than the {LEAST:,} from which it mostly pays")
    if taken < wanted / 2:
        found.append(
            f"only {taken:,} of {wanted:,} wanted tokens of general instructions are there; name more under "
            "instructions"
        )
    return {"warning": "; ".join(found)} if found else {}
