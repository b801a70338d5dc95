"""What the service counts: requests by route, rows by model, version, engine and outcome, and how long each took.

With several processes prometheus-client adds their figures up through the folder PROMETHEUS_MULTIPROC_DIR, which has
to be set before it is imported. No label ever holds anything that a client sent, except the name of a known model.
"""

from __future__ import annotations

import os
from collections import Counter as Tally
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCORER = ("model", "version", "engine")
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = self._counter("requests", "Requests answered", "route", "status")
        self._seconds = self._histogram("request_seconds", "Time to answer", "route")
        self._rows = self._counter("rows", "Rows by how they ended", *SCORER, "outcome")
        self._scoring = self._histogram("scoring_seconds", "Time to score the rows of a request", *SCORER)
        self._children: dict[tuple[str, ...], Any] = {}  # labels() costs more than counting

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"riskscore_{name}", about, labels, registry=self._registry)

    def _histogram(self, name: str, about: str, *labels: str) -> Histogram:
        return Histogram(f"riskscore_{name}", about, labels, buckets=BUCKETS, registry=self._registry)

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._child(self._requests, route, str(status)).inc()
        self._child(self._seconds, route).observe(seconds)

    def scored(self, answers: Sequence[Mapping[str, Any]], seconds: float) -> None:
        """Count the rows of one call; its time counts for each model that took part."""
        ended = [(*(answer.get(label, "") for label in LABELS), answer["outcome"]) for answer in answers]
        tally = Tally(ended) if len(ended) > 1 else dict.fromkeys(ended, 1)
        for labels, rows in tally.items():
            self._child(self._rows, *labels).inc(rows)
        for scorer in {labels[:3] for labels in tally if labels[2]}:
            self._child(self._scoring, *scorer).observe(seconds)

    def page(self) -> bytes:
        """Everything counted, over all processes, in Prometheus' text format."""
        if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            return generate_latest(self._registry)
        every = CollectorRegistry()
        MultiProcessCollector(every)  # type: ignore[no-untyped-call]
        return generate_latest(every)

    def _child(self, metric: Counter | Histogram, *labels: str) -> Any:
        key = (metric._name, *labels)  # noqa: SLF001 - the library has no public name for it
        if key not in self._children:
            self._children[key] = metric.labels(*labels)
        return self._children[key]


LABELS = ("model", "model_version", "engine")
