"""What the service counts of requests and rows."""

from __future__ import annotations

import pytest

from riskscore.service.metrics import Metrics

SCORER = {"model": "m", "model_version": "1", "engine": "twin"}
SCORED, REFERRED = {**SCORER, "outcome": "scored"}, {**SCORER, "outcome": "refer"}
REFUSED = {"outcome": "invalid"}
UNSCORED = {"outcome": "invalid", "model": "m"}
BY_TWIN = 'engine="twin",model="m",outcome="{}",version="1"'


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Metrics:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    return Metrics()


def counted(metrics: Metrics, name: str) -> dict[str, float]:
    """The labels and figures of one name."""
    lines = (line.rpartition(" ") for line in metrics.page().decode().splitlines() if line.startswith(name + "{"))
    return {labels.removeprefix(name)[1:-1]: float(figure) for labels, _, figure in lines}


@pytest.mark.parametrize(
    ("calls", "rows", "calls_scored"),
    [
        ([[SCORED], [SCORED], [REFERRED]], {BY_TWIN.format("scored"): 2, BY_TWIN.format("refer"): 1}, 3),
        ([[SCORED, REFERRED, SCORED]], {BY_TWIN.format("scored"): 2, BY_TWIN.format("refer"): 1}, 1),
        ([[UNSCORED], [UNSCORED, UNSCORED]], {'engine="",model="m",outcome="invalid",version=""': 3}, None),
        ([[REFUSED]], {'engine="",model="",outcome="invalid",version=""': 1}, None),
    ],
)
def test_rows_count_by_how_they_ended_and_calls_once_for_each_engine(metrics, calls, rows, calls_scored):
    for answers in calls:
        metrics.scored(answers, 0.002)
    assert counted(metrics, "riskscore_rows_total") == rows
    observed = counted(metrics, "riskscore_scoring_seconds_count")
    assert observed == ({'engine="twin",model="m",version="1"': calls_scored} if calls_scored else {})


def test_requests_count_by_route_and_status_and_their_time_by_route(metrics):
    for status in (200, 200, 422):
        metrics.request("/predict", status, 0.5)
    by_status = {'route="/predict",status="200"': 2, 'route="/predict",status="422"': 1}
    assert counted(metrics, "riskscore_requests_total") == by_status
    assert counted(metrics, "riskscore_request_seconds_sum") == {'route="/predict"': 1.5}
