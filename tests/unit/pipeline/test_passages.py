"""The user's own retriever in a run: asked once, checked, kept, and used by every stage below."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ragraft.errors import BackendError, ConfigError, InputError
from ragraft.methods.recalls import BATCH
from ragraft.pipeline import ask, backends, open_session, sync, watch
from ragraft.pipeline.passages import CheckedRetriever, KeptPassages
from ragraft.records import Passage
from ragraft.workspace import Folder
from tests.conftest import lighthouses

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring, Fakes

MakeSite = Callable[..., "Site"]
STAGES = ("ingest", "index", "examine", "synthesize", "train", "evaluate", "report")


@dataclass
class Users:
    """A user's system: sentences of the lighthouses, those that share most words with the question first.

    It never answers alike twice: each call turns the order of the deeper ranks.
    """

    asked: list[str] = field(default_factory=list)
    calls: int = 0
    dies_at: int | None = None
    empty: bool = False

    def retrieve(self, questions: Sequence[str], k: int) -> list[list[Passage]]:
        if self.calls == self.dies_at:
            raise BackendError("No answer")
        self.calls += 1
        self.asked += questions
        return [self._best(question)[:k] for question in questions]

    def _best(self, question: str) -> list[Passage]:
        if self.empty:
            return []
        wanted = set(question.strip("?").split())
        ranked = sorted(SENTENCES, key=lambda one: -len(wanted & set(one.text.strip(".").split())))
        turn = self.calls % 5
        return [*ranked[:2], *ranked[2 + turn :], *ranked[2 : 2 + turn]]


SENTENCES = [
    Passage(f"{place}/{row}", "", "From the user's system", f"{sentence.rstrip('.')}.")
    for place, text in lighthouses()
    for row, sentence in enumerate(text.split(". "))
]


@pytest.fixture
def users(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> Users:
    """Installs the user's system as the plugin `mine`, and behind every URL."""
    found = Users()
    faked = backends.load

    def load(port: str, name: str, also: Sequence[str] = ()) -> Any:
        return (lambda *url: found) if port == "retrievers" else faked(port, name, also)

    known = backends.names
    monkeypatch.setattr(backends, "load", load)
    monkeypatch.setattr(backends, "names", lambda port: [*known(port), *(["mine"] if port == "retrievers" else [])])
    return found


def mine(make_site: MakeSite, name: str = "site") -> Site:
    return make_site(name, retrieve={"retriever": "mine"})


def results(site: Site) -> dict[str, bytes]:
    names = (
        "50-lessons/01-raft/lessons.jsonl",
        "70-scores/answers.jsonl",
        "70-scores/scorecard.json",
        "70-scores/fewshot.json",
    )
    return {name: (site.run / name).read_bytes() for name in names}


def exam(site: Site) -> Folder:
    place = site.run / "30-exam"
    return Folder(place / "versions" / (place / "current").read_text("utf-8").strip())


def test_every_question_is_asked_once_and_the_passages_are_kept(
    make_site: MakeSite, bring: Bring, users: Users
) -> None:
    site = mine(make_site)
    bring(site)
    rows = {row["question_id"]: row["passages"] for row in exam(site).read_jsonl("retrieved.jsonl")}
    assert len(users.asked) == len(set(users.asked)) == len(rows) == 36
    assert {len(passages) for passages in rows.values()} == {10}, "as deep as recall is measured, beyond the pool of 8"
    assert not exam(site).has("asked")
    assert set(bring(site).values()) == {"unchanged"}
    assert len(users.asked) == 36


def test_the_retrieved_arm_shows_the_users_passages_and_knows_the_evidence(
    make_site: MakeSite, bring: Bring, users: Users
) -> None:
    site = mine(make_site)
    bring(site)
    kept = {row["question_id"]: row["passages"] for row in exam(site).read_jsonl("retrieved.jsonl")}
    answers = [json.loads(line) for line in (site.run / "70-scores" / "answers.jsonl").read_text("utf-8").splitlines()]
    shown = [row for row in answers if row["context"] == "retrieved"]
    assert shown
    for row in shown:
        assert row["passages"] == [passage["id"] for passage in kept[row["question_id"]][:2]]
        assert row["evidence_shown"]
    right = [row["scores"]["citation_recall"] for row in shown if row["citations"]]
    assert right
    assert 1.0 in right, "a cited sentence counts as the chunk that holds it"
    assert all(row["passages"][0].count("#") for row in answers if row["context"] == "oracle"), "the oracle is ours"


def test_lessons_show_what_the_users_system_found(make_site: MakeSite, bring: Bring, users: Users) -> None:
    site = mine(make_site)
    bring(site, last="synthesize")
    lessons = list(Folder(site.run / "50-lessons" / "01-raft").read_jsonl("lessons.jsonl"))
    counts = Folder(site.run / "50-lessons" / "01-raft").read_json("counts.json")
    oracles = [name for lesson in lessons for name in lesson["oracle"]]
    assert oracles
    assert all("/" in name for name in oracles)
    assert counts["oracles as your retriever found them"] == counts["lessons, oracle"]
    assert counts["distractors, hard"] > 0
    ours = {passage.id for passage in SENTENCES}
    assert any(name in ours for lesson in lessons for name in lesson["passages"] if name not in lesson["oracle"])


