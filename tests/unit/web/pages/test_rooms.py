"""Pages over the workspace."""

from __future__ import annotations

import base64
import hashlib
import re
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from fastapi.testclient import TestClient

from ragraft.errors import WorkspaceError
from ragraft.pipeline import ROWS
from ragraft.web.pages.rooms import Rooms
from ragraft.workspace import TrafficLog
from tests.unit.web.pages.shelf import HEBREW, HOSTILE, LONG, REPORT, VERDICT, Shelf
from tests.unit.web.pages.test_chat import BROWSER, Elements

if TYPE_CHECKING:
    from tests.unit.web.api.conftest import Serves

FINISHED = (
    "/runs",
    "/runs/lights",
    "/runs/lights/lessons",
    "/runs/lights/lessons?part=rejected",
    "/runs/lights/lessons/01-raft/lessons/0",
    "/runs/lights/exam?show=all",
    "/runs/lights/example?question=e/0%20%3F%26",
    "/runs/lights/traffic",
    "/runs/lights/traffic?show=feedback",
    "/runs/lights/models",
)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    made = Shelf(tmp_path_factory.mktemp("workspace") / "runs")
    made.furnish()
    _ask(made.runs / "lights")
    return made


def _ask(run: Path) -> None:
    """Sixty answers over three days, some rated; content is kept of all but the last one."""
    days = iter(range(1_000))
    log = TrafficLog(run / "90-traffic", keep_days=None, full=20_000)
    for number in days:
        if number == 60:
            break
        row = _answer(number)
        if number == 59:
            row = {key: value for key, value in row.items() if key not in ("question", "query", "answer", "text")}
        log.append(row)
        if number % 10 == 0:
            rating = "down" if number % 20 == 0 else "up"
            log.append({"kind": "feedback", "id": row["id"], "at": row["at"], "rating": rating, "comment": HOSTILE})
    log.append({"kind": "feedback", "id": _answer(3)["id"], "at": "2026-11-29T10:00:00.000+00:00", "answer": "slate"})
    log.close()


def _answer(number: int) -> dict[str, Any]:
    row = {
        "kind": "answer", "id": f"chatcmpl-{number:032x}", "at": f"2026-11-29T09:{number:02d}:00.000+00:00",
        "asker": "", "model": "tuned", "retrieval": "always",
        "passages": [{"id": "t0#0", "score": 0.5}, {"id": "gone#0", "score": 0.1}],
        "cuts": {"copies": 1, "passages": 0, "exchanges": 0, "ignored": 0},
        "index": "an-older-one" if number == 7 else "lights-index",
        "question": f"Question {number}? {HOSTILE}", "query": "other words", "text": f"Answer: {HOSTILE}",
    }  # fmt: skip
    if number % 9 == 4:
        return {**row, "finish_reason": "cancelled"}
    rest = {"answer": HOSTILE, "citations": ["t0#0"], "abstained": number % 8 == 5, "confidence": 0.91}
    seconds = {"retrieve": 0.1, "first": 0.2, "all": 1.25}
    return {**row, **rest, "finish_reason": "stop", "prompt_tokens": 100, "answer_tokens": 9, "seconds": seconds}


@pytest.fixture
def client(serves: Serves, shelf: Shelf) -> TestClient:
    return _client(serves, shelf)


def _client(serves: Serves, shelf: Shelf) -> TestClient:
    served = serves()
    served.rooms = Rooms(shelf.runs, "lights")
    return TestClient(served.app(), headers=BROWSER, follow_redirects=False)


def questions(page: str) -> list[str]:
    """The texts of a list's rows."""
    return [unescape(text) for text in re.findall(r'class="q"[^>]*>(?:<bdi>)?(.*?)(?:</bdi>)?</(?:a|p|span)>', page)]


def follow(client: TestClient, path: str) -> list[str]:
    """All pages of a list, each through the link of the one before."""
    pages = []
    while path:
        pages.append(client.get(path).text)
        further = re.search(r'id="further" href="([^"]+)"', pages[-1])
        path = urlsplit(path).path + unescape(further[1]) if further else ""
    return pages


