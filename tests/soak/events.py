"""Structured random events in every envelope: one answer for each, whichever engine computes and whatever wraps it.

python -m tests.soak.events                        # 300,000 events
python -m tests.soak.events --events 2000 --seed 3

Rows are drawn from a model's contract, some with values and names that no row should have. The margins of the twin and
of the joblib estimator have to be equal bits, and what comes out of an envelope the bytes of the plain answer.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskscore.artefact.artefact import list_models
from riskscore.errors import CallerFault
from riskscore.ledger.hash_chain import verify
from riskscore.serving.aws_envelopes import function_of, handler_of
from riskscore.serving.deployment import Deployment
from riskscore.serving.http_routes import encode
from tests.envelope_examples import HTTP, SAMPLES, asking
from tests.scoring_examples import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from riskscore.scoring.model import Model
    from riskscore.serving.aws_envelopes import Function

MODELS = list_models(str(ROOT / "model"))
ENGINE = re.compile(rb'"engine":"(twin|joblib)"')
ODD: tuple[Any, ...] = (
    *(None, "", " ", "abc", True, False, [], {}, [[1]], -0.0, 1e39, -1e39, 1e308, 5e-324, 10**400, -1, 0, 999),
    *("1,234.50", "1e5", "NaN", "Infinity", "\ud800", "\x00", "=1+1", "x" * 10_000, "\u0661", 2**63, 0.1 + 0.2),
)
NAMES = ("income_inflow30d", "features", "instances", "", "\ud800", "__class__", "label", "x" * 1_000)
BUS = {"version": "0", "detail-type": "Score", "source": "lender.app", "account": "1", "region": "eu-west-1"}
BUS |= {"time": "2025-09-01T00:00:00Z", "resources": []}
PLACES = (*HTTP, "step-functions", "sqs", "sns", "sns in sqs", "eventbridge", "plain")


def value_of(feature: Any, chance: random.Random) -> Any:
    """A value that the contract takes, mostly one of the training range, sometimes at a limit."""
    if feature.type == "category":
        return chance.choice(feature.values)
    if feature.type == "boolean":
        return chance.random() < 0.5
    seen = feature.support or {"minimum": 0.0, "maximum": 1e6}
    low, high = max(feature.minimum, seen["minimum"]), min(feature.maximum, seen["maximum"])
    drawn = chance.choice((low, high)) if chance.random() < 0.1 else chance.uniform(low, high)
    return int(drawn) if feature.type == "integer" else drawn


def row_of(model: Model, chance: random.Random) -> dict[str, Any]:
    """A row of a model: sound, or with a few things wrong."""
    features = {feature.name: value_of(feature, chance) for feature in model.contract.features}
    wrong = 0 if chance.random() < 0.6 else chance.randint(1, 3)
    for _ in range(wrong):
        name, kind = chance.choice([*features] or [""]), chance.random()
        if kind < 0.6:
            features[name] = chance.choice(ODD)
        elif kind < 0.8:
            features.pop(name, None)
        else:
            features[chance.choice(NAMES)] = chance.choice(ODD)
    ids = {
        name: "2025-09-01" if name == "snapshot_date" else f"A{chance.randrange(10**6)}"
        for name in model.artefact.manifest["ids"]
    }
    row = (
        {**ids, "model": model.name, "features": features}
        if chance.random() < 0.7
        else {**ids, **features, "model": model.name}
    )
    if chance.random() < 0.2:
        row["reasons"] = chance.choice([0, 1, 13, *ODD])
    return row


def wrapped(place: str, event: Any, name: str) -> Any:
    """The event as AWS passes it on at this place. name: of a message."""
    body = json.dumps(event)
    record = SAMPLES["sqs"]["Records"][0] | {"messageId": name}
    topic = {"Type": "Notification", "MessageId": name, "TopicArn": "arn:aws:sns:eu-west-1:1:t", "Message": body}
    if place in HTTP:
        return asking(place, "POST", "/predict", body)
    return {
        "step-functions": {"Items": event if isinstance(event, list) else [event]},
        "sqs": {"Records": [record | {"body": body}]},
        "sns": {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": topic}]},
        "sns in sqs": {"Records": [record | {"body": json.dumps(topic)}]},
        "eventbridge": BUS | {"id": name, "detail": event},
        "plain": event,
    }[place]


class Soak:
    """Two engines over the same models, and what was seen."""

    def __init__(self, folder: Path) -> None:
        twin = Deployment({"RISKSCORE_ENGINE": "twin"}, str(ROOT))
        kept = Deployment({"RISKSCORE_ENGINE": "twin", "RISKSCORE_LEDGER": f"sqlite:///{folder}/ledger.db"}, str(ROOT))
        self.joblib = Deployment({"RISKSCORE_ENGINE": "joblib"}, str(ROOT)).engine()
        self.twin, self.models = twin.engine(), [twin.find(name) for name in MODELS]
        self.requests = function_of(twin, self.twin, str(ROOT))
        self.messages = function_of(kept, kept.engine(), str(ROOT))
        self.ledger = kept.ledger()
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []

    def event(self, number: int, chance: random.Random) -> None:
        """One event of one to eight rows, at one place."""
        model = chance.choice(self.models)
        rows = [row_of(model, chance) for _ in range(chance.choice((1, 1, 1, 2, 8)))]
        event: Any = rows[0] if len(rows) == 1 and chance.random() < 0.5 else rows
        place = chance.choice(PLACES)
        self.counts["events"] += 1
        self.counts["rows"] += len(rows)
        plain = encode(self.twin.answer(event))
        self._same_margins(number, event)
        found = self._through(place, event, f"m{number}")
        expected = encode(self.twin.answer({"instances": rows})) if place == "step-functions" else plain
        if found is not None and found != expected:
            self.faults.append(f"event {number} answers otherwise through {place}")

    def _same_margins(self, number: int, event: Any) -> None:
        rows = event if isinstance(event, list) else [event]
        by_twin, by_joblib = (engine.score_batches(rows, {}) for engine in (self.twin, self.joblib))
        margins = [[batch.margins for batch in found.batches] for found in (by_twin, by_joblib)]
        self.counts["margins compared"] += sum(map(len, margins[0]))
        answers = [encode(found.answers()) for found in (by_twin, by_joblib)]
        self.counts.update(answer["outcome"] for answer in by_twin.answers())
        if repr(margins[0]) != repr(margins[1]):
            self.faults.append(f"event {number} has another margin by joblib than by the twin")
        if ENGINE.sub(b"", answers[0]) != ENGINE.sub(b"", answers[1]):
            self.faults.append(f"event {number} answers otherwise by joblib than by the twin")

    def _through(self, place: str, event: Any, name: str) -> bytes | None:
        """The bytes of the answer that comes out of an envelope; None where the ledger alone has it."""
        given = json.loads(json.dumps(wrapped(place, event, name)))
        if place == "plain":
            return encode(self.twin.answer(given))
        message = place not in (*HTTP, "step-functions")
        function: Function = self.messages if message else self.requests
        handle: Callable[..., Any] | None = handler_of(given)
        assert handle, place
        try:
            answer = handle(given, function, None)
        except CallerFault:
            answer = {"batchItemFailures": [name]}
        if message:
            self.counts["messages kept" if not answer.get("batchItemFailures") else "messages left"] += 1
            return None
        if place == "step-functions":
            return encode(answer)
        body = answer["body"]
        return base64.b64decode(body) if answer.get("isBase64Encoded") else str(body).encode()

    def end(self) -> None:
        """Look into the ledger: its chain, and a request for each message that was kept."""
        assert self.ledger
        with self.ledger.store.reading() as connection:
            self.faults += [finding.text for finding in verify(connection).findings]
            requests = connection.exec_driver_sql("SELECT count(DISTINCT request_id) FROM riskscore_ledger").scalar()
        if requests != self.counts["messages kept"]:
            self.faults.append(f"{self.counts['messages kept']} messages were done with, the ledger has {requests}")
        self.ledger.store.close()


def soak(events: int, seed: int) -> Soak:
    """So many events from one seed."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="riskscore-events-") as folder:
        found = Soak(Path(folder))
        for number in range(events):
            found.event(number, chance)
        found.end()
    return found


def main(arguments: Sequence[str]) -> int:
    """Print the counts; 1 where any event answered otherwise."""
    parser = argparse.ArgumentParser(prog="events.py", description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=300_000, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of all that is drawn (default: %(default)s)")
    options = parser.parse_args(arguments)
    found = soak(options.events, options.seed)
    print(", ".join(f"{count:,} {name}" for name, count in found.counts.items()), end=f"; {len(found.faults)} faults\n")
    print("\n".join(found.faults[:20]))
    return int(bool(found.faults))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
