"""The examine stage over a small corpus: what it writes, refuses and warns of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ragraft.config import ExamineConfig, QuestionFiles, RetrieveConfig
from ragraft.errors import InputError
from ragraft.methods.recalls import RANKINGS
from ragraft.methods.retrieve import Ranking
from ragraft.ports import Retriever
from ragraft.records import SIDES, Chunk, Document, Hit, to_json
from ragraft.stages.examine import examine, fingerprint_questions
from ragraft.workspace import Corpus, Exam, Folder, Index

TOWNS = 40


def text(town: int) -> str:
    return f"Town number{town} has a mayor called Mayorof{town}.\n\nIts river is River{town}water and flows north."


class FakeRanker:
    """Knows each town by its number: `hybrid` finds it first, `dense` third, `lexical` never."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def rankings(self, questions: Sequence[str], k: int, /) -> dict[Ranking, list[list[Hit]]]:
        self.asked.append((len(questions), k))
        found: dict[Ranking, list[list[Hit]]] = {"lexical": [], "dense": [], "hybrid": []}
        for town in (question.split()[-1].strip("?") for question in questions):
            own, others = [[Hit(f"{name}#{place}", 1.0) for place in range(2)] for name in (f"town{town}", "x")]
            found["lexical"].append(others[:k])
            found["dense"].append((others + own)[:k])
            found["hybrid"].append((own + others)[:k])
        return found


class Made:
    """A corpus and an index of it, and a place for the stage."""

    def __init__(self, root: Path, documents: Sequence[Document] | None = None) -> None:
        self.root = root
        documents = documents or [Document(f"town{town}", "", text(town)) for town in range(TOWNS)]
        self.corpus = Corpus(Folder(root).folder("corpus"))
        self.corpus.folder.write_jsonl("documents.jsonl", map(to_json, documents))
        self.corpus.folder.write_json("same.json", {"twin0": "town0"})
        self.index = Index(Folder(root).folder("index"))
        self.index.write_chunks([[chunk for document in documents for chunk in _chunks(document)]])
        self.out = Folder(root).folder("exam")
        self.ranker = FakeRanker()
        self.retrieve = RetrieveConfig()
        self.users: Retriever | None = None

    def file(self, rows: Sequence[Any], name: str = "questions.jsonl") -> Path:
        path = self.root / name
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    def examine(self, questions: Path | QuestionFiles, **settings: Any) -> Exam:
        return examine(
            self.corpus,
            self.index,
            questions=questions,
            settings=ExamineConfig(**settings),
            retrieve=self.retrieve,
            retriever=self.ranker,
            users=self.users,
            out=self.out,
        )

    def warnings(self) -> list[str]:
        found: list[str] = self.out.read_json("facts.json")["warnings"]
        return found


def _chunks(document: Document) -> list[Chunk]:
    first = document.text.split("\n\n")[0]
    ends = (len(first), len(document.text))
    starts = (0, len(first) + 2)
    return [
        Chunk(
            f"{document.id}#{row}", document.id, "", document.text[starts[row] : ends[row]], starts[row], ends[row], 1
        )
        for row in (0, 1)
    ]


def mayor(town: int, **changes: Any) -> dict[str, Any]:
    row = {"id": f"m{town}", "question": f"Who is the mayor of town {town}?", "answers": [f"Mayorof{town}"]}
    return row | {"evidence_ids": [f"town{town}"]} | changes


def river(town: int, **changes: Any) -> dict[str, Any]:
    row = {"id": f"r{town}", "question": f"Which river is in town {town}?", "answers": [f"River{town}water"]}
    return row | {"evidence_ids": [f"town{town}"]} | changes


