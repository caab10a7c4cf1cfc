"""Pairs of answers: what the quadrants want, what is left out, how many may prefer the abstention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from ragraft.methods.preference import (
    ABSTENTION,
    INVENTION,
    STANDING_IN,
    WRONG_ANSWER,
    asked_lessons,
    counts,
    make_pairs,
    own_answers,
)
from ragraft.records import Completion, Lesson, Message, Prompt, Sampling

ABSENT = "not in the documents."
GROUNDED = 'Answer: form 7\n"A refund needs form 7." [1]'


def lesson(name: str, target: str = GROUNDED, *, oracle: bool = True, **more: object) -> Lesson:
    prompt = Prompt((Message("system", "Answer."), Message("user", f"Documents: … Question: {name}?")))
    made = Lesson(name, f"q-{name}", "oracle", prompt, target, ("p1", "p2"), ("p1",) if oracle else ())
    return replace(made, **more)  # type: ignore[arg-type]


def hidden(name: str) -> Lesson:
    return lesson(name, f"Answer: {ABSENT}", oracle=False)


def pairs(lessons: Sequence[Lesson], *texts: str, abstaining: float = 1.0) -> list[tuple[str, str, str]]:
    made = make_pairs(lessons, [Completion(one) for one in texts], abstention=ABSENT, abstaining=abstaining, seed=0)
    return [(pair.id, pair.kind, pair.rejected) for pair in made.made]


@pytest.mark.parametrize(
    ("own", "kind", "unwanted"),
    [
        ("Answer: the moon [2]", WRONG_ANSWER, "Answer: the moon [2]"),
        ("Answer: not in the documents.", ABSTENTION, "Answer: not in the documents."),
        ("I don't know.", ABSTENTION, "I don't know."),
        ("Answer: Form 7.", STANDING_IN, "Answer: not in the documents."),
        ("Answer: form 7 or form 12", STANDING_IN, "Answer: not in the documents."),
    ],
)
def test_where_the_documents_hold_the_answer_it_is_wanted(own: str, kind: str, unwanted: str) -> None:
    assert pairs([lesson("a")], own) == [("a", kind, unwanted)]


def test_where_they_do_not_the_abstention_is_wanted_over_what_the_model_invents() -> None:
    made = make_pairs(
        [hidden("a"), hidden("b")],
        [Completion("Answer: form 7", finish_reason="length"), Completion(f"Answer: {ABSENT}")],
        abstention=ABSENT,
        abstaining=1.0,
        seed=0,
    )
    [pair] = made.made
    assert (pair.kind, pair.chosen, pair.rejected, pair.cut) == (INVENTION, f"Answer: {ABSENT}", "Answer: form 7", True)
    assert [(row.id, row.reason) for row in made.rejected] == [("b", "the model abstains here by itself")]
    assert counts(made.made, made.rejected) == {
        "pairs": 1,
        f"pairs, {INVENTION}": 1,
        "rejected": 1,
        "rejected: the model abstains here by itself": 1,
    }


def test_few_pairs_may_prefer_the_abstention() -> None:
    rows = [*(lesson(f"a{n}") for n in range(7)), *(hidden(f"b{n}") for n in range(9))]
    texts = ["Answer: the moon"] * 16
    kinds = [kind for _, kind, _ in pairs(rows, *texts, abstaining=0.3)]
    assert (kinds.count(WRONG_ANSWER), kinds.count(INVENTION)) == (7, 3)
    assert pairs(rows, *texts, abstaining=0.3) == pairs(rows, *texts, abstaining=0.3)
    assert {kind for _, kind, _ in pairs(rows, *texts, abstaining=0)} == {WRONG_ANSWER}
    assert len(pairs(rows, *texts, abstaining=1)) == 16
    made = make_pairs(rows, [Completion(one) for one in texts], abstention=ABSENT, abstaining=0.3, seed=0)
    assert {row.reason for row in made.rejected} == {"over train.dpo.abstaining"}
    assert len(made.made) + len(made.rejected) == len(rows)


def test_lessons_are_asked_once_a_question_and_only_where_they_tell() -> None:
    rows = [
        lesson("a"),
        hidden("b"),
        lesson("again", copy=1),
        lesson("general", question_id="", kind="general", passages=()),
        lesson("closed", passages=()),
        lesson("domain", part="domain"),
        lesson("silent", "Answer: no", oracle=False),
    ]
    kept, left = asked_lessons(rows, ABSENT, most=9, seed=0)
    assert [one.id for one in kept] == ["a", "b"]
    assert [(row.id, row.reason) for row in left] == [("silent", "nothing tells whether its documents hold the answer")]
    kept, left = asked_lessons([lesson(f"a{n}") for n in range(20)], ABSENT, most=5, seed=0)
    assert (len(kept), len(left)) == (5, 15)
    assert [one.id for one in kept] == sorted((one.id for one in kept), key=lambda name: int(name[1:]))
    assert kept != asked_lessons([lesson(f"a{n}") for n in range(20)], ABSENT, most=5, seed=1)[0]


@dataclass
class Echo:
    """Answers with the end of the question, and notes its batches."""

    batches: list[list[str]] = field(default_factory=list)

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        texts = [prompt.messages[-1].content for prompt in prompts]
        self.batches.append(texts)
        assert (sampling.temperature, sampling.max_tokens, sampling.turn) == (0.0, 9, None)
        return [Completion(text[-1]) for text in texts]


def test_answers_come_in_order_and_like_lengths_together() -> None:
    texts = ["lang a", "b", "longest c", "dd"]
    echo = Echo()
    found = own_answers([Prompt((Message("user", text),)) for text in texts], echo, tokens=9, batch=2)
    assert [one.text for one in found] == ["a", "b", "c", "d"]
    assert echo.batches == [["b", "dd"], ["lang a", "longest c"]]
