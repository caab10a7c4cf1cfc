"""Commands that propose questions, answer them, and serve the answers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragraft.cli.app import YAML, File, FileOption, Named, Set, app, command, opened
from ragraft.cli.running import run_stages

if TYPE_CHECKING:
    from ragraft.methods.routing import Decision
    from ragraft.pipeline import Session, Wanted


@app.command()
def questions(  # noqa: PLR0917 — options, not positions
    file: File = YAML,
    by: Annotated[
        str, typer.Option("--by", help="patterns: no model at all; model: a generator proposes.")
    ] = "patterns",
    limit: Annotated[int, typer.Option("--limit", min=1, help="The most questions to write.")] = 200,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to write; candidates.jsonl beside the YAML.")
    ] = None,
    review: Annotated[bool, typer.Option("--review", help="Look at them on a page of this machine's own.")] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The page's port; 0: any free one.")] = 0,
    model: Annotated[
        str | None, typer.Option("--model", metavar="SOURCE", help="The model that proposes; the run's by default.")
    ] = None,
    per_chunk: Annotated[int, typer.Option("--per-chunk", min=1, help="Questions a model is asked for a chunk.")] = 3,
    check: Annotated[
        bool, typer.Option("--check", help="Also have the model answer each, with its chunk and without.")
    ] = False,
    language: Annotated[str, typer.Option("--language", help="Language of the patterns.")] = "en",
    seed: Annotated[int, typer.Option("--seed", help="Seed of the order and of the model.")] = 0,
    set_: Set = [],  # noqa: B006
    run_: Named = None,
) -> None:
    """Propose questions, where you have none yet. They come from the index; a page accepts, mends or drops them."""
    from ragraft.pipeline import Wanted, check_wanted

    wanted = Wanted(by, limit=limit, model=model, per_chunk=per_chunk, seed=seed, language=language, check=check)
    target = out or file.resolve().parent / "candidates.jsonl"
    proposes = not (review and target.exists())
    if proposes:
        check_wanted(wanted, target)
    session = opened(file, set_, run_)
    run_stages(session, last="index", on_the_way=True)
    if proposes:
        _propose(session, wanted, target)
        review_it = command("questions", file, "--review", *(["--out", str(out)] if out else []))
        print(f"They are made by a machine, and say so. Look at them with: {review_it}")
    if review:
        from ragraft.web import serve

        serve(session, target, port, tell=lambda line: print(line, flush=True))


@app.command()
def ask(  # noqa: PLR0917 — options, not positions
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    model: Annotated[str | None, typer.Option("--model", help="tuned (default) or base.")] = None,
    retrieval: Annotated[
        str, typer.Option("--retrieval", help="always; never: from memory; auto: as ragraft calibrate has learned.")
    ] = "always",
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DATE", help="From the index that was current then, as 2026-01-31.")
    ] = None,
    file: FileOption = YAML,
    run_: Named = None,
) -> None:
    """Answer a question from the run's documents, with citations."""
    from ragraft.pipeline import ask as ask_run

    session = opened(file, [], run_)
    asked = ask_run(session, question, model=model, retrieval=retrieval, as_of=as_of)
    reply = asked.reply
    print(session.config.prompt.abstention if reply.parsed.abstained else reply.parsed.answer)
    if reply.parsed.from_memory and not reply.parsed.abstained:
        print("  (from memory: it rests on no document)")
    for text, number in reply.parsed.quotes:
        print(f'  "{text}"' + (f" [{number}]" if number else ""))
    shown = reply.fitted.passages
    for number in dict.fromkeys(reply.parsed.citations):
        known = 1 <= number <= len(shown)
        source = f"{shown[number - 1].title} ({shown[number - 1].id})" if known else "is no passage that was shown"
        print(f"[{number}] {source}")
    if asked.decision:
        print(f"({_decision(asked.decision)})", file=sys.stderr)
    for note in asked.notes:
        print(f"({note})", file=sys.stderr)
    print(f"({asked.model}, index {asked.index_version}, {len(shown)} passages)", file=sys.stderr)


@app.command()
def serve(  # noqa: PLR0917 — options, not positions
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help="serve.port; 0: any free one.")] = None,
    host: Annotated[str | None, typer.Option("--host", help="serve.host; beyond this machine only with keys.")] = None,
    new_key: Annotated[
        str | None, typer.Option("--new-key", metavar="NAME", help="Make an API key of this name, print it, and end.")
    ] = None,
    file: File = YAML,
    set_: Set = [],  # noqa: B006
    run_: Named = None,
) -> None:
    """Answer over HTTP as OpenAI's API does, until Ctrl-C. Answers rest on the run's documents."""
    from ragraft.web import api

    session = opened(file, set_, run_)
    if new_key is not None:
        print(api.new_key(session.run.runs, new_key))
        print("(kept as a digest alone: this is the only time it is shown)", file=sys.stderr)
        return
    api.serve_api(session, host, port, tell=lambda line: print(line, flush=True))


def _decision(decision: Decision) -> str:
    """What was decided on retrieval, and how likely which answer was right."""
    if decision.closed_book is None:
        return "auto: always retrieves by this calibration, so nothing was drafted from memory"
    then = "" if decision.with_passages is None else f", with passages {decision.with_passages:.2f}"
    return f"auto: {decision.route}; right closed-book {decision.closed_book:.2f}{then}"


def _propose(session: Session, wanted: Wanted, target: Path) -> None:
    from ragraft.pipeline import propose_questions

    found = propose_questions(session, wanted, target)
    for reason, number in found.reasons.items():
        print(f"  {number:>6} rejected: {reason}")
    if found.untried:
        print(f"  {found.untried:>6} more were not tried: --limit {wanted.limit}")
    print(f"{found.questions} questions on {found.chunks} of {found.of_chunks} chunks: {found.file}")
    print(f"Rejected, with reasons: {found.rejected}")
