"""Let a teacher write why the documents give an answer, and keep it only where it can be checked.

The teacher is any generator. It sees the documents that hold the answer, the question and the answer, no distractors
and nothing of the exam, and writes one line: a quote, its number, and a sentence that ends in the answer. In a lesson
that line stands below the answer, in the place of the bare quote: what a small student gains from a teacher's reasoning
it gains from reasoning behind the answer, and more so (Wadhwa et al. 2024, 2406.14511).

Knows questions, passages and a generator as a port; knows no lesson and no folder.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ragraft.methods.answer import parse
from ragraft.methods.grade import measure_of
from ragraft.methods.lint_rules import repeats_question
from ragraft.methods.prompt import ANSWER, PromptBuilder, prompt_text, user_turn
from ragraft.methods.target import OWN_QUOTE_WORDS, Quote, places, reads_back, shortened, wanted_line
from ragraft.ports import Generator
from ragraft.records import Completion, ExamQuestion, Message, Passage, Prompt, Question, Sampling

BATCH = 16
TRIED, USABLE = 64, 1 / 8
"""After so many reasonings, the share that must be of use; else the teacher is asked no more."""
FEW = 0.5
"""Share of reasonings that hold below which the user is told."""
BEHIND = 3
"""Most words behind the right answer, with which a reasoning is to end."""
MILLION = 1_000_000

CALL = "an API call is wanted as it is"
LONG = "an answer of a whole sentence is its own reason"
NO_ROOM = "the teacher's prompt is longer than prompt.max_tokens"
UNTRIED = "not asked, since hardly any of the teacher's first ones held"
CUT = "longer than prompt.answer_tokens"
UNQUOTED = "it doesn't begin with a quote"
INVENTED = "a quote is no exact span of the documents that hold the answer"
OUT_OF_RANGE = "it cites a document that was not shown"
BARE = "nothing is said beside the quote"
REPEATS = "it repeats the question"
WORDY = "longer than synthesize.teacher.words"
NO_ANSWER = "it doesn't end in the right answer"
MISREAD = "it could not be told from the form around it"

_MARK = re.compile(r"[\"“]([^\"“”]+)[\"”](?:\s*\[(\d{1,3})\])?|\[(\d{1,3})\]")
SOME, NEXT = "that", "\n"
QUOTED = "\n"
"""Stands for a quote where only the words around it are looked at; a line holds none of its own."""
_EXAMPLE = Question("", "When was the lamp of Skagen first lit?", ("1747",))


@dataclass(frozen=True, slots=True)
class Teacher:
    """Who writes reasonings, and how."""

    generator: Generator
    words: int
    """Most words beside the quotes."""
    quote_words: int
    """A longer quote is cut at word borders around the answer."""
    batch: int = BATCH
    """Questions asked at a time."""
    price_read: float = 0.0
    """What a million prompt tokens cost."""
    price_written: float = 0.0


@dataclass(frozen=True, slots=True)
class Cited:
    """A document named by its number alone."""

    passage: str


Piece = str | Quote | Cited


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A teacher's line, its documents named and not numbered: each lesson shows them in another order."""

    pieces: tuple[Piece, ...]

    def target(self, question: Question, shown: Sequence[Passage], oracle: Sequence[str]) -> str:
        """The wanted text of two lines: the answer, and below it the reasoning with the numbers of `shown`.

        Oracle passages that it names nowhere are cited at its end.
        """
        numbers = {passage.id: number for number, passage in enumerate(shown, start=1)}
        named = {piece.passage for piece in self.pieces if not isinstance(piece, str)}
        line = "".join(_written(piece, numbers) for piece in self.pieces)
        others = (f"[{number}]" for number in sorted(numbers[name] for name in oracle if name not in named))
        answer = wanted_line(question, [passage.text for passage in shown if passage.id in oracle])
        return f"{answer}\n{' '.join([line, *others])}"

    def quotes(self, shown: Sequence[Passage]) -> tuple[tuple[str, int], ...]:
        """What it quotes, with the numbers of `shown`."""
        numbers = {passage.id: number for number, passage in enumerate(shown, start=1)}
        return tuple((piece.text, numbers[piece.passage]) for piece in self.pieces if isinstance(piece, Quote))


def _written(piece: Piece, numbers: Mapping[str, int]) -> str:
    if isinstance(piece, str):
        return piece
    number = f"[{numbers[piece.passage]}]"
    return f'"{piece.text}" {number}' if isinstance(piece, Quote) else number


