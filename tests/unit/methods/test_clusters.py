"""Clusters: what ties questions together, what does not, and what happens when everything hangs together."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.clusters import Asked, Clusters, bearers, cut_regions, make_clusters, named_by
from ragraft.records import Chunk, Document

PARAGRAPH = "A paragraph of at least sixty characters, which two documents share."


def document(name: str, title: str = "", text: str = "", **metadata: Any) -> Document:
    return Document(name, title, text, metadata)


def question(name: str, *documents: str, text: str = "", chunks: tuple[str, ...] = ()) -> Asked:
    return Asked(name, text or f"what about {name}", documents, chunks)


def clusters(asked: list[Asked], documents: list[Document], largest: float = 1.0) -> Clusters:
    return make_clusters(asked, documents, [], largest=largest)


def together(documents: list[Document]) -> bool:
    """Whether a question on each of the first two documents makes one cluster."""
    found = clusters([question("p", documents[0].id), question("q", documents[1].id)], documents)
    assert found.warnings == ()
    return found.of["p"] == found.of["q"]


def test_documents_of_one_work_are_tied() -> None:
    assert together([document("a", document_id=7), document("b", document_id=7)])
    assert together([document("a", article="X"), document("b", article="X")])
    assert together([document("a", title="X"), document("b", title="X")])
    assert not together([document("a", document_id=7, title="X"), document("b", document_id=8, title="X")])
    assert not together([document("a", document_id=""), document("b", document_id="")])
    assert not together([document("a"), document("b")]), "no title is no common title"
    assert not together([document("a", title="X"), document("b", title="Y")])


def test_shared_paragraphs_tie_documents() -> None:
    wrapped = PARAGRAPH.replace(" of ", "\n   of ")
    assert together([document("a", text=f"One.\n\n{PARAGRAPH}"), document("b", text=f"{wrapped}\n \nTwo.")])
    assert not together([document("a", text="Short one."), document("b", text="Short one.")])


def test_boilerplate_ties_nothing() -> None:
    documents = [document(str(row), text=f"{PARAGRAPH}\n\n{row}") for row in range(4)]
    found = clusters([question(f"q{row}", str(row)) for row in range(4)], documents)
    assert len(set(found.of.values())) == 4


def test_a_title_of_very_many_documents_is_a_label_and_said_to_be() -> None:
    documents = [document(str(row), title="Table") for row in range(101)] + [document("x", title="Table", article="X")]
    found = clusters([question("p", "0"), question("q", "1")], documents)
    assert found.of["p"] != found.of["q"]
    assert found.warnings == (
        "title “Table” is borne by 102 documents and taken as a label, not as one work; where they are one, give "
        "them the same metadata.document_id",
    )


def test_a_question_on_two_documents_ties_those_of_both() -> None:
    documents = [document("a"), document("b"), document("c")]
    found = clusters([question("p", "a"), question("q", "b"), question("r", "a", "b"), question("s", "c")], documents)
    assert found.of["p"] == found.of["q"] == found.of["r"] != found.of["s"]


def test_questions_without_documents_cluster_by_wording() -> None:
    asked = [question("p", text="Who is it?"), question("q", text="who is it"), question("r", text="Who was it?")]
    found = clusters(asked, [])
    assert found.of["p"] == found.of["q"] != found.of["r"]


def test_the_id_of_a_cluster_stays_when_questions_are_added() -> None:
    documents = [document("a", document_id=1), document("b", document_id=1), document("c"), document("d")]
    few = clusters([question("p", "b"), question("q", "d")], documents)
    more = clusters([question("n", "a"), question("p", "b"), question("q", "d"), question("r", "c")], documents)
    assert few.of.items() <= more.of.items()


@given(st.lists(st.sets(st.sampled_from("abcdef"), min_size=1, max_size=2), max_size=8), st.randoms())
def test_clusters_are_the_connected_components_in_any_order(asked: list[set[str]], random: Any) -> None:
    documents = [document(name) for name in "abcdef"]
    rows = [question(str(row), *sorted(names)) for row, names in enumerate(asked)]
    found = clusters(rows, documents).of
    shuffled = random.sample(rows, len(rows))
    assert clusters(shuffled, documents).of == found
    for one in rows:
        reached = set(one.documents)
        for _ in rows:
            reached |= {name for row in rows if reached & set(row.documents) for name in row.documents}
        assert all((found[row.id] == found[one.id]) == bool(reached & set(row.documents)) for row in rows)


# --- one document for all


def chunk(document_id: str, number: int, title: str = "") -> Chunk:
    return Chunk(f"{document_id}#{number}", document_id, title, "text", number * 10, number * 10 + 4, 1)


def test_one_document_for_all_is_split_by_region_with_a_warning() -> None:
    chunks = [chunk("book", number) for number in range(20)]
    asked = [question(str(number), "book", chunks=(f"book#{number}",)) for number in range(20)]
    asked += [question("far", "book", chunks=("book#0", "book#19")), question("none", "book"), question("other", "x")]
    found = make_clusters(asked, [document("book"), document("x")], chunks, largest=0.85)
    assert found.warnings == (
        "22 of 23 questions hang together through their documents: they are split by region of the document, so "
        "that sides share documents",
    )
    assert found.of["0"] == found.of["1"] == found.of["far"] == found.of["19"], "two chunks a region, tied by far"
    assert found.of["2"] == found.of["3"] != found.of["4"]
    assert len(set(found.of.values())) == 9 + 2


def test_a_cluster_that_leaves_enough_is_not_split() -> None:
    asked = [*(question(str(number), "book") for number in range(8)), question("x", "x"), question("y", "y")]
    documents = [document("book"), document("x"), document("y")]
    assert clusters(asked, documents, largest=0.8).warnings == ()
    assert len(clusters(asked, documents, largest=0.79).warnings) == 1


def test_regions_are_runs_of_neighbours_cut_at_headings() -> None:
    titles = ["A", "A", "A", "B", "B", "C"]
    found = cut_regions([chunk("d", number, title) for number, title in enumerate(titles)][::-1])
    runs = [found[f"d#{number}"][-3:] for number in range(6)]
    assert runs == ["000", "000", "001", "002", "002", "003"]


@given(st.lists(st.sampled_from("AB"), min_size=1, max_size=300))
def test_a_document_has_a_bounded_number_of_regions(titles: list[str]) -> None:
    found = cut_regions([chunk("d", number, title) for number, title in enumerate(titles)])
    regions = [found[f"d#{number}"] for number in range(len(titles))]
    assert regions == sorted(regions)
    assert len(set(regions)) <= 40


def test_metadata_names_the_documents_that_bear_the_same_value() -> None:
    documents = [document(f"d{n}", contract=f"k{n // 2}", year=1999, part=n, signed=True) for n in range(20)]
    known = bearers(documents)
    assert named_by({"contract": "k3", "year": 1999, "clause": "k3", "signed": True}, known) == ("d6", "d7")
    assert named_by({"part": "4"}, known) == ("d4",)
    assert named_by({"contract": "", "level": ["k3"]}, known) == ()
    assert bearers([]) == {}
