from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.hold_out import hold_out
from ragraft.records import Document


def documents(count: int, *, works: int | None = None, size: int = 100) -> list[Document]:
    return [
        Document(f"d{n}", "", f"{n} ".ljust(size, "x"), {"document_id": n % works} if works else {})
        for n in range(count)
    ]


@given(count=st.integers(1, 120), works=st.none() | st.integers(1, 120), seed=st.integers(0, 5))
def test_whole_works_of_about_a_share_and_never_everything(count: int, works: int | None, seed: int) -> None:
    rows = documents(count, works=works)
    held = hold_out(rows, 0.05, seed=seed)
    assert held == hold_out(rows[::-1], 0.05, seed=seed)
    largest = -(-count // works) if works and works < count else 1
    assert len(held) <= 0.05 * count + largest / 2
    if works:
        parted = {row.metadata["document_id"] for row in rows if row.id in held}
        assert all(row.id in held for row in rows if row.metadata["document_id"] in parted)


def test_a_hundred_documents_lose_five_and_other_seeds_others() -> None:
    held = [frozenset(hold_out(documents(100), 0.05, seed=seed)) for seed in range(10)]
    assert {len(one) for one in held} == {5}
    assert len(set(held)) > 5


def test_shared_paragraphs_tie_documents() -> None:
    shared = "A paragraph of at least sixty characters, which just two documents share."
    rows = documents(40)
    rows[3] = Document("d3", "", f"{rows[3].text}\n\n{shared}", {})
    rows[7] = Document("d7", "", f"{shared}\n\n{rows[7].text}", {})
    for seed in range(40):
        held = hold_out(rows, 0.1, seed=seed)
        assert ("d3" in held) == ("d7" in held)
        if "d3" in held:
            assert held["d3"] == held["d7"]


def test_one_work_is_learned_whole() -> None:
    assert hold_out(documents(9, works=1), 0.05, seed=0) == {}
    assert hold_out([], 0.05, seed=0) == {}
