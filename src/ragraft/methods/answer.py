"""The RAG itself: passages and a question to an answer with citations. Diagnose, evaluate, ask and the server share it.

Knows ports and prompts; knows nothing of runs, exams or grades.
"""

from __future__ import annotations

import functools
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass

from ragraft.methods.prompt import Fitted, PromptBuilder, Shot, prompt_text
from ragraft.ports import Generator, Retriever
from ragraft.records import Completion, Parsed, Passage, Sampling

# Some models write `**Answer:** …`; what closes the mark belongs to it.
_ANSWER = re.compile(r"\banswers?\b[^\n:]{0,30}:(?:\*\*(?=\s))?", re.IGNORECASE)
_MEMORY = re.compile(r"answer\s*\(from memory\)\s*:", re.IGNORECASE)
# `output_shape=[20]` is an argument and no citation.
_CITATION = re.compile(r"(?<!=)\[(\d{1,3})\]")
_WRAPPING = "*_`\"'“”‘ \t"
_QUOTE = re.compile(r"[\"“](.+?)[\"”](?=\s*(?:\[(\d{1,3})\]|\n|$))", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answered question: what was shown, what came back, what it says."""

    fitted: Fitted
    completion: Completion
    parsed: Parsed

    @property
    def cited(self) -> tuple[Passage, ...]:
        """The shown passages that the reply cites, in order of citation; numbers of no passage are left out."""
        shown = self.fitted.passages
        return tuple(shown[n - 1] for n in dict.fromkeys(self.parsed.citations) if 1 <= n <= len(shown))


def answer(
    questions: Sequence[str],
    passages: Sequence[Sequence[Passage]],
    *,
    builder: PromptBuilder,
    generator: Generator,
    shots: Sequence[Shot] = (),
    keep: Sequence[Sequence[str]] = (),
) -> list[Reply]:
    """Answer each question from its passages, as one batch."""
    fitted = [
        builder.fit(question, shown, shots=shots, keep=keep[place] if keep else ())
        for place, (question, shown) in enumerate(zip(questions, passages, strict=True))
    ]
    completions = generator.generate([one.prompt for one in fitted], Sampling(max_tokens=builder.answer_tokens))
    return [
        Reply(one, completion, parse(completion.text, builder.abstention))
        for one, completion in zip(fitted, completions, strict=True)
    ]


def answer_from_index(
    question: str, *, retriever: Retriever, k: int, builder: PromptBuilder, generator: Generator
) -> Reply:
    """Retrieve, then answer."""
    return answer([question], retriever.retrieve([question], k), builder=builder, generator=generator)[0]


def parse(text: str, abstention: str) -> Parsed:
    """Take a model's text apart: the text after the last `Answer…:`, every `[n]` outside a quote, every quote.

    Where no `Answer…:` is found, the whole text without `[n]` is the answer.
    """
    marks = list(_ANSWER.finditer(text))
    body = text[marks[-1].end() :] if marks else _CITATION.sub("", text)
    bare = bare_answer(body)
    quotes = tuple((found[1], int(found[2]) if found[2] else None) for found in _QUOTE.finditer(text))
    return Parsed(
        answer=bare,
        # A quoted sentence may hold its author's own `[39]`.
        citations=tuple(int(number) for number in _CITATION.findall(_QUOTE.sub("", text))),
        quotes=quotes,
        abstained=is_abstention(bare, abstention),
        from_memory=bool(_MEMORY.search(text)),
    )


def is_abstention(answer: str, abstention: str) -> bool:
    """Whether an answer is empty, the configured sentence, or one of the published refusals.

    An answer of signs alone, such as `[]`, is an answer.
    """
    bare = answer.strip()
    if not bare or bare == abstention.strip():
        return True
    same = _normal(bare) != "" and _normal(bare) == _normal(abstention)
    return same or bool(_refusals().match(bare.replace("’", "'").strip(_WRAPPING)))


def bare_answer(body: str) -> str:
    """The answer without citations and superfluous white space."""
    return " ".join(_CITATION.sub("", body).split())


def _normal(text: str) -> str:
    return " ".join(text.lower().translate(str.maketrans("", "", string.punctuation)).split())


@functools.cache
def _refusals() -> re.Pattern[str]:
    """All patterns as one; `<NAME> = …` names a part of those below it."""
    parts: dict[str, str] = {}
    patterns = []
    for line in prompt_text("refusals.txt").splitlines():
        if not line or line.startswith("#"):
            continue
        name, _, defined = line.partition(" = ")
        pattern = re.sub(r"<[A-Z]+>", lambda found: parts[found[0]], defined or line)
        if defined:
            parts[name] = f"(?:{pattern})"
        else:
            patterns.append(f"(?:{pattern})")
    return re.compile("|".join(patterns), re.IGNORECASE)
