"""The review's pages over HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from ragraft.pipeline import Review, open_review
from ragraft.records import Chunk
from ragraft.web.app import make_app

TEXT = "The tower is made of\nred <b>granite</b>. Nobody knows why."
CHUNK = Chunk("a#0", "a", "Arlen & Esker", TEXT, 0, 50, 10)


@pytest.fixture
def review(tmp_path: Path) -> Iterator[Review]:
    file = tmp_path / "candidates.jsonl"
    rows = [
        {
            "id": name,
            "question": f"What is {name} <script>?",
            "answers": ["red <b>granite</b>"],
            "evidence": ["The tower is made of\nred <b>granite</b>."],
            "metadata": {"made_by": "ragraft patterns", "reviewed": False, "kind": "done-by", "chunk": "a#0"},
        }
        for name in "abc"
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with open_review(file, {CHUNK.id: CHUNK}) as opened:
        yield opened


@pytest.fixture
def client(review: Review) -> TestClient:
    return TestClient(make_app(review), base_url="http://127.0.0.1:8000", follow_redirects=False)


def test_the_first_page_is_the_first_open_question(client: TestClient, review: Review) -> None:
    assert client.get("/").headers["location"] == "/q/1"
    review.decide(0, "accept")
    assert client.get("/").headers["location"] == "/q/2"


def test_a_page_shows_question_answer_maker_and_marked_chunk(client: TestClient) -> None:
    page = client.get("/q/2").text
    assert "<h1>What is b &lt;script&gt;?</h1>" in page
    assert "<li>red &lt;b&gt;granite&lt;/b&gt;</li>" in page
    assert "Made by ragraft patterns (done-by)" in page
    assert "<h2>Arlen &amp; Esker</h2>" in page
    assert '<mark class="evidence">The tower is made of\n</mark>' in page
    assert '<mark class="answer evidence">red &lt;b&gt;granite&lt;/b&gt;</mark>' in page
    assert "0 of 3 decided · 3 open" in page
    assert 'href="/q/1"' in page
    assert 'href="/q/3"' in page


def test_nothing_is_fetched_from_elsewhere(client: TestClient) -> None:
    response = client.get("/q/1")
    assert not re.findall(r"https?://|//[a-z]", response.text)
    assert "default-src 'none'" in response.headers["content-security-policy"]
    for kind, name in (("text/css", "review.css"), ("text/javascript", "review.js")):
        static = client.get(f"/static/{name}")
        assert static.headers["content-type"].startswith(kind)
        assert "http" not in static.text
        assert f"/static/{name}" in response.text
    assert client.get("/static/app.py").status_code == 404
    for place in ("/docs", "/redoc", "/openapi.json"):
        assert client.get(place).status_code == 404


def test_accept_drop_and_mend_go_on_to_the_next_open_one(client: TestClient, review: Review) -> None:
    assert client.post("/q/1", data={"decision": "accept"}).headers["location"] == "/q/2"
    assert client.post("/q/3", data={"decision": "drop"}).headers["location"] == "/q/2"
    mended = {"decision": "mend", "question": "Über was?", "answers": "granite & more\r\nred stone"}
    last = client.post("/q/2", data=mended)
    assert (last.status_code, last.headers["location"]) == (303, "/q/2")
    assert [item.state for item in review.items] == ["accepted", "mended", "dropped"]
    assert review.items[1].question.question == "Über was?"
    assert review.items[1].question.answers == ("granite & more", "red stone")
    page = client.get("/q/2").text
    assert "not word for word below" in page
    assert "3 of 3 decided · 1 accepted · 1 dropped · 1 mended" in page


def test_a_mended_question_without_an_answer_says_so_and_decides_nothing(client: TestClient, review: Review) -> None:
    response = client.post("/q/1", data={"decision": "mend", "question": "Why?", "answers": ""})
    assert response.status_code == 400
    assert 'role="alert">A mended question needs its text and at least one answer</p>' in response.text
    assert review.items[0].state == "open"


@pytest.mark.parametrize("form", [{}, {"decision": "eat"}])
def test_no_other_decision_is_taken(client: TestClient, review: Review, form: dict[str, str]) -> None:
    assert client.post("/q/1", data=form).status_code == 400
    assert review.items[0].state == "open"


def test_there_is_no_other_question(client: TestClient) -> None:
    assert [client.get(f"/q/{number}").status_code for number in (0, 4)] == [404, 404]
    assert client.post("/q/4", data={"decision": "drop"}).status_code == 404


def test_other_sites_and_other_names_are_kept_out(client: TestClient, review: Review) -> None:
    for headers in ({"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:9"}):
        assert client.post("/q/1", data={"decision": "drop"}, headers=headers).status_code == 403
    assert client.get("/q/1", headers={"host": "evil.example"}).status_code == 400
    assert review.items[0].state == "open"
    own = {"origin": "http://127.0.0.1:8000"}
    assert client.post("/q/1", data={"decision": "drop"}, headers=own).status_code == 303
    assert client.get("/q/1", headers={"host": "localhost:8000"}).status_code == 200


def test_every_key_of_the_script_has_its_place_on_the_page(client: TestClient) -> None:
    script, page = client.get("/static/review.js").text, client.get("/q/2").text
    named = set(re.findall(r'byId\("(\w+)"\)', script))
    assert named == {"mend", "question", "accept", "drop", "previous", "next", "mending"}
    assert all(f'id="{name}"' in page for name in named)


def test_without_its_chunk_the_evidence_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "own.jsonl"
    file.write_text(json.dumps({"id": "q", "question": "Why?", "answers": ["x"], "evidence": ["It is x."]}), "utf-8")
    with open_review(file, {}) as review:
        page = TestClient(make_app(review), base_url="http://localhost").get("/q/1").text
    assert "Only the evidence: its chunk is not in this index." in page
    assert "Made by a person" in page
    assert '<mark class="answer evidence">x</mark>' in page
