"""A Modelfile: how Ollama asks a model, in the form and with the settings that it was taught with.

Knows chat templates; knows nothing of RAG.
"""

from __future__ import annotations

import re

from ragraft.models.chat import ChatTokenizer

SYSTEM, PROMPT, RESPONSE = "{{ .System }}", "{{ .Prompt }}", "{{ .Response }}"


def modelfile(tokenizer: ChatTokenizer, weights: str, *, system: str, window: int, answer_tokens: int) -> str:
    """For a file of weights beside it: template, system text, greedy decoding, and where an answer ends."""
    return "\n".join(
        [
            f"FROM ./{weights}",
            f'TEMPLATE """{ollama_template(tokenizer)}"""',
            f'SYSTEM """{system}"""',
            "PARAMETER temperature 0",
            f"PARAMETER num_ctx {window}",
            f"PARAMETER num_predict {answer_tokens}",
            f'PARAMETER stop "{tokenizer.end_text}"',
            "",
        ]
    )


def ollama_template(tokenizer: ChatTokenizer) -> str:
    """The model's chat template in Ollama's form: one exchange, which Ollama itself repeats for earlier ones."""
    texts = tokenizer.turn_texts(("system", "user", "assistant", "user"))
    if texts is None:  # no system turn: its text opens the user's
        opening, answer, between = (tokenizer.turn_texts(("user", "assistant", "user")) or ("", "", ""))[:3]
        inside = "\n\n"
    else:
        opening, inside, answer, between = texts[:4]
    opening = opening.removeprefix(tokenizer.added_text)  # Ollama writes by itself what opens every text
    found = re.match(rf"{re.escape(tokenizer.end_text)}\s*", between)
    ending = found[0] if found else ""
    later = between[len(ending) :]
    first = f"{opening}{SYSTEM}{inside}"
    return f"{{{{ if .System }}}}{first}{{{{ else }}}}{later}{{{{ end }}}}{PROMPT}{answer}{RESPONSE}{ending}"
