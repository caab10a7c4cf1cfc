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
from ragraft.training.trees import SHORTEST_TRUNK, Branch, Row, Tree, grow_trees, read_rows, split_tree, unshared

# Few tokens, so that rows begin alike by chance too.
IDS = st.lists(st.integers(3, 4), min_size=2, max_size=30)
BEGINNING = st.sampled_from([(), tuple(range(10, 10 + SHORTEST_TRUNK)), tuple(range(50, 90))])


def _row(beginning: tuple[int, ...], ids: list[int], at: float, *, group: str, copy: int, weight: float) -> Row:
    whole = beginning + tuple(ids)
    return Row(whole, 1 + int(at * (len(whole) - 2)), group, copy, weight)


ROW = st.builds(
    _row,
    BEGINNING,
    IDS,
    st.floats(0, 1),
    group=st.sampled_from(["", "a", "b"]),
    copy=st.integers(0, 1),
    weight=st.sampled_from([1.0, 2.0]),
)
ROWS = st.lists(ROW, max_size=12)


@pytest.fixture(scope="module")
def chat(tiny_model: Path) -> ChatTokenizer:
    return load_tokenizer(tiny_model)


def lesson(name: str, question: str, target: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "prompt": to_json(Prompt((Message("user", question),))), "target": target, **more}


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def rows_of(trees: list[Tree]) -> list[tuple[tuple[int, ...], int, int, float]]:
    """What each row reads and learns, whatever it is told to share."""
    return [
        (tree.trunk + branch.ids, len(tree.trunk) + branch.answer_from, tree.copy, branch.weight)
        for tree in trees
        for branch in tree.branches
    ]


def told(rows: list[Row]) -> list[tuple[tuple[int, ...], int, int, float]]:
    return [(row.ids, row.answer_from, row.copy, row.weight) for row in rows]


@given(rows=ROWS)
def test_trees_hold_just_their_rows(rows: list[Row]) -> None:
    trees = grow_trees(rows)
    assert sorted(rows_of(trees)) == sorted(told(rows))
    for tree in trees:
        # Each learned token is predicted by one of its own branch.
        assert all(1 <= branch.answer_from < len(branch.ids) for branch in tree.branches)
        assert len(tree.trunk) == 0 or (len(tree.branches) > 1 and len(tree.trunk) >= SHORTEST_TRUNK)
        assert tree.row_tokens == tree.tokens + len(tree.trunk) * (len(tree.branches) - 1)
        assert tree.depth == max(len(ids) for ids, *_ in rows_of([tree]))


@given(rows=ROWS)
def test_a_group_and_copy_is_one_tree_with_the_longest_trunk(rows: list[Row]) -> None:
    groups = {(row.group, row.copy) for row in rows if row.group}
    single = [row for row in rows if not row.group]
    trees = grow_trees(rows)
    assert len(trees) == len(groups) + len(single)
    for tree in trees:
        firsts = {branch.ids[0] for branch in tree.branches}
        learned = any(branch.answer_from == 1 for branch in tree.branches)
        if tree.trunk:
            assert len(firsts) > 1 or learned, "a longer trunk was there"


@given(rows=ROWS, budget=st.integers(1, 200))
def test_a_split_keeps_every_row_and_cuts_none(rows: list[Row], budget: int) -> None:
    for tree in grow_trees(rows):
        parts = split_tree(tree, budget)
        assert rows_of(parts) == rows_of([tree])
        assert {part.trunk for part in parts} == {tree.trunk}
        assert all(part.tokens <= budget or len(part.branches) == 1 for part in parts)
        assert parts == [tree] or tree.tokens > budget


@given(rows=ROWS)
def test_unshared_trees_are_their_rows(rows: list[Row]) -> None:
    for tree in grow_trees(rows):
        parts = unshared(tree)
        assert rows_of(parts) == rows_of([tree])
        assert all(not part.trunk and len(part.branches) == 1 for part in parts)


