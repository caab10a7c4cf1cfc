"""Bring corpus and index up to the documents as they are now, and leave the model as it is.

New versions are made beside the old ones, and take their place when both are whole: whoever reads meanwhile, or after a
kill, reads the old ones. What did not change is taken over: unchanged documents are not cut and unchanged chunks not
embedded again, and the new version is still the one that a whole run would make.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ragraft.disk import disk_faults_told
from ragraft.errors import WorkspaceError
from ragraft.pipeline.checks import check_stage_inputs
from ragraft.pipeline.events import Tell
from ragraft.pipeline.pruning import Removed, prune
from ragraft.pipeline.runner import SYNCED, Session, bring, changed_keys, changes_told, made_otherwise
from ragraft.pipeline.table import ROWS
from ragraft.workspace import Corpus, Folder, Index, hash_json

if TYPE_CHECKING:
    from ragraft.methods.upkeep.changes import Changes

STAGES = ("ingest", "index")


@dataclass(frozen=True, slots=True)
class Synced:
    """What became of the documents, and the versions of the index before and after."""

    changes: Changes
    before: str
    after: str
    chunks: int
    fresh: int
    """Chunks whose words stood in no chunk before."""
    removed: tuple[Removed, ...] = ()
    """Older versions that `sync.keep` let go."""

    @property
    def any(self) -> bool:
        """Whether there is a new version."""
        return self.before != self.after


def sync(session: Session, tell: Tell) -> Synced:
    """Make new versions of corpus and index where documents changed, and switch to them at once.

    Raises WorkspaceError without an index, or where these settings would make another kind of index.
    """
    from ragraft.methods.upkeep.changes import compare_documents

    run = session.run
    with disk_faults_told(run.path), run.locked():
        before = _before(session)
        check_stage_inputs(session.config, session.backends, STAGES, fetch=True)
        made: dict[str, Folder] = {}
        for name in STAGES:
            at = replace(session.at(dict(made)), before=before)
            made[name] = _whole(bring(ROWS[name], at, run, tell, current=False))
        changes = compare_documents(*(Corpus(folders["ingest"]).documents() for folders in (before, made)))
        ingest = hash_json(session.config.ingest.model_dump(mode="json"))
        # The index first: it is what answers, and its history tells the next run that this was a sync.
        for name in reversed(STAGES):
            run.switch(ROWS[name].place, made[name], by=SYNCED, ingest=ingest, **changes.counts())
        old, new = (Index(folders["index"]) for folders in (before, made))
        chunks = new.chunks()
        known = set() if old == new else {(chunk.title, chunk.text) for chunk in old.chunks()}
        fresh = 0 if old == new else sum((chunk.title, chunk.text) not in known for chunk in chunks)
        settings = session.config.sync
        removed = () if settings.keep is None else tuple(prune(session, keep=settings.keep, days=settings.days))
    return Synced(changes, old.path.name, new.path.name, len(chunks), fresh, removed)


def _before(session: Session) -> dict[str, Folder]:
    """The index in use and the corpus that it was made from; raises WorkspaceError where no sync can bring it on."""
    run = session.run
    index = run.current(ROWS["index"].place)
    manifest = index.manifest() if index else None
    if index is None or manifest is None:
        raise WorkspaceError(f"No index in {run.path} to bring up to date. Run: ragraft run --until index")
    # Whether the documents are the same is what is to be found out; settings are not.
    ingest = [key for key in changed_keys(session) if key.startswith("ingest.")]
    if ingest or made_otherwise(session, "index"):
        raise WorkspaceError(
            f"The index in {run.path} was made under other settings{changes_told(session)}: that is another index, and "
            "no newer version of this one. Run: ragraft run, or take the change back"
        )
    corpus = run.pinned(ROWS["ingest"].place, manifest.inputs["ingest"][:12])
    if corpus.manifest() is None:
        raise WorkspaceError(
            f"No {corpus.path}, of which the index in {run.path} was made. Run: ragraft run --from ingest"
        )
    return {"ingest": corpus, "index": index}


def _whole(folder: Folder | None) -> Folder:
    assert folder is not None, "only a dry run makes nothing"
    return folder