def unknown(number: int) -> dict[str, Any]:
    return {"id": f"u{number}", "question": f"How old is person {number}?", "answers": []}


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def test_every_question_is_placed_with_its_oracle(made: Made) -> None:
    rows = [*map(mayor, range(TOWNS)), *map(river, range(TOWNS)), *map(unknown, range(20))]
    placed = made.examine(made.file(rows)).questions()
    assert [row.id for row in placed] == [row["id"] for row in rows]
    by_id = {row.id: row for row in placed}
    for town in range(TOWNS):
        assert by_id[f"m{town}"].oracle == (f"town{town}#0",)
        assert by_id[f"r{town}"].oracle == (f"town{town}#1",)
        assert by_id[f"m{town}"].cluster == by_id[f"r{town}"].cluster
        assert by_id[f"m{town}"].side == by_id[f"r{town}"].side
    assert by_id["u0"].oracle == ()
    facts = made.out.read_json("facts.json")
    assert facts["sides"] == {
        "train": {"questions": 65, "clusters": 39, "unanswerable": 13},
        "validation": {"questions": 10, "clusters": 6, "unanswerable": 2},
        "calibration": {"questions": 10, "clusters": 6, "unanswerable": 2},
        "exam": {"questions": 15, "clusters": 9, "unanswerable": 3},
    }
    assert facts["known_documents"] == {"exam_questions": 0, "exam_questions_in_known_clusters": 0, "of": 15}
    assert facts["warnings"] == []
    for name in ("rejected.jsonl", "duplicates.jsonl", "faults.jsonl"):
        assert list(made.out.read_jsonl(name)) == []
    assert made.out.read_json("summary.json") == {
        "train questions": 65,
        "validation questions": 10,
        "calibration questions": 10,
        "exam questions": 15,
        "exam clusters": 9,
        "unanswerable": 20,
        "weak or located oracles": 0,
        "rejected": 0,
        "hybrid recall@4 on the exam": 1.0,
        "warnings": 0,
    }


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        made = Made(tmp_path / name)
        made.examine(made.file([*map(mayor, range(20)), *map(unknown, range(9))]))
        found.append({path.name: path.read_bytes() for path in made.out.path.iterdir()})
    assert found[0] == found[1]
    assert len(found[0]) == 7


def test_retrieval_is_measured_for_three_sides_and_rankings(made: Made) -> None:
    made.examine(made.file([*map(mayor, range(TOWNS)), unknown(0)]), recall_at=(4, 1, 4))
    table = made.out.read_json("retrieval.json")
    assert table["depths"] == [1, 4]
    values = {(row["side"], row["ranking"], row["metric"]): row["value"] for row in table["rows"]}
    assert {side for side, _, _ in values} == {"train", "validation", "exam"}
    for side in ("train", "validation", "exam"):
        assert [values[side, ranking, "recall@1"] for ranking in RANKINGS] == [0, 0, 1]
        assert [values[side, ranking, "recall@4"] for ranking in RANKINGS] == [0, 1, 1]
        assert [values[side, ranking, "mrr@4"] for ranking in RANKINGS] == [0, pytest.approx(1 / 3), 1]
    sides = made.out.read_json("facts.json")["sides"]
    for row in table["rows"]:
        assert row["n"] == sides[row["side"]]["questions"] - sides[row["side"]]["unanswerable"]
        assert row["low"] <= row["value"] <= row["high"]
    calibration = sides["calibration"]["questions"]
    assert made.ranker.asked == [(TOWNS - calibration, 4)]


def test_full_recall_is_measured_where_evidence_has_several_pieces(made: Made) -> None:
    rows: list[dict[str, Any]] = [mayor(town) for town in range(0, TOWNS, 2)]
    rows += [mayor(town, evidence_ids=[f"town{town}", f"town{town - 1}"]) for town in range(1, TOWNS, 2)]
    made.examine(made.file(rows), recall_at=(4,))
    found = [row for row in made.out.read_json("retrieval.json")["rows"] if row["metric"] == "full_recall@4"]
    assert len(found) == 9
    assert {row["value"] for row in found} == {0.0}, "the other town is never found"
    exam = made.out.read_json("facts.json")["sides"]["exam"]["questions"]
    assert 0 < next(row["n"] for row in found if row["side"] == "exam") < exam


def test_no_depths_no_table(made: Made) -> None:
    made.examine(made.file(list(map(mayor, range(20)))), recall_at=())
    assert made.out.read_json("retrieval.json") == {"depths": [], "rows": []}
    assert made.ranker.asked == []


def test_two_files_keep_the_exam_apart_and_report_known_documents(made: Made) -> None:
    lessons = made.file(list(map(mayor, range(TOWNS))), "lessons.jsonl")
    exam = made.file([river(town, evidence_ids=["twin0"] if town == 0 else [f"town{town}"]) for town in range(12)])
    placed = made.examine(QuestionFiles(lessons=lessons, exam=exam)).questions()
    assert {row.id for row in placed if row.side == "exam"} == {f"r{town}" for town in range(12)}
    counts = {side: sum(row.side == side for row in placed) for side in SIDES}
    assert counts == {"train": 30, "validation": 5, "calibration": 5, "exam": 12}
    trained = {row.cluster for row in placed if row.side == "train"}
    both = sum(row.side == "exam" and row.cluster in trained for row in placed)
    facts = made.out.read_json("facts.json")
    assert facts["known_documents"] == {"exam_questions": both, "exam_questions_in_known_clusters": both, "of": 12}
    assert facts["warnings"] == [
        f"{both} of 12 exam questions rest on documents that train-side questions rest on too: the exam asks new "
        "questions on known documents"
    ]


