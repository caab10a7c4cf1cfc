"""Track a run with MLflow. Knows its client; knows nothing of reports.

Where the environment names no server (MLFLOW_TRACKING_URI), figures go into a database beside the runs. The client is
used directly: nothing of the process, its environment or its git repository is recorded, and MLflow's own reports of
use are switched off.
"""

from __future__ import annotations

import os
import re
import time

from ragraft.errors import BackendError
from ragraft.ports import Tracked

URI = "MLFLOW_TRACKING_URI"
DATABASE = "mlflow.db"
AT_A_TIME = 100
"""Settings that MLflow takes in one request."""
LONGEST = 500
_ILLEGAL = re.compile(r"[^\w\-./ ]")


class MlflowTracker:
    """Fulfils ports.Tracker."""

    def track(self, run: Tracked) -> str:
        """A run of the experiment that is named like the project; returns where it is."""
        for name in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
            os.environ.setdefault(name, "true")  # read when the library is imported
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param
        from mlflow.exceptions import MlflowException

        run.folder.mkdir(parents=True, exist_ok=True)
        uri = os.environ.get(URI) or f"sqlite:///{run.folder.resolve() / DATABASE}"
        now = int(time.time() * 1000)
        metrics = [Metric(_legal(name), value, now, 0) for name, value in run.figures.items()]
        settings = [Param(_legal(name), _short(value)) for name, value in run.settings.items()]
        try:
            client = MlflowClient(tracking_uri=uri)
            known = client.get_experiment_by_name(run.project)
            experiment = known.experiment_id if known else _create(client, run)
            made = client.create_run(experiment, run_name=run.name).info.run_id
            for start in range(0, max(len(metrics), len(settings)), AT_A_TIME):
                batch = slice(start, start + AT_A_TIME)
                client.log_batch(made, metrics=metrics[batch], params=settings[batch])
            client.set_terminated(made)
        except (MlflowException, OSError) as error:
            raise BackendError(
                f"report.track: mlflow could not write to {_bare(uri)} ({_line(error)}); start or correct that server, "
                "or leave report.track out"
            ) from None
        return f"mlflow run {made} in {_bare(uri)}"


def _create(client: object, run: Tracked) -> str:
    """The experiment, its files beside the database where that is ours."""
    own = {} if os.environ.get(URI) else {"artifact_location": (run.folder / "artifacts").resolve().as_uri()}
    made: str = client.create_experiment(run.project, **own)  # type: ignore[attr-defined]
    return made


def _legal(name: str) -> str:
    return _ILLEGAL.sub("_", name)


def _short(value: str) -> str:
    return value if len(value) <= LONGEST else f"{value[: LONGEST - 1]}…"


def _bare(uri: str) -> str:
    """Without a user's name and password."""
    return re.sub(r"//[^/@]*@", "//", uri)


def _line(error: Exception) -> str:
    return _bare(" ".join(str(error).split())[:200])
