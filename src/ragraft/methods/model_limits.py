"""What a stranger must know before using a tuned model: weak figures, and all that nobody has measured.

Knows the report's record; renders nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ragraft.methods.report_text import Figure, interval, outcome

if TYPE_CHECKING:
    from ragraft.methods.model_card import Asking

WEAK_SCORE, WEAK_ABSTENTION, MUCH_REFUSAL, WEAK_CITATION = 0.6, 0.5, 0.1, 0.7
CONTEXT, TUNED = "retrieved", "tuned"
NEVER = (
    "Other documents than these, other languages, conversations of several turns, orders hidden in documents, and what "
    "it says of people or groups: not measured."
)


def card_limits(report: Mapping[str, Any], asking: Asking, notes: Sequence[str]) -> list[str]:
    """Sentences, the gravest first."""
    return [
        *(_examined(report) if report else ["It was not examined: not one figure is known of it."]),
        *(_decoding(asking) if report else ()),
        *notes,
        NEVER,
    ]


def _examined(report: Mapping[str, Any]) -> Iterator[str]:
    headline = report["headline"]
    if outcome(headline["difference"]) != "helped":
        yield f"It is not shown that tuning helped. {headline['sentence']}"
    score = _figure(report["grid"]["cells"], "f1")
    if score is not None and score["value"] < WEAK_SCORE:
        yield (
            f"With retrieved passages it scores {interval(score)} of 100 (n = {score['n']}): many of its answers "
            "are wrong or incomplete."
        )
    label = report["exam"].get("label")
    if label:
        yield f"A machine made its exam ({label}); people ask in other words, which is harder."
    yield from _abstaining(report)
    yield from _citing(report)
    contexts = {cell["context"] for cell in report["grid"]["cells"] if cell["model"] == TUNED}
    if "none" not in contexts:
        yield "What it answers without documents was not measured."
    if not report.get("forgetting"):
        yield "What tuning made it forget of general instructions was not measured."
    yield from (f"{warning[:1].upper()}{warning[1:]}." for warning in report["warnings"])


def _abstaining(report: Mapping[str, Any]) -> Iterator[str]:
    recall, refusal = (_figure(report["abstention"], name) for name in ("abstention_recall", "over_refusal"))
    if recall is None:
        yield "How it treats questions that the documents do not answer was not measured: its exam has none."
    elif recall["value"] < WEAK_ABSTENTION:
        yield (
            f"Of 100 questions that nothing shown answers it refuses only {interval(recall)} (n = {recall['n']}); to "
            "the others it makes an answer up."
        )
    if refusal is not None and refusal["value"] > MUCH_REFUSAL:
        yield f"It refuses {interval(refusal)} of 100 questions whose evidence it was shown (n = {refusal['n']})."


def _citing(report: Mapping[str, Any]) -> Iterator[str]:
    precision = _figure(report["citations"], "citation_precision")
    if precision is None:
        yield "Whether its citations are right was not measured."
    elif precision["value"] < WEAK_CITATION:
        yield f"Of 100 passages that it cites only {interval(precision)} hold the evidence (n = {precision['n']})."


def _decoding(asking: Asking) -> Iterator[str]:
    if asking.abstain_above > 0 or asking.copy_quotes or asking.rereads:
        yield (
            "The figures are of the model as ragraft decodes it. With another program it abstains and quotes as greedy "
            "decoding does, and that was not measured."
        )


def _figure(cells: Sequence[Mapping[str, Any]], metric: str) -> Figure | None:
    """The tuned model's, with retrieved passages."""
    found = (cell for cell in cells if (cell["model"], cell["context"]) == (TUNED, CONTEXT))
    return next((cell["metrics"].get(metric) for cell in found), None)
