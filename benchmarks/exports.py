"""Whether what `ragraft export` writes answers like the tuned model: the exam's prompts, greedily, by each program.

    python -m benchmarks.exports FOLDER/ragraft.yaml [--run NAME] [--limit 48] [--json FILE]

Exports a finished run's model in every form into a temporary folder and asks each of them the prompts of
`--to openai-batch` as the program that it is for does: transformers the merged folder, PEFT the adapter over its base,
llama-cpp-python the GGUF files in f16 and q8_0 by their own tokenizer and chat template; so does transformers, which
dequantizes them. The reference is the tuned model in float32 with plain greedy decoding, token by token; `ragraft` is
the same, abstaining by probability as ragraft does, which no file carries. `same text` is the share of answers that are
equal to the last sign, `same answer` that of answers whose bare answer is equal or that both abstain; with 95 %
intervals over questions.
A program that is not installed is left out and told: pip install llama-cpp-python builds in some minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.ending import ended
from ragraft.errors import SourceError
from ragraft.methods.answer import parse, sampling_for
from ragraft.methods.stats import mean_interval
from ragraft.pipeline import Session, Wishes, export, open_session
from ragraft.pipeline.wiring import builder
from ragraft.records import Interval, Message, Prompt, to_json
from ragraft.workspace import Checkpoint, Folder

LIMIT = 48
PACKAGES = ("ragraft", "torch", "transformers", "peft", "gguf", "llama-cpp-python")
Row = dict[str, Any]
Ask = Callable[[Sequence[Sequence[Message]], int], list[str]]
"""Conversations and the most tokens of an answer to their answers."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked, and how long an answer may be."""

    messages: tuple[tuple[Message, ...], ...]
    tokens: int
    abstention: str


def main(arguments: Sequence[str]) -> int:
    return ended(lambda: _main(_parse(arguments)))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="the YAML of a finished run")
    parser.add_argument("--run", metavar="NAME", help="another run beside the one that the YAML names")
    parser.add_argument("--limit", type=int, default=LIMIT, help=f"questions of the exam ({LIMIT})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows here")
    return parser.parse_args(arguments)


def _main(options: argparse.Namespace) -> int:
    session = open_session(options.file, run=options.run)
    with tempfile.TemporaryDirectory(prefix="ragraft-exports-") as scratch:
        rows = measure(session, Path(scratch), options.limit)
    print("\n".join(lines_of(rows)))
    if options.json:
        facts = {"run": session.run.name, "versions": {name: _version(name) for name in PACKAGES}}
        options.json.write_text(json.dumps({"rows": rows, **facts}, indent=1) + "\n", encoding="utf-8")
    return 0


def measure(session: Session, scratch: Path, limit: int) -> list[Row]:
    """A row a form, each against the tuned model asked greedily."""
    asked = _asked(session, scratch, limit)
    final = str(Checkpoint(session.at().made["train"]).final())
    reference = ask_checkpoint(final)(asked.messages, asked.tokens)
    rows = []
    for name, open_form in forms(session, scratch, final):
        print(f"{name} …", file=sys.stderr)
        try:
            answers = open_form()(asked.messages, asked.tokens)
        except SourceError as error:
            print(f"{name}: left out ({error})", file=sys.stderr)
            continue
        rows.append(compared(name, answers, reference, asked.abstention))
    return rows


def compared(name: str, answers: Sequence[str], reference: Sequence[str], abstention: str) -> Row:
    """How many answers agree with the reference's."""
    same_text, same_answer = [], []
    for answer, wanted in zip(answers, reference, strict=True):
        one, other = parse(answer, abstention), parse(wanted, abstention)
        same_text.append(float(answer.strip() == wanted.strip()))
        same_answer.append(float((one.abstained and other.abstained) or one.answer == other.answer))
    clusters = [str(place) for place, _ in enumerate(same_text)]

    def share(values: Sequence[float]) -> Row:
        return to_json(mean_interval(values, clusters, share=True, resamples=1000, seed=0))

    return {"form": name, "same text": share(same_text), "same answer": share(same_answer)}


def lines_of(rows: Sequence[Row]) -> Iterator[str]:
    """The table as it is printed."""
    yield f"{'form':<24}{'same text':>22}{'same answer':>22}{'n':>6}"
    for row in rows:
        figures = [Interval(**row[key]) for key in ("same text", "same answer")]
        told = [f"{100 * f.value:.1f} [{100 * (f.low or 0):.1f}, {100 * (f.high or 0):.1f}]" for f in figures]
        yield f"{row['form']:<24}{told[0]:>22}{told[1]:>22}{figures[0].n:>6}"


