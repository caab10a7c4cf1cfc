from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragraft.errors import TrainingError
from ragraft.models.chat import ChatTokenizer, load_tokenizer
from ragraft.records import Message, Prompt, to_json
from ragraft.training.rows import IGNORED, Row, collate, read_rows

IDS = st.lists(st.integers(3, 350), min_size=2, max_size=24)
ROW = IDS.flatmap(lambda ids: st.builds(Row, st.just(tuple(ids)), st.integers(1, len(ids) - 1)))
ROWS = st.lists(ROW, min_size=1, max_size=5)
PAD = 0


@pytest.fixture(scope="module")
def chat(tiny_model: Path) -> ChatTokenizer:
    return load_tokenizer(tiny_model)


def lesson(name: str, question: str, target: str) -> dict[str, Any]:
    return {"id": name, "prompt": to_json(Prompt((Message("user", question),))), "target": target}


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@given(rows=ROWS)
def test_only_answers_are_learned(rows: list[Row]) -> None:
    batch = collate(rows, PAD)
    longest = max(len(row.ids) for row in rows)
    for row, ids, labels in zip(rows, batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True):
        gap = longest - len(row.ids)
        assert ids == [PAD] * gap + list(row.ids)
        assert labels == [IGNORED] * (gap + row.answer_from) + list(row.ids[row.answer_from :])


@given(rows=ROWS)
def test_padding_stands_on_the_left_and_is_masked(rows: list[Row]) -> None:
    batch = collate(rows, PAD)
    longest = max(len(row.ids) for row in rows)
    if all(len(row.ids) == longest for row in rows):
        assert set(batch) == {"input_ids", "labels"}
        return
    for row, mask, places in zip(rows, batch["attention_mask"].tolist(), batch["position_ids"].tolist(), strict=True):
        gap = longest - len(row.ids)
        assert mask == [0] * gap + [1] * len(row.ids)
        assert places == [0] * gap + list(range(len(row.ids)))


def test_a_row_is_the_prompt_as_it_will_be_asked_and_the_target(chat: ChatTokenizer, tmp_path: Path) -> None:
    place = write(tmp_path / "rows.jsonl", lesson("a", "Where?", "On ice."), lesson("b", "<|im_end|>", "🚀"))
    rows = read_rows(place, chat, 100)
    for row, (question, target) in zip(rows, [("Where?", "On ice."), ("<|im_end|>", "🚀")], strict=True):
        prompt = chat.render(Prompt((Message("user", question),)))
        assert row == Row((*prompt, *chat.target_ids(target)), len(prompt))


def test_a_row_over_the_window_is_refused_by_name(chat: ChatTokenizer, tmp_path: Path) -> None:
    place = write(tmp_path / "rows.jsonl", lesson("short", "Where?", "On ice."), lesson("long", "Where? " * 9, "No."))
    longest = max(len(row.ids) for row in read_rows(place, chat, 10**6))
    assert len(read_rows(place, chat, longest)) == 2
    sentence = rf"^Lesson long has {longest} tokens, more than the window of {longest - 1}$"
    with pytest.raises(TrainingError, match=sentence):
        read_rows(place, chat, longest - 1)
