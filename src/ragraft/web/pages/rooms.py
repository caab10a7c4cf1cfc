"""Pages over the workspace: runs, reports, lessons with their rejections, exams, traffic. Know HTTP; decide nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute

from ragraft import pipeline
from ragraft.errors import RagraftError, WorkspaceError
from ragraft.methods.report_examples import Pair, score
from ragraft.methods.report_marks import citation_spans, pieces, quote_spans
from ragraft.methods.report_page import marked_example
from ragraft.pipeline import Part, Shown
from ragraft.records import Lesson
from ragraft.web.pages.chat import signed_in
from ragraft.web.pages.rendering import HEADERS, NOT_FOUND, Frame, fault_page, html

SEE_OTHER, BAD = 303, 400
RUNS = "/runs"
PAGE = 25
STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
QUOTE = re.compile(r'^"(.+)"(?= \[\d+\]$)', re.MULTILINE)
ASKS = re.compile(r"^\s*Question:\s*")
Page = Annotated[int, Query(ge=1, le=1_000_000)]
Before = Annotated[int | None, Query(ge=0)]


@dataclass(frozen=True, slots=True)
class Rooms:
    """Where the workspace is, and which of its runs is served."""

    runs: Path
    run: str
    registry: Callable[[], Sequence[str]] = tuple
    """What was put into service, in lines; raises WorkspaceError where nothing ever was."""


class _Told(APIRoute):
    """What is not there is told on a page, in a sentence."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await handle(request)
            except RagraftError as error:
                return fault_page(NOT_FOUND, str(error), back=RUNS)
            except RequestValidationError as error:
                names = ", ".join(str(fault["loc"][-1]) for fault in error.errors())
                return fault_page(BAD, f"This address asks for what there is not: {names}", back=RUNS)

        return told


def add_rooms(app: FastAPI, rooms: Rooms) -> None:
    """The routes over the workspace. They read files, so each runs on a thread of its own."""
    router = APIRouter(route_class=_Told, include_in_schema=False)
    _add_runs(router, rooms)
    _add_lessons(router, rooms)
    _add_exam(router, rooms)
    _add_traffic(router, rooms)
    app.include_router(router)


def _add_runs(router: APIRouter, rooms: Rooms) -> None:
    @router.get(RUNS)
    def runs(request: Request) -> Response:
        seen = pipeline.look_around(rooms.runs)
        try:
            story = rooms.registry()
        except WorkspaceError as error:
            story = (f"{error}.",)
        return _page(request, rooms, "runs.html.j2", here="runs", runs=seen, story=story)

    @router.get("/runs/{name}")
    def run(request: Request, name: str) -> Response:
        return _page(request, rooms, "run.html.j2", name, tab="run")

    @router.get("/runs/{name}/report")
    def report(request: Request, name: str) -> Response:
        page = pipeline.report_page(rooms.runs, name)
        # The report brings its style along; its digest lets that in, and nothing that a text might bring.
        digests = [_digest(style) for style in STYLE.findall(page)]
        policy = f"default-src 'none'; style-src {' '.join(digests)}; base-uri 'none'; frame-ancestors 'none'"
        return HTMLResponse(page, headers={**HEADERS, "Content-Security-Policy": policy})


def _add_lessons(router: APIRouter, rooms: Rooms) -> None:
    @router.get("/runs/{name}/lessons")
    def lessons(
        request: Request, name: str, *, step: str = "", part: Part = "lessons", kind: str = "", page: Page = 1
    ) -> Response:
        counts = pipeline.lesson_counts(rooms.runs, name)
        chosen = step or next(iter(counts))
        rows = pipeline.lesson_rows(rooms.runs, name, chosen, part, kind=kind, page=page)
        return _page(
            request, rooms, "lessons.html.j2", name,
            tab="lessons", steps=list(counts), step=chosen, part=part, kind=kind, rows=rows,
            counts=_part_counts(counts[chosen]), kinds=_kinds(counts[chosen], part),
            asked=_asked(rooms, name, rows, part), asks_of=asks_of,
        )  # fmt: skip

    @router.get("/runs/{name}/lessons/{step}/{part}/{number}")
    def lesson(request: Request, name: str, *, step: str, part: Part, number: int) -> Response:
        found = pipeline.one_lesson(rooms.runs, name, step, part, number=number)
        return _page(
            request, rooms, "lesson.html.j2", name,
            tab="lessons", step=step, part=part, number=number, lesson=found, question=asks_of(found),
            turns=_turns(found), target=pieces(found.target, citation_spans(found.target)),
        )  # fmt: skip


