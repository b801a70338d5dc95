"""The service killed with SIGKILL at random moments under load: every answered request is in its ledger, whole.

python -m tests.soak.kills                      # 40 kills on SQLite and 40 on PostgreSQL
python -m tests.soak.kills --kills 5 --database sqlite --seed 3
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import httpx

from riskscore.ledger.hash_chain import verify
from riskscore.ledger.ledger import Ledger
from riskscore.local.postgres import temporary_postgres
from riskscore.serving.http_routes import encode
from tests.running_service import running_service
from tests.scoring_examples import EVENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from riskscore.ledger.hash_chain import Finding

DATABASES = ("sqlite", "postgresql")
CLIENTS = 4
BODIES = ((1, EVENT), (3, [EVENT, {}, EVENT]), (40, {"instances": [EVENT] * 40}))  # with how many rows each has
LATEST = 2.0  # seconds from a start's first answer to its kill


class Soaked(NamedTuple):
    """What was seen. lost: answered requests that the ledger hasn't as they were answered; halves: requests of whose
    rows it has some; findings: of its chain."""

    kills: int
    answered: int
    rows: int
    lost: list[str]
    halves: list[str]
    findings: list[Finding]


def soak(folder: Path, url: str, kills: int, chance: random.Random) -> Soaked:
    """Kill the service so often, each time under load, and look into its ledger."""
    answered: dict[str, bytes] = {}
    for _ in range(kills):
        killed_under_load(folder, url, answered, chance.uniform(0, LATEST))
    ledger = Ledger(url, {})
    try:
        with ledger.store.reading() as connection:
            rows = connection.exec_driver_sql("SELECT request_id, answer FROM riskscore_ledger ORDER BY seq").all()
            verified = verify(connection)
    finally:
        ledger.store.close()
    kept: dict[str, list[Any]] = {}
    for name, answer in rows:
        kept.setdefault(name, []).append(json.loads(answer))
    lost = [name for name, said in answered.items() if encode(whole(name, kept.get(name, []))) != said]
    halves = [name for name, answers in kept.items() if len(answers) != size(name)]
    return Soaked(kills, len(answered), len(rows), lost, halves, verified.findings)


def size(name: str) -> int:
    """How many rows a request has, which its id says."""
    return int(name.partition("-")[0])


def whole(name: str, answers: list[Any]) -> Any:
    """The answer that these rows were: of one row an object."""
    return answers[0] if size(name) == 1 and answers else answers


def killed_under_load(folder: Path, url: str, answered: dict[str, bytes], seconds: float) -> None:
    """One start, load from several clients, one kill. answered: takes the bytes of each answer by its request's id."""
    with running_service(
        folder, RISKSCORE_LEDGER=url, RISKSCORE_MODELS="credit_risk", RISKSCORE_WORKERS="2"
    ) as service:
        before = len(answered)
        threads = [threading.Thread(target=send, args=(service.url, k, answered)) for k in range(CLIENTS)]
        for thread in threads:
            thread.start()
        while len(answered) == before:
            time.sleep(0.01)
        time.sleep(seconds)
        os.killpg(service.process.pid, signal.SIGKILL)
        for thread in threads:
            thread.join()


def send(url: str, shift: int, answered: dict[str, bytes]) -> None:
    """Requests of all sizes, one after the other, until nobody answers."""
    with httpx.Client(base_url=url, timeout=60) as client:
        for k in range(shift, 1_000_000):
            rows, body = BODIES[k % len(BODIES)]
            name = f"{rows}-{uuid4().hex}"
            try:
                found = client.post("/predict", json=body, headers={"x-request-id": name})
            except httpx.TransportError:
                return
            answered[name] = found.raise_for_status().content


def main(arguments: Sequence[str]) -> int:
    """Print the counts for each database; 1 where anything is missing, half there or wrong."""
    options = _parser().parse_args(arguments)
    failed = False
    for name in DATABASES if options.database == "both" else [options.database]:
        with tempfile.TemporaryDirectory(prefix="riskscore-kills-") as folder, ExitStack() as stack:
            url = stack.enter_context(temporary_postgres()) if name == "postgresql" else f"sqlite:///{folder}/ledger.db"
            seen = soak(Path(folder), url, options.kills, random.Random(options.seed))
        print(
            f"{name}: {seen.kills} kills, {seen.answered:,} requests answered, {seen.rows:,} rows kept, "
            f"{len(seen.lost)} lost, {len(seen.halves)} half kept, {len(seen.findings)} findings of the chain",
            flush=True,
        )
        failed = failed or bool(seen.lost or seen.halves or seen.findings)
    return int(failed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kills.py", description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=40, help="on each database (default: %(default)s)")
    parser.add_argument("--database", choices=(*DATABASES, "both"), default="both")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