@pytest.mark.parametrize("path", FINISHED)
def test_text_is_data_and_nothing_comes_from_elsewhere(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 200, response.text
    page = response.text
    assert "<img" not in page
    assert not re.findall(r"https?://|\"//", page)
    scripts = [attributes for tag, attributes in Elements(page).found if tag == "script"]
    assert [one["src"] for one in scripts] == ["/static/htmx.min.js", "/static/rooms.js"]
    assert not [tag for tag, attributes in Elements(page).found if "style" in attributes or tag == "style"]
    assert "unsafe" not in response.headers["content-security-policy"]
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", FINISHED)
def test_every_link_leads_somewhere(client: TestClient, path: str) -> None:
    page = client.get(path).text
    ids = Elements(page).ids
    assert len(ids) == len(set(ids))
    links = {str(attributes["href"]) for tag, attributes in Elements(page).found if tag == "a" and attributes["href"]}
    for link in links - {"#main"}:
        target = urlsplit(path).path + link if link.startswith("?") else link
        assert client.get(target).status_code in (200, 303), target


def test_runs_stand_with_their_verdicts_the_last_one_first(client: TestClient) -> None:
    page = client.get("/runs").text
    assert questions(page) == ["lights", "begun", "broken"]
    assert VERDICT["sentence"].replace("+", "+") in unescape(page)
    assert "Comes next: train." in page
    assert "is damaged" in page
    assert f"{len(ROWS)} stages done, the last" in page
    assert "No run has come to its report yet" not in page


def test_what_was_put_into_service_stands_below_the_runs(serves: Serves, shelf: Shelf) -> None:
    served = serves()
    served.rooms = Rooms(shelf.runs, "lights", lambda: ["lights-1 in service", HOSTILE])
    page = TestClient(served.app(), headers=BROWSER).get("/runs").text
    assert '<p class="card raw">lights-1 in service\n&lt;/p&gt;&lt;script&gt;' in page

    def nothing() -> list[str]:
        raise WorkspaceError("No registry in here. Run: ragraft promote")

    served.rooms = Rooms(shelf.runs, "lights", nothing)
    page = TestClient(served.app(), headers=BROWSER).get("/runs").text
    assert '<p class="card raw">No registry in here. Run: ragraft promote.</p>' in page


def test_without_a_report_a_page_says_what_to_do(
    serves: Serves, shelf: Shelf, client: TestClient, tmp_path: Path
) -> None:
    page = client.get("/runs/begun").text
    assert "There is no report yet." in page
    assert "Train comes next: <code>ragraft run --run begun</code>" in page
    assert "/runs/begun/report" not in page
    for path, stage in (("report", "report"), ("exam", "evaluate"), ("example?question=x", "evaluate")):
        response = client.get(f"/runs/begun/{path}")
        assert response.status_code == 404
        assert f"begun has come to no {stage} yet. Run: ragraft run --run begun, with its settings." in response.text
    bare = Shelf(tmp_path / "runs")
    bare.write("lights", ("ingest", "index"))
    page = _client(serves, bare).get("/runs").text
    assert "No run has come to its report yet." in page


def test_without_traffic_a_page_says_where_it_comes_from(client: TestClient, serves: Serves, tmp_path: Path) -> None:
    page = client.get("/runs/begun/traffic").text
    assert "Nobody has asked yet." in page
    assert "ragraft serve --run begun" in page
    bare = Shelf(tmp_path / "runs")
    bare.write("lights", ("ingest", "index"))
    assert '<a href="/">on the chat' in _client(serves, bare).get("/runs/lights/traffic").text


def test_the_report_is_shown_as_it_was_written_and_brings_its_own_style_alone(client: TestClient) -> None:
    response = client.get("/runs/lights/report")
    assert "<h1>The report</h1>" in response.text
    style = REPORT.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in response.headers["content-security-policy"]
    assert "script-src" not in response.headers["content-security-policy"]


def test_lessons_come_page_by_page_and_by_kind(client: TestClient) -> None:
    pages = follow(client, "/runs/lights/lessons")
    assert len(pages) == 3
    asked = [text for page in pages for text in questions(page)]
    assert len(asked) == 60
    assert asked[0].startswith("What is tower 0 made of? </p><script>")
    assert asked[59].startswith("What is tower 59 made of?")
    refused = [text for page in follow(client, "/runs/lights/lessons?kind=no-oracle") for text in questions(page)]
    assert len(refused) == 20
    assert refused[1].startswith("What is tower 5 ")
    assert "There are no more." in client.get("/runs/lights/lessons?page=9").text
    assert "There are none of this kind." in client.get("/runs/lights/lessons?kind=dull").text


def test_rejections_stand_with_reason_and_question(client: TestClient) -> None:
    pages = follow(client, "/runs/lights/lessons?part=rejected")
    asked = [text for page in pages for text in questions(page)]
    assert len(asked) == 30
    assert asked[:2] == ["Asked, and rejected?", "q1"], "the id where the exam's file has no such question"
    assert '<span class="reason">too long</span> 1 tokens' in pages[0]
    long = [
        text for page in follow(client, "/runs/lights/lessons?part=rejected&kind=too+long") for text in questions(page)
    ]
    assert len(long) == 15


def test_a_lesson_is_shown_as_the_model_sees_it(client: TestClient) -> None:
    page = client.get("/runs/lights/lessons/01-raft/lessons/1").text
    assert "What is tower 1 made of?" in page
    assert '<mark class="after">It is made of stone 1.</mark>' in page
    assert '<mark class="citation">[1]</mark>' in page
    assert "Be brief." in page
    for path in ("01-raft/lessons/60", "02-raft/lessons/0", "01-raft/rejected/0", "01-raft/lessons/x"):
        assert client.get(f"/runs/lights/lessons/{path}").status_code in (400, 404)


def test_the_exam_is_opened_from_list_to_example(client: TestClient) -> None:
    page = client.get("/runs/lights/exam").text
    assert 'Tuned did better <span class="number">' in page
    found = questions(page)
    assert len(found) == 25
    (link,) = re.findall(r'href="(/runs/lights/example[^"]+e%2F1[^"0-9][^"]*)"', page)
    example = client.get(unescape(link)).text
    assert dict(parse_qsl(urlsplit(unescape(link)).query))["question"] == "e/1 ?&"
    assert HEBREW in example
    assert '<span class="matched">stone</span>' in example
    assert '<mark class="after evidence">It is made of\nstone 1.</mark>' in example
    assert "cited by tuned" in example
    everything = [text for page in follow(client, "/runs/lights/exam?show=all") for text in questions(page)]
    assert len(everything) == 40
    assert max(map(len, everything)) <= 303 < len(LONG)
    worse = [text for page in follow(client, "/runs/lights/exam?show=worse") for text in questions(page)]
    assert worse == [f"What is tower {place} made of?" for place in range(4, 40, 5)]
    missing = client.get("/runs/lights/example?question=nobody's")
    assert (missing.status_code, "no question nobody&#39;s in the exam" in missing.text) == (404, True)


def test_traffic_comes_newest_first_with_what_was_thought_of_it(client: TestClient) -> None:
    assert client.get("/traffic").headers["location"] == "/runs/lights/traffic"
    pages = follow(client, "/runs/lights/traffic")
    asked = [text for page in pages for text in questions(page)]
    assert len(asked) == 60
    assert asked[0] == "(content is not kept)"
    assert [text.partition("?")[0] for text in asked[1:]] == [f"Question {number}" for number in reversed(range(59))]
    assert sum(page.count('class="tag bad">bad<') for page in pages) == 2 * 3, "in the summary, and with the comment"
    assert sum(page.count('class="tag good">good<') for page in pages) == 2 * 3
    assert "Would have been right</span> slate" in pages[-1]
    one = client.get(f"/runs/lights/traffic?answer={_answer(3)['id']}").text
    assert [text.partition("?")[0] for text in questions(one)] == ["Question 3"]


@pytest.mark.parametrize(
    ("show", "numbers"),
    [
        ("down", [40, 20, 0]),
        ("cancelled", [58, 49, 40, 31, 22, 13, 4]),
        ("abstained", [53, 45, 37, 29, 21, 5]),
    ],
)
def test_traffic_can_be_chosen_by_what_became_of_it(client: TestClient, show: str, numbers: list[int]) -> None:
    asked = questions(client.get(f"/runs/lights/traffic?show={show}").text)
    assert [int(text.partition("?")[0].removeprefix("Question ")) for text in asked] == numbers


def test_feedback_is_listed_as_it_came(client: TestClient) -> None:
    page = client.get("/runs/lights/traffic?show=feedback").text
    assert page.count('<li class="row">') == 7
    assert page.index("slate") < page.index('class="tag good">good<')


def test_models_stand_side_by_side_with_the_answers_that_they_gave(client: TestClient) -> None:
    assert '<a href="/runs/lights/models">Models side by side</a>' in client.get("/runs/lights/traffic").text
    page = client.get("/runs/lights/models").text
    assert '<th scope="row" class="name"><bdi>tuned</bdi></th>' in page
    assert "None in the log: serve.canary is the share of questions that a candidate gets." in page
    assert "No answer is in the log yet." in client.get("/runs/lights/models?since=9000-01-01").text
    missing = client.get("/runs/lights/models?since=soon")
    assert (missing.status_code, "--since soon is no date" in missing.text) == (404, True)


def test_passages_are_those_of_the_version_that_the_answer_rests_on(client: TestClient) -> None:
    pages = [client.get(f"/runs/lights/traffic?answer={_answer(number)['id']}").text for number in (6, 7)]
    assert ["It is made of\nstone 0." in page for page in pages] == [True, False]
    assert all("t0#0" in page or HOSTILE not in page for page in pages)


def test_where_content_is_off_none_is_shown(client: TestClient) -> None:
    page = client.get(f"/runs/lights/traffic?answer={_answer(59)['id']}").text
    assert "(content is not kept)" in page
    assert "t0#0" in page
    for content in ("Question 59", "other words", "It is made of", "Tower", "alert"):
        assert content not in page


@pytest.mark.parametrize(
    "path",
    [
        "/runs/nobody",
        "/runs/%2e%2e",
        "/runs/.hidden",
        "/runs/nobody/lessons",
        "/runs/lights/lessons?step=09-x",
        "/runs/%00",
    ],
)
def test_what_is_not_there_is_told_on_a_page(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert "<h1" in response.text
    assert '<a href="/runs">To the runs</a>' in response.text


@pytest.mark.parametrize("query", ["page=0", "page=x", "part=other", "page=99999999999"])
def test_a_wrong_address_is_told_on_a_page(client: TestClient, query: str) -> None:
    response = client.get(f"/runs/lights/lessons?{query}")
    assert response.status_code == 400
    assert f"asks for what there is not: {query.partition('=')[0]}." in response.text


def test_without_rooms_there_is_the_chat_alone(serves: Serves) -> None:
    served = serves()
    client = TestClient(served.app(), headers=BROWSER, raise_server_exceptions=False)
    assert client.get("/runs").status_code == client.get("/traffic").status_code == 404
    assert 'href="/runs"' not in client.get("/").text
