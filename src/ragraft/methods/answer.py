"""The RAG itself: passages and a question to an answer with citations. Diagnose, evaluate, ask and the server share it.

Knows ports and prompts; knows nothing of runs, exams or grades.
"""

from __future__ import annotations

import functools
import math
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ragraft.methods.prompt import ANSWER, Fitted, PromptBuilder, Shot, prompt_text, question_part, user_turn
from ragraft.ports import Generator, Retriever
from ragraft.records import Completion, Message, Parsed, Passage, Prompt, Sampling, Turn

NEVER = 1.0
"""No probability is above it: the model says what it says otherwise."""

# Some models write `**Answer:** …`; what closes the mark belongs to it.
ANSWER_MARK = re.compile(r"\banswers?\b[^\n:]{0,30}:(?:\*\*(?=\s))?", re.IGNORECASE)
_MEMORY = re.compile(r"answer\s*\(from memory\)\s*:", re.IGNORECASE)
# `output_shape=[20]` is an argument and no citation.
_CITATION = re.compile(r"(?<!=)\[(\d{1,3})\]")
_WRAPPING = "*_`\"'“”‘ \t"
_QUOTE = re.compile(r"[\"“](.+?)[\"”](?=\s*(?:\[(\d{1,3})\]|\n|$))", re.DOTALL)
# A line of evidence: what it quotes may hold an `Answer:` of its own, but no line that begins with one.
_EVIDENCE = re.compile(
    r"^[ \t]*[\"“](?:(?!\n\W*answer).)+?[\"”]\s*\[\d{1,3}\]", re.IGNORECASE | re.DOTALL | re.MULTILINE
)
# Where the evidence below an answer begins, also a quote that was cut short.
_BELOW = re.compile(r"\n\s*(?=[\"“]|\[\d{1,3}\](?:\s|$))")


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

    @property
    def confidence(self) -> float | None:
        """The geometric mean of the tokens' probabilities; None where the generator tells none."""
        values = self.completion.logprobs
        return math.exp(math.fsum(values) / len(values)) if values else None


def answer(
    questions: Sequence[str],
    passages: Sequence[Sequence[Passage]],
    *,
    builder: PromptBuilder,
    generator: Generator,
    shots: Sequence[Shot] = (),
    keep: Sequence[Sequence[str]] = (),
) -> list[Reply]:
    """Answer each question from its passages, as one batch; where the builder says so, read the quotes once more."""
    fitted = [
        builder.fit(question, shown, shots=shots, keep=keep[place] if keep else ())
        for place, (question, shown) in enumerate(zip(questions, passages, strict=True))
    ]
    completions = generator.generate([one.prompt for one in fitted], sampling_for(fitted, builder))
    replies = [reply_to(one, completion, builder) for one, completion in zip(fitted, completions, strict=True)]
    again = {place: own for place, reply in enumerate(replies) if (own := rereading(questions[place], reply, builder))}
    if again:
        read = generator.generate([one.prompt for one in again.values()], sampling_again([*again.values()], builder))
        for place, second in zip(again, read, strict=True):
            replies[place] = reread(replies[place], second, builder)
    return replies


def reply_to(fitted: Fitted, completion: Completion, builder: PromptBuilder) -> Reply:
    """What came back, taken apart."""
    return Reply(fitted, completion, parse(completion.text, builder.abstention))


def rereading(question: str, reply: Reply, builder: PromptBuilder) -> Fitted | None:
    """The question with the reply's own quotes as its only documents, in the conversation that it was asked in.

    None where nothing is to be read again: the builder doesn't say so, or the reply quotes no passage below its answer.
    """
    if not builder.rereads or reply.parsed.abstained or reply.parsed.from_memory:
        return None
    shown = reply.fitted.passages
    quoted = tuple(
        replace(shown[number - 1], text=text)
        for text, number in reply.parsed.quotes
        if number is not None and 1 <= number <= len(shown)
    )
    below = reply.completion.text[len(answer_part(reply.completion.text)) :]
    if not quoted or not below:
        return None
    turn = user_turn(question, quoted)
    messages = (*reply.fitted.prompt.messages[:-1], Message("user", turn))
    return Fitted(Prompt(messages, cut=len(turn) - len(question_part(question))), quoted)


