"""What people see of a workspace, read from a run that was really made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from ragraft.errors import ConfigError, WorkspaceError
from ragraft.pipeline import (
    STAGES,
    begin_with,
    examined,
    lesson_counts,
    lesson_rows,
    look_around,
    look_at,
    one_example,
    one_lesson,
    open_session,
    question_texts,
    report_page,
)
from ragraft.workspace import Exam, Lessons

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring

MakeSite = Callable[..., "Site"]


def test_a_made_run_is_seen_as_it_was_made(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    runs = site.run.parent
    with pytest.raises(ConfigError, match="There is no run lights in this workspace"):
        look_at(runs, "lights")
    assert look_around(runs) == []
    bring(site, last="synthesize")
    begun = look_at(runs, "lights")
    assert (begun.following, begun.headline, begun.fault) == ("train", None, "")
    with pytest.raises(WorkspaceError, match="lights has come to no report yet"):
        report_page(runs, "lights")

    bring(site)
    (seen,) = look_around(runs)
    assert (seen.name, seen.following, seen.made) == ("lights", "", frozenset(STAGES))
    assert seen.headline is not None
    assert report_page(runs, "lights") == "<h1>lights</h1>"

    session = open_session(site.file)
    made = session.at().made
    (step, counts), *others = lesson_counts(runs, "lights").items()
    whole = Lessons(made["synthesize"]).steps()[step].train()
    assert (others, counts["lessons"]) == ([], len(whole))
    assert [row for _, row in lesson_rows(runs, "lights", step, "lessons").rows] == whole[:25]
    assert one_lesson(runs, "lights", step, "lessons", number=1) == whole[1]
    questions = {one.id: one.question.question for one in Exam(made["examine"]).questions()}
    assert question_texts(runs, "lights", list(questions)) == questions

    exam = examined(runs, "lights")
    assert {one.id for one in exam.questions} == {one.id for one in Exam(made["examine"]).questions("exam")}
    pairs = exam.pairs("retrieved", seen.against)
    assert len(pairs) == len(exam.questions)
    example = one_example(runs, "lights", pairs[0])
    assert example["passages"]
    assert all(passage["text"] for passage in example["passages"])


def test_questions_to_begin_with_are_none_of_the_exam(make_site: MakeSite, bring: Bring) -> None:
    site = make_site()
    bring(site, last="index")
    session = open_session(site.file)
    assert begin_with(session) == ()
    bring(site, last="examine")
    placed = Exam(session.at().made["examine"]).questions()
    clusters = {one.question.question: (one.side, one.cluster) for one in placed}
    shown = begin_with(session)
    assert shown
    assert {clusters[text][0] for text in shown} == {"validation"}
    assert len({clusters[text] for text in shown}) == len(shown)
