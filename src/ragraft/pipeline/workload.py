"""How much each long stage of a run is to do: tokens to read and to write, and bytes.

Gathers sizes from config and artifacts, where those are not made yet from the user's own files; the arithmetic is
`methods.estimate`. Knows no pace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ragraft.config import QuestionFiles, StepConfig
from ragraft.methods import estimate as arithmetic
from ragraft.methods import own_answers
from ragraft.methods.estimate import Work
from ragraft.methods.forgetting import number_of_answers
from ragraft.methods.passage_sweeps import passages_shown, sweep_points
from ragraft.methods.probe import ANSWER_TOKENS
from ragraft.methods.probing.table import PROBES
from ragraft.methods.teaching.table import METHODS
from ragraft.pipeline.general import probed, teacher_model
from ragraft.pipeline.wiring import At
from ragraft.records import Side
from ragraft.workspace import Corpus, Exam, Folder, Lessons, hash_json

LESSONS = "synthesize"
"""Long where the base model is asked; how fast it answers is learnt where most is asked, in evaluate."""
TARGET_TOKENS = 40
"""Learned tokens of a lesson, about."""
DEFAULT_WIDTH = 384


@dataclass(frozen=True)
class Workload:
    """The sizes of a run's stages."""

    at: At
    runs: Path

    def of(self, stage: str) -> Work:
        """What a long stage is to do; for lessons nothing where the base model is not asked."""
        return _WORK[stage](self)

    @cached_property
    def asked(self) -> str:
        """What decides the base model's answers: runs in which it is equal share them."""
        made, config = self.at.made, self.at.config
        identity = f"{self.at.backends.model_facts()['identity']} {config.evaluate.generator}"
        inputs = [manifest.fingerprint for name in ("index", "examine") if (manifest := _manifest(made.get(name)))]
        parts = (config.evaluate, config.prompt, config.retrieve, config.synthesize)
        return hash_json([inputs, [part.model_dump(mode="json") for part in parts], identity])

    def index_work(self) -> Work:
        return arithmetic.index_work(
            self._corpus_bytes(),
            bytes_per_token=arithmetic.BYTES_PER_TOKEN,
            chunk_tokens=self.at.config.index.chunk_tokens,
            width=self.at.backends.embedder_size().width or DEFAULT_WIDTH,
        )

    def train_work(self) -> Work:
        """All methods of the chain; what an earlier one wrote stays, and only one has resume points at a time."""
        size = self.at.backends.model_size()
        steps = []
        for (step, tokens), held in zip(self.lesson_steps(), self._validation_tokens(), strict=True):
            whole = step.settled_tuning(size.parameters) == "full"
            trained = size.parameters if whole else step.rank * size.adapter
            steps.append(arithmetic.train_work(tokens, epochs=step.epochs, trained=trained, kept=trained, held=held))
        steps += [self._preference_work(trained)] if self.at.config.train.preference else []
        return Work(
            sum(work.tokens for work in steps),
            sum(work.written for work in steps),
            disk=sum(work.disk for work in steps),
            checked=sum(work.checked for work in steps),
        )

    def _preference_work(self, trained: int) -> Work:
        """A lesson a question is answered, and read with both answers, which needs a third more for the reference."""
        config, train = self.at.config, self.at.config.train
        lessons = min(self.lessons(), train.dpo.max_pairs)
        passages = 1 + sum(config.synthesize.distractors) / 2
        tokens = arithmetic.lesson_tokens(lessons, passages=passages, chunk_tokens=config.index.chunk_tokens)
        learned = arithmetic.train_work(2 * tokens * 4 / 3, epochs=train.dpo.epochs, trained=trained, kept=trained)
        # In training's pace, which is a third of that of reading.
        return Work(learned.tokens + tokens // 3, written=lessons * config.prompt.answer_tokens // 6, disk=learned.disk)

    def lesson_steps(self) -> list[tuple[StepConfig, float]]:
        """Each method of the chain with the tokens that an epoch of it computes."""
        return list(zip(self.at.config.train.chain().values(), self._lesson_tokens(), strict=True))

    def diagnose_work(self) -> Work:
        """Six answers a question, five with examples; four show passages of a search, one the oracle, one nothing."""
        config, chunk = self.at.config, self.at.config.index.chunk_tokens
        questions = min(self._questions("validation"), config.diagnose.max_questions)
        example = arithmetic.lesson_tokens(config.diagnose.shots, passages=2, chunk_tokens=chunk)
        return arithmetic.evaluate_work(
            6 * questions,
            shown=(4 * config.retrieve.k + 1) / 6,
            chunk_tokens=chunk,
            answer_tokens=config.prompt.answer_tokens,
            shots=-(-questions // config.diagnose.batch) * 5 * example,
        )

    def calibrate_work(self) -> Work:
        """Two answers a question of the calibration side and of the exam, one with passages."""
        config = self.at.config
        own, exam = self._questions("calibration"), self._questions("exam")
        questions = min(own, config.calibrate.max_questions or own)
        questions += config.calibrate.exam * min(exam, config.evaluate.max_questions or exam)
        return arithmetic.evaluate_work(
            2 * questions,
            shown=config.retrieve.k / 2,
            chunk_tokens=config.index.chunk_tokens,
            answer_tokens=config.prompt.answer_tokens,
            shots=0,
        )

    def evaluate_work(self) -> Work:
        config = self.at.config
        settings = config.evaluate
        questions = self._questions("exam")
        questions = min(questions, settings.max_questions or questions)
        shown = {"none": 0, "retrieved": config.retrieve.k, "oracle": 1, "oracle+N": config.retrieve.k}
        models = ["tuned"] if self._base_is_kept() and "tuned" in settings.models else settings.models
        fewshot = "base-fewshot" in models
        trial = 2 * settings.shot_questions * fewshot
        choosing = "tuned" in models and None in (config.prompt.abstain_above, config.prompt.reread)
        chosen = min(self._questions("validation"), settings.threshold_questions) if choosing else 0
        answers = questions * len(settings.contexts) * len(models) + trial + chosen
        if settings.forgetting and "tuned" in settings.models:
            answers += number_of_answers(base_is_kept=self._base_is_kept())
        passages = sum(shown[context] for context in settings.contexts) * questions * len(models)
        points = self._points(questions)
        answers += len(models) * sum(number for number, _ in points)
        passages += len(models) * sum(number * many for number, many in points)
        batches = sum(-(-number // settings.batch) for number, _ in points)
        batches = (batches + -(-questions // settings.batch) * len(settings.contexts)) * fewshot
        example = arithmetic.lesson_tokens(settings.shots, passages=2, chunk_tokens=config.index.chunk_tokens)
        return arithmetic.evaluate_work(
            answers,
            shown=(passages + (trial + chosen) * config.retrieve.k) / max(answers, 1),
            chunk_tokens=config.index.chunk_tokens,
            answer_tokens=config.prompt.answer_tokens,
            shots=batches * example,
        )

    def _points(self, questions: int) -> list[tuple[int, int]]:
        """What is asked of a model beside the grid: questions, and passages that each shows, point by point."""
        k, settings = self.at.config.retrieve.k, self.at.config.evaluate
        swept = min(questions, settings.sweep_questions)
        probed = (PROBES[name].cells * min(questions, settings.probe_questions) for name in settings.probes)
        return [
            *((swept, passages_shown(name, at, k)) for name in settings.sweeps for at in sweep_points(name, k)),
            *((number, k) for number in probed),
        ]

    def lesson_work(self) -> Work:
        """What the base model is asked before lessons: a sample of what it knows, reasonings where it writes them, and
        general instructions where a method learns its own answers.

        Nothing where others are asked, too, or more than can be foretold.
        """
        config, questions = self.at.config, self.lessons()
        teacher = teacher_model(config)
        if "generate" in config.synthesize.made or teacher not in (None, config.model):
            return Work(0)
        seeds, documents = self._general_answers()
        room, chunk = config.prompt.answer_tokens, config.index.chunk_tokens
        parts = [
            arithmetic.evaluate_work(answers, shown=shown, chunk_tokens=chunk, answer_tokens=tokens, shots=0)
            for answers, shown, tokens in (
                (min(probed(config), questions) * config.synthesize.probe_answers, 0.0, min(ANSWER_TOKENS, room)),
                (questions if teacher else 0, 1.0, room),
                (seeds, 0.0, own_answers.ANSWER_TOKENS),
                (documents, sum(own_answers.SHOWN) / 2, own_answers.ANSWER_TOKENS),
            )
        ]
        tokens, written, disk = (sum(getattr(part, key) for part in parts) for key in ("tokens", "written", "disk"))
        return Work(tokens, written, disk)

    def _general_answers(self) -> tuple[int, int]:
        """About how many general instructions the base model answers: bare ones, and ones on documents."""
        config, hybrid = self.at.config, self.at.config.hybrid
        context, _, general = hybrid.ratio
        if not (general and any(METHODS[name].asks_base for name in config.train.method)):
            return 0, 0
        learned = self.lessons() * TARGET_TOKENS * general / context
        seeds = 0 if config.instructions else own_answers.number_of_seeds()
        return seeds, own_answers.number_on_passages(hybrid.with_documents * learned)

    def _base_is_kept(self) -> bool:
        """Whether finished scores, of this run or a sibling, hold the same questions to the same base."""
        scores = [*self.runs.glob("*/70-scores"), *self.runs.glob("*/replaced/70-scores-*")]
        found = (_manifest(Folder(place)) for place in scores)
        return any(one.estimate["asked"] == self.asked for one in found if one and one.estimate)

    def _corpus_bytes(self) -> int:
        if "ingest" in self.at.made:
            return Corpus(self.at.made["ingest"]).bytes()
        return sum(_bytes(place) for place in self.at.config.documents)

    def _questions(self, side: Side) -> int:
        if "examine" in self.at.made:
            return len(Exam(self.at.made["examine"]).questions(side))
        files, shares = self.at.config.questions, self.at.config.examine.shares
        if isinstance(files, QuestionFiles):
            return _lines(files.exam) if side == "exam" else _lines(files.lessons) if files.lessons else 0
        return round(_lines(files) * float(getattr(shares, side))) if files else 0

    def lessons(self) -> int:
        """Questions of the train side that lessons ask."""
        settings = self.at.config.synthesize
        questions = self._questions("train") if "given" in settings.questions else 0
        questions += settings.max_made if settings.made else 0
        return min(questions, settings.max_questions or questions)

    @cached_property
    def _counts(self) -> list[dict[str, Any]]:
        """What stands of each method's lessons, which are made."""
        return [step.counts() for step in Lessons(self.at.made["synthesize"]).steps().values()]

    def _lesson_tokens(self) -> list[float]:
        """Tokens that an epoch of each method computes; before the lessons are made, as if they shared nothing."""
        config = self.at.config
        settings = config.synthesize
        if "synthesize" in self.at.made:
            # An epoch reads one copy, and what a group's lessons share once, unless rows are asked for.
            read = ["tokens to compute" if step.share else "tokens" for step in config.train.chain().values()]
            return [float(one[key]) / one["copies"] for one, key in zip(self._counts, read, strict=True)]
        lessons = self.lessons()
        passages = {"sft": 0.0, "rag-sft": float(config.retrieve.k)}
        whole = self._corpus_bytes() / arithmetic.BYTES_PER_TOKEN
        texts = min(whole, config.dap.max_tokens or whole) * (1 + config.dap.general)
        # Beside raft's lessons hybrid learns other parts, in a ratio of learned tokens.
        beside = {"hybrid": sum(config.hybrid.ratio) / config.hybrid.ratio[0]}
        return [
            texts
            if method == "dap"
            else beside.get(method, 1.0)
            * arithmetic.lesson_tokens(
                lessons,
                passages=passages.get(method, 1 + sum(settings.distractors) / 2),
                chunk_tokens=config.index.chunk_tokens,
            )
            for method in config.train.method
        ]

    def _validation_tokens(self) -> list[float]:
        """Tokens that a pass over each method's validation lessons computes; before they are made, as of the others."""
        if "synthesize" in self.at.made:
            return [float(one.get("validation tokens to compute", 0)) for one in self._counts]
        held = min(self._questions("validation"), self.at.config.synthesize.max_validation)
        share = held / max(self.lessons(), 1)
        return [
            0.0 if method == "dap" else share * tokens
            for method, tokens in zip(self.at.config.train.method, self._lesson_tokens(), strict=True)
        ]


_WORK: Mapping[str, Callable[[Workload], Work]] = {
    "index": Workload.index_work,
    LESSONS: Workload.lesson_work,
    "train": Workload.train_work,
    "evaluate": Workload.evaluate_work,
    "diagnose": Workload.diagnose_work,
    "calibrate": Workload.calibrate_work,
}


def _manifest(folder: Folder | None) -> Any:
    return folder.manifest() if folder else None


def _bytes(place: Path) -> int:
    files = place.rglob("*") if place.is_dir() else [place]
    return sum(file.stat().st_size for file in files if file.is_file())


def _lines(file: Path) -> int:
    with file.open("rb") as lines:
        return sum(bool(line.strip()) for line in lines)