def forms(session: Session, scratch: Path, final: str) -> Iterator[tuple[str, Callable[[], Ask]]]:
    """Each form by name, with how it is written and opened."""

    def written(kind: str, **wishes: Any) -> Path:
        target = scratch / f"{kind}{wishes.get('weights', '')}"
        return target if target.exists() else export(session, kind, target, Wishes(**wishes)).folder

    def gguf(weights: str) -> Ask:
        if find_spec("llama_cpp") is None:
            raise SourceError("llama-cpp-python is not installed")
        return ask_llama_cpp(written("gguf", weights=weights) / f"{session.run.name}-{weights}.gguf")

    yield "ragraft", lambda: ask_ragraft(session, final)
    yield "merged, transformers", lambda: ask_transformers(written("merged"))
    yield "adapter, PEFT", lambda: ask_peft(written("adapter"), str(session.backends.model_facts()["path"]))
    for weights in ("f16", "q8_0"):
        yield (
            f"gguf {weights}, transformers",
            lambda weights=weights: ask_transformers(  # type: ignore[misc]
                written("gguf", weights=weights), f"{session.run.name}-{weights}.gguf"
            ),
        )
    yield "gguf f16, llama.cpp", lambda: gguf("f16")
    yield "gguf q8_0, llama.cpp", lambda: gguf("q8_0")


def ask_checkpoint(model: str) -> Ask:
    """The tuned model in float32, one prompt at a time, greedily."""
    from ragraft.models.load import open_model

    network, tokenizer = open_model(model, precision="fp32", device="cpu")

    def ask(messages: Sequence[Sequence[Message]], tokens: int) -> list[str]:
        ids = [tokenizer.render(Prompt(tuple(turns), 0)) for turns in messages]
        return [_greedy(network, one, tokenizer.tokenizer, tokens) for one in ids]

    return ask


def ask_ragraft(session: Session, model: str) -> Ask:
    """The same with ragraft's own decoding; answers that evaluate kept are taken from there."""
    prompts, generator = builder(session.at(), "tuned"), session.backends.generator(model)

    def ask(messages: Sequence[Sequence[Message]], tokens: int) -> list[str]:
        found = []
        for turns in messages:
            prompt = Prompt(tuple(turns), turns[-1].content.rfind("Question: "))
            # Without the passages' texts no quote is copied: what is compared is how it abstains.
            found.append(generator.generate([prompt], sampling_for([], prompts))[0].text)
        return found

    return ask


def ask_transformers(folder: Path, file: str | None = None) -> Ask:
    """A plain model folder, or a GGUF file in it, by its own tokenizer and template."""
    import torch
    from transformers import AutoModelForCausalLM

    which = {"gguf_file": file} if file else {}
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **which)
    return _ask_hub(network.eval(), folder, **which)


def ask_peft(folder: Path, base: str) -> Ask:
    """An adapter over its base."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    opened = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), folder)
    return _ask_hub(opened.eval(), Path(base))


def _ask_hub(network: Any, folder: Path, **which: str) -> Ask:
    from transformers import AutoTokenizer

    from ragraft.models.chat import ChatTokenizer
    from ragraft.models.gguf_tokenizer import shipped_template

    tokenizer = AutoTokenizer.from_pretrained(folder, **which)
    template = shipped_template(ChatTokenizer(tokenizer))

    def ask(messages: Sequence[Sequence[Message]], tokens: int) -> list[str]:
        found = []
        for turns in messages:
            chat = [to_json(turn) for turn in turns]
            text = tokenizer.apply_chat_template(
                chat, chat_template=template, tokenize=False, add_generation_prompt=True
            )
            found.append(_greedy(network, tokenizer.encode(text, add_special_tokens=False), tokenizer, tokens))
        return found

    return ask


def ask_llama_cpp(file: Path) -> Ask:
    """A GGUF file in llama.cpp, by its own tokenizer and template."""
    from llama_cpp import Llama

    network = Llama(str(file), n_ctx=4096, verbose=False)

    def ask(messages: Sequence[Sequence[Message]], tokens: int) -> list[str]:
        found = []
        for turns in messages:
            chat = [to_json(turn) for turn in turns]
            reply: Mapping[str, Any] = network.create_chat_completion(chat, temperature=0.0, max_tokens=tokens)
            found.append(str(reply["choices"][0]["message"]["content"]))
        return found

    return ask


def _greedy(network: Any, ids: Sequence[int], tokenizer: Any, tokens: int) -> str:
    import torch

    with torch.inference_mode():
        given = torch.tensor([list(ids)])
        found = network.generate(
            input_ids=given,
            attention_mask=torch.ones_like(given),
            max_new_tokens=tokens,
            do_sample=False,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.eos_token_id,
        )
    return str(tokenizer.decode(found[0, len(ids) :], skip_special_tokens=True))


def _asked(session: Session, scratch: Path, limit: int) -> Asked:
    folder = Folder(export(session, "openai-batch", scratch / "prompts").folder)
    bodies = [row["body"] for row in folder.read_jsonl("batch.jsonl")][:limit]
    messages = tuple(tuple(Message(**turn) for turn in body["messages"]) for body in bodies)
    return Asked(messages, session.config.prompt.answer_tokens, session.config.prompt.abstention)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