@dataclass(slots=True)
class Reasonings:
    """What a teacher wrote: what holds, by question; and all of it, with the reason why it doesn't."""

    kept: dict[str, Reasoning] = field(default_factory=dict)
    rows: list[dict[str, str]] = field(default_factory=list)
    asked: int = 0
    read: int = 0
    written: int = 0

    @property
    def hopeless(self) -> bool:
        """Whether asking on would bring next to nothing."""
        return self.asked >= TRIED and len(self.kept) < USABLE * self.asked

    def note(self, question: ExamQuestion, verdict: Reasoning | str, text: str = "") -> None:
        """Keep a reasoning, or the reason why there is none."""
        fault = verdict if isinstance(verdict, str) else ""
        self.rows.append({"question_id": question.id, "text": text, "fault": fault})
        if isinstance(verdict, Reasoning):
            self.kept[question.id] = verdict

    def facts(self, teacher: Teacher) -> dict[str, Any]:
        """Counts for people; a warning where much of what was written doesn't hold."""
        faults = Counter(row["fault"] for row in self.rows if row["fault"])
        cost = (self.read * teacher.price_read + self.written * teacher.price_written) / MILLION
        found: dict[str, Any] = {
            "reasonings": {
                "asked": self.asked,
                "kept": len(self.kept),
                "prompt tokens": self.read,
                "answer tokens": self.written,
                **({"cost": round(cost, 4)} if cost else {}),
            },
            **{f"no reasoning: {fault}": number for fault, number in faults.most_common()},
        }
        if self.asked and len(self.kept) < FEW * self.asked:
            commonest = Counter(row["fault"] for row in self.rows if row["fault"] and row["text"]).most_common(1)
            found["warning"] = (
                f"only {len(self.kept)} of {self.asked} reasonings of the teacher hold (commonest fault: "
                f"{commonest[0][0] if commonest else 'nothing was written'}), and the other lessons have none; name a "
                "stronger synthesize.teacher.model, give it more room, or set synthesize.reasoning to none"
            )
        return found


def write_reasonings(
    questions: Sequence[tuple[ExamQuestion, Sequence[Passage]]], teacher: Teacher, *, builder: PromptBuilder
) -> Reasonings:
    """Ask the teacher about each question with the passages that hold its evidence, batch by batch."""
    found = Reasonings()
    able = []
    for question, oracle in questions:
        fault = _unaskable(question.question, oracle, builder)
        if fault:
            found.note(question, fault)
        else:
            able.append((question, oracle))
    for start in range(0, len(able), teacher.batch):
        batch = able[start : start + teacher.batch]
        if found.hopeless:
            for question, _ in batch:
                found.note(question, UNTRIED)
            continue
        prompts = [ask_for_reasoning(question.question, oracle) for question, oracle in batch]
        texts = tuple(tuple(passage.text for passage in oracle) for _, oracle in batch)
        sampling = Sampling(builder.answer_tokens, sources=texts if builder.copy_quotes else ())
        completions = teacher.generator.generate(prompts, sampling)
        for (question, oracle), completion in zip(batch, completions, strict=True):
            verdict = read_reasoning(question.question, oracle, completion, teacher=teacher, builder=builder)
            found.note(question, verdict, completion.text)
            found.asked += 1
            found.read += completion.prompt_tokens
            found.written += len(completion.token_ids)
    return found


def ask_for_reasoning(question: Question, oracle: Sequence[Passage]) -> Prompt:
    """The prompt, after a solved example: small models follow forms, not rules."""
    title, _, text = prompt_text("propose_text.txt").partition("\n")
    return Prompt(
        (
            Message("system", prompt_text("reason.txt")),
            Message("user", _turn(_EXAMPLE, [Passage("", "", title, text)])),
            Message("assistant", prompt_text("reason_reply.txt")),
            Message("user", _turn(question, oracle)),
        )
    )


def _turn(question: Question, oracle: Sequence[Passage]) -> str:
    return f"{user_turn(question.question, oracle)}\nRight answer: {_right(question, oracle)}"


def _right(question: Question, oracle: Sequence[Passage]) -> str:
    """The answer that the lesson wants."""
    return wanted_line(question, [passage.text for passage in oracle]).removeprefix(ANSWER)


