"""Lessons of DAP: all text and only text, mixed with general instructions, some documents kept out."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import pytest

from ragraft.config import DapConfig
from ragraft.errors import InputError
from ragraft.methods.hold_out import hold_out
from ragraft.methods.instructions import Instruction
from ragraft.methods.prompt import PromptBuilder
from ragraft.methods.teaching import dap
from ragraft.methods.teaching.materials import Lot, Materials
from ragraft.ports import Tokenizer
from ragraft.records import Document, Lesson, Message, Prompt

WORDS = [
    "the",
    "lamp",
    "of",
    "every",
    "tower",
    "burns",
    "oil",
    "that",
    "ships",
    "bring",
    "from",
    "far",
    "away",
    "at",
    "sea",
]


def documents(count: int = 60) -> list[Document]:
    draw = random.Random(1)

    def pair(n: int) -> str:
        first, second = (" ".join(draw.choices(WORDS, k=size)) for size in (9, 8))
        return f"Tower {n} {first}. However, {second}."

    return [Document(f"d{n}", f"Care of tower {n}", " ".join(pair(n) for _ in range(6))) for n in range(count)]


def instructions(count: int = 40, words: int = 30) -> list[Instruction]:
    return [
        Instruction(f"i{n}", Prompt((Message("user", f"Say {n}."),)), " ".join([f"word{n}"] * words))
        for n in range(count)
    ]


def make(
    tokenizer: Tokenizer,
    side: Literal["train", "validation"] = "train",
    *,
    given: Sequence[Instruction] = (),
    copies: int = 1,
    rows: Sequence[Document] | None = None,
    **settings: Any,
) -> Lot:
    chosen = DapConfig(**{"force": True, "row_tokens": 200, **settings})
    materials = Materials(
        chunks={},
        documents=lambda: documents() if rows is None else rows,
        finder=cast(Any, None),
        shown=cast(Any, None),
        builder=PromptBuilder(tokenizer, abstention="not here.", max_tokens=300, answer_tokens=20),
        plan=cast(Any, None),
        instructions=given,
        own={"dap": chosen.model_dump()},
    )
    return dap.make(materials, [], side=side, copies=copies)


def texts(lot: Lot) -> list[Lesson]:
    return [made.lesson for made in lot.made if made.lesson.kind == "text"]


def learned(lot: Lot) -> Mapping[int, str]:
    """All words of a copy's texts, run together."""
    found: dict[int, str] = {}
    for lesson in texts(lot):
        found[lesson.copy] = f"{found.get(lesson.copy, '')} {' '.join(lesson.target.split())}"
    return found


@pytest.mark.parametrize("form", ["reading", "raw"])
def test_every_document_is_learned_whole_but_those_kept_out(word_tokenizer: Tokenizer, form: str) -> None:
    lot = make(word_tokenizer, form=form, copies=2)
    held = hold_out(documents(), 0.05, seed=0)
    assert len(held) == lot.facts["documents kept out"] == 3
    for copy, text in learned(lot).items():
        assert copy in (0, 1)
        for document in documents():
            assert (document.text in text) == (document.id not in held), document.id
    assert all(not lesson.prompt.messages and word_tokenizer.count(lesson.target) < 200 for lesson in texts(lot))
    assert len({made.lesson.id for made in lot.made}) == len(lot.made)


def test_what_was_kept_out_is_the_validation_side(word_tokenizer: Tokenizer) -> None:
    held = hold_out(documents(), 0.05, seed=0)
    lot = make(word_tokenizer, "validation")
    assert [lesson.target.partition("\n\n")[2] for lesson in texts(lot)] == [
        document.text for document in documents() if document.id in held
    ]
    assert make(word_tokenizer, "validation", rows=documents(1)).made == []


