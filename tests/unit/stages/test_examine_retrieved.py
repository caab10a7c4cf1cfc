"""The examine stage with the user's own retriever: what is asked, kept, measured and told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ragraft.config import ExamineConfig, RetrieveConfig
from ragraft.errors import InputError
from ragraft.methods.recalls import BATCH, RANKINGS
from ragraft.methods.retrieve import Ranking
from ragraft.records import Chunk, Document, Hit, Passage, to_json
from ragraft.stages.examine import examine
from ragraft.workspace import Corpus, Exam, Folder, Index

TOWNS = 80
MAYORS = [f"Town number{town} has a mayor called Mayorof{town}." for town in range(TOWNS)]
RIVERS = [f"Its river is River{town}water and flows north." for town in range(TOWNS)]


class Nothing:
    """ragraft's own index, which finds nothing here."""

    def rankings(self, questions: Sequence[str], k: int, /) -> dict[Ranking, list[list[Hit]]]:
        return {ranking: [[] for _ in questions] for ranking in RANKINGS}


class Theirs:
    """Finds noise first and the mayor's sentence second; for every tenth town nothing at all."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def retrieve(self, questions: Sequence[str], k: int) -> list[list[Passage]]:
        self.asked.append((len(questions), k))
        return [self._find(int(question.rstrip("?").split()[-1])) for question in questions]

    def _find(self, town: int) -> list[Passage]:
        if town % 10 == 0:
            return []
        return [Passage("0", "", "", f"Noise on town {town}."), Passage("1", "", "", MAYORS[town], 0.5)]


def examined(
    root: Path, rows: Sequence[dict[str, Any]], users: Theirs | None, *, name: str | None = "theirs", **settings: Any
) -> Exam:
    place = Folder(root)
    corpus, index = Corpus(place.folder("corpus")), Index(place.folder("index"))
    texts = [f"{mayor}\n\n{river}" for mayor, river in zip(MAYORS, RIVERS, strict=True)]
    corpus.folder.write_jsonl(
        "documents.jsonl", (to_json(Document(f"town{town}", "", text)) for town, text in enumerate(texts))
    )
    corpus.folder.write_json("same.json", {})
    chunks = []
    for town, text in enumerate(texts):
        border = len(MAYORS[town])
        chunks.append(Chunk(f"town{town}#0", f"town{town}", "", text[:border], 0, border, 1))
        chunks.append(Chunk(f"town{town}#1", f"town{town}", "", text[border + 2 :], border + 2, len(text), 1))
    index.write_chunks([chunks])
    questions = root / "questions.jsonl"
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return examine(
        corpus,
        index,
        questions=questions,
        settings=ExamineConfig(**settings),
        retrieve=RetrieveConfig(retriever=name),
        retriever=Nothing(),
        users=users,
        out=place.folder("exam"),
    )


def mayor(town: int, **changes: Any) -> dict[str, Any]:
    row = {"id": f"m{town}", "question": f"Who is the mayor of town {town}?", "answers": [f"Mayorof{town}"]}
    return row | {"evidence_ids": [f"town{town}"]} | changes


def figures(exam: Exam, side: str = "exam") -> dict[str, float]:
    rows = exam.folder.read_json("retrieval.json")["rows"]
    return {row["metric"]: row["value"] for row in rows if (row["side"], row["ranking"]) == (side, "theirs")}


def warnings(exam: Exam) -> list[str]:
    found: list[str] = exam.folder.read_json("facts.json")["warnings"]
    return found


def test_all_questions_are_asked_in_batches_to_the_deepest_rank(tmp_path: Path) -> None:
    users = Theirs()
    exam = examined(tmp_path, [mayor(town) for town in range(TOWNS)], users, recall_at=(1, 70))
    assert users.asked == [(BATCH, 70), (TOWNS - BATCH, 70)]
    assert list(exam.retrieved()) == [question.id for question in exam.questions()]
    users = Theirs()
    examined(tmp_path, [mayor(town) for town in range(TOWNS)], users, recall_at=())
    assert users.asked[0] == (BATCH, RetrieveConfig().pool)


def test_passages_are_kept_with_the_evidence_they_show(tmp_path: Path) -> None:
    exam = examined(tmp_path, [mayor(town) for town in range(TOWNS)], Theirs())
    [noise, found] = exam.retrieved()["m3"]
    assert (noise.shows, found.shows, found.text, found.score) == ((), ("town3#0",), MAYORS[3], 0.5)
    names = [passage.id for passages in exam.retrieved().values() for passage in passages]
    assert len(set(names)) == len(names), "results that are numbered anew for each question are told apart"


def test_their_row_stands_beside_ours(tmp_path: Path) -> None:
    exam = examined(tmp_path, [mayor(town) for town in range(TOWNS) if town % 10], Theirs())
    assert figures(exam) == {"recall@1": 0, "recall@4": 1, "recall@10": 1, "mrr@10": 0.5}
    summary = exam.folder.read_json("summary.json")
    assert (summary["hybrid recall@4 on the exam"], summary["theirs recall@4 on the exam"]) == (0, 1)
    assert summary["without a passage from theirs"] == 0


def test_questions_without_a_passage_and_evidence_without_one_are_told(tmp_path: Path) -> None:
    rows = [mayor(town) for town in range(TOWNS)]
    rows[1] = mayor(1, answers=["River1water"])
    exam = examined(tmp_path, rows, Theirs())
    assert exam.folder.read_json("summary.json")["without a passage from theirs"] == 8
    assert warnings(exam)[-2:] == [
        "8 questions without a passage from theirs, asked without documents where retrieved passages are shown: "
        "m0, m10, m20, m30, m40, and 3 more",
        "the evidence of 9 of 80 questions stands in no passage from theirs: m0, m1, m10, m20, m30, and 4 more",
    ]


def test_questions_of_one_wording_keep_contexts_of_their_own(tmp_path: Path) -> None:
    rows = [
        mayor(town, question="Who is the mayor?", contexts=[RIVERS[town], f"town{town}#0"], evidence=[MAYORS[town]])
        for town in range(TOWNS)
    ]
    exam = examined(tmp_path, rows, None, name="contexts")
    for town, (river, oracle) in enumerate(exam.retrieved().values()):
        assert (river.text, river.shows) == (RIVERS[town], ())
        assert (oracle.id, oracle.shows) == (f"town{town}#0", (f"town{town}#0",))


def test_contexts_that_are_not_there_are_faults_and_no_contexts_at_all_a_refusal(tmp_path: Path) -> None:
    rows = [mayor(town, metadata={"context_ids": ["gone"]}) for town in range(TOWNS)]
    with pytest.raises(InputError) as caught:
        examined(tmp_path, rows, None, name="contexts")
    assert str(caught.value) == (
        "retrieve.retriever is contexts, but none of 80 questions carries a passage (m0: context gone is no document); "
        "give contexts or metadata.context_ids, or leave the setting out"
    )
    rows[0] = mayor(0, metadata={"context_ids": ["town0", "gone"]})
    exam = examined(tmp_path, rows, None, name="contexts")
    faults = list(exam.folder.read_jsonl("faults.jsonl"))
    assert faults == [{"question_id": f"m{town}", "fault": "context gone is no document"} for town in range(TOWNS)]
    assert warnings(exam)[-3].startswith("80 given contexts not found: m0: context gone is no document; ")


def test_our_own_index_keeps_no_passages(tmp_path: Path) -> None:
    exam = examined(tmp_path, [mayor(town) for town in range(TOWNS)], None, name=None)
    assert exam.retrieved() == {}
    assert not exam.folder.has("retrieved.jsonl")
    assert figures(exam) == {}
