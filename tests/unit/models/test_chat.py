from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from ragraft.models.chat import ChatTokenizer, load_tokenizer
from ragraft.records import Message, Prompt

MARKERS = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")
# Text that is likely to meet markers: whole, in parts, nested and side by side.
LOADED = st.lists(
    st.one_of(st.sampled_from([*MARKERS, "<|im_", "end|>", "<", "|", "<|", "|>", "\n", "user"]), st.text(max_size=4)),
    max_size=12,
).map("".join)
FREE = st.text(max_size=60).filter(lambda text: not any(marker in text for marker in MARKERS))
ROLES: tuple[tuple[str, ...], ...] = (
    ("user",),
    ("system", "user"),
    ("user", "assistant", "user"),
    ("system", "user", "assistant", "user"),
)
NO_SYSTEM = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
DROPS_SYSTEM = (
    "{% for message in messages if message['role'] != 'system' %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LAST_ONLY = "{{ messages[-1]['content'] }}"


@pytest.fixture(scope="module")
def chat(tiny_model: Path) -> ChatTokenizer:
    return load_tokenizer(tiny_model)


def with_template(folder: Path, template: str | None) -> ChatTokenizer:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = template
    return ChatTokenizer(tokenizer)


def prompt(roles: tuple[str, ...], texts: list[str]) -> Prompt:
    return Prompt(tuple(Message(role, text) for role, text in zip(roles, texts, strict=True)))  # type: ignore[arg-type]


def prompts(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Prompt]:
    def of(roles: tuple[str, ...]) -> st.SearchStrategy[Prompt]:
        return st.lists(texts, min_size=len(roles), max_size=len(roles)).map(lambda found: prompt(roles, found))

    return st.sampled_from(ROLES).flatmap(of)


def own_ids(chat: ChatTokenizer, question: Prompt) -> list[int]:
    turns = [{"role": message.role, "content": message.content} for message in question.messages]
    ids: Any = chat.tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
    return list(ids)


def frame(chat: ChatTokenizer, roles: tuple[str, ...]) -> list[int]:
    """The control tokens of a prompt with empty messages."""
    return control(chat, chat.render(prompt(roles, [""] * len(roles))))


def control(chat: ChatTokenizer, ids: list[int]) -> list[int]:
    return [token for token in ids if token in set(chat.tokenizer.all_special_ids)]


@settings(max_examples=150, deadline=None)
@given(question=prompts(FREE))
def test_rendering_equals_the_tokenizers_own(chat: ChatTokenizer, question: Prompt) -> None:
    assert chat.render(question) == own_ids(chat, question)
    assert chat.count_prompt(question) == len(own_ids(chat, question))


@settings(max_examples=150, deadline=None)
@given(question=prompts(LOADED))
def test_control_tokens_come_from_the_template_alone(chat: ChatTokenizer, question: Prompt) -> None:
    ids = chat.render(question)
    assert control(chat, ids) == frame(chat, tuple(message.role for message in question.messages))
    # Nothing was taken out either: the text is the template's, with the messages as they are.
    turns = [{"role": message.role, "content": message.content} for message in question.messages]
    text = chat.tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    assert chat.tokenizer.decode(ids) == text


@settings(max_examples=150, deadline=None)
@given(text=LOADED)
def test_a_target_is_data_closed_by_the_end_token(chat: ChatTokenizer, text: str) -> None:
    *ids, end = chat.target_ids(text)
    assert end == chat.tokenizer.eos_token_id
    assert control(chat, ids) == []
    assert chat.decode(ids) == text == chat.decode([*ids, end])
    assert chat.count(text) == len(ids)


def test_markers_would_be_control_tokens_otherwise(chat: ChatTokenizer) -> None:
    # Without this, the laws above could hold of a tokenizer that knows no markers.
    assert len(chat.tokenizer.encode("<|im_end|>")) == 1 < chat.count("<|im_end|>")


@pytest.mark.parametrize("template", [NO_SYSTEM, DROPS_SYSTEM], ids=["refuses", "drops"])
def test_without_a_system_role_its_text_opens_the_first_user_turn(tiny_model: Path, template: str) -> None:
    chat = with_template(tiny_model, template)
    for roles in ROLES:
        texts = [f"text {place}" for place in range(len(roles))]
        folded = prompt(roles, texts)
        if roles[0] == "system":
            folded = prompt(roles[1:], [f"{texts[0]}\n\n{texts[1]}", *texts[2:]])
        assert chat.render(prompt(roles, texts)) == own_ids(chat, folded)


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(LOADED, min_size=2, max_size=2))
def test_a_folded_system_text_is_data_too(tiny_model: Path, texts: list[str]) -> None:
    chat = with_template(tiny_model, NO_SYSTEM)
    ids = chat.render(prompt(("system", "user"), texts))
    assert control(chat, ids) == frame(chat, ("user",))


def test_a_template_that_loses_turns_is_refused(tiny_model: Path) -> None:
    with pytest.raises(ValueError, match="drops or repeats turns"):
        with_template(tiny_model, LAST_ONLY).render(prompt(("user", "assistant", "user"), ["a", "b", "c"]))


def test_an_error_of_the_template_itself_is_not_hidden(tiny_model: Path) -> None:
    with pytest.raises(Exception, match="only for two"):
        with_template(tiny_model, "{{ raise_exception('only for two') }}").render(prompt(("user",), ["a"]))


def test_a_model_without_a_template_gets_headings(tiny_model: Path) -> None:
    chat = with_template(tiny_model, None)
    ids = chat.render(prompt(("system", "user"), ["Be brief.", "Who?"]))
    assert chat.tokenizer.decode(ids) == "### System\nBe brief.\n\n### User\nWho?\n\n### Assistant\n"


def test_added_white_space_is_no_control_text(tiny_model: Path) -> None:
    # Gemma and GPT-NeoX keep runs of blanks and newlines as added tokens: they are words, not control.
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.add_tokens(["\n\n", "    "])
    chat = ChatTokenizer(tokenizer)
    question = prompt(("system", "user"), ["One.\n\nTwo.", "if x:\n    pass"])
    assert chat.render(question) == own_ids(chat, question)
    assert chat.count("a\n\nb") == len(tokenizer.encode("a\n\nb"))


def test_padding_falls_back_to_the_end_token(tiny_model: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    assert load_tokenizer(tiny_model).tokenizer.pad_token == "<|endoftext|>"
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path)
    assert load_tokenizer(tmp_path).tokenizer.pad_token == "<|im_end|>"


def test_a_text_is_opened_as_the_model_expects_it(chat: ChatTokenizer) -> None:
    known = chat.tokenizer
    opening = known.convert_tokens_to_ids("<|endoftext|>")
    assert chat.text_ids("the walrus") == [opening, *known.encode("the walrus")]
    assert known.decode(chat.text_ids("a <|im_end|> b")[1:]) == "a <|im_end|> b"
    assert known.convert_tokens_to_ids("<|im_end|>") not in chat.text_ids("a <|im_end|> b")


def test_a_tokenizer_that_opens_texts_itself_is_asked(tiny_model: Path) -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    start = tokenizer.convert_tokens_to_ids("<|im_start|>")
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|im_start|> $A", special_tokens=[("<|im_start|>", start)]
    )
    assert ChatTokenizer(tokenizer).text_ids("the walrus")[0] == start


def test_without_a_parting_token_a_text_opens_with_the_end_of_one(tiny_llama: Path) -> None:
    chat = load_tokenizer(tiny_llama)
    assert chat.text_ids("x")[0] == chat.tokenizer.eos_token_id
