"""The chat's page, its files, and the way in with a key."""

from __future__ import annotations

import hashlib
import re
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from ragraft.web.api.keys import new_key, read_keys
from ragraft.web.pages.rendering import STATIC

if TYPE_CHECKING:
    from tests.unit.web.api.conftest import Served, Serves

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
BODY = {"messages": [{"role": "user", "content": "What is Arlen?"}]}


class Elements(HTMLParser):
    """All start tags of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    @property
    def ids(self) -> list[str]:
        return [str(attributes["id"]) for _, attributes in self.found if "id" in attributes]


def browser(served: Served, **given: Any) -> TestClient:
    return TestClient(served.app(**given), headers=BROWSER, follow_redirects=False, raise_server_exceptions=False)


def test_the_page_runs_nothing_but_its_own_files(served: Served) -> None:
    response = browser(served).get("/")
    assert response.status_code == 200
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy
    assert not re.findall(r"https?://|//[a-z]", response.text)
    for tag, attributes in Elements(response.text).found:
        assert tag != "style"
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (tag, attributes)
        assert tag != "script" or str(attributes["src"]).startswith("/static/")


def test_every_file_is_there_whole_and_is_kept(served: Served) -> None:
    client = browser(served)
    named = set(re.findall(r'(?:href|src)="/static/([^"]+)"', client.get("/").text))
    assert named <= set(STATIC)
    for name, kind in STATIC.items():
        response = client.get(f"/static/{name}")
        assert response.headers["content-type"].startswith(kind)
        again = client.get(f"/static/{name}", headers={"if-none-match": response.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        imported = re.findall(r'from "\./([^"]+)"', response.text)
        assert set(imported) <= set(STATIC)
        assert "innerHTML" not in response.text or name == "htmx.min.js"
    assert client.get("/static/app.py").status_code == client.get("/static/..%2fapp.py").status_code == 404


def test_the_one_library_is_the_one_that_was_published() -> None:
    """htmx.org 2.0.11, dist/htmx.min.js, as npm has it."""
    folder = resources.files("ragraft.web") / "static"
    digest = hashlib.sha256((folder / "htmx.min.js").read_bytes()).hexdigest()
    assert digest == "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
    assert "Zero-Clause BSD" in (folder / "htmx-LICENSE.txt").read_text("utf-8")


def test_every_element_that_the_script_names_is_on_the_page(served: Served) -> None:
    client = browser(served)
    page, script = client.get("/").text, client.get("/static/chat.js").text
    ids = Elements(page).ids
    assert len(ids) == len(set(ids))
    named = set(re.findall(r'byId\("([\w-]+)"\)', script))
    assert len(named) > 12
    assert named - set(ids) == {"leave"}, "signing out stands where somebody is signed in"


def test_names_and_questions_are_data(serves: Serves) -> None:
    served = serves()
    served.chat_facts = {
        "run": "<b>&\u202eq",
        "examples": ("<img src=x onerror=alert(1)>", "\u05de\u05d4?", "x" * 10_000),
    }
    page = browser(served).get("/").text
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;</button>" in page
    assert "<bdi>&lt;b&gt;&amp;\u202eq</bdi>" in page
    assert f'dir="auto">{"x" * 10_000}</button>' in page


def test_what_the_server_does_by_itself_is_left_out_of_requests(serves: Serves) -> None:
    served = serves()
    served.chat_facts = {"retrieval": "auto", "retrievals": ("always", "never", "auto")}
    page = browser(served).get("/").text
    options = re.findall(r'<option value="(\w*)"( selected)?>([^<]+)</option>', page)
    assert options == [
        ("always", "", "With documents"),
        ("never", "", "From memory"),
        ("", " selected", "Documents as needed"),
    ]
    assert browser(serves()).get("/").text.count("<option value") == 2


def test_what_is_not_kept_is_not_asked_for(serves: Serves) -> None:
    def told(**settings: Any) -> tuple[bool, bool]:
        page = browser(serves(**settings)).get("/").text
        return 'data-feedback="true"' in page, 'data-notes="true"' in page

    assert told() == (True, True)
    assert told(log_content=False) == (True, False)
    assert told(log=False) == (False, False)


def test_a_person_is_shown_a_page_and_a_program_gets_json(served: Served) -> None:
    client = browser(served)
    page = client.get("/no<where>")
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no page /no&lt;where&gt; here." in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert client.get("/nowhere", headers={"accept": "*/*"}).json()["error"]["type"] == "not_found_error"
    refused = client.get("/", headers={"host": "evil.example"})
    assert (refused.status_code, "under its own machine&#39;s name alone." in refused.text) == (403, True)


def test_without_keys_nobody_signs_in(served: Served) -> None:
    client = browser(served)
    assert client.get("/sign-in?next=/runs").headers["location"] == "/runs"
    entered = client.post("/sign-in", data={"key": "any"})
    assert (entered.headers["location"], "set-cookie" in entered.headers) == ("/", False)


@pytest.fixture
def key(tmp_path: Path) -> str:
    return new_key(tmp_path, "app")


@pytest.fixture
def guarded(served: Served, tmp_path: Path, key: str) -> TestClient:
    return browser(served, keys=read_keys(tmp_path), hosts=())


def test_who_has_no_key_is_sent_to_where_one_is_asked_for(guarded: TestClient) -> None:
    assert guarded.get("/").headers["location"] == "/sign-in?next=%2F"
    assert guarded.get("/runs?page=2&x=é").headers["location"] == "/sign-in?next=%2Fruns%3Fpage%3D2%26x%3D%25C3%25A9"
    page = guarded.get("/sign-in?next=/runs")
    assert page.status_code == guarded.get("/static/pages.css").status_code == 200
    assert 'value="/runs"' in page.text
    assert "lights" not in page.text, "who is not let in is told nothing of the run"
    assert guarded.post("/v1/chat/completions", json=BODY, headers={"accept": "*/*"}).status_code == 401


def test_a_key_is_sent_once_and_a_cookie_that_no_script_reads_stands_for_it(
    guarded: TestClient, served: Served, key: str
) -> None:
    entered = guarded.post("/sign-in", data={"key": f" {key}\n", "next": "/?a=b"})
    assert (entered.status_code, entered.headers["location"]) == (303, "/?a=b")
    cookie = entered.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie
    assert key not in str(entered.headers)
    page = guarded.get("/")
    assert page.status_code == 200
    assert "Signed in with the key app" in page.text
    assert guarded.post("/v1/chat/completions", json=BODY).status_code == 200
    assert [row["asker"] for row in served.rows] == ["app"]
    left = guarded.post("/sign-out")
    assert left.headers["location"] == "/sign-in"
    guarded.cookies.set("ragraft-session", entered.cookies["ragraft-session"])
    assert guarded.get("/").status_code == 303, "an old cookie opens nothing"


def test_the_cookie_does_not_let_other_sites_in(guarded: TestClient, served: Served, key: str) -> None:
    guarded.post("/sign-in", data={"key": key})
    for origin in ("http://evil.example", "http://testserver:9", "null"):
        refused = guarded.post("/v1/feedback", json={"id": "chatcmpl-" + "0" * 32}, headers={"origin": origin})
        assert refused.status_code == guarded.post("/sign-out", headers={"origin": origin}).status_code == 403
    assert served.rows == []


def test_over_tls_the_cookie_stays_there(served: Served, tmp_path: Path, key: str) -> None:
    app = served.app(keys=read_keys(tmp_path), hosts=())
    entered = TestClient(app, base_url="https://testserver", follow_redirects=False).post("/sign-in", data={"key": key})
    assert "secure" in entered.headers["set-cookie"].lower()


@pytest.mark.parametrize("wrong", ["", "wrong", "rg-", "é" * 300])
def test_a_wrong_key_is_told_in_a_sentence(guarded: TestClient, wrong: str) -> None:
    response = guarded.post("/sign-in", data={"key": wrong, "next": '/"><script>'})
    assert (response.status_code, "set-cookie" in response.headers) == (401, False)
    assert 'role="alert"' in response.text
    assert "This is no key of this server; look whether all of it was copied." in response.text
    assert "<script>" not in response.text


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "", "/a\tb"])
def test_signing_in_leads_nowhere_else(guarded: TestClient, key: str, target: str) -> None:
    assert guarded.post("/sign-in", data={"key": key, "next": target}).headers["location"] == "/"
    page = guarded.get("/sign-in", params={"next": target})
    assert 'name="next" value="/"' in page.text