def test_reading_texts_have_tasks_and_raw_ones_none(word_tokenizer: Tokenizer) -> None:
    reading, raw = make(word_tokenizer), make(word_tokenizer, form="raw")
    assert {name for name in reading.facts if name.startswith("tasks")} >= {"tasks, nli", "tasks, paraphrase"}
    assert not any(name.startswith("tasks") for name in raw.facts)
    assert reading.facts["text tokens"] > 1.2 * raw.facts["text tokens"]
    assert len(texts(raw)) == 57
    assert all(lesson.target.startswith("Care of tower ") for lesson in texts(raw))


def test_copies_have_other_tasks_and_other_instructions(word_tokenizer: Tokenizer) -> None:
    lot = make(word_tokenizer, copies=2, given=instructions(900), general=0.5)
    by_copy = {copy: [made.lesson for made in lot.made if made.lesson.copy == copy] for copy in (0, 1)}
    targets = [{lesson.target for lesson in rows} for rows in by_copy.values()]
    assert len(targets[0] & targets[1]) < 0.2 * len(targets[0])
    kinds = [Counter(lesson.kind for lesson in rows) for rows in by_copy.values()]
    assert kinds[0]["text"] == kinds[1]["text"]
    assert kinds[0]["general"] > 40


@pytest.mark.parametrize(
    ("settings", "share"),
    [({}, 0.5), ({"general": 0.5}, 1 / 3), ({"form": "raw"}, 0.1), ({"form": "raw", "replay": 0}, 0)],
)
def test_the_mix_is_by_tokens(word_tokenizer: Tokenizer, settings: dict[str, Any], share: float) -> None:
    lot = make(word_tokenizer, given=instructions(2000), **settings)
    text, general = lot.facts["text tokens"], lot.facts["general tokens"]
    assert general / (text + general) == pytest.approx(share, abs=0.01)
    own = [made.lesson for made in lot.made if made.lesson.kind == "general"]
    assert general == sum(word_tokenizer.count_prompt(one.prompt) + word_tokenizer.count(one.target) for one in own)
    assert all(one.prompt.messages[-1].content.startswith("Say ") for one in own)


@pytest.mark.parametrize("form", ["reading", "raw"])
def test_a_bound_takes_other_texts_each_copy_and_counts_the_rest(word_tokenizer: Tokenizer, form: str) -> None:
    whole = make(word_tokenizer, form=form, copies=2)
    lot = make(word_tokenizer, form=form, copies=2, max_tokens=1000)
    assert lot.facts["text tokens"] + lot.facts["text tokens left out"] == whole.facts["text tokens"]
    copies = [{one.id.partition("~")[0] for one in texts(lot) if one.copy == copy} for copy in (0, 1)]
    assert copies[0] != copies[1]
    assert {one.id for one in texts(lot)} < {one.id for one in texts(whole)}
    assert lot.facts["text tokens"] == pytest.approx(2000, abs=200)


def test_too_few_instructions_are_all_taken_once_and_told(word_tokenizer: Tokenizer) -> None:
    lot = make(word_tokenizer, given=[*instructions(4), *instructions(1, words=400)])
    assert Counter(made.lesson.kind for made in lot.made)["general"] == 4
    assert [(row.id, row.reason) for row in lot.rejected] == [
        ("i0", "the instruction doesn't fit into prompt.max_tokens")
    ]
    assert "wanted tokens of general instructions are there; name more under instructions" in lot.facts["warning"]


def test_too_little_text_is_refused_unless_forced(word_tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError) as caught:
        make(word_tokenizer, force=False)
    told = str(caught.value)
    assert told.startswith("Too little text for dap: the documents make ")
    assert "fewer than 10,000,000 mostly costs more than it brings; leave dap out of train.method" in told
    assert told.endswith("or set dap.force=true to go on")
    assert "fewer than the 10,000,000 from which it mostly pays" in make(word_tokenizer).facts["warning"]
    monkeypatch.setattr(dap, "LEAST", 100)
    assert "warning" not in make(word_tokenizer, force=False, general=0).facts


def test_equal_seeds_give_equal_lessons_and_others_other_ones(word_tokenizer: Tokenizer) -> None:
    first, again, other = (make(word_tokenizer, given=instructions(), seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first.made != other.made