def _add_exam(router: APIRouter, rooms: Rooms) -> None:
    @router.get("/runs/{name}/exam")
    def exam(
        request: Request, name: str, *, context: str = "", against: str = "", show: str = "better", page: Page = 1
    ) -> Response:
        found = pipeline.examined(rooms.runs, name)
        arms = _arms(rooms, name, found, context=context, against=against)
        pairs = found.pairs(arms["context"], arms["against"])
        kinds = {
            "better": sorted((one for one in pairs if one.gain > 0), key=lambda one: -one.gain),
            "worse": sorted((one for one in pairs if one.gain < 0), key=lambda one: one.gain),
            "equal": [one for one in pairs if one.gain == 0],
            "all": pairs,
        }
        shown = kinds.get(show, pairs)
        rows = pipeline.Rows(list(enumerate(shown))[(page - 1) * PAGE : page * PAGE], page, len(shown) > page * PAGE)
        counts = {kind: len(chosen) for kind, chosen in kinds.items()}
        return _page(
            request, rooms, "exam.html.j2", name,
            tab="exam", show=show, rows=rows, counts=counts, scores_of=_scores, **arms,
        )  # fmt: skip

    @router.get("/runs/{name}/example")
    def example(request: Request, name: str, *, question: str, context: str = "", against: str = "") -> Response:
        found = pipeline.examined(rooms.runs, name)
        arms = _arms(rooms, name, found, context=context, against=against)
        pair = next((one for one in found.pairs(arms["context"], arms["against"]) if one.question.id == question), None)
        if pair is None:
            return fault_page(NOT_FOUND, f"There is no question {question} in the exam of {name}", back=RUNS)
        shown = marked_example(pipeline.one_example(rooms.runs, name, pair))
        return _page(request, rooms, "example.html.j2", name, tab="exam", example=shown, **arms)


def _add_traffic(router: APIRouter, rooms: Rooms) -> None:
    @router.get("/traffic")
    def served() -> Response:
        return RedirectResponse(f"/runs/{quote(rooms.run)}/traffic", SEE_OTHER)

    @router.get("/runs/{name}/traffic")
    def traffic(
        request: Request, name: str, *, show: Shown = "answers", before: Before = None, answer: str = ""
    ) -> Response:
        found = pipeline.traffic(rooms.runs, name, shown=show, before=before, wanted=answer)
        chunks = pipeline.shown_passages(rooms.runs, name, found)
        return _page(
            request, rooms, "traffic.html.j2", name,
            here="traffic" if name == rooms.run else "runs",
            tab="traffic", show=show, answer=answer, traffic=found, chunks=chunks,
        )  # fmt: skip

    @router.get("/runs/{name}/models")
    def models(request: Request, name: str, since: str = "") -> Response:
        found = pipeline.compare_served(rooms.runs, name, since)
        return _page(
            request, rooms, "models.html.j2", name,
            here="traffic" if name == rooms.run else "runs",
            tab="traffic", tables=found.tables, since=since,
        )  # fmt: skip


def _page(
    request: Request, rooms: Rooms, template: str, name: str = "", *, here: str = "runs", **values: Any
) -> Response:
    """A page on the workspace, or on one run of it."""
    run: dict[str, Any] = {"run": pipeline.look_at(rooms.runs, name)} if name else {}
    frame = Frame(rooms.run, rooms=True, asker=signed_in(request))
    return html(template, frame=frame, here=here, **run, **values)


def _arms(rooms: Rooms, name: str, found: pipeline.Examined, *, context: str, against: str) -> dict[str, Any]:
    """The context and the model that are compared, as chosen where that is possible, and the choices there are."""
    contexts = found.contexts or ["retrieved"]
    chosen = context if context in contexts else ("retrieved" if "retrieved" in contexts else contexts[0])
    others = found.others(chosen)
    reported = pipeline.look_at(rooms.runs, name).against
    opponent = against if against in others else (reported if reported in others else (others or ["base"])[0])
    return {"context": chosen, "contexts": contexts, "against": opponent, "others": others}


def _scores(pair: Pair) -> tuple[float | None, float | None]:
    return score(pair.question, pair.before), score(pair.question, pair.after)


def _part_counts(counts: dict[str, Any]) -> dict[str, int]:
    names = {"lessons": "lessons", "validation": "validation lessons", "rejected": "rejected"}
    return {part: int(counts.get(name, 0)) for part, name in names.items()}


def _kinds(counts: dict[str, Any], part: Part) -> dict[str, int]:
    """What the rows of a part may be chosen by: kinds of lessons, or reasons of rejections."""
    prefix = {"lessons": "lessons, ", "rejected": "rejected: "}.get(part)
    if prefix is None:
        return {}
    return {key.removeprefix(prefix): int(value) for key, value in counts.items() if key.startswith(prefix)}


def _asked(rooms: Rooms, name: str, rows: pipeline.Rows, part: Part) -> dict[str, str]:
    """The questions of rejected rows, by their ids; lessons bring theirs along."""
    ids = [row.id for _, row in rows.rows] if part == "rejected" else []
    try:
        return pipeline.question_texts(rooms.runs, name, ids)
    except RagraftError:  # without its exam a rejection still has its id and its reason
        return {}


def asks_of(lesson: Lesson) -> str:
    """What a lesson asks; of a plain text, how it begins."""
    if not lesson.prompt.messages:
        return lesson.target
    text = lesson.prompt.messages[-1].content
    return ASKS.sub("", text[lesson.prompt.cut :]).strip() or text


def _turns(lesson: Lesson) -> list[tuple[str, list[Any]]]:
    """The prompt's turns, the lesson's own quotes marked in them."""
    quotes = QUOTE.findall(lesson.target)
    return [
        (turn.role, pieces(turn.content, quote_spans(turn.content, quotes, kind="after")))
        for turn in lesson.prompt.messages
    ]


def _digest(style: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"
