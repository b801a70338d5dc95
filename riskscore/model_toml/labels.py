"""How a label is written where model.toml names no words of its own."""

from __future__ import annotations

LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}
