from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
import torch

from ragraft.backends.generators.choosing import Chooser
from ragraft.models.chat import ChatTokenizer
from ragraft.records import Sampling, Turn

NOT, FIVE, CAPITAL, END = 2, 3, 4, 9
OPENING = [0, 1]
LOGITS = torch.log(torch.tensor([[0.05, 0.05, 0.4, 0.3, 0.2]]))


class Pieces:
    """A tokenizer of a few known texts."""

    def __init__(self, joined: bool = False) -> None:
        self._ids = {
            "Answer:": OPENING,
            "Answer: not there": [*OPENING, NOT, FIVE] if not joined else [0, 7, FIVE],
            "Answer: Not There": [*OPENING, CAPITAL, FIVE],
            "Answer: NOT THERE": [*OPENING, FIVE, END],
        }

    def target_ids(self, text: str) -> list[int]:
        return [*self._ids[text], END]

    def decode(self, ids: Sequence[int]) -> str:
        return {NOT: " not", CAPITAL: " Not", FIVE: " N"}[ids[0]]


def chooser(above: float, *, temperature: float = 0.0, joined: bool = False) -> Chooser:
    turn = Turn("Answer:", " not there", above)
    return Chooser(Sampling(temperature=temperature, turn=turn), cast(ChatTokenizer, Pieces(joined)), ends={END})


def got(*tokens: int) -> list[list[tuple[int, float]]]:
    return [[(token, -0.1) for token in tokens]]


def chosen(choose: Chooser, before: Sequence[Sequence[tuple[int, float]]], logits: Any = LOGITS) -> list[int]:
    tokens, values = choose(logits, range(len(before)), before)
    assert torch.allclose(values, torch.log_softmax(logits, -1)[range(len(logits)), tokens])
    return [int(token) for token in tokens]


@pytest.mark.parametrize(("above", "token"), [(0.5, FIVE), (0.41, FIVE), (0.39, NOT), (0.1, NOT)])
def test_the_way_competes_with_all_others_together(above: float, token: int) -> None:
    assert chosen(chooser(above), got(*OPENING)) == [token]


def test_what_is_not_taken_is_not_taken_with_a_capital_either() -> None:
    logits = torch.log(torch.tensor([[0.05, 0.05, 0.4, 0.2, 0.3]]))
    assert chosen(chooser(0.5), got(*OPENING), logits) == [FIVE]
    assert chosen(chooser(0.3), got(*OPENING), logits) == [NOT]


def test_a_way_that_is_not_the_likeliest_is_taken_above_its_mark() -> None:
    logits = torch.log(torch.tensor([[0.05, 0.05, 0.3, 0.4, 0.2]]))
    assert chosen(chooser(0.25), got(*OPENING), logits) == [NOT]


@pytest.mark.parametrize("before", [(), (0,), (1, 0), (0, 1, 2), (5, 0, 1)])
def test_elsewhere_the_likeliest_token_is_taken(before: tuple[int, ...]) -> None:
    assert chosen(chooser(0.5), got(*before)) == [NOT]


def test_rows_turn_each_by_itself_and_tell_how_likely_that_was() -> None:
    before, choose = [*got(*OPENING), *got(0)], chooser(0.5)
    assert chosen(choose, before, LOGITS.repeat(2, 1)) == [FIVE, NOT]
    assert choose.turning == {0: pytest.approx(0.4, abs=1e-3)}


def test_a_tokenizer_that_joins_the_two_leaves_no_place_to_turn() -> None:
    assert chosen(chooser(0.5, joined=True), got(*OPENING)) == [NOT]


def test_what_is_sampled_is_left_to_chance() -> None:
    choose = chooser(0.99, temperature=1.0)
    drawn = [chosen(choose, got(*OPENING))[0] for _ in range(200)]
    assert 40 < drawn.count(NOT) < 120


LETTERS = '\n" []0123abcdefghilmnorstuwARX.:'


