"""Questions made for lessons: mined or written, gated, placed, and never one of the exam's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ragraft.errors import BackendError, ConfigError, InputError, SourceError
from ragraft.methods.candidates import Candidate, make_candidate
from ragraft.methods.held_out import HeldOut
from ragraft.methods.sources import Mined
from ragraft.pipeline import backends, making
from ragraft.records import Chunk, Completion, ExamQuestion, Passage, Prompt, Question, Sampling, Side, to_json
from ragraft.workspace import Exam, Folder, Index, Lessons, MadeQuestions, Scorecard
from tests.conftest import lighthouse_questions, write_rows

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring, Fakes

MakeSite = Callable[..., "Site"]
MINE: dict[str, Any] = {"questions": "mine", "max_validation": 3}


@pytest.fixture
def make_alone(make_site: MakeSite) -> Callable[..., Site]:
    """A site with an exam of twelve questions and none to learn from."""

    def make(name: str = "site", **sections: Any) -> Site:
        site = make_site(name)
        write_rows(site.folder / "exam.jsonl", lighthouse_questions()[:12])
        site.configure(**{"synthesize": MINE, **sections})
        data = json.loads(site.file.read_text("utf-8"))
        data["questions"] = {"exam": "exam.jsonl"}
        site.file.write_text(json.dumps(data), encoding="utf-8")
        return site

    return make


def index(site: Site) -> Index:
    (place,) = (site.run / "20-index" / "versions").iterdir()
    return Index(Folder(place))


def exam(site: Site) -> Exam:
    (place,) = (site.run / "30-exam" / "versions").iterdir()
    return Exam(Folder(place))


def made(site: Site) -> MadeQuestions:
    return MadeQuestions(Folder(site.run / "50-lessons" / "made"))


def rejected(site: Site) -> list[dict[str, Any]]:
    return list(made(site).folder.read_jsonl("rejected.jsonl"))


def check_laws(site: Site) -> None:
    """Exact spans, true oracles, known clusters, nothing of what is held out, and every rejection counted."""
    chunks, counts = index(site).chunks().by_id(), made(site).counts()
    questions, placed = made(site).questions(), exam(site).questions()
    assert len({one.id for one in questions}) == len(questions) > 0
    for one in questions:
        chunk = chunks[one.question.metadata["chunk"]]
        assert chunk.id in one.oracle
        assert one.shown_by([chunk.id])
        assert all(text in chunk.text for text in (*one.question.answers, *one.question.evidence))
        assert all(quote in chunks[name].text for name in one.oracle for quote in one.question.evidence)
        assert one.question.metadata["made_by"]
        assert one.cluster
    clusters = {side: {one.cluster for one in questions if one.side == side} for side in ("train", "validation")}
    assert clusters["train"].isdisjoint(clusters["validation"])
    as_candidates = [as_candidate(one, chunks[one.question.metadata["chunk"]]) for one in questions]
    assert HeldOut(placed).faults(as_candidates) == {}
    reasons = {key.removeprefix("rejected: "): n for key, n in counts.items() if key.startswith("rejected: ")}
    assert sum(reasons.values()) == counts["rejected"] == len(rejected(site))
    assert all(row["reason"] in reasons for row in rejected(site))
    assert counts["made"] == len(questions) == counts["train"] + counts["validation"]


def as_candidate(one: ExamQuestion, chunk: Chunk) -> Candidate:
    asked = one.question
    return make_candidate(chunk, asked.question, answers=asked.answers, evidence=asked.evidence, kind="x", made_by="x")


def test_lessons_without_a_given_question(make_alone: MakeSite, bring: Bring) -> None:
    site = make_alone()
    bring(site, last="synthesize")
    check_laws(site)
    questions = made(site).questions()
    assert {one.side for one in questions} == {"train", "validation"}
    asked = {one.question.question for one in questions}
    assert "What is the tower of Holm made of?" in asked
    assert "What is the tower of Arlen made of?" not in asked
    refused = [row for row in rejected(site) if row["reason"] == "asked on another side too"]
    assert {row["detail"] for row in refused} == {"same as q06 (exam)", "same as q09 (exam)"}
    (known,) = [row for row in rejected(site) if row["reason"] == "answers a question of another side"]
    assert (known["detail"], known["candidate"]["answers"]) == ("'Dmitri' of q10 (exam)", ["Dmitri"])
    (step,) = Lessons(Folder(site.run / "50-lessons")).steps().values()
    sides = {one.id: one.side for one in questions}
    assert {sides[lesson.question_id] for lesson in step.train()} == {"train"}
    assert {sides[lesson.question_id] for lesson in step.validation()} == {"validation"}
    assert 0 < made(site).counts()["validation"] <= 3
    summary = Folder(site.run / "50-lessons").read_json("summary.json")
    validation = made(site).counts()["validation"]
    by = "made by a machine (ragraft patterns), 0 reviewed by a person"
    assert summary["validation label"] == f"validation: {validation} of {validation} questions {by}"
    warnings = exam(site).folder.read_json("facts.json")["warnings"]
    assert any(warning.startswith("no questions to learn from are given") for warning in warnings)


def test_the_same_seed_makes_the_same_and_a_finished_making_is_kept(
    make_alone: MakeSite, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    sites = [make_alone("one"), make_alone("two")]
    for site in sites:
        bring(site, last="synthesize")
    first, second = (made(site).folder.file("questions.jsonl").read_bytes() for site in sites)
    assert first == second
    site = make_alone("three")
    monkeypatch.setattr("ragraft.stages.synthesize.synthesize", stop)
    with pytest.raises(KeyboardInterrupt):
        bring(site, last="synthesize")
    monkeypatch.undo()
    monkeypatch.setattr(making, "_Workshop", None)  # would fail if asked to make anything
    bring(site, last="synthesize")
    assert made(site).folder.file("questions.jsonl").read_bytes() == first


def stop(*given: Any, **named: Any) -> None:
    raise KeyboardInterrupt


def test_a_whole_run_takes_its_examples_from_made_questions(make_alone: MakeSite, bring: Bring) -> None:
    site = make_alone()
    bring(site)
    facts = Folder(site.run / "70-scores").read_json("fewshot.json")
    asked = {one.question.question: one.side for one in made(site).questions()}
    assert {asked[shot["question"]] for shot in facts["examples"]} == {"train"}
    assert facts["made_by_a_machine"] == facts["validation_questions"] > 0
    card = Scorecard(Folder(site.run / "70-scores")).card()
    assert card["made_by"]["made"] == 0, "the exam is a person's"


def test_given_questions_come_first_and_made_ones_fill_up(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="examine")
    given = len(exam(site).questions("train"))
    bring(site, f"synthesize.max_questions={given + 2}", "synthesize.questions=[given, mine]", last="synthesize")
    check_laws(site)
    assert made(site).counts()["made"] == 2
    (step,) = Lessons(Folder(site.run / "50-lessons")).steps().values()
    assert len({lesson.question_id for lesson in step.train()}) == given + 2
    # Documents of the other sides are not asked about: they belong to those.
    others = {one.cluster for one in exam(site).questions() if one.side != "train"}
    documents = {name for one in exam(site).questions() if one.cluster in others for name in one.question.evidence_ids}
    assert documents.isdisjoint(one.question.evidence_ids[0] for one in made(site).questions())
    assert made(site).counts()["chunks spared for the exam side"] > 0


def test_given_questions_that_lessons_do_not_ask_are_told(make_site: MakeSite, bring: Bring) -> None:
    site = make_site(synthesize={"questions": "mine", "max_made": 3})
    bring(site, last="synthesize")
    check_laws(site)
    (step,) = Lessons(Folder(site.run / "50-lessons")).steps().values()
    ids = {one.id for one in made(site).questions()}
    assert {lesson.question_id for lesson in step.train()} == ids
    assert len(ids) == 3
    told = [row["id"] for row in step.folder.read_jsonl("rejected.jsonl") if row["reason"].startswith("given, but")]
    assert sorted(told) == sorted(one.id for one in exam(site).questions("train"))
    validation = {lesson.question_id for lesson in step.validation()}
    assert validation <= {one.id for one in exam(site).questions("validation")}


def test_the_exams_own_documents_can_be_spared(make_alone: MakeSite, bring: Bring) -> None:
    asked = {name for row in lighthouse_questions()[:12] for name in row["evidence_ids"]}
    used, spared = make_alone("used"), make_alone("spared", synthesize={**MINE, "spare_exam_documents": True})
    for site, wanted in ((used, True), (spared, False)):
        bring(site, last="synthesize")
        check_laws(site)
        on_exam = [one for one in made(site).questions() if one.question.evidence_ids[0] in asked]
        assert bool(on_exam) is wanted
        assert made(site).counts()["questions on documents that exam questions rest on"] == len(on_exam)


class Writer:
    """Writes a question on each chunk that finds it, one without an answer, and one of the exam."""

    def __init__(self, dies_at: int | None = None) -> None:
        self.asked: list[tuple[Prompt, ...]] = []
        self.dies_at = dies_at

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        if len(self.asked) == self.dies_at:
            raise KeyboardInterrupt
        self.asked.append(tuple(prompts))
        return [Completion(self._write(one.messages[-1].content), (1, 2), prompt_tokens=10) for one in prompts]

    def _write(self, text: str) -> str:
        if "Question: " in text:
            return self._answer(text)
        place, stone = text.split("\n")[0].partition(" › ")[0], re.search(r"made of (\w+)", text)
        return (
            f"Question: How long has the lamp of {place} been kept?\nAnswer: {self._years(text)}\n"
            f"Question: Who owns {place}?\nAnswer: nobody at all\n"
            f"Question: What is the tower of {place} made of?\nAnswer: {stone[1] if stone else 'chalk'}"
        )

    def _answer(self, text: str) -> str:
        shown, _, question = text.rpartition("Question: ")
        return f"Answer: {self._years(shown)}" if "kept" in question and "years" in shown else "Answer: no idea"

    def _years(self, text: str) -> str:
        words = text.split()
        return " ".join(words[words.index("years") - 1 : words.index("years") + 1]) if "years" in words else "a year"


GENERATE: dict[str, Any] = {"questions": "generate", "max_validation": 2, "generate": {"check": 2}}


@pytest.fixture
def writer(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> Writer:
    found = Writer()
    monkeypatch.setattr(fakes, "generator", lambda model: found)
    return found


def test_a_model_writes_questions_and_passes_the_same_gates(make_alone: MakeSite, bring: Bring, writer: Writer) -> None:
    site = make_alone(synthesize=GENERATE, index={"chunk_tokens": 160})
    bring(site, last="synthesize")
    check_laws(site)
    counts = made(site).counts()
    assert counts["by generate"] == counts["made"]
    assert "How long has the lamp of Lomond been kept?" in {one.question.question for one in made(site).questions()}
    assert counts["rejected: the answer does not stand in the chunk"] >= 8
    assert counts["rejected: asked on another side too"] >= 3
    assert counts["chunks looked at"] == sum(len(batch) for batch in writer.asked if is_writing(batch))
    assert sum(n for key, n in counts.items() if key.startswith("chunks with ")) == len(
        {one.question.metadata["chunk"] for one in made(site).questions()}
    )
    prompts = sum(map(len, writer.asked))
    used = counts["generator"]
    assert (used["prompts"], used["prompt tokens"], used["answer tokens"]) == (prompts, 10 * prompts, 2 * prompts)
    assert counts["tried with and without its chunk"]["asked"] >= 2
    assert "cost" not in used


def is_writing(batch: Sequence[Prompt]) -> bool:
    return all("Question: " not in prompt.messages[-1].content for prompt in batch)


def test_a_killed_writing_goes_on_from_its_kept_answers(make_alone: MakeSite, bring: Bring, writer: Writer) -> None:
    whole = make_alone("whole", synthesize=GENERATE)
    bring(whole, last="synthesize")
    asked, writer.asked = writer.asked, []
    for file in (whole.folder / "runs" / ".answers").rglob("*.json"):
        file.unlink()
    site = make_alone("killed", synthesize=GENERATE)
    writer.dies_at = len(asked) // 2
    with pytest.raises(KeyboardInterrupt):
        bring(site, last="synthesize")
    writer.dies_at = None
    bring(site, last="synthesize")
    assert writer.asked == asked, "each batch was asked once"
    one, other = (made(place).folder.file("questions.jsonl").read_bytes() for place in (whole, site))
    assert one == other


def test_an_endpoints_tokens_have_a_price(
    make_alone: MakeSite, bring: Bring, monkeypatch: pytest.MonkeyPatch, fakes: Fakes
) -> None:
    found, real = Writer(), backends.load
    far = {("generators", "openai"): lambda model, url, body: found}
    monkeypatch.setattr(backends, "load", lambda port, name, also=(): far.get((port, name)) or real(port, name, also))
    endpoint = {"url": "http://far.test/v1", "price_read": 1.0, "price_written": 500000.0, "concurrency": 1}
    site = make_alone(synthesize={**GENERATE, "generate": {"model": "openai:big", "check": 0}}, endpoint=endpoint)
    bring(site, last="synthesize")
    counts = made(site).counts()
    assert counts["generator"]["model"] == "openai:big"
    assert counts["generator"]["cost"] == pytest.approx(counts["generator"]["answer tokens"] * 0.5, abs=0.01)
    assert {one.question.metadata["made_by"] for one in made(site).questions()} == {"model openai:big"}
    assert all(len(batch) == 1 for batch in found.asked)


def test_the_users_own_retriever_is_asked_and_its_passages_kept(
    make_alone: MakeSite, bring: Bring, monkeypatch: pytest.MonkeyPatch, fakes: Fakes
) -> None:
    site = make_alone()
    bring(site, last="index")
    chunks = index(site).chunks()
    asked: list[str] = []

    class Theirs:
        def __init__(self, url: str) -> None:
            assert url == "http://their.test"

        def retrieve(self, questions: Sequence[str], k: int) -> list[list[Passage]]:
            asked.extend(questions)
            return [self._ranked(set(question.strip("?“”.").split()))[:k] for question in questions]

        def _ranked(self, words: set[str]) -> list[Passage]:
            rows = [Passage(f"their-{one.id}", one.document_id, one.title, one.text) for one in chunks]
            return sorted(rows, key=lambda row: -len(words & set(row.text.split())))

    real = backends.load
    monkeypatch.setattr(
        backends,
        "load",
        lambda port, name, also=(): Theirs if (port, name) == ("retrievers", "http") else real(port, name, also),
    )
    site.configure(retrieve={"retriever": "http", "url": "http://their.test"})
    bring(site, last="synthesize")
    kept = made(site).retrieved()
    questions = made(site).questions()
    assert set(kept) == {one.id for one in questions}
    for one in questions:
        assert one.question.question in asked
        assert any(set(passage.shows) & set(one.oracle) for passage in kept[one.id][:2]), "it found its chunk"
    (step,) = Lessons(Folder(site.run / "50-lessons")).steps().values()
    assert all(name.startswith("their-") for lesson in step.train() for name in lesson.passages)


Faulty = tuple[dict[str, Any], type[Exception], str]
FAULTS: tuple[Faulty, ...] = (
    (
        {"synthesize": {"questions": "given"}},
        ConfigError,
        r"questions.lessons is left out, so lessons must ask made questions: set synthesize.questions to mine",
    ),
    (
        {"retrieve": {"retriever": "contexts"}},
        ConfigError,
        r"synthesize.questions: mine makes questions that carry no passages, and retrieve.retriever is contexts",
    ),
    ({"synthesize": {"questions": []}}, ConfigError, r"must hold at least one"),
    ({"synthesize": {"questions": ["mine", "given"]}}, ConfigError, r"given stands first"),
    ({"synthesize": {"questions": ["mine", "mine"]}}, ConfigError, r"mine stands twice"),
    ({"synthesize": {"questions": "mine", "language": "xx"}}, ConfigError, r"^No question patterns for xx"),
    (
        {"synthesize": {"questions": "generate", "generate": {"model": "openai:x"}}},
        BackendError,
        r"^openai:x needs endpoint.url",
    ),
    (
        {"synthesize": {"questions": "generate", "generate": {"model": "gone"}}},
        SourceError,
        r"^synthesize.generate.model: No model at gone",
    ),
)


@pytest.mark.parametrize("fault", FAULTS, ids=[told[:30] for _, _, told in FAULTS])
def test_what_cannot_be_made_is_told_before_anything_runs(make_alone: MakeSite, bring: Bring, fault: Faulty) -> None:
    sections, kind, told = fault
    site = make_alone(**sections)
    with pytest.raises(kind, match=told):
        bring(site, last="synthesize")
    assert not (site.run / "10-corpus").exists()


def test_a_corpus_that_yields_nothing_is_one_sentence(
    make_alone: MakeSite, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_alone()
    monkeypatch.setattr(making, "mined", lambda *given, **named: Mined([], 0))
    with pytest.raises(InputError, match=r"^No question for lessons could be made from 0 chunks \(there was no candid"):
        bring(site, last="synthesize")


SIDED: tuple[tuple[str, Side], ...] = (("a", "train"), ("b", "validation"))


def test_placed_questions_come_back_as_they_were(tmp_path: Path) -> None:
    asked = [ExamQuestion(Question(name, f"What is {name}?", (name,)), side, "c", ("a#0",)) for name, side in SIDED]
    found = MadeQuestions(Folder(tmp_path))
    assert found.questions() == []
    assert found.retrieved() == {}
    found.folder.write_jsonl("questions.jsonl", map(to_json, asked))
    assert found.questions() == asked
    assert found.questions("train") == asked[:1]