def test_a_question_of_the_exam_is_rejected_from_the_lessons(made: Made) -> None:
    lessons = made.file(list(map(mayor, range(TOWNS))), "lessons.jsonl")
    exam = made.file([mayor(3, id="again"), *map(river, range(12))])
    placed = made.examine(QuestionFiles(lessons=lessons, exam=exam)).questions()
    assert "m3" not in {row.id for row in placed}
    assert list(made.out.read_jsonl("rejected.jsonl")) == [
        {"id": "m3", "reason": "asked on another side too", "detail": "same as again (exam)"}
    ]
    [pair] = made.out.read_jsonl("duplicates.jsonl")
    assert (pair["kept"], pair["side"], pair["other"], pair["rejected"]) == ("again", "exam", "m3", True)


def test_very_many_same_questions_are_reported_and_kept(made: Made) -> None:
    lessons = made.file(list(map(mayor, range(TOWNS))), "lessons.jsonl")
    exam = made.file([mayor(town, id=f"e{town}") for town in range(12)])
    placed = made.examine(QuestionFiles(lessons=lessons, exam=exam)).questions()
    assert len(placed) == TOWNS + 12
    assert list(made.out.read_jsonl("rejected.jsonl")) == []
    assert [row["rejected"] for row in made.out.read_jsonl("duplicates.jsonl")] == [False] * 12
    assert made.warnings()[0].startswith("12 questions asked on two sides, so many that the set looks templated")


def test_questions_on_the_same_given_document_are_not_parted(made: Made) -> None:
    given = [
        {**unknown(town), "metadata": {"context_ids": [f"town{town}", "gone"]}, "contexts": ["a passage as text"]}
        for town in range(10)
    ]
    named = [{**unknown(town + 10), "evidence_ids": [f"town{town}"]} for town in range(10)]
    found = {row.id: row for row in made.examine(made.file([*map(mayor, range(TOWNS)), *given, *named])).questions()}
    for town in range(10):
        assert found[f"m{town}"].cluster == found[f"u{town}"].cluster == found[f"u{town + 10}"].cluster


def test_a_no_that_rests_on_silence_is_kept_and_stays_with_what_its_metadata_names(tmp_path: Path) -> None:
    documents = [Document(f"town{n}", f"Town {n}", text(n), {"state": f"s{n}"}) for n in range(TOWNS)]
    made = Made(tmp_path, documents)
    asked = [
        {"id": f"n{n}", "question": f"Has town {n} a port?", "answers": ["no"], "options": ["yes", "no"]}
        | {"metadata": {"state": f"s{n}"}}
        for n in range(2)
    ]
    lost = asked[0] | {"id": "lost", "question": "Has no town a port?", "evidence_ids": ["gone"]}
    exam = made.examine(made.file([*map(mayor, range(TOWNS)), *map(river, range(TOWNS)), *asked, lost]))
    found = {row.id: row for row in exam.questions()}
    assert [found[f"n{n}"].cluster for n in range(2)] == [found[f"m{n}"].cluster for n in range(2)]
    assert found["n0"].oracle == ()
    assert [row["id"] for row in made.out.read_jsonl("rejected.jsonl")] == ["lost"]
    assert any(
        warning.startswith("2 questions answered by a label and without evidence") for warning in made.warnings()
    )


def test_evidence_that_is_nowhere_rejects_the_question_and_names_it(made: Made) -> None:
    lost = mayor(1, id="lost", answers=["nobody at all"], evidence_ids=["gone"], evidence="no such thing")
    guessed = mayor(2, id="guessed", evidence_ids=[])
    weak = mayor(3, id="weak", answers=["yes"])
    exam = made.examine(
        made.file(
            [
                *map(river, range(TOWNS)),
                *map(unknown, range(1, 60)),
                lost,
                guessed,
                weak,
                {**unknown(0), "evidence_ids": "x"},
            ]
        )
    )
    placed = {row.id: row for row in exam.questions()}
    assert placed["guessed"].located
    assert placed["guessed"].oracle == ("town2#0",)
    assert placed["weak"].weak
    detail = "evidence id gone is no document; quote “no such thing” stands in no document"
    assert list(made.out.read_jsonl("rejected.jsonl")) == [
        {"id": "lost", "reason": "no evidence found", "detail": detail}
    ]
    assert list(made.out.read_jsonl("faults.jsonl")) == [{"question_id": "u0", "fault": "evidence id x is no document"}]
    assert made.warnings() == [
        f"1 question without evidence in the documents, rejected: lost ({detail})",
        "1 piece of evidence not found: u0: evidence id x is no document; all are in faults.jsonl",
        "1 question without evidence, located by the answer: guessed",
        "1 question whose evidence document shows neither quote nor telling answer: its best-ranked chunk is "
        "taken: weak",
    ]
    assert made.out.read_json("summary.json")["weak or located oracles"] == 2


