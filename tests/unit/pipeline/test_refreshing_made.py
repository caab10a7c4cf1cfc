"""Made questions in a refresh: chunks of new words are asked first, and others taught only as far as replayed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from ragraft.pipeline import open_session, refresh, sync
from ragraft.workspace import Folder, Index, Lessons, MadeQuestions
from tests.conftest import lighthouse_questions, write_rows

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Bring

MakeSite = Callable[..., "Site"]


def test_chunks_of_new_words_are_asked_first(make_site: MakeSite, bring: Bring) -> None:
    site = make_site(
        synthesize={"questions": "mine", "max_validation": 2, "max_made": 3},
        evaluate={"models": ["base", "tuned"], "contexts": ["retrieved"], "max_questions": 4},
        promote={"formats": None},
        refresh={"replay": 0},
    )
    write_rows(site.folder / "exam.jsonl", lighthouse_questions()[:12])
    data = json.loads(site.file.read_text("utf-8"))
    site.file.write_text(json.dumps({**data, "questions": {"exam": "exam.jsonl"}}), encoding="utf-8")
    bring(site)
    # Half of the lighthouses that the exam leaves to lessons.
    for place in ("Esker", "Gentry", "Ivor", "Kestle"):
        file = site.folder / "docs" / f"{place}.md"
        text = file.read_text("utf-8").replace("low water", "noon and low water").replace("ships", "heavy ships")
        file.write_text(text, encoding="utf-8")
    before = {chunk.text for chunk in Index(open_session(site.file).at().made["index"]).chunks()}
    sync(open_session(site.file), lambda event: None)
    refresh(open_session(site.file), lambda event: None)
    made = open_session(site.file, run="lights-refresh-1").at().made
    chunks = Index(made["index"]).chunks().by_id()
    fresh = {name for name, chunk in chunks.items() if chunk.text not in before}
    questions = MadeQuestions(Folder(made["synthesize"].file("made"))).questions("train")
    assert len(questions) == 3
    assert {one.question.metadata["chunk"] for one in questions} <= fresh
    (step,) = Lessons(made["synthesize"]).steps().values()
    taught = {lesson.question_id for lesson in step.train()}
    touched = {one.id for one in questions if set(one.oracle) & fresh}
    assert taught == touched, "with nothing replayed only what changed is taught"
