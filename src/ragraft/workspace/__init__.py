"""What lies on disk: folders, manifests, runs, typed artifacts. Knows no stage's code and no model."""

from ragraft.workspace.artifacts import (
    CALIBRATION,
    DIAGNOSIS,
    FORGETTING,
    LINT,
    RETRIEVED,
    TIMING,
    Artifact,
    Calibration,
    Checkpoint,
    Corpus,
    Diagnosis,
    Exam,
    Index,
    Lessons,
    LessonSet,
    MadeQuestions,
    Report,
    Scorecard,
    step_folder,
)
from ragraft.workspace.chunks import Chunks
from ragraft.workspace.folder import Folder, Manifest, hash_file, hash_json, write_atomically
from ragraft.workspace.registry import Registry
from ragraft.workspace.run import Run, Stood
from ragraft.workspace.traffic import TrafficLog, count_traffic, read_back, read_traffic

__all__ = [
    "CALIBRATION",
    "DIAGNOSIS",
    "FORGETTING",
    "LINT",
    "RETRIEVED",
    "TIMING",
    "Artifact",
    "Calibration",
    "Checkpoint",
    "Chunks",
    "Corpus",
    "Diagnosis",
    "Exam",
    "Folder",
    "Index",
    "LessonSet",
    "Lessons",
    "MadeQuestions",
    "Manifest",
    "Registry",
    "Report",
    "Run",
    "Scorecard",
    "Stood",
    "TrafficLog",
    "count_traffic",
    "hash_file",
    "hash_json",
    "read_back",
    "read_traffic",
    "step_folder",
    "write_atomically",
]
