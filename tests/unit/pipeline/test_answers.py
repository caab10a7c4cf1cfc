from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragraft.errors import BackendError
from ragraft.pipeline.answers import Concurrently, KeptAnswers, Meter
from ragraft.ports import Generator
from ragraft.records import Completion, LogProbs, Message, Prompt, Sampling

COMPLETIONS = st.builds(
    Completion,
    text=st.text(st.characters(codec="utf-8"), max_size=9),
    token_ids=st.lists(st.integers(0, 2**31), max_size=3).map(tuple),
    logprobs=st.none() | st.lists(st.floats(max_value=0, allow_nan=False, allow_infinity=False), max_size=3).map(tuple),
    finish_reason=st.sampled_from(["stop", "length"]),
    prompt_tokens=st.integers(0, 2048),
)
GREEDY = Sampling(max_tokens=9)


@dataclass
class Counting:
    """Answers with the number of the call, or with what it was given."""

    given: list[Completion] | None = None
    calls: int = 0
    opened: list[str] = field(default_factory=list)

    def open(self, model: str = "m") -> Generator:
        self.opened.append(model)
        return self

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        self.calls += 1
        return self.given or [Completion(f"{self.calls}: {prompt.messages[-1].content}") for prompt in prompts]


def prompts(*questions: str) -> list[Prompt]:
    return [Prompt((Message("system", "s"), Message("user", question)), cut=1) for question in questions]


@settings(max_examples=40, deadline=None)
@given(completions=st.lists(COMPLETIONS, min_size=1, max_size=3))
def test_kept_answers_are_the_generators_own(
    tmp_path_factory: pytest.TempPathFactory, completions: list[Completion]
) -> None:
    folder, counting = tmp_path_factory.mktemp("answers"), Counting(completions)
    asked = prompts(*map(str, range(len(completions))))
    for _ in range(2):
        assert KeptAnswers(folder, "m", counting.open).generate(asked, GREEDY) == completions
    assert counting.calls == 1


def test_the_model_is_opened_when_needed_and_once(tmp_path: Path) -> None:
    counting = Counting()
    kept = KeptAnswers(tmp_path, "m", counting.open)
    assert counting.opened == []
    first = kept.generate(prompts("a", "b"), GREEDY)
    kept.generate(prompts("c"), GREEDY)
    assert counting.opened == ["m"]
    again = KeptAnswers(tmp_path, "m", counting.open)
    assert again.generate(prompts("a", "b"), GREEDY) == first
    assert counting.opened == ["m"]


def test_whatever_could_change_an_answer_asks_anew(tmp_path: Path) -> None:
    counting = Counting()
    asked = [
        ("m", prompts("a", "b"), GREEDY),
        ("m", prompts("b", "a"), GREEDY),  # a row's last bits depend on the rows beside it
        ("m", prompts("a"), GREEDY),
        ("other", prompts("a", "b"), GREEDY),
        ("m", prompts("a", "b"), Sampling(max_tokens=8)),
        ("m", prompts("a", "b"), Sampling(max_tokens=9, temperature=0.5)),
        ("m", prompts("a", "b"), Sampling(max_tokens=9, seed=1)),
        ("m", [Prompt(prompt.messages, cut=2) for prompt in prompts("a", "b")], GREEDY),
    ]
    for _ in range(2):
        for model, rows, sampling in asked:
            KeptAnswers(tmp_path, model, counting.open).generate(rows, sampling)
    assert counting.calls == len(asked)


def test_a_killed_batch_leaves_nothing(tmp_path: Path) -> None:
    class Killed:
        def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        KeptAnswers(tmp_path, "m", Killed).generate(prompts("a"), GREEDY)
    assert [place for place in tmp_path.rglob("*") if place.is_file()] == []
    counting = Counting()
    assert KeptAnswers(tmp_path, "m", counting.open).generate(prompts("a"), GREEDY)[0].text == "1: a"


def test_scores_are_kept_too(tmp_path: Path) -> None:
    class Scoring(Counting):
        def score(self, prompts: Sequence[Prompt | None], texts: Sequence[str]) -> list[LogProbs]:
            self.calls += 1
            return [LogProbs((len(text), self.calls), (-0.125, -1 / 3)) for text in texts]

    counting = Scoring()
    asked: list[tuple[list[Prompt | None], list[str]]] = [
        ([None, None], ["a", "bc"]),
        ([None, None], ["bc", "a"]),
        ([*prompts("a"), None], ["a", "bc"]),
    ]
    found = [KeptAnswers(tmp_path, "m", counting.open).score(*one) for one in asked * 2]
    assert counting.calls == len(asked)
    assert found[:3] == found[3:]
    assert found[0] == [LogProbs((1, 1), (-0.125, -1 / 3)), LogProbs((2, 1), (-0.125, -1 / 3))]


class Crowd:
    """Counts how many ask it at a time; fails at a word."""

    def __init__(self, fails: str = "") -> None:
        self.fails, self.asked, self.most = fails, [], 0
        self._inside = 0
        self._lock = threading.Lock()
        self._met = threading.Barrier(2, timeout=20)

    asked: list[str]

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        (prompt,) = prompts
        text = prompt.messages[-1].content
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
            self.asked.append(text)
        try:
            if text.startswith("meet"):
                self._met.wait()
            if text == self.fails:
                raise BackendError("gone")
            return [Completion(f"to {text}")]
        finally:
            with self._lock:
                self._inside -= 1


def test_several_are_asked_at_a_time_and_answers_keep_their_order() -> None:
    crowd = Crowd()
    asked = prompts("meet 1", "meet 2", "a", "meet 1", "b")
    found = Concurrently(crowd, 2).generate(asked, GREEDY)
    assert [one.text for one in found] == ["to meet 1", "to meet 2", "to a", "to meet 1", "to b"]
    assert crowd.most == 2
    assert sorted(crowd.asked) == ["a", "b", "meet 1", "meet 2"]


def test_what_came_before_a_failure_is_kept(tmp_path: Path) -> None:
    crowd = Crowd(fails="c")
    kept = Concurrently(KeptAnswers(tmp_path, "m", lambda: crowd), 1)
    with pytest.raises(BackendError, match="gone"):
        kept.generate(prompts("a", "b", "c", "d"), GREEDY)
    assert crowd.asked[:3] == ["a", "b", "c"]  # the worker may have begun the next one
    crowd.fails, crowd.asked = "", []
    assert [one.text for one in kept.generate(prompts("a", "b", "c", "d"), GREEDY)] == ["to a", "to b", "to c", "to d"]
    assert crowd.asked in (["c"], ["c", "d"])


def test_a_second_reading_takes_time_and_is_no_further_answer(tmp_path: Path) -> None:
    counting, meter = Counting([Completion("x", (1, 2), prompt_tokens=40)]), Meter()
    kept = KeptAnswers(tmp_path, "m", counting.open, meter)
    kept.generate(prompts("first"), GREEDY)
    once = (meter.answered, meter.seconds, meter.tokens)
    kept.generate(prompts("its quotes"), replace(GREEDY, again=True))
    assert (meter.answered, counting.calls) == (once[0], 2)
    assert meter.seconds > once[1]
    assert meter.tokens == 2 * once[2]
    kept.generate(prompts("its quotes"), GREEDY)  # the same words, asked as a question of their own
    assert counting.calls == 2
