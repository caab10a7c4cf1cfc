"""The one prompt builder: training, evaluation, asking and serving show a model the same thing.

Knows questions, passages and a token count; knows no model and no template.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib import resources

from ragraft.errors import ConfigError
from ragraft.ports import Tokenizer
from ragraft.records import Message, Passage, Prompt

ANSWER = "Answer: "
ABSTAIN_ABOVE = 0.5
"""Where nothing else was chosen: the abstention is given where it is likelier than all answers together."""
FROM_MEMORY = "Answer (from memory): "


@dataclass(frozen=True, slots=True)
class Shot:
    """A solved example, shown as an earlier pair of turns."""

    question: str
    passages: tuple[Passage, ...]
    target: str


@dataclass(frozen=True, slots=True)
class Fitted:
    """A prompt within the budget, the passages it shows in order, and those that had to go."""

    prompt: Prompt
    passages: tuple[Passage, ...]
    dropped: tuple[Passage, ...] = ()


@dataclass(frozen=True, slots=True)
class PromptBuilder:
    """Puts questions and passages into chat turns within a budget of tokens."""

    tokenizer: Tokenizer
    abstention: str
    max_tokens: int
    """Prompt and answer together."""
    answer_tokens: int
    """Room kept for the answer."""
    abstain_above: float = ABSTAIN_ABOVE
    """The abstention is given if it is likelier than this."""
    copy_quotes: bool = True
    """Quotes are copied from the passages shown, whatever the model would write."""
    grounded_only: bool = True
    """Whether only what the documents hold may be answered."""
    rereads: bool = False
    """Whether an answer is read once more, from its quotes alone."""

    def build(self, question: str, passages: Sequence[Passage], shots: Sequence[Shot] = ()) -> Prompt:
        """System text, solved examples, then documents and question; without passages, the closed-book form."""
        system = self._system(bool(passages))
        messages = [Message("system", system)]
        for shot in shots:
            messages += [Message("user", user_turn(shot.question, shot.passages)), Message("assistant", shot.target)]
        turn = user_turn(question, passages)
        messages.append(Message("user", turn))
        return Prompt(tuple(messages), cut=len(turn) - len(question_part(question)))

    def fits(self, question: str, passages: Sequence[Passage]) -> bool:
        """Whether all of these passages stay within the budget."""
        return self.tokenizer.count_prompt(self.build(question, passages)) <= self.max_tokens - self.answer_tokens

    def fit(
        self,
        question: str,
        passages: Sequence[Passage],
        *,
        shots: Sequence[Shot] = (),
        keep: Collection[str] = (),
        answer_tokens: int | None = None,
    ) -> Fitted:
        """Build within the budget: the last passages not in `keep` go first; question and answer always stay whole.

        Few-shot turns are not counted against the budget: every arm sees the same passages.
        Raises ConfigError where even the kept passages don't fit.
        """
        room = self.max_tokens - (self.answer_tokens if answer_tokens is None else answer_tokens)
        shown, dropped = list(passages), []
        while (tokens := self.tokenizer.count_prompt(self.build(question, shown))) > room:
            place = next((i for i in reversed(range(len(shown))) if shown[i].id not in keep), None)
            if place is None:
                beside = " with the passages that must stay" if shown else ""
                raise ConfigError(
                    f"The question “{question[:60]}”{beside} takes {tokens} tokens, and {room} are free (of "
                    f"{self.max_tokens}, the smaller of prompt.max_tokens and the model's window, without the answer's "
                    f"room); {'raise it or lower index.chunk_tokens' if shown else 'shorten the question'}"
                )
            dropped.append(shown.pop(place))
        return Fitted(self.build(question, shown, shots), tuple(shown), tuple(dropped))

    def _system(self, with_documents: bool) -> str:
        if not with_documents:
            return prompt_text("closed.txt")
        told = prompt_text("documents.txt").format(abstention=self.abstention)
        return told if self.grounded_only else f"{told} {prompt_text('memory.txt')}"


def user_turn(question: str, passages: Sequence[Passage]) -> str:
    """Numbered documents, a blank line, the question."""
    return documents_part(passages) + question_part(question)


def documents_part(passages: Sequence[Passage]) -> str:
    """The numbered documents and the blank line below; nothing where there are none."""
    shown = [f"[{number}] {passage.title}\n{passage.text}" for number, passage in enumerate(passages, 1)]
    return "Documents:\n\n" + "\n\n".join(shown) + "\n\n" if shown else ""


def question_part(question: str) -> str:
    """The part of the user turn that differs between questions on the same documents."""
    return f"Question: {question}"


@functools.cache
def prompt_text(name: str) -> str:
    """A prompt file's text."""
    return resources.files("ragraft.methods").joinpath("prompts", name).read_text(encoding="utf-8").strip()
