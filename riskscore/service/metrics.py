"""What the service counts: requests by route, rows by model, version, engine and outcome, and how long each took.

With several processes prometheus-client adds their figures up through the folder PROMETHEUS_MULTIPROC_DIR, which has
to be set before it is imported. No label ever holds anything that a client sent, except the name of a known model.
"""

from __future__ import annotations

import os
from collections import Counter as Tally
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Count = Callable[[float], None]

SCORER = ("model", "version", "engine")
LABELS_OF_SCORE = itemgetter("model", "model_version", "engine", "outcome")
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = self._counter("requests", "Requests answered", "route", "status")
        self._seconds = self._histogram("request_seconds", "Time to answer", "route")
        self._rows = self._counter("rows", "Rows by how they ended", *SCORER, "outcome")
        self._scoring = self._histogram("scoring_seconds", "Time to score the rows of a request", *SCORER)
        # labels() costs more than counting: what counts is kept, by its labels
        self._of_request: dict[tuple[str, int], tuple[Count, Count]] = {}
        self._of_row: dict[tuple[str, ...], tuple[Count, Count | None]] = {}

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"riskscore_{name}", about, labels, registry=self._registry)

    def _histogram(self, name: str, about: str, *labels: str) -> Histogram:
        return Histogram(f"riskscore_{name}", about, labels, buckets=BUCKETS, registry=self._registry)

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        found = self._of_request.get((route, status))
        if found is None:
            found = (self._requests.labels(route, str(status)).inc, self._seconds.labels(route).observe)
            self._of_request[route, status] = found
        count, observe = found
        count(1)
        observe(seconds)

    def scored(self, answers: Sequence[Mapping[str, Any]], seconds: float) -> None:
        """Count the rows of one call; its time counts once for each model and engine that took part."""
        if len(answers) == 1:
            count, observe = self._row(_labels(answers[0]))
            count(1)
            if observe:
                observe(seconds)
            return
        try:
            tally = Tally(map(LABELS_OF_SCORE, answers))
        except KeyError:  # a row that couldn't be scored says less
            tally = Tally(map(_labels, answers))
        for labels, rows in tally.items():
            self._row(labels)[0](rows)
        for observe in {self._row(labels)[1] for labels in tally}:
            if observe:
                observe(seconds)

    def page(self) -> bytes:
        """Everything counted, over all processes, in Prometheus' text format."""
        if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            return generate_latest(self._registry)
        every = CollectorRegistry()
        MultiProcessCollector(every)  # type: ignore[no-untyped-call]
        return generate_latest(every)

    def _row(self, labels: tuple[str, ...]) -> tuple[Count, Count | None]:
        """What counts rows that ended so, and what observes their scoring, if anything scored them."""
        found = self._of_row.get(labels)
        if found is None:
            *scorer, _ = labels
            observe = self._scoring.labels(*scorer).observe if all(scorer) else None
            found = self._of_row[labels] = (self._rows.labels(*labels).inc, observe)
        return found


def _labels(answer: Mapping[str, Any]) -> tuple[str, ...]:
    said = answer.get
    return said("model", ""), said("model_version", ""), said("engine", ""), answer["outcome"]