def test_recall_is_measured_beside_our_own(make_site: MakeSite, bring: Bring, users: Users) -> None:
    site = mine(make_site)
    bring(site, last="examine")
    rows = {
        (row["ranking"], row["metric"]): row["value"]
        for row in exam(site).read_json("retrieval.json")["rows"]
        if row["side"] == "exam"
    }
    assert rows["mine", "recall@1"] == rows["mine", "mrr@10"] == 1.0
    assert {ranking for ranking, _ in rows} == {"lexical", "dense", "hybrid", "mine"}
    assert exam(site).read_json("summary.json")["mine recall@4 on the exam"] == 1.0


def test_a_killed_exam_asks_only_what_was_not_answered(make_site: MakeSite, bring: Bring, users: Users) -> None:
    site = mine(make_site)
    rows = [json.loads(line) for line in (site.folder / "questions.jsonl").read_text("utf-8").splitlines()]
    more = [{**row, "id": f"{row['id']}-{n}", "question": f"{row['question']} ({n})"} for n in range(3) for row in rows]
    (site.folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in more), encoding="utf-8")
    users.dies_at = 1
    with pytest.raises(BackendError):
        bring(site, last="examine")
    first = list(users.asked)
    assert len(first) == BATCH
    users.dies_at = None
    assert bring(site, last="examine")["examine"] == "done"
    assert users.asked[:BATCH] == first
    assert len(users.asked) == len(set(users.asked)) == len(more)


def test_a_second_run_of_all_is_the_first_one(make_site: MakeSite, bring: Bring, users: Users) -> None:
    site = mine(make_site)
    bring(site)
    made = results(site)
    assert bring(site, first="synthesize")["synthesize"] == "done"
    assert results(site) == made
    assert users.calls == 1


def test_other_passages_under_equal_settings_make_other_lessons(
    make_site: MakeSite, bring: Bring, users: Users
) -> None:
    site = mine(make_site)
    bring(site)
    bring(site, first="examine", last="examine")
    assert users.calls == 2
    states = bring(site)
    assert [states[name] for name in STAGES] == ["unchanged"] * 3 + ["done"] * 4


def test_the_name_and_the_url_decide_the_exam(make_site: MakeSite, bring: Bring, users: Users) -> None:
    site = mine(make_site)
    bring(site, last="examine")
    assert bring(site, "retrieve.retriever=null", last="examine")["examine"] == "done"
    assert bring(site, last="examine")["examine"] == "taken"
    one, two = (["retrieve.retriever=http", f"retrieve.url=http://host/{name}"] for name in ("one", "two"))
    assert [bring(site, *place, last="examine")["examine"] for place in (one, two, one)] == ["done", "done", "taken"]
    assert users.calls == 3


def test_ask_asks_the_users_system(make_site: MakeSite, bring: Bring, users: Users) -> None:
    site = mine(make_site)
    bring(site)
    asked = ask(open_session(site.file), "Who keeps the lamp of Esker?")
    assert users.asked[-1] == "Who keeps the lamp of Esker?"
    assert asked.reply.fitted.passages[0].id == "Esker/1"
    assert asked.notes == ()


def test_the_report_knows_the_users_passages(make_site: MakeSite, bring: Bring, users: Users) -> None:
    site = mine(make_site)
    bring(site)
    report = Folder(site.run / "80-report").read_json("report.json")
    examples = report["examples"]["wins"] + report["examples"]["losses"]
    for example in examples:
        assert all(passage["text"] for passage in example["passages"])
        assert any(passage["oracle"] for passage in example["passages"])
    assert {row["ranking"] for row in report["retrieval"]["rows"]} == {"lexical", "dense", "hybrid", "mine"}


# --- passages that the questions carry


