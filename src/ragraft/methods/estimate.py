"""How long a stage will take, and on how many tokens and bytes: arithmetic alone.

Knows sizes and paces; knows no machine, no folder and no setting. What a pace is learnt from and where it is kept is
the pipeline's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

WRITTEN = 15.0
"""A written token takes as long as this many read ones, in a batch on a processor: one pass a token, little shared."""
CHECKED = 1 / 2
"""What a token costs that is read and not learned: a pass forward without the one back, through frozen weights."""
NEWEST = 0.5
"""Weight of the newest measurement; older ones fade, since machines and their load change."""
BYTES_PER_TOKEN = 4.4
FLOAT = 4
# Adam's two moments beside the weights, at the two newest resume points.
RESUME_POINTS, WITH_MOMENTS = 2, 3
# A lesson or a question without its documents: system text, question, answer.
FRAME_TOKENS = 190
# Chunks end at sentences, short of their limit.
FILLED = 0.75
ANSWER_BYTES = 4000
IN_MINUTES, IN_HOURS = 90, 2 * 3600
LEAST_SHOWN = 50_000_000


@dataclass(frozen=True, slots=True)
class Work:
    """What a stage is to do."""

    tokens: int
    """Tokens read, embedded or trained on."""
    written: int = 0
    """Tokens generated."""
    disk: int = 0
    """Bytes at the most."""
    checked: int = 0
    """Tokens that training reads without learning from them: the validation lessons', all passes."""

    @property
    def effort(self) -> float:
        """The work in read tokens; of training, in learned ones."""
        return self.tokens + CHECKED * self.checked + WRITTEN * self.written


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast this machine did such work before, or is guessed to do it."""

    rate: float
    """Effort a second."""
    start: float
    """Seconds before the first token: opening models, starting a process."""
    guessed: bool = False


@dataclass(frozen=True, slots=True)
class Estimate:
    """What to expect of a stage."""

    seconds: float
    tokens: int
    disk: int
    guessed: bool

    def beside(self, other: Estimate, times: float) -> Estimate:
        """This and so many times the other, which writes as much each time."""
        return Estimate(
            self.seconds + times * other.seconds,
            self.tokens + round(times * other.tokens),
            self.disk + math.ceil(times) * other.disk,
            self.guessed or other.guessed,
        )

    def __str__(self) -> str:
        text = f"about {duration(self.seconds)}, {rounded(self.tokens):,} tokens, {size(self.disk)}"
        return text + (" (first guess)" if self.guessed else "")


def expect(work: Work, pace: Pace) -> Estimate:
    """The estimate for this work at this pace."""
    return Estimate(pace.start + work.effort / pace.rate, work.tokens + work.written, work.disk, pace.guessed)


def learn(before: Pace | None, work: Work, *, seconds: float, start: float) -> Pace:
    """The pace after `work` took `seconds`, and `start` more before it began; a guess counts for nothing."""
    rate = work.effort / max(seconds, 1e-3)
    if before is None or before.guessed:
        return Pace(rate, start)
    # Rates are averaged as times are: by what a token takes.
    token = NEWEST / rate + (1 - NEWEST) / before.rate
    return Pace(1 / token, NEWEST * start + (1 - NEWEST) * before.start)


def first_guess(stage: str, parameters: int, *, threads: int) -> Pace:
    """A pace before the first measurement; `threads` is 0 on an accelerator.

    Measured on two CPU cores in bf16: a model of 135 M parameters reads 900 tokens a second and learns 300, one of
    22 M embeds 4,000. An accelerator is taken as 40 times two cores.
    """
    per_million = {"index": 4000 * 22, "train": 300 * 135}.get(stage, 900 * 135)
    machine = threads / 2 if threads else 40.0
    start = {"index": 5.0, "train": 20.0}.get(stage, 10.0)
    return Pace(per_million * machine / max(parameters / 1e6, 0.1), start, guessed=True)


def index_work(corpus: int, *, bytes_per_token: float, chunk_tokens: int, width: int) -> Work:
    """To embed a corpus of so many bytes into vectors of `width` numbers."""
    tokens = math.ceil(corpus / bytes_per_token)
    chunks = math.ceil(tokens / (FILLED * chunk_tokens))
    # The text stands in the chunks and in the store with its full-text index; the vectors in shards and in the store.
    return Work(tokens, disk=3 * corpus + 2 * FLOAT * width * chunks)


def lesson_tokens(lessons: int, *, passages: float, chunk_tokens: int) -> int:
    """Tokens of lessons that are not written yet."""
    return round(lessons * (FRAME_TOKENS + passages * FILLED * chunk_tokens))


def train_work(tokens: float, *, epochs: float, trained: int, kept: int, held: float = 0) -> Work:
    """To learn lessons of `tokens` in so many passes; `trained` parameters change, `kept` ones are written.

    `held`: tokens of the validation lessons, which are read before the first pass and after each.
    """
    points = RESUME_POINTS * WITH_MOMENTS * trained
    passes = 1 + math.ceil(epochs)
    return Work(round(tokens * epochs), disk=FLOAT * (kept + points), checked=round(held * passes))


def evaluate_work(answers: int, *, shown: float, chunk_tokens: int, answer_tokens: int, shots: int) -> Work:
    """To give so many answers on `shown` passages each; `shots` further tokens are read once a batch, all batches."""
    read = answers * (FRAME_TOKENS + shown * FILLED * chunk_tokens) + shots
    return Work(round(read), written=answers * max(answer_tokens // 2, 1), disk=answers * ANSWER_BYTES)


def answers_in(work: Work, answer_tokens: int) -> float:
    """The number of answers that `evaluate_work` made this of."""
    return work.written / max(answer_tokens // 2, 1)


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, as exact as an estimate is."""
    if seconds < IN_MINUTES:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < IN_HOURS else f"{seconds / 3600:.1f} h"


def rounded(number: int) -> int:
    """Two digits that count."""
    digits = len(str(number)) - 2
    return round(number, -digits) if digits > 0 else number


def size(count: int) -> str:
    """Bytes in gigabytes."""
    return f"{count / 1e9:.1f} GB" if count >= LEAST_SHOWN else "under 0.1 GB"