class Letters:
    """A tokenizer of letters; token 0 ends a text."""

    def target_ids(self, text: str) -> list[int]:
        return [*(1 + LETTERS.index(letter) for letter in text), 0]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(LETTERS[token - 1] for token in ids)


def written(wishes: str, *sources: str, most: int = 60) -> str:
    """What greedy decoding writes whose likeliest tokens spell `wishes`, as far as it is let."""
    tokenizer = Letters()
    sampling = Sampling(sources=(("other",), sources))
    choose = Chooser(sampling, cast(ChatTokenizer, tokenizer), ends={0})
    wanted = tokenizer.target_ids(wishes)
    out: list[list[tuple[int, float]]] = [[], []]
    for step in range(most):
        logits = torch.linspace(0.5, 0, 1 + len(LETTERS))[None].clone()
        logits[0, wanted[min(step, len(wanted) - 1)]] = 2.0
        tokens, values = choose(logits, [1], out)
        out[1].append((int(tokens[0]), float(values[0])))
        if tokens[0] == 0:
            break
    return tokenizer.decode([token for token, _ in out[1] if token])


def test_a_quotation_is_written_as_far_as_its_source_goes() -> None:
    right = 'Answer: red\n"the roof is red." [2]'
    assert written(right, "no", "the roof is red.") == right
    assert written('Answer: red\n"the roof was', "no", "the roof is red.").startswith('Answer: red\n"the roof is')


def test_the_number_is_that_of_a_source_that_holds_the_quotation() -> None:
    assert written('Answer: a\n"a man" [2]', "a man", "a hat") == 'Answer: a\n"a man" [1]'
    assert written('Answer: a\n"a man" [2]', "a man", "a man\nso") == 'Answer: a\n"a man" [2]'


def test_no_text_ends_within_a_quotation() -> None:
    assert written('Answer: a\n"a', "a man") == 'Answer: a\n"a man" [1]'


def test_the_answer_itself_is_free() -> None:
    assert written('Answer: "so" [3]', "a man") == 'Answer: "so" [3]'


class Bytes:
    """A tokenizer of bytes; token 0 ends a text."""

    def target_ids(self, text: str) -> list[int]:
        return [*(1 + byte for byte in text.encode()), 0]

    def decode(self, ids: Sequence[int]) -> str:
        return bytes(token - 1 for token in ids).decode(errors="replace")


@pytest.mark.parametrize("wish", ["nañve", "na€ve", "naĭve", "naïve", "nax"])
def test_half_a_letter_is_copied_as_well(wish: str) -> None:
    """A letter of another one's first bytes, or of bytes that begin none of the source's, is not begun."""
    tokenizer = Bytes()
    wanted = tokenizer.target_ids(f'A: x\n"{wish}')
    choose = Chooser(Sampling(sources=(("a naïve plan",),)), cast(ChatTokenizer, tokenizer), ends={0})
    out: list[list[tuple[int, float]]] = [[]]
    while not out[0] or (out[0][-1][0] and len(out[0]) < 40):
        logits = torch.linspace(0.5, 0, 257)[None].clone()
        logits[0, wanted[min(len(out[0]), len(wanted) - 1)]] = 2.0
        tokens, values = choose(logits, [0], out)
        out[0].append((int(tokens[0]), float(values[0])))
    assert tokenizer.decode([token for token, _ in out[0] if token]) in {
        'A: x\n"naïve" [1]',
        'A: x\n"naïve plan" [1]',
    }


def test_half_a_letter_is_free_where_nothing_is_quoted() -> None:
    tokenizer = Bytes()
    choose = Chooser(Sampling(sources=(("a plan",),)), cast(ChatTokenizer, tokenizer), ends={0})
    logits = torch.zeros(1, 257)
    logits[0, 1 + "é".encode()[0]] = 2.0
    tokens, _ = choose(logits, [0], [[(token, 0.0) for token in tokenizer.target_ids("A: caf")[:-1]]])
    assert int(tokens[0]) == 1 + "é".encode()[0]