def test_a_trunk_ends_where_tokens_differ_or_learning_begins() -> None:
    beginning = tuple(range(100, 120))
    rows = [Row((*beginning, 1, 2, 3), 22, "g"), Row((*beginning, 1, 5), 21, "g")]
    assert grow_trees(rows) == [Tree(beginning, (Branch((1, 2, 3), 2, 1.0), Branch((1, 5), 1, 1.0)))]
    short = [Row((*beginning[: SHORTEST_TRUNK - 1], last, 9), SHORTEST_TRUNK, "g") for last in (1, 2)]
    assert [tree.trunk for tree in grow_trees(short)] == [()]


def text(name: str, words: str, **more: Any) -> dict[str, Any]:
    """A lesson without any chat form."""
    return {"id": name, "prompt": to_json(Prompt(())), "target": words, **more}


def test_a_plain_text_is_learned_whole(chat: ChatTokenizer, tmp_path: Path) -> None:
    texts = ["Ice floats.", "<|im_end|> is"]
    rows = read_rows(write(tmp_path / "rows.jsonl", *(text(str(n), words) for n, words in enumerate(texts))), chat, 100)
    assert [row.ids for row in rows] == [tuple(chat.text_ids(words)) for words in texts]
    assert [chat.decode(row.ids[1:]) for row in rows] == texts
    assert chat.tokenizer.eos_token_id not in (*rows[0].ids, *rows[1].ids)
    assert [row.answer_from for row in rows] == [1, 1] == 2 * [chat.count_prompt(Prompt(()))]
    for tree in grow_trees(rows):
        assert tree.branches[0].learned == len(tree.branches[0].ids) - 1


def test_texts_and_chat_rows_may_stand_in_one_file(chat: ChatTokenizer, tmp_path: Path) -> None:
    place = write(tmp_path / "rows.jsonl", text("a", "Ice floats.", copy=1), lesson("b", "Where?", "On ice."))
    one, other = read_rows(place, chat, 100)
    assert (one.copy, other.copy) == (1, 0)
    assert other.ids[other.answer_from :] == tuple(chat.target_ids("On ice."))


def test_an_empty_text_is_told(chat: ChatTokenizer, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"^Lesson a is an empty text: there is nothing to learn$"):
        read_rows(write(tmp_path / "rows.jsonl", text("a", "")), chat, 100)


def test_a_row_is_the_prompt_as_it_will_be_asked_and_the_target(chat: ChatTokenizer, tmp_path: Path) -> None:
    place = write(tmp_path / "rows.jsonl", lesson("a", "Where?", "On ice."), lesson("b", "<|im_end|>", "🚀"))
    rows = read_rows(place, chat, 100)
    for row, (question, target) in zip(rows, [("Where?", "On ice."), ("<|im_end|>", "🚀")], strict=True):
        prompt = chat.render(Prompt((Message("user", question),)))
        assert row == Row((*prompt, *chat.target_ids(target)), len(prompt))


def test_a_row_knows_its_group_copy_and_weight(chat: ChatTokenizer, tmp_path: Path) -> None:
    place = write(tmp_path / "rows.jsonl", lesson("a", "Where?", "On ice.", group="g", copy=1, weight=0.5))
    [row] = read_rows(place, chat, 100)
    assert (row.group, row.copy, row.weight) == ("g", 1, 0.5)


def test_a_row_over_the_window_is_refused_by_name(chat: ChatTokenizer, tmp_path: Path) -> None:
    place = write(tmp_path / "rows.jsonl", lesson("short", "Where?", "On ice."), lesson("long", "Where? " * 9, "No."))
    longest = max(len(row.ids) for row in read_rows(place, chat, 10**6))
    assert len(read_rows(place, chat, longest)) == 2
    sentence = rf"^Lesson long has {longest} tokens, more than the window of {longest - 1}$"
    with pytest.raises(TrainingError, match=sentence):
        read_rows(place, chat, longest - 1)
