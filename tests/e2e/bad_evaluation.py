"""Cases of docs/errors.md on what is asked beside the grid: sweeps, probes, graders, trackers; and of a diagnosis."""

from __future__ import annotations

from tests.e2e.bad_input import RUN, Case, both, sets, writes

AGREEMENT = ("agreement", "FOLDER/labels.jsonl", "--file", "FILE")
ASKING = (*AGREEMENT, "--set", "endpoint.url=http://nobody.test/v1")
LABELLED = '{"claim": "It is lit.", "evidence": ["It is lit."], "label": "supported"}\n'
DIAGNOSE = ("diagnose", "FILE")
JUDGE = {"grader": "judge@openai:small"}

CASES = (
    Case("a sweep of the exam that is none", sets(evaluate={"sweeps": ["depth"]}), RUN),
    Case("a probe that is none", sets(evaluate={"probes": ["rgb", "rgbb"]}), RUN),
    Case("a grader that is none", sets(evaluate={"grader": "entailmnet@x"}), RUN),
    Case("a grader without its model", sets(evaluate={"grader": "entailment"}), RUN),
    Case("a grader's model that is not there", sets(evaluate={"grader": "entailment@gone"}), RUN),
    Case("a judge behind no endpoint", sets(evaluate=JUDGE), RUN),
    Case("labels without a grader", sets(evaluate={"grader_labels": "labels.jsonl"}), RUN),
    Case(
        "labels that are not there",
        sets(evaluate={**JUDGE, "grader_labels": "gone.jsonl"}, endpoint={"url": "http://nobody.test/v1"}),
        RUN,
    ),
    Case(
        "a label that is none",
        both(writes("labels.jsonl", LABELLED + LABELLED.replace('"supported"', '"maybe"')), sets(evaluate=JUDGE)),
        ASKING,
    ),
    Case("agreement without a grader", writes("labels.jsonl", LABELLED), AGREEMENT),
    Case(
        "a judge whose endpoint nobody serves",
        both(writes("labels.jsonl", LABELLED), sets(evaluate=JUDGE)),
        ASKING,
    ),
    Case("a tracker that is none", sets(report={"track": "mlfow"}), RUN),
    Case("a tracker that is not installed", sets(report={"track": "mlflow"}), RUN),
    Case("a list of machines that is not there", sets(diagnose={"machines": "gone.yaml"}), DIAGNOSE),
    Case("an embedder to try that is not there", command=(*DIAGNOSE, "--try-embedder", "gone")),
    Case("chunks to try that are none", command=(*DIAGNOSE, "--try-chunks", "128,8")),
    Case(
        "other indexes to try where another system retrieves",
        sets(retrieve={"retriever": "contexts"}, diagnose={"chunks": [128]}),
        DIAGNOSE,
    ),
    Case("a learning curve of too few questions", sets(diagnose={"curve": [0.01, 0.02]}), DIAGNOSE),
)
