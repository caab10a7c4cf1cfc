"""Which texts are API calls, and when a reply makes the very call that was wanted."""

from __future__ import annotations

import pytest

from ragraft.methods.calls import is_call, same_call

GOLD = "torch.hub.load(repo_or_dir='pytorch/vision', model='alexnet', pretrained=True)"


@pytest.mark.parametrize(
    ("text", "call"),
    [
        (GOLD, True),
        ("hub.KerasLayer('https://tfhub.dev/google/vit/1', output_shape=[20])", True),
        ("pipeline('text-to-image', model=SG161222/Realistic_Vision_V1.4)", True),
        ("torch.hub.load(repo_or_dir='a', 'b')", True),
        ("__enter__()", False),
        ("get(key)", False),
        ("gold (Au)", False),
        ('the "big" one (1994)', False),
        ("see hub.load('a') for more", False),
        ("", False),
    ],
)
def test_is_call(text: str, call: bool) -> None:
    assert is_call(text) is call


@pytest.mark.parametrize(
    "reply",
    [
        GOLD,
        GOLD + ".",
        f"`{GOLD}`",
        f"model = {GOLD}",
        f"You can use {GOLD} for this (it is small).",
        'torch.hub.load(model="alexnet", pretrained = True, repo_or_dir="pytorch/vision")',
    ],
)
def test_the_same_call_however_it_is_written(reply: str) -> None:
    assert same_call(reply, GOLD)


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "alexnet",
        GOLD.replace("alexnet", "vgg11"),
        GOLD.replace("True", "False"),
        GOLD.replace(", pretrained=True", ""),
        GOLD.replace("torch.hub", "hub"),
        GOLD[:-1],
        "(" * 500 + GOLD[:-1],
    ],
)
def test_another_call_is_another(reply: str) -> None:
    assert not same_call(reply, GOLD)


def test_what_stands_on_a_call_belongs_to_it() -> None:
    assert same_call("load('a').eval()", "load('a').eval()")
    assert not same_call("load('a')", "load('a').eval()")


def test_a_call_that_does_not_parse_is_compared_by_its_letters() -> None:
    gold = "torch.hub.load(repo_or_dir='a/b', 'small one')"
    assert same_call('`torch.hub.load( repo_or_dir="a/b","small one")`', gold)
    assert not same_call("torch.hub.load(repo_or_dir='a/b', 'smallone')", gold)
