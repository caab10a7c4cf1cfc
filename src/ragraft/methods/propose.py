"""Propose questions by asking a generator about a chunk, and read its reply strictly. Knows prompts; knows no model.

Like mined ones, a candidate's answer and evidence are exact spans of its chunk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ragraft.methods.candidates import Candidate, Turned, make_candidate
from ragraft.methods.prompt import prompt_text
from ragraft.methods.sentences import sentence_spans
from ragraft.ports import Generator
from ragraft.records import Chunk, Message, Prompt, Sampling

KIND = "model"
TOKENS_A_QUESTION = 80
_LINE = re.compile(r"(?:\d{1,2}[.)]\s+)?(Question|Answer): (.*\S)\s*$")


@dataclass(frozen=True, slots=True)
class Proposals:
    """What a generator made of one chunk."""

    candidates: tuple[Candidate, ...]
    turned: tuple[Turned, ...]
    """What it wrote beside the form, or without an answer in the chunk."""


def propose(
    chunks: Sequence[Chunk], generator: Generator, *, number: int, made_by: str, temperature: float, seed: int
) -> list[Proposals]:
    """At most `number` candidates of each chunk, asked for as one batch."""
    sampling = Sampling(max_tokens=TOKENS_A_QUESTION * number, temperature=temperature, seed=seed)
    completions = generator.generate([ask_for_questions(chunk, number) for chunk in chunks], sampling)
    return [
        read_proposals(chunk, completion.text, number=number, made_by=made_by)
        for chunk, completion in zip(chunks, completions, strict=True)
    ]


def ask_for_questions(chunk: Chunk, number: int) -> Prompt:
    """The prompt that asks for questions on one chunk, after a solved example: small models follow forms, not rules."""
    turns = (
        Message("system", prompt_text("propose.txt").format(number=number)),
        Message("user", prompt_text("propose_text.txt")),
        Message("assistant", prompt_text("propose_reply.txt")),
        Message("user", f"{chunk.title}\n{chunk.text}"),
    )
    return Prompt(turns)


def read_proposals(chunk: Chunk, text: str, *, number: int, made_by: str) -> Proposals:
    """Pairs of a `Question:` line and the `Answer:` line below it; all else is turned down, with the reason."""
    candidates: list[Candidate] = []
    turned: list[Turned] = []
    for question, answer, fault in _read(text):
        verdict = _turned(chunk, question, made_by, fault) if fault else _pair(chunk, question, answer, made_by)
        if isinstance(verdict, Turned):
            turned.append(verdict)
        elif any(verdict.id == other.id for other in candidates):
            turned.append(Turned(verdict, "asked twice of its chunk"))
        elif len(candidates) == number:
            turned.append(Turned(verdict, "more questions than asked for"))
        else:
            candidates.append(verdict)
    return Proposals(tuple(candidates), tuple(turned))


def _read(text: str) -> Iterator[tuple[str, str, str]]:
    """Question, answer and no fault; or what was written instead, nothing, and the fault."""
    lines = [line for line in map(str.strip, text.splitlines()) if line]
    if not lines:
        yield "", "", "nothing was written"
    question = ""
    for line in lines:
        found = _LINE.match(line)
        if question and not (found and found[1] == "Answer"):
            yield question, "", "a question without an answer"
        if found is None:
            yield line, "", "not in the form Question: … Answer: …"
        elif found[1] == "Answer":
            yield (question, found[2], "") if question else (found[2], "", "an answer without a question")
        question = found[2] if found and found[1] == "Question" else ""
    if question:
        yield question, "", "a question without an answer"


def _turned(chunk: Chunk, text: str, made_by: str, reason: str) -> Turned:
    return Turned(_candidate(chunk, text, made_by), reason, text)


def _pair(chunk: Chunk, question: str, answer: str, made_by: str) -> Candidate | Turned:
    if not question.endswith("?"):
        return Turned(_candidate(chunk, question, made_by, answers=[answer]), "no question mark", question)
    span = _find(chunk.text, answer)
    if span is None:
        reason = "the answer does not stand in the chunk"
        return Turned(_candidate(chunk, question, made_by, answers=[answer]), reason, answer)
    start, end = span
    sentences = [(a, b) for a, b in sentence_spans(chunk.text) if a < end and start < b]
    evidence = chunk.text[sentences[0][0] : sentences[-1][1]] if sentences else chunk.text[start:end]
    return _candidate(chunk, question, made_by, answers=[chunk.text[start:end]], evidence=[evidence])


def _candidate(
    chunk: Chunk, question: str, made_by: str, *, answers: Sequence[str] = (), evidence: Sequence[str] = ()
) -> Candidate:
    return make_candidate(chunk, question, answers=answers, evidence=evidence, kind=KIND, made_by=made_by)


def _find(text: str, answer: str) -> tuple[int, int] | None:
    """Where the answer's words stand in the text, whatever its blanks, its case and the marks around it."""
    words = answer.strip(' ."“”').split()
    if not words:
        return None
    borders = (r"(?<!\w)" if words[0][0].isalnum() else "", r"(?!\w)" if words[-1][-1].isalnum() else "")
    pattern = borders[0] + r"\s+".join(map(re.escape, words)) + borders[1]
    found = re.search(pattern, text) or re.search(pattern, text, re.IGNORECASE)
    return found.span() if found else None
