"""What became of documents: every document has one fate, and counts add up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ragraft.methods.upkeep.changes import Changes, compare_documents
from ragraft.records import Document

corpora = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from(["one", "two", "three"]))


def documents(texts: dict[str, str]) -> list[Document]:
    return [Document(name, f"Title of {name}", text) for name, text in texts.items()]


def test_each_kind() -> None:
    before = {"same": "1", "other": "2", "old name": "3", "gone": "4"}
    after = {"same": "1", "other": "two", "new name": "3", "fresh": "5"}
    found = compare_documents(documents(before), documents(after))
    assert found == Changes(("fresh",), ("other",), {"new name": "old name"}, ("gone",), 1)
    assert found.counts() == {"added": 1, "changed": 1, "renamed": 1, "removed": 1}
    assert found.any


def test_a_copy_is_added_and_no_name_is_used_twice() -> None:
    found = compare_documents(documents({"a": "x", "b": "x"}), documents({"c": "x", "d": "x", "e": "x", "a": "x"}))
    assert found == Changes(("d", "e"), (), {"c": "b"}, (), 1)


@given(corpora, corpora)
def test_every_document_has_one_fate(before: dict[str, str], after: dict[str, str]) -> None:
    found = compare_documents(documents(before), documents(after))
    here = [*found.added, *found.changed, *found.renamed]
    assert len(set(here)) == len(here)
    assert len(here) + found.unchanged == len(after)
    assert set(here) | {name for name in after if before.get(name) == after[name]} == set(after)
    left = [*found.removed, *found.renamed.values()]
    assert sorted(left) == sorted(set(before) - set(after))
    assert all(after[new] == before[old] for new, old in found.renamed.items())
    assert found.any == (before != after)


@given(corpora)
def test_nothing_changes_by_itself(texts: dict[str, str]) -> None:
    assert compare_documents(documents(texts), documents(texts)) == Changes(unchanged=len(texts))
