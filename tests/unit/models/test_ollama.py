from __future__ import annotations

import re

import pytest
from transformers import PreTrainedTokenizerFast

from ragraft.models.chat import ChatTokenizer
from ragraft.models.ollama import modelfile, ollama_template
from ragraft.records import Message, Prompt
from tests.conftest import CHATML, chat_tokenizer

NO_SYSTEM = (
    "{% for message in messages %}{% if message['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
OWN_SYSTEM = "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nBe good.<|im_end|>\n{% endif %}" + CHATML


def tokenizer(template: str) -> ChatTokenizer:
    inner: PreTrainedTokenizerFast = chat_tokenizer()
    inner.chat_template = template
    return ChatTokenizer(inner)


def filled(template: str, exchanges: list[tuple[str, str]], system: str) -> str:
    """As Ollama fills it: an exchange at a time, the system text in the first, no answer in the last."""
    text = ""
    for place, (prompt, response) in enumerate(exchanges):
        with_system, without = re.match(
            r"\{\{ if \.System \}\}(.*)\{\{ else \}\}(.*)\{\{ end \}\}", template, re.S
        ).groups()  # type: ignore[union-attr]
        rest = template.partition("{{ end }}")[2]
        part = (with_system if place == 0 else without) + rest
        last = place + 1 == len(exchanges)
        part = part.partition("{{ .Response }}")[0] if last else part.replace("{{ .Response }}", response)
        text += part.replace("{{ .System }}", system).replace("{{ .Prompt }}", prompt)
    return text


@pytest.mark.parametrize("template", [CHATML, NO_SYSTEM, OWN_SYSTEM])
@pytest.mark.parametrize("earlier", [0, 1, 2])
def test_ollama_asks_as_the_model_was_taught(template: str, earlier: int) -> None:
    chat = tokenizer(template)
    exchanges = [(f"Question {n}?", f"Answer: {n}") for n in range(earlier)] + [("The last one?", "")]
    turns = [Message("system", "Answer from the documents.")]
    for prompt, response in exchanges:
        turns += [Message("user", prompt), Message("assistant", response)]
    asked = chat.prompt_text(Prompt(tuple(turns[:-1])))
    assert filled(ollama_template(chat), exchanges, "Answer from the documents.") == asked


def test_the_modelfile_is_greedy_and_ends_where_answers_do() -> None:
    text = modelfile(tokenizer(CHATML), "m.gguf", system="Answer.", window=2048, answer_tokens=96)
    lines = text.splitlines()
    assert lines[0] == "FROM ./m.gguf"
    assert 'SYSTEM """Answer."""' in lines
    assert lines[-4:] == [
        "PARAMETER temperature 0",
        "PARAMETER num_ctx 2048",
        "PARAMETER num_predict 96",
        'PARAMETER stop "<|im_end|>"',
    ]
