"""Judge by a language model that is asked. Knows a prompt and how its reply is read; knows no endpoint and no key.

The model may be any Generator: one behind an endpoint, or one opened here. A reply that names no verdict, or both, is
none: nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import resources

from ragraft.errors import BackendError
from ragraft.ports import Generator
from ragraft.records import Claim, Completion, Judgement, Message, Prompt, Sampling

SAMPLING = Sampling(max_tokens=256)
"""Room for a model that thinks before its verdict; endpoint.body can ask for more."""
IN_A_ROW = 5
"""Failures one after the other, after which it is the endpoint and not the claim."""
TOLD = 60
_THOUGHT = re.compile(r"<think>.*?(</think>|$)", re.DOTALL | re.IGNORECASE)
_VERDICT = re.compile(
    r"\b(un|not\s+|not\s+fully\s+|partially\s+|partly\s+|only\s+partially\s+|isn't\s+)?supported\b", re.IGNORECASE
)


class JudgeGrader:
    """A Generator as a Grader."""

    def __init__(self, generator: Generator) -> None:
        self._generator, self._answered = generator, False
        self._system = resources.files("ragraft.backends.graders").joinpath("judge.txt").read_text("utf-8").strip()

    def judge(self, claims: Sequence[Claim]) -> list[Judgement]:
        """A judgement a claim, in order; raises BackendError where one failure follows the other."""
        prompts = [self._prompt(claim) for claim in claims]
        try:
            found = [read_verdict(reply) for reply in self._generator.generate(prompts, SAMPLING)]
        except BackendError:
            # Which one failed is not told; those that were answered are kept, and cost nothing again.
            return self._one_by_one(prompts)
        self._answered = self._answered or bool(found)
        return found

    def _one_by_one(self, prompts: Sequence[Prompt]) -> list[Judgement]:
        found: list[Judgement] = []
        failed = 0
        for prompt in prompts:
            try:
                found.append(read_verdict(self._generator.generate([prompt], SAMPLING)[0]))
                failed, self._answered = 0, True
            except BackendError as error:
                failed += 1
                if failed == IN_A_ROW or (failed == len(prompts) and not self._answered):
                    raise
                found.append(Judgement(None, reason=str(error)))
        return found

    def _prompt(self, claim: Claim) -> Prompt:
        documents = "\n\n".join(f"[{number}] {text}" for number, text in enumerate(claim.passages, 1))
        asked = f"Question: {claim.question}\nStatement (its answer): " if claim.question else "Statement: "
        turn = f"Documents:\n\n{documents}\n\n{asked}{claim.text}\n\nIs the statement supported or unsupported?"
        return Prompt((Message("system", self._system), Message("user", turn)))


def read_verdict(reply: Completion) -> Judgement:
    """The one verdict that a reply names, thoughts aside."""
    told = " ".join(_THOUGHT.sub(" ", reply.text).split())
    verdicts = {not match[1] for match in _VERDICT.finditer(told)}
    if len(verdicts) == 1:
        return Judgement(verdicts.pop())
    if reply.finish_reason == "length" and not verdicts:
        return Judgement(None, reason="the reply was cut before its verdict")
    what = "names both verdicts" if verdicts else "names no verdict"
    return Judgement(None, reason=f"the reply {what} (it begins “{told[:TOLD]}”)")
