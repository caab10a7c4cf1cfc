"""What became of evidence: words decide, whatever a document or a chunk is called now."""

from __future__ import annotations

import pytest

from ragraft.methods.upkeep.evidence import Fate, Now, fate_of_chunk, fate_of_question, fates, lost_share
from ragraft.records import Chunk, ExamQuestion, Question

TEXTS = {"a": "The lamp is red. The tower is high.", "b": "The keeper is Ada.", "new": "The boat is blue."}
NOW = Now(TEXTS, frozenset({"The lamp is red. The tower is high.", "The keeper is Ada."}), {"old": "new"})


def chunk(document: str, text: str) -> Chunk:
    return Chunk(f"{document}#0", document, document, text, 0, len(text), 4)


@pytest.mark.parametrize(
    ("document", "text", "fate"),
    [
        ("b", "The keeper is Ada.", "kept"),
        ("elsewhere", "The keeper is Ada.", "kept"),  # its words stand in another document
        ("a", "The tower is high.", "kept"),  # cut otherwise
        ("old", "The boat is blue.", "kept"),  # renamed
        ("a", "The lamp is green.", "changed"),
        ("old", "The boat is green.", "changed"),
        ("gone", "The boat is green.", "gone"),
    ],
)
def test_a_chunk(document: str, text: str, fate: Fate) -> None:
    assert fate_of_chunk(chunk(document, text), NOW) == fate


def question(*parts: tuple[str, ...], evidence: tuple[str, ...] = ()) -> ExamQuestion:
    asked = Question("q", "Who?", ("Ada",), evidence=evidence)
    return ExamQuestion(asked, "exam", "c", tuple(one for part in parts for one in part), parts=parts)


BEFORE = {
    "kept": chunk("b", "The keeper is Ada."),
    "changed": chunk("a", "The lamp is green. The tower is high."),
    "gone": chunk("gone", "The boat is green."),
}


@pytest.mark.parametrize(
    ("asked", "fate"),
    [
        (question(("kept",)), "kept"),
        (question(("changed", "kept")), "kept"),  # a copy of it is still there
        (question(("kept",), ("changed",)), "changed"),
        (question(("changed",), ("gone",)), "gone"),
        (question(("never heard of",)), "gone"),
        (question(("changed",), evidence=("The tower is high.",)), "kept"),  # its sentence still stands
        (question(("changed",), evidence=("The lamp is green.",)), "changed"),
        (question(), None),
    ],
)
def test_a_question(asked: ExamQuestion, fate: Fate | None) -> None:
    assert fate_of_question(asked, BEFORE, NOW) == fate


def test_fates_are_counted() -> None:
    by_fate = fates([("1", "kept"), ("2", "gone"), ("3", None), ("4", "changed"), ("5", "kept")])
    assert by_fate == {"kept": ["1", "5"], "changed": ["4"], "gone": ["2"]}
    assert lost_share(by_fate) == 0.5
    assert lost_share(fates([])) is None