def sampling_again(fitted: Sequence[Fitted], builder: PromptBuilder) -> Sampling:
    """How quotes are read again: as ever, but without abstaining, for the evidence is known."""
    return replace(sampling_for(fitted, replace(builder, abstain_above=NEVER)), again=True)


def reread(first: Reply, second: Completion, builder: PromptBuilder) -> Reply:
    """The answer of the second reading above the evidence of the first; the first where the second says none.

    What both read is counted. Tokens and their probabilities are those of the text as it now stands.
    """
    prompt_tokens = first.completion.prompt_tokens + second.prompt_tokens
    said, was = answer_part(second.text), answer_part(first.completion.text)
    parsed = parse(second.text, builder.abstention)
    cut_short = second.finish_reason == "length" and said == second.text
    if parsed.abstained or parsed.from_memory or not parsed.answer or cut_short:
        return replace(first, completion=replace(first.completion, prompt_tokens=prompt_tokens))
    count = builder.tokenizer.count
    own, left = max(count(said), 1), max(count(was), 1)
    known = first.completion.logprobs is not None and second.logprobs is not None
    completion = replace(
        first.completion,
        text=f"{said.rstrip()}\n{first.completion.text[len(was) :]}",
        token_ids=second.token_ids[:own] + first.completion.token_ids[left:],
        logprobs=(second.logprobs or ())[:own] + (first.completion.logprobs or ())[left:] if known else None,
        prompt_tokens=prompt_tokens,
    )
    return reply_to(first.fitted, completion, builder)


def sampling_for(fitted: Sequence[Fitted], builder: PromptBuilder) -> Sampling:
    """How these prompts are answered: as `sampling_of` says, quotes copied from the passages that each shows."""
    shown = tuple(tuple(passage.text for passage in one.passages) for one in fitted)
    return replace(sampling_of(builder), sources=shown if builder.copy_quotes else ())


def sampling_of(builder: PromptBuilder) -> Sampling:
    """Greedy, but for the abstention: it competes with all answers together, not with the likeliest first word."""
    opening = ANSWER.rstrip()
    turn = Turn(opening, f"{ANSWER}{builder.abstention}"[len(opening) :], builder.abstain_above)
    return Sampling(max_tokens=builder.answer_tokens, turn=turn if builder.abstain_above > 0 else None)


def answer_from_index(
    question: str, *, retriever: Retriever, k: int, builder: PromptBuilder, generator: Generator
) -> Reply:
    """Retrieve, then answer."""
    return answer([question], retriever.retrieve([question], k), builder=builder, generator=generator)[0]


def parse(text: str, abstention: str) -> Parsed:
    """Take a model's text apart: the answer after the last `Answer…:`, every `[n]` outside a quote, every quote.

    The evidence, quotes with their numbers, may stand above the answer or in lines of its own below it. Where no
    `Answer…:` is found, the whole text without `[n]` is the answer.
    """
    parts = _parts(text)
    bare = bare_answer(parts[1])
    return Parsed(
        answer=bare,
        # A quoted sentence may hold its author's own `[39]`.
        citations=tuple(int(number) for part in parts for number in _CITATION.findall(_QUOTE.sub("", part))),
        quotes=tuple((q[1], int(q[2]) if q[2] else None) for part in parts for q in _QUOTE.finditer(part)),
        abstained=is_abstention(bare, abstention),
        from_memory=bool(_MEMORY.search(text)),
    )


def _parts(text: str) -> tuple[str, str, str]:
    """What stands above the answer, the answer, and what stands below it."""
    quoted = [found.span() for found in _EVIDENCE.finditer(text)]
    marks = [one for one in ANSWER_MARK.finditer(text) if not any(a <= one.start() < b for a, b in quoted)]
    if not marks:
        return "", text, ""
    above, body = text[: marks[-1].start()], text[marks[-1].end() :].lstrip()
    below = _BELOW.search(body)
    return (above, body[: below.start()], body[below.end() :]) if below else (above, body, "")


def answer_part(text: str) -> str:
    """The text without the evidence below its answer: what comes up to there is the answer and what leads to it."""
    _, _, below = _parts(text)
    return text[: len(text) - len(below)] if below else text


def names_answer(text: str) -> bool:
    """Whether an `Answer…:` outside a quotation says which part of the text is the answer."""
    return _parts(text)[1] != text


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
