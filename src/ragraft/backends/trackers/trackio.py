"""Track a run with trackio. Knows its three calls; knows nothing of reports.

Where the environment names no folder (TRACKIO_DIR), its database lies beside the runs. No Space is named, so that
nothing is sent unless the user's environment says so; the usage reports of the libraries below it are switched off.
"""

from __future__ import annotations

import os
from contextlib import redirect_stdout
from io import StringIO

from ragraft.errors import BackendError
from ragraft.ports import Tracked

FOLDER = "TRACKIO_DIR"


class TrackioTracker:
    """Fulfils ports.Tracker."""

    def track(self, run: Tracked) -> str:
        """A run of the project; returns where it is."""
        # Read when the libraries are imported.
        os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        place = os.environ.setdefault(FOLDER, str(run.folder.resolve()))
        import trackio

        try:
            with redirect_stdout(StringIO()):  # it tells how its dashboard is opened; we tell where the run is
                made = trackio.init(
                    project=run.project, name=run.name, config=dict(run.settings), embed=False, auto_log_gpu=False
                )
                trackio.log(dict(run.figures))
                trackio.finish()
        except Exception as error:  # of several libraries below it
            told = " ".join(str(error).split())[:200]
            raise BackendError(
                f"report.track: trackio could not write to {place} ({told}); correct {FOLDER}, or leave "
                "report.track out"
            ) from None
        return f"trackio run {made.name} in {place}"
