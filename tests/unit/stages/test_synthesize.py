"""The synthesize stage over a small index: every question is a lesson or a rejection, and nothing of the exam leaks."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import RootModel

from ragraft.backends.embedders.hashing import HashingEmbedder
from ragraft.backends.stores.memory import MemoryStore
from ragraft.config import PromptConfig, RetrieveConfig, Section, SynthesizeConfig
from ragraft.errors import InputError
from ragraft.methods.answer import parse
from ragraft.methods.finders import Asking
from ragraft.methods.instructions import Instruction
from ragraft.methods.prompt import PromptBuilder
from ragraft.methods.reasoning import Teacher
from ragraft.methods.retrieve import open_retriever
from ragraft.ports import Generator, Tokenizer
from ragraft.records import Chunk, Document, ExamQuestion, Lesson, Question, Side, to_json
from ragraft.stages.synthesize import Finders, synthesize
from ragraft.workspace import Corpus, Exam, Folder, Index, Lessons, LessonSet

TOWNS = 40
PROMPT = PromptConfig()
RETRIEVE = RetrieveConfig(pool=20)
SIDES: tuple[Side, ...] = ("train", "train", "train", "validation", "exam")


def _text(town: int) -> str:
    filler = " ".join(random.Random(town).choices(["ash", "birch", "cedar", "elm", "fir", "hazel", "oak"], k=14))
    return f"Town number{town} stands among {filler}. Its mayor is called Mayorof{town} Smith."


def asked(town: int) -> ExamQuestion:
    """Every eighth question has no answer."""
    side = SIDES[town % 5]
    if town % 8 == 7:
        return ExamQuestion(Question(f"u{town}", f"Who is the baker of town number{town}?"), side, f"u{town}")
    question = Question(f"q{town}", f"Who is the mayor of town number{town}?", (f"Mayorof{town} Smith",))
    return ExamQuestion(question, side, f"c{town}", (f"t{town}",))


QUESTIONS = [asked(town) for town in range(TOWNS)]


class Site:
    """An index and an exam, and a place for the stage."""

    def __init__(self, root: Path, tokenizer: Tokenizer, questions: Sequence[ExamQuestion] = QUESTIONS) -> None:
        self.index = Index(Folder(root).folder("index"))
        self.tokenizer = tokenizer
        self.chunks = [
            Chunk(f"t{town}", f"d{town}", f"Town {town}", _text(town), 0, len(_text(town)), 20) for town in range(TOWNS)
        ]
        self.index.write_chunks([self.chunks])
        self.embedder = HashingEmbedder()
        matrix = self.embedder.embed([chunk.text for chunk in self.chunks])
        MemoryStore().write(self.index.store, [(self.chunks, matrix)])
        self.exam = Exam(Folder(root).folder("exam"))
        self.exam.folder.write_jsonl("questions.jsonl", map(to_json, questions))
        self.corpus = Corpus(Folder(root).folder("corpus"))
        texts = [Document(chunk.document_id, chunk.title, chunk.text) for chunk in self.chunks]
        self.corpus.folder.write_jsonl("documents.jsonl", map(to_json, texts))
        self.lessons = Folder(root).folder("lessons")
        self.out = Folder(self.lessons.file("01-raft"))

    def synthesize(self, prompt: PromptConfig = PROMPT, **settings: Any) -> LessonSet:
        """RAFT lessons."""
        return self.by("raft", prompt=prompt, **settings).steps()["01-raft"]

    def by(
        self,
        *methods: str,
        prompt: PromptConfig = PROMPT,
        own: Mapping[str, Mapping[str, Any]] | None = None,
        instructions: Sequence[Instruction] = (),
        base: Generator | None = None,
        teacher: Teacher | None = None,
        **settings: Any,
    ) -> Lessons:
        """Lessons of these methods."""
        sections = {name: RootModel[dict[str, Any]](dict(one)) for name, one in (own or {}).items()}
        return synthesize(
            self.corpus,
            self.index,
            self.exam,
            methods={name: cast(Section, sections.get(name)) for name in methods},
            settings=SynthesizeConfig(**settings),
            prompt=prompt,
            retrieve=RETRIEVE,
            finders=Finders(self.finder(), self.finder()),
            builder=self.builder(prompt),
            instructions=instructions,
            base=base,
            teacher=teacher,
            out=self.lessons,
        )

    def finder(self) -> Asking:
        retriever = open_retriever(
            self.index.chunks().by_id(),
            MemoryStore().open(self.index.store),
            embedder=self.embedder,
            reranker=None,
            pool=RETRIEVE.pool,
            rrf_k=RETRIEVE.rrf_k,
            dense_weight=1.0,
            lexical_weight=1.0,
        )
        return Asking(retriever)

    def builder(self, prompt: PromptConfig = PROMPT) -> PromptBuilder:
        return PromptBuilder(
            self.tokenizer,
            prompt.abstention,
            prompt.max_tokens,
            prompt.answer_tokens,
            grounded_only=prompt.grounded_only,
        )

    def rejected(self) -> list[dict[str, Any]]:
        return list(self.out.read_jsonl("rejected.jsonl"))

    def counts(self) -> dict[str, Any]:
        found: dict[str, Any] = self.out.read_json("counts.json")
        return found


@pytest.fixture
def site(tmp_path: Path, word_tokenizer: Tokenizer) -> Site:
    return Site(tmp_path, word_tokenizer)


def side(name: Side) -> list[ExamQuestion]:
    return [question for question in QUESTIONS if question.side == name]


def ids(questions: Sequence[ExamQuestion]) -> list[str]:
    return sorted(question.id for question in questions)


def test_every_question_is_a_lesson_once_a_copy(site: Site) -> None:
    made = site.synthesize(copies=3)
    for copy in range(3):
        lessons = [lesson for lesson in made.train() if lesson.copy == copy]
        assert sorted(lesson.question_id for lesson in lessons) == ids(side("train"))
    assert sorted(lesson.question_id for lesson in made.validation()) == ids(side("validation"))
    assert {lesson.copy for lesson in made.validation()} == {0}
    assert len({lesson.id for lesson in made.train()}) == len(made.train()) == 3 * len(side("train"))
    assert site.rejected() == []


def test_copies_are_lessons_of_their_own(site: Site) -> None:
    lessons = site.synthesize(copies=2).train()
    half = len(lessons) // 2
    first, second = ({row.question_id: row for row in part} for part in (lessons[:half], lessons[half:]))
    assert sum(first[name].prompt != second[name].prompt for name in first) > 0.8 * half
    withheld = [{name for name, row in part.items() if row.kind == "no-oracle"} for part in (first, second)]
    assert withheld[0] != withheld[1], "each round withholds other oracles"
    assert lessons[:half] == site.synthesize(copies=1).train()


def test_no_lesson_knows_the_exam(site: Site) -> None:
    site.synthesize(copies=2)
    hidden = [question for question in QUESTIONS if question.side in ("exam", "calibration")]
    assert hidden
    for name in ("lessons.jsonl", "validation.jsonl"):
        lessons = (site.out.path / name).read_text(encoding="utf-8")
        assert not any(json.dumps(question.question.question)[1:-1] in lessons for question in hidden)
        assert not any(f'"{question.id}"' in lessons for question in hidden)
    learnt = {lesson.question_id for lesson in LessonSet(site.out).train()}
    assert learnt.isdisjoint(question.id for question in side("validation"))


def test_lessons_are_true(site: Site) -> None:
    texts = {chunk.id: chunk.text for chunk in site.chunks}
    by_id = {question.id: question for question in QUESTIONS}
    made = site.synthesize(copies=2)
    lessons = made.train() + made.validation()
    kinds = Counter(lesson.kind for lesson in lessons)
    assert set(kinds) == {"oracle", "no-oracle", "unanswerable"}
    for lesson in lessons:
        question = by_id[lesson.question_id]
        found = parse(lesson.target, PROMPT.abstention)
        assert found.abstained == (lesson.kind != "oracle")
        assert set(lesson.passages).isdisjoint(question.oracle) == (lesson.kind != "oracle")
        if lesson.kind == "oracle":
            [(quote, number)] = found.quotes
            assert number is not None
            assert quote in texts[lesson.passages[number - 1]]
            assert found.answer == question.question.answers[0]


def _check_counts(counts: dict[str, Any], lessons: Sequence[Lesson]) -> None:
    kinds = {name.removeprefix("lessons, "): n for name, n in counts.items() if name.startswith("lessons, ")}
    assert kinds == Counter(lesson.kind for lesson in lessons)
    shown = sum(len(lesson.passages) - len(lesson.oracle) for lesson in lessons)
    assert sum(n for name, n in counts.items() if name.startswith("distractors, ")) == shown
    assert sum(n for name, n in counts.items() if name.startswith("oracle at place ")) == kinds["oracle"]
    assert sum(n for name, n in counts.items() if name.startswith("rejected: ")) == counts["rejected"]


def test_counts_add_up(site: Site) -> None:
    made = site.synthesize(copies=2)
    counts = site.counts()
    _check_counts(counts, made.train())
    assert counts["lessons"] == len(made.train())
    assert counts["validation lessons"] == len(made.validation())
    assert counts["rejected"] == 0
    assert counts["quoting lessons"] == counts["lessons, oracle"]
    assert counts["distractors dropped for the budget"] == 0
    tokens = sum(site.tokenizer.count_prompt(row.prompt) + site.tokenizer.count(row.target) + 1 for row in made.train())
    assert counts["tokens"] == tokens
    assert site.lessons.read_json("summary.json") == {
        "method": "raft",
        "lessons": len(made.train()),
        "validation lessons": len(made.validation()),
        "tokens": tokens,
    }


def test_the_oracle_share_counts_unanswerable_questions_to_the_rest(site: Site) -> None:
    site.synthesize(copies=1, oracle_share=0.7)
    counts = site.counts()
    assert counts["lessons, oracle"] == counts["lessons"] - round(0.3 * counts["lessons"])
    site.synthesize(copies=1, oracle_share=1.0)
    counts = site.counts()
    assert counts["lessons, oracle"] == sum(question.question.answerable for question in side("train"))
    assert "lessons, no-oracle" not in counts


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    found = []
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        site = Site(tmp_path / name, word_tokenizer)
        site.synthesize(copies=2, seed=seed)
        found.append({path.name: path.read_bytes() for path in sorted(site.out.path.iterdir())})
    assert found[0] == found[1]
    assert sorted(found[0]) == ["counts.json", "lessons.jsonl", "rejected.jsonl", "validation.jsonl"]
    assert found[0]["lessons.jsonl"] != found[2]["lessons.jsonl"]


def test_what_is_not_used_is_kept_with_its_reason(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    long = " ".join(["very"] * 100)
    babble = ExamQuestion(Question("long", "How?", (long,)), "train", "long", ("t0",))
    site = Site(tmp_path, word_tokenizer, [*QUESTIONS, babble])
    made = site.synthesize(copies=2, oracle_share=1.0)
    reason = "the wanted answer is longer than prompt.answer_tokens"
    assert site.rejected() == 2 * [{"id": "long", "reason": reason, "detail": "103 tokens"}]
    counts = site.counts()
    assert counts[f"rejected: {reason}"] == counts["rejected"] == 2
    assert len(made.train()) + 2 == 2 * (len(side("train")) + 1)


def test_questions_over_the_limits_are_kept_too(site: Site) -> None:
    made = site.synthesize(max_questions=10, max_validation=3, max_unanswerable=1.0, copies=2)
    assert len(made.train()) == 20
    assert len(made.validation()) == 3
    reasons = Counter(row["reason"] for row in site.rejected())
    assert reasons == {
        "over synthesize.max_questions": len(side("train")) - 10,
        "over synthesize.max_validation": len(side("validation")) - 3,
    }
    used = {lesson.question_id for lesson in made.train() + made.validation()}
    left = {row["id"] for row in site.rejected()}
    assert used | left == {question.id for question in side("train") + side("validation")}
    assert not used & left
    _check_counts(site.counts(), made.train())


def test_a_limit_by_question_takes_one_of_each_cluster_in_turn(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    rows = [replace(question, cluster=f"c{place // 3}") for place, question in enumerate(QUESTIONS)]
    clusters = {question.id: question.cluster for question in rows if question.side == "train"}
    most = len(set(clusters.values()))
    assert most < len(clusters)
    site = Site(tmp_path, word_tokenizer, rows)
    used = [_of(site.synthesize(max_questions=number, limit_by="question").train()) for number in (most - 1, most)]
    assert used[0] < used[1]
    assert len(used[1]) == most
    answerable = [row.id for row in rows if row.id in used[1] and row.question.answerable]
    assert len({clusters[name] for name in answerable}) == len(answerable) < most
    assert len({clusters[name] for name in _of(site.synthesize(max_questions=most).train())}) < most
    assert "limit_by" not in SynthesizeConfig().model_dump(), "lessons made before there was a choice are the same"


def _of(lessons: Sequence[Lesson]) -> set[str]:
    return {lesson.question_id for lesson in lessons if lesson.question_id}


def test_a_narrow_budget_costs_distractors_and_says_so(site: Site) -> None:
    made = site.synthesize(PromptConfig(max_tokens=180, answer_tokens=40), distractors=(3, 3))
    counts = site.counts()
    assert counts["distractors dropped for the budget"] > 0
    _check_counts(counts, made.train())
    for lesson in made.train():
        assert site.tokenizer.count_prompt(lesson.prompt) + site.tokenizer.count(lesson.target) <= 180


def crowded(root: Path, tokenizer: Tokenizer) -> Site:
    """Six questions a cluster of five towns, one of them without an answer."""
    questions = []
    for town in range(TOWNS):
        one = asked(town)
        questions.append(replace(one, side="train" if town < 30 else "validation", cluster=f"c{town // 5}"))
        if town % 5 == 0:
            where = Question(f"w{town}", f"Where does Mayorof{town} Smith live?", (f"number{town}",))
            questions.append(replace(questions[-1], question=where, oracle=(f"t{town}",)))
    return Site(root, tokenizer, questions)


@pytest.mark.parametrize("group", [1, 3, 5])
def test_lessons_of_a_group_show_the_same_documents(tmp_path: Path, word_tokenizer: Tokenizer, group: int) -> None:
    site = crowded(tmp_path, word_tokenizer)
    made = site.synthesize(group=group)
    groups: dict[tuple[int, str], list[Lesson]] = {}
    for lesson in made.train():
        groups.setdefault((lesson.copy, lesson.group or lesson.id), []).append(lesson)
    for together in groups.values():
        assert len({lesson.passages for lesson in together}) == 1
        assert len({lesson.prompt.messages[-1].content[: lesson.prompt.cut] for lesson in together}) == 1
        assert len({lesson.prompt.messages[:-1] for lesson in together}) == 1
        assert len({lesson.question_id for lesson in together}) == len(together)
    counts = site.counts()
    assert counts["document sets"] == len(groups)
    assert counts["largest group"] == max(map(len, groups.values())) <= group
    assert (counts["document sets"] == counts["lessons"]) == (group == 1)
    assert {lesson.group for lesson in made.train()} == {""} or group > 1


@pytest.mark.parametrize("group", [1, 5])
def test_no_shown_document_answers_a_question_that_it_is_no_oracle_of(
    tmp_path: Path, word_tokenizer: Tokenizer, group: int
) -> None:
    site = crowded(tmp_path, word_tokenizer)
    texts = {chunk.id: chunk.text for chunk in site.chunks}
    by_id = {question.id: question for question in site.exam.questions("train")}
    met = 0
    for lesson in site.synthesize(group=group, distractors=(1, 4)).train():
        question = by_id[lesson.question_id]
        others = [name for name in lesson.passages if name not in lesson.oracle]
        assert not any(answer in texts[name] for answer in question.question.answers for name in others)
        assert set(others).isdisjoint(question.oracle)
        met += len(others)
    assert met > 100


def test_no_validation_side_is_no_fault(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    site = Site(tmp_path, word_tokenizer, side("train"))
    assert site.synthesize().validation() == []
    assert site.counts()["validation lessons"] == 0


def test_no_lesson_at_all_is_told(tmp_path: Path, word_tokenizer: Tokenizer) -> None:
    site = Site(tmp_path, word_tokenizer, side("train")[:3])
    with pytest.raises(InputError) as caught:
        site.synthesize(PromptConfig(answer_tokens=8), copies=1, oracle_share=1.0)
    assert str(caught.value) == (
        "No lesson could be made from 3 questions (commonest reason, 3 times: the wanted answer is longer than "
        f"prompt.answer_tokens); all reasons: {site.out.file('rejected.jsonl')}"
    )
    assert [row["id"] for row in site.rejected()] == [question.id for question in side("train")[:3]]
