"""The yardstick of scripts/score.py: the least that reads a CSV or JSONL, predicts and writes. Nothing is checked.

python plain_scoring.py model.json rows.csv scores.csv
"""

from __future__ import annotations

import csv
import json
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import xgboost

BATCH_ROWS = 2_000


def main(model: str, source: str, target: str) -> None:
    booster = xgboost.Booster({"nthread": 1}, model_file=model)
    names = booster.feature_names
    with Path(source).open(newline="") as read, Path(target).open("w", newline="") as write:
        rows = csv.DictReader(read) if source.endswith(".csv") else map(json.loads, read)
        writer = csv.writer(write)
        while batch := list(islice(rows, BATCH_ROWS)):
            features = [row.get("features", row) for row in batch]
            matrix = np.array([[float(row[name]) for name in names] for row in features], dtype=np.float32)
            for row, probability in zip(batch, booster.inplace_predict(matrix).tolist(), strict=True):
                if source.endswith(".csv"):
                    writer.writerow([row["customer_id"], row["snapshot_date"], probability])
                else:
                    ids = {"customer_id": row["customer_id"], "snapshot_date": row["snapshot_date"]}
                    write.write(json.dumps({**ids, "probability": probability}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