def _unaskable(question: Question, oracle: Sequence[Passage], builder: PromptBuilder) -> str:
    if measure_of(question) == "call":
        return CALL
    if len(_right(question, oracle).split()) >= OWN_QUOTE_WORDS:
        return LONG
    tokens = builder.tokenizer.count_prompt(ask_for_reasoning(question, oracle)) + builder.answer_tokens
    return NO_ROOM if tokens > builder.max_tokens else ""


def read_reasoning(
    question: Question, oracle: Sequence[Passage], completion: Completion, *, teacher: Teacher, builder: PromptBuilder
) -> Reasoning | str:
    """What the teacher wrote, if all of it holds; else what is wrong with it."""
    if completion.finish_reason == "length":
        return CUT
    answer = _right(question, oracle)
    source = _Source(oracle, answer, teacher.quote_words)
    pieces = _pieces(" ".join(_second_line(completion.text).split()), source)
    if isinstance(pieces, str):
        return pieces
    reasoning = Reasoning(tuple(pieces))
    fault = _fault(reasoning, answer, question.question, teacher.words)
    return fault or _misread(reasoning, question, oracle, builder) or reasoning


def _second_line(text: str) -> str:
    """What stands below the answer; a teacher that leaves the answer out has said all the same.

    The answer is asked for so that a teacher of ours copies its quotes as any reader of ours does.
    """
    first, _, rest = text.strip().partition("\n")
    return rest if first.startswith(ANSWER.rstrip()) else text


def _fault(reasoning: Reasoning, answer: str, question: str, most: int) -> str:
    """What is wrong with the words beside the quotes."""
    said = "".join(_unquoted(piece) for piece in reasoning.pieces)
    own = said.rpartition(QUOTED)[2]
    if not own.strip():
        return BARE
    if len(said.split()) > most:
        return WORDY
    if repeats_question(question, said):  # before training such lessons would be found, and stop it
        return REPEATS
    ends = [end for _, end in places(answer, own)]
    return "" if ends and len(own[ends[-1] :].split()) <= BEHIND else NO_ANSWER


def _unquoted(piece: Piece) -> str:
    return piece if isinstance(piece, str) else QUOTED if isinstance(piece, Quote) else " "


def _misread(reasoning: Reasoning, question: Question, oracle: Sequence[Passage], builder: PromptBuilder) -> str:
    """Whether a model that answers so would be cut short, or taken for saying something else."""
    names = [passage.id for passage in oracle]
    target = reasoning.target(question, oracle, names)
    if builder.tokenizer.count(target) + 1 > builder.answer_tokens:
        return CUT
    # “So the answer is: 1747” would be taken for the answer, whatever stands in the first line.
    other = parse(f"{ANSWER}{SOME}\n{target.partition(NEXT)[2]}", "")
    held = other.answer == SOME and other.quotes == reasoning.quotes(oracle)
    return "" if held and reads_back(target, oracle, names) else MISREAD


@dataclass(frozen=True, slots=True)
class _Source:
    """What may be quoted and cited."""

    oracle: Sequence[Passage]
    answer: str
    quote_words: int

    def names(self, number: int) -> bool:
        return 1 <= number <= len(self.oracle)

    def quote(self, text: str, number: int) -> Quote | None:
        """The quoted words in the document that is named, else in any that holds them; its own blanks and capitals."""
        first = [self.oracle[number - 1]] if self.names(number) else []
        for words in (text, text.rstrip(" ,.;:")):
            for passage in (*first, *self.oracle):
                for start, end in places(words, passage.text):
                    inside = [(a, b) for a, b in places(self.answer, passage.text) if start <= a and b <= end]
                    span = shortened(passage.text, (start, end), next(iter(inside), None), self.quote_words)
                    return Quote(passage.id, passage.text[slice(*span)])
        return None


def _pieces(text: str, source: _Source) -> list[Piece] | str:
    """The line cut at its quotes and numbers, each quote as its document has it; or what is wrong."""
    pieces: list[Piece] = []
    at = 0
    for mark in _MARK.finditer(text):
        if mark.start() > at:
            pieces.append(text[at : mark.start()])
        at = mark.end()
        quoted, number = mark[1], int(mark[2] or mark[3] or 0)
        if not quoted and not source.names(number):
            return OUT_OF_RANGE
        found = source.quote(quoted, number) if quoted else Cited(source.oracle[number - 1].id)
        if found is None:
            return INVENTED
        pieces.append(found)
    if not pieces or not isinstance(pieces[0], Quote):
        return UNQUOTED
    return [*pieces, text[at:]] if text[at:] else pieces