def test_unknown_keys_are_a_warning(made: Made) -> None:
    made.examine(made.file([*map(river, range(TOWNS)), *map(unknown, range(60)), mayor(0, key="k")]))
    assert made.warnings() == [
        "questions.jsonl has keys that ragraft does not know, kept as metadata: key (1 of 101 rows)"
    ]


def test_a_small_exam_is_a_warning(made: Made) -> None:
    made.examine(made.file(list(map(mayor, range(20)))))
    assert made.warnings() == [
        "the exam has 3 questions in 3 clusters: its intervals will be wide; have at least 10 questions in 5 clusters"
    ]


def test_one_long_document_is_split_by_region(tmp_path: Path) -> None:
    parts = [Document(f"part{town}", "", text(town), {"document_id": "book"}) for town in range(TOWNS)]
    made = Made(tmp_path, parts)
    rows = [mayor(town, evidence_ids=[f"part{town}"]) for town in range(TOWNS)]
    placed = made.examine(made.file(rows)).questions()
    assert {row.side for row in placed} == set(SIDES)
    assert made.warnings()[0] == (
        "40 of 40 questions hang together through their documents: they are split by region of the document, so that "
        "sides share documents"
    )


# --- what it refuses


def test_broken_lines_are_all_named_at_once(made: Made) -> None:
    path = made.file([mayor(1), "{", mayor(1), {"id": "x", "question": "Why?"}])
    with pytest.raises(InputError) as caught:
        made.examine(path)
    assert str(caught.value) == (
        f"{path} has 3 broken lines (line 2: broken JSON (Expecting property name enclosed in double quotes at column "
        "2); line 3: id stands on line 1 already; line 4: no answers (write [] where the documents hold none)); "
        "correct or remove them, then run again"
    )


def test_an_id_in_both_files_is_refused(made: Made) -> None:
    files = QuestionFiles(lessons=made.file([mayor(1)], "lessons.jsonl"), exam=made.file([mayor(1)]))
    with pytest.raises(InputError, match=r"^1 id in both questions files \(m1\); give each question its own$"):
        made.examine(files)


def test_documents_of_something_else_are_refused(made: Made) -> None:
    rows = [mayor(town, answers=["nobody at all"], evidence_ids=["gone"]) for town in range(9)]
    rows += map(unknown, range(30))
    with pytest.raises(InputError) as caught:
        made.examine(made.file(rows))
    assert str(caught.value) == (
        "9 of 9 questions with answers have no evidence in these documents (first: m0: evidence id gone is no "
        "document); see whether documents: and questions: in the YAML belong together"
    )


def test_an_empty_side_is_refused(made: Made) -> None:
    with pytest.raises(InputError) as caught:
        made.examine(made.file([mayor(1), river(1)]))
    assert str(caught.value) == (
        "The exam side is empty: 2 questions of questions.jsonl in 1 cluster (of shared documents) cannot be cut into "
        "sides (seed 0); add questions on other documents, or change examine.shares"
    )
    lost = {**river(2), "evidence_ids": ["gone"], "answers": ["nobody at all"]}
    with pytest.raises(InputError, match=r"documents\), 1 more rejected \(first: r2: no evidence found\), cannot"):
        made.examine(made.file([mayor(1), river(1), lost]))


def test_files_that_cannot_be_read(made: Made) -> None:
    missing = made.root / "none.jsonl"
    with pytest.raises(InputError, match=r"^No questions file .*none\.jsonl; correct questions: in the YAML$"):
        made.examine(missing)
    with pytest.raises(InputError, match="holds no questions; write one JSON object a line"):
        made.examine(made.file([""]))
    latin = made.root / "latin.jsonl"
    latin.write_bytes("{'é'}".encode("latin-1"))
    with pytest.raises(InputError, match=r"is not UTF-8 \(.* at byte 2\); save it as UTF-8"):
        made.examine(latin)


def test_a_byte_order_mark_is_no_fault(made: Made) -> None:
    path = made.file(list(map(mayor, range(20))))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(made.examine(path).questions()) == 20


def test_the_fingerprint_follows_the_bytes_and_the_part(made: Made) -> None:
    one, two = made.file([mayor(1)], "one.jsonl"), made.file([mayor(2)], "two.jsonl")
    found = {
        fingerprint_questions(one),
        fingerprint_questions(two),
        fingerprint_questions(QuestionFiles(lessons=one, exam=two)),
        fingerprint_questions(QuestionFiles(lessons=two, exam=one)),
    }
    assert len(found) == 4
    copy = made.file([mayor(1)], "copy.jsonl")
    assert fingerprint_questions(copy) == fingerprint_questions(one)
    with pytest.raises(InputError, match="No questions file"):
        fingerprint_questions(made.root / "none.jsonl")