def carrying(make_site: MakeSite) -> Site:
    """Each question carries two texts and a document; the last one nothing."""
    site = make_site("given", retrieve={"retriever": "contexts", "k": 3})
    rows = [json.loads(line) for line in (site.folder / "questions.jsonl").read_text("utf-8").splitlines()]
    for row in rows[:-1]:
        row["contexts"] = ["A passage on something else entirely.", f"Quoted: {row['evidence'][0]}", "Boskar", "gone"]
    (site.folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return site


def test_given_contexts_are_shown_in_their_order_and_what_is_missing_is_told(
    make_site: MakeSite, bring: Bring, fakes: Fakes
) -> None:
    site = carrying(make_site)
    bring(site)
    kept = {row["question_id"]: row["passages"] for row in exam(site).read_jsonl("retrieved.jsonl")}
    assert [passage["text"][:10] for passage in kept["q00"]] == ["A passage ", "Quoted: Th", "The tower "]
    assert kept["q35"] == []
    warnings = exam(site).read_json("facts.json")["warnings"]
    assert any(one.startswith("35 given contexts not found: q00: context gone is no document") for one in warnings)
    assert any(one.startswith("1 question without a passage from contexts") for one in warnings)
    answers = [json.loads(line) for line in (site.run / "70-scores" / "answers.jsonl").read_text("utf-8").splitlines()]
    for row in answers:
        if row["context"] == "retrieved":
            assert row["passages"] == [passage["id"] for passage in kept[row["question_id"]]]
            assert row["evidence_shown"] == (row["question_id"] != "q35")


def test_ask_falls_back_to_our_index_and_says_so(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    site = carrying(make_site)
    bring(site)
    asked = ask(open_session(site.file), "Who keeps the lamp of Esker?")
    assert asked.reply.fitted.passages[0].document_id == "Esker.md"
    assert asked.notes == ("a question asked here carries no contexts: its passages are from ragraft's own index",)


def test_questions_that_carry_nothing_are_refused(make_site: MakeSite, bring: Bring, fakes: Fakes) -> None:
    site = make_site(retrieve={"retriever": "contexts"})
    with pytest.raises(InputError) as caught:
        bring(site)
    assert str(caught.value) == (
        "retrieve.retriever is contexts, but none of 36 questions carries a passage; give contexts or "
        "metadata.context_ids, or leave the setting out"
    )


# --- promises


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([[]], "Retriever mine gives 1 lists for 2 questions"),
        ([["text"], []], "Retriever mine gives a str where a Passage belongs"),
    ],
)
def test_a_broken_promise_is_one_sentence(found: Any, told: str) -> None:
    class Broken:
        def retrieve(self, questions: Sequence[str], k: int) -> Any:
            return found

    with pytest.raises(BackendError) as caught:
        CheckedRetriever("mine", Broken()).retrieve(["one?", "two?"], 2)
    assert str(caught.value) == told


def test_kept_passages_ask_once(tmp_path: Path) -> None:
    users = Users()
    kept = KeptPassages(Folder(tmp_path / "asked"), users)
    first = kept.retrieve(["Who keeps the lamp of Esker?"], 3)
    assert KeptPassages(Folder(tmp_path / "asked"), users).retrieve(["Who keeps the lamp of Esker?"], 3) == first
    assert users.calls == 1
    kept.retrieve(["Who keeps the lamp of Esker?"], 4)
    assert users.calls == 2
    kept.clear()
    assert not (tmp_path / "asked").exists()


def test_a_finder_that_finds_nothing_is_refused(make_site: MakeSite, bring: Bring, users: Users) -> None:
    site = mine(make_site)
    users.empty = True
    with pytest.raises(InputError, match=r"^retrieve.retriever mine finds no passage for any of 36 questions; see"):
        bring(site)


def test_an_unknown_retriever_is_named(make_site: MakeSite) -> None:
    found = open_session(make_site().file, ["retrieve.retriever=context"]).backends
    with pytest.raises(BackendError) as caught:
        _ = found.retriever
    assert str(caught.value) == "No backend context in ragraft.retrievers; did you mean contexts?"
    http = open_session(make_site("two").file, ["retrieve.retriever=http", "retrieve.url=http://host/find"]).backends
    assert isinstance(http.retriever, CheckedRetriever)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["retrieve.retriever=http"], "retriever: http and url go together"),
        (["retrieve.url=http://host"], "retriever: http and url go together"),
        (["retrieve.retriever=http", "retrieve.url=host:80"], "write it as http://HOST:PORT/PATH"),
        (["retrieve.retriever=mine", "retrieve.reranker=overlap"], "reranker reorders ragraft's own ranking"),
        (["retrieve.retriever=mine", "retrieve.k=60"], "k 60 is more than pool 8, the depth to which mine is asked"),
    ],
)
def test_settings_that_do_not_fit_together_are_told(make_site: MakeSite, settings: list[str], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_session(make_site().file, settings)
    assert told in str(caught.value)


def test_a_password_in_the_url_is_refused_and_not_repeated(make_site: MakeSite) -> None:
    site = make_site(retrieve={"retriever": "http", "url": "https://me:s3cret@host/find"})
    with pytest.raises(ConfigError) as caught:
        open_session(site.file)
    assert "RAGRAFT_RETRIEVER_TOKEN" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_facts_are_asked_with_what_the_users_system_finds_now(
    make_site: MakeSite, bring: Bring, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = mine(make_site)
    bring(site)
    for file in (site.folder / "docs").glob("*.md"):
        file.write_text(re.sub(r"is made of \w+", "is made of porphyry", file.read_text("utf-8")), encoding="utf-8")
    now = [
        replace(one, text=re.sub(r"is made of \w+", "is made of porphyry", one.text))
        if (site.folder / "docs" / f"{one.id.partition('/')[0]}.md").exists()
        else one
        for one in SENTENCES
    ]
    monkeypatch.setattr(sys.modules[__name__], "SENTENCES", now)
    sync(open_session(site.file), lambda event: None)
    facts = watch(open_session(site.file), ask=True).data["facts"]
    (row,) = (
        one
        for one in facts["rows"]
        if (one["state"], one["model"], one["context"]) == ("changed", "tuned", "retrieved")
    )
    assert row["shown"]["value"] == 1, "a sentence of theirs is known to show the evidence"
    assert row["right"]["value"] == 1
