"""What the server counts, in Prometheus's form. Knows numbers; content never gets here."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ragraft.pipeline import Answered, Service

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160)


class Metrics:
    """The counters of one server."""

    def __init__(self, service: Service, inside: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "ragraft_requests", "Requests by route and status.", ["route", "status"], registry=self.registry
        )
        self._answers = Counter(
            "ragraft_answers",
            "Answers by model, retrieval and whether they abstain.",
            ["model", "retrieval", "abstained"],
            registry=self.registry,
        )
        self._decisions = Counter(
            "ragraft_retrieval_decisions",
            "What was done about retrieval: always and never as asked for; skip, retrieve and abstain by auto.",
            ["decision"],
            registry=self.registry,
        )
        self._tokens = Counter("ragraft_tokens", "Tokens read and written.", ["kind"], registry=self.registry)
        self._cuts = Counter("ragraft_cuts", "What prompts did not show.", ["kind"], registry=self.registry)
        self._first = Histogram(
            "ragraft_first_piece_seconds", "Until an answer's first piece.", buckets=SECONDS, registry=self.registry
        )
        self._whole = Histogram(
            "ragraft_answer_seconds", "Until an answer's end.", buckets=SECONDS, registry=self.registry
        )
        under_way = Gauge("ragraft_requests_under_way", "Requests under way.", registry=self.registry)
        under_way.set_function(inside)
        self._rows = Gauge(
            "ragraft_rows", "Answers in a model's batch, or waiting.", ["model", "kind"], registry=self.registry
        )
        self._shadows = Gauge(
            "ragraft_shadows", "Questions asked of the candidate too.", ["outcome"], registry=self.registry
        )
        self._service = service

    def request(self, route: str, status: int) -> None:
        """A request was answered; `route` is a path of the API, never what a client made up."""
        self._requests.labels(route, str(status)).inc()

    def answer(self, answered: Answered) -> None:
        """A question was answered."""
        prepared, reply = answered.prepared, answered.reply
        abstained = str(reply.parsed.abstained).lower()
        self._answers.labels(prepared.enquiry.model, prepared.enquiry.retrieval, abstained).inc()
        self._decisions.labels(prepared.decision).inc()
        for kind, number in zip(("read", "written"), answered.tokens, strict=True):
            self._tokens.labels(kind).inc(number)
        for kind in ("copies", "passages", "exchanges", "ignored"):
            self._cuts.labels(kind).inc(getattr(prepared.cuts, kind))
        self._first.observe(answered.first_seconds)
        self._whole.observe(answered.seconds)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        for model, (rows, waiting) in self._service.load().items():
            self._rows.labels(model, "batch").set(rows)
            self._rows.labels(model, "waiting").set(waiting)
        for outcome, count in self._service.shadows.counts.items():
            self._shadows.labels(outcome).set(count)
        return generate_latest(self.registry)
