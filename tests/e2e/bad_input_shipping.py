"""The last cases of docs/errors.md: a model that is to go into service or into other programs."""

from __future__ import annotations

from tests.e2e.bad_commands import EXPORT
from tests.e2e.bad_input import Case, sets, writes

PROMOTE = ("promote", "FILE")

SHIPPING: tuple[Case, ...] = (
    Case("exporting weights of a type that is none", command=(*EXPORT, "--to", "gguf", "--type", "q4")),
    Case("exporting prompts before there is an exam", command=(*EXPORT, "--to", "openai-batch")),
    Case("promoting before there is a tuned model", command=PROMOTE),
    Case("promoting by force without a reason", command=(*PROMOTE, "--force")),
    Case("a reason without force", command=(*PROMOTE, "--reason", "why not")),
    Case("a gate that asks for a share above 1", sets(promote={"least": 2}), PROMOTE),
    Case("going back where nothing was promoted", command=("rollback", "FILE")),
    Case("a registry in which nothing happened", command=("registry", "FILE")),
    Case("a damaged state of the registry", writes("registry/state.json", "{"), ("status", "FILE")),
    Case("shadows that nobody keeps", sets(serve={"shadow": 0.1, "log": False}), ("serve", "FILE")),
)
