"""Chat turns to tokens, the same for training and for every generator: a model is asked as it was taught.

Knows tokenizers and chat templates; knows nothing of RAG.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ragraft.errors import SourceError
from ragraft.models.sources import first_line
from ragraft.records import Message, Prompt

# For models without a chat template of their own.
PLAIN_TEMPLATE = (
    "{% for message in messages %}{{ '### ' + message['role'] | capitalize + '\n' + message['content'] + '\n\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '### Assistant\n' }}{% endif %}"
)
_SLOT = re.compile("\ue000(\\d+)\ue001")


@dataclass(frozen=True, slots=True)
class ChatTokenizer:
    """A model's tokenizer with its chat template; implements ports.Tokenizer."""

    tokenizer: Any

    def count(self, text: str) -> int:
        return len(self._data_ids(text))

    def count_prompt(self, prompt: Prompt) -> int:
        return len(self.render(prompt)) if prompt.messages else len(self.text_ids(""))

    def render(self, prompt: Prompt) -> list[int]:
        """Token ids of the prompt up to where the answer begins.

        Text is data: a control token's text inside a message becomes ordinary characters. Where no message holds
        any, these are exactly the ids of the tokenizer's own `apply_chat_template`.
        """
        pieces, messages = self._fit(prompt.messages)
        contents = [message.content for message in messages]
        if not _control_pattern(self.tokenizer).search("\n".join(contents)):
            return self._ids(self.prompt_text(prompt))
        ids: list[int] = []
        for piece, content in zip_longest(pieces, contents, fillvalue=""):
            ids += self._ids(piece) + self._data_ids(content)
        return ids

    def prompt_text(self, prompt: Prompt) -> str:
        """The prompt in the model's chat form; empty for what is no chat."""
        if not prompt.messages:
            return ""
        pieces, messages = self._fit(prompt.messages)
        contents = (message.content for message in messages)
        return "".join(piece + content for piece, content in zip_longest(pieces, contents, fillvalue=""))

    def turn_texts(self, roles: tuple[str, ...]) -> tuple[str, ...] | None:
        """The template's own text before, between and after the contents of such turns; None where it refuses them."""
        return _template_pieces(self.tokenizer, roles)

    def target_ids(self, target: str) -> list[int]:
        """Token ids of an answer, closed by the token that ends a turn."""
        return [*self._data_ids(target), self.end]

    def text_ids(self, text: str) -> list[int]:
        """Token ids of a text that is no chat: what opens one for this model, then the text."""
        return [self._opening, *self._data_ids(text)]

    @property
    def _opening(self) -> int:
        """The token after which the model expects a text to begin."""
        added = self.tokenizer("")["input_ids"]
        if added:
            return int(added[0])
        # Byte-level models of GPT-2's line part their training texts with this, whatever ends a chat's turn.
        parting = self.tokenizer.added_tokens_encoder.get("<|endoftext|>")
        known = (parting, self.tokenizer.bos_token_id, self.tokenizer.eos_token_id)
        return next(int(token) for token in known if token is not None)

    @property
    def end(self) -> int:
        """The token that ends a turn."""
        return int(self.tokenizer.eos_token_id)

    @property
    def end_text(self) -> str:
        """How the token that ends a turn is written."""
        return str(self.tokenizer.eos_token)

    @property
    def opening_text(self) -> str:
        """How the token that opens a text is written."""
        return str(self.tokenizer.convert_ids_to_tokens(self._opening))

    @property
    def added_text(self) -> str:
        """How what the tokenizer puts before every text by itself is written; empty where it puts nothing there."""
        return "".join(self.tokenizer.convert_ids_to_tokens(self.tokenizer("")["input_ids"]))

    def plain_ids(self, text: str) -> list[int]:
        """Ids of a text in which control tokens count as such, as other programs read it."""
        return self._ids(text)

    @property
    def control_texts(self) -> tuple[str, ...]:
        """The texts of all control tokens, the longest first."""
        return _control_texts(self.tokenizer)

    def decode(self, ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))

    def _fit(self, messages: tuple[Message, ...]) -> tuple[tuple[str, ...], tuple[Message, ...]]:
        """The template's own text between the contents, and the messages in roles that the template knows."""
        pieces = _template_pieces(self.tokenizer, tuple(message.role for message in messages))
        if pieces is None:  # no system turn in this template: its text opens the first user turn
            system, first = messages[0], messages[1]
            messages = (Message("user", f"{system.content}\n\n{first.content}"), *messages[2:])
            pieces = _template_pieces(self.tokenizer, tuple(message.role for message in messages))
        assert pieces is not None
        return pieces, messages

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def _data_ids(self, text: str) -> list[int]:
        """Ids of text in which nothing counts as a control token."""
        # A marker is cut after its first character; encoded alone, neither part is a marker any more.
        borders = [match.start() + 1 for match in _control_pattern(self.tokenizer).finditer(text)]
        parts = (text[start:end] for start, end in zip([0, *borders], [*borders, len(text)], strict=True))
        return [token for part in parts for token in self._ids(part)]


def load_tokenizer(folder: Path) -> ChatTokenizer:
    """Open a model folder's tokenizer."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        raise SourceError(
            f"transformers cannot open the tokenizer in {folder}: {first_line(error)}; "
            "fetch the model anew, or name another"
        ) from error
    if tokenizer.eos_token_id is None:
        raise SourceError(
            f"The tokenizer in {folder} names no token that ends a turn (eos_token), so no model could be taught to "
            "stop; name it in tokenizer_config.json, or name another model"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return ChatTokenizer(tokenizer)


@functools.lru_cache(maxsize=64)
def _template_pieces(tokenizer: Any, roles: tuple[str, ...]) -> tuple[str, ...] | None:
    """The template's own text before, between and after the contents; None when it refuses a system turn."""
    messages = [{"role": role, "content": f"\ue000{place}\ue001"} for place, role in enumerate(roles)]
    try:
        text = tokenizer.apply_chat_template(
            messages,
            chat_template=tokenizer.chat_template or PLAIN_TEMPLATE,
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,  # templates without a thinking mode ignore it
        )
    except Exception:  # templates raise what they like to refuse a role
        if roles[0] != "system":
            raise
        return None
    if _SLOT.findall(text) != [str(place) for place in range(len(roles))]:
        if roles[0] == "system":
            return None
        raise ValueError(f"this model's chat template drops or repeats turns of {roles}")
    return tuple(_SLOT.split(text)[::2])


@functools.lru_cache(maxsize=8)
def _control_pattern(tokenizer: Any) -> re.Pattern[str]:
    """Matches the text of any control token."""
    return re.compile("|".join(map(re.escape, _control_texts(tokenizer))) or r"(?!)")


def _control_texts(tokenizer: Any) -> tuple[str, ...]:
    added = {str(token) for token in tokenizer.added_tokens_encoder} | set(tokenizer.all_special_tokens)
    # Gemma and GPT-NeoX add runs of blanks and newlines: those are words, and cutting them would change all texts.
    words = {token for token in added if token.strip(" \t\r\n▁")}
    return tuple(sorted(words, key=lambda word: (-len(word), word)))
