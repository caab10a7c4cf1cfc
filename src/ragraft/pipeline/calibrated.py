"""The router of a run, for ask and serve: there, and of this model, this index and these settings."""

from __future__ import annotations

from typing import Literal, get_args

from ragraft.errors import InputError, WorkspaceError
from ragraft.methods.routing import Router, router_from_json
from ragraft.pipeline.runner import Session, changes_told, made_otherwise
from ragraft.pipeline.wiring import At
from ragraft.workspace import Calibration

Retrieval = Literal["always", "never", "auto"]
RETRIEVALS: tuple[Retrieval, ...] = get_args(Retrieval)
ROUTED = "tuned"
"""The model that is calibrated."""


def open_router(session: Session, at: At, model: str) -> Router:
    """The run's router; raises WorkspaceError where there is none that still holds, InputError for another model."""
    if "calibrate" not in at.made:
        raise WorkspaceError(
            f"No calibration in {session.run.path}, which retrieval auto needs. Run: ragraft calibrate"
        )
    if model != ROUTED:
        raise other_model(model)
    manifest = at.made["calibrate"].manifest()
    inputs = manifest.inputs if manifest else {}
    now = {name: found.fingerprint for name in inputs if name in at.made and (found := at.made[name].manifest())}
    if now != inputs or made_otherwise(session, "calibrate"):
        raise WorkspaceError(
            f"The calibration in {session.run.path} is of another model, index or setting{changes_told(session)}. "
            "Run: ragraft calibrate"
        )
    return router_from_json(Calibration(at.made["calibrate"]).data()["router"])


def other_model(name: str) -> InputError:
    """What to say where another model than the calibrated one is asked."""
    return InputError(f"retrieval auto is calibrated for {ROUTED}, not for {name}; ask with always or never")
