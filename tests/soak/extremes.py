"""What no test has time for: a model swapped while it loads, and bank ledgers beyond any bank's.

python -m tests.soak.extremes                      # 400 loads while a model is swapped; a million transactions
python -m tests.soak.extremes --loads 20 --transactions 10000
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from riskscore.artefact.artefact import find_model, open_artefact
from riskscore.errors import ArtefactRefused, RiskscoreError, UnknownModel
from riskscore.local.postgres import temporary_postgres
from riskscore.scoring.model import Model
from riskscore.serving.deployment import Deployment
from tests.scoring_examples import ROOT, write_small

if TYPE_CHECKING:
    from collections.abc import Sequence

DIGITS = 400
LONG_TEXT = 10 * 1024 * 1024  # characters


def swapped_while_loading(loads: int) -> tuple[Counter[str], list[str]]:
    """Load a model again and again while another thread writes two versions of it in turn."""
    seen: Counter[str] = Counter()
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="riskscore-swap-") as folder:
        root, stop = Path(folder, "model"), threading.Event()
        write_small(root / "small_loans", version="1", threshold=0.1)

        def swap() -> None:
            version = 1
            while not stop.is_set():
                version = 3 - version
                write_small(root / "small_loans", version=str(version), threshold=0.1 * version)

        thread = threading.Thread(target=swap)
        thread.start()
        for _ in range(loads):
            try:
                model = Model(open_artefact(find_model(str(root), "small_loans")))
            except (ArtefactRefused, UnknownModel) as error:
                seen["refused"] += 1
                if "SHA-256" not in error.message and "can't be read" not in error.message:
                    faults.append(f"refused otherwise than by its hash: {error.message}")
            else:
                seen["loaded"] += 1
                if model.threshold != 0.1 * int(model.artefact.version):
                    faults.append("a model of two versions was loaded")
        stop.set()
        thread.join()
    return seen, faults


def ledgers(transactions: int) -> dict[str, list[dict[str, Any]]]:
    """Bank ledgers by customer: very many transactions, a very long text, very long numbers."""
    one = {"ts": "2025-08-20T10:00:00Z", "amount": 1.25, "type": "debit", "category": "groceries", "status": "success"}
    return {
        "MANY": [one | {"merchant": f"M{k % 1000}"} for k in range(transactions)],
        "LONG": [one | {"merchant": "m" * LONG_TEXT}, one | {"merchant": "short"}],
        "DIGITS": [one | {"merchant": "M"}, one | {"amount": "9" * DIGITS}],
        "FRACTION": [one | {"merchant": "M"}, one | {"amount": "0." + "1" * DIGITS}],
    }


def scored_ledgers(transactions: int) -> tuple[list[str], list[str]]:
    """What the function answers to each of them, looked up by its key, and how long it took."""
    said, faults = [], []
    with temporary_postgres() as url:
        with psycopg.connect(url) as connection:
            connection.execute(
                "CREATE TABLE bank_transactions_scoring (customer_id text, snapshot_date date, transactions jsonb)"
            )
            for customer, ledger in ledgers(transactions).items():
                row = (customer, "2025-09-01", json.dumps(ledger))
                connection.execute("INSERT INTO bank_transactions_scoring VALUES (%s, %s, %s)", row)
        deployment = Deployment({"DATABASE_URL": url}, str(ROOT))
        for customer in ledgers(1):
            started = time.monotonic()
            try:
                (answer,) = deployment.engine().score([{"customer_id": customer, "snapshot_date": "2025-09-01"}])
            except RiskscoreError as error:  # a fault of ours is raised: the time-out, where a million take too long
                answer = {"outcome": "raised", "error": {"message": error.message}}
            why = answer.get("error", {}).get("message") or ", ".join(w["rule"] for w in answer.get("warnings", ()))
            said.append(f"{customer} {answer['outcome']} in {time.monotonic() - started:.1f} s ({why or 'no warning'})")
            if answer["outcome"] == "scored":
                faults.append(f"{customer} was scored without a warning")
    return said, faults


def main(arguments: Sequence[str]) -> int:
    """Print what was seen; 1 where a mixed model was loaded or a ledger beyond all bounds plainly scored."""
    parser = argparse.ArgumentParser(prog="extremes.py", description=__doc__.partition("\n")[0])
    parser.add_argument("--loads", type=int, default=400, help="of a model that is swapped (default: %(default)s)")
    parser.add_argument("--transactions", type=int, default=1_000_000, help="of one customer (default: %(default)s)")
    options = parser.parse_args(arguments)
    seen, faults = swapped_while_loading(options.loads)
    print(f"a model swapped while it loads: {options.loads} loads, {dict(seen)}; {len(faults)} faults", flush=True)
    said, others = scored_ledgers(options.transactions)
    print(f"ledgers beyond all bounds: {'; '.join(said)}; {len(others)} faults")
    print("".join(f"  {fault}\n" for fault in [*faults, *others]), end="")
    return int(bool(faults or others))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
