"""LangChain's and LlamaIndex's classes for OpenAI's API, each in an environment of its own, by the docs' own code."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.engines.environments import LANGCHAIN, LLAMAINDEX, Peer, python_of
from ragraft.errors import BackendError

if TYPE_CHECKING:
    from tests.unit.web.api.conftest import Served

pytestmark = [pytest.mark.enable_socket, pytest.mark.slow]
DOCS = (Path(__file__).parents[4] / "docs" / "serving.md").read_text("utf-8")
QUESTION = "What is Boskar made of?"
ANSWER = "The tower of Boskar is made of slate."
BEGUN = """
import json

def tell(name, told):
    print("TOLD " + json.dumps([name, told]))

"""
CHAIN = """
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

def rests(message):
    return message.response_metadata["ragraft"]["citations"][0]["passage"]

tell("whole", [answer.content, rests(answer)])
tell("usage", answer.usage_metadata["output_tokens"])
tell("text", as_text.invoke(QUESTION).content)
parts = list(model.stream(QUESTION))
tell("pieces", sum(bool(part.content) for part in parts))
streamed = parts[0]
for part in parts[1:]:
    streamed += part
tell("stream", [streamed.content, rests(streamed)])
before = [SystemMessage("Be brief."), HumanMessage("What is Arlen made of?"), AIMessage("granite")]
tell("turns", model.invoke([*before, HumanMessage(QUESTION)]).response_metadata["ragraft"]["cuts"])
tell("batch", [one.content for one in model.batch([QUESTION, "What is Cavit made of?"])])
"""
INDEX = """
from llama_index.core.llms import ChatMessage

def rests(raw):
    return raw.choices[0].model_extra["ragraft"]["citations"][0]["passage"]

tell("whole", [answer.text, rests(answer.raw)])
tell("usage", answer.raw.usage.completion_tokens)
as_text = OpenAILike(
    model="tuned", api_base=model.api_base, api_key="none", is_chat_model=True,
    additional_kwargs={"extra_body": {"ragraft": {"text": True}}},
)
tell("text", as_text.complete(QUESTION).text)
parts = list(model.stream_chat([ChatMessage(role="user", content=QUESTION)]))
tell("pieces", sum(bool(part.delta) for part in parts))
ended = [part.raw for part in parts if part.raw.choices and "ragraft" in (part.raw.choices[0].model_extra or {})]
tell("stream", [parts[-1].message.content, rests(ended[0])])
turns = [("system", "Be brief."), ("user", "What is Arlen made of?"), ("assistant", "granite"), ("user", QUESTION)]
told = model.chat([ChatMessage(role=role, content=text) for role, text in turns])
tell("turns", told.raw.choices[0].model_extra["ragraft"]["cuts"])
"""


def block(words: str) -> str:
    """The one block of the docs with these words."""
    (found,) = [one for one in re.findall(r"```text\n(.*?)```", DOCS, re.DOTALL) if words in one]
    return str(found)


def told_by(peer: Peer, script: str) -> dict[str, Any]:
    try:
        python = python_of(peer)
    except BackendError as error:
        pytest.skip(str(error))
    done = subprocess.run([str(python), "-c", script], capture_output=True, encoding="utf-8", check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(line.removeprefix("TOLD ")) for line in done.stdout.splitlines() if line[:5] == "TOLD ")


@pytest.mark.parametrize("client", [(LANGCHAIN, "ChatRagraft", CHAIN), (LLAMAINDEX, "OpenAILike", INDEX)])
def test_it_works_unchanged(
    served: Served, port: int, client: tuple[Peer, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    peer, words, then = client
    monkeypatch.delenv("RAGRAFT_CACHE")  # environments are the user's, and kept
    shown = block(words).replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    shown = re.sub(r'"Which form do I need for a refund\?"', "QUESTION", shown)
    assert shown.count("QUESTION") >= 1
    told = told_by(peer, f"QUESTION = {QUESTION!r}\n{BEGUN}{shown}{then}")
    assert told["whole"] == told["stream"] == [ANSWER, "boskar#0"]
    assert told["usage"] > 0
    assert told["pieces"] >= 1
    assert ANSWER in told["text"]
    assert "[1] Boskar (boskar#0)" in told["text"]
    assert told["turns"]["ignored"] == 1, "the caller's own system text is not shown"
    rows = [row for row in served.rows if "What is Arlen made of?" in row["query"]]
    assert [row["question"] for row in rows] == [QUESTION], "the question before is looked up with it"
    if "batch" in told:
        assert told["batch"][0] == ANSWER
        assert "Cavit" in told["batch"][1]
