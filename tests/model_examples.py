"""How the tests of the models that come as files train them small, and score by the shipped ones."""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from riskscore.scoring.engine import Engine
from riskscore.serving.deployment import Deployment
from tests.programs import run
from tests.scoring_examples import ROOT

# Published rows, where they are at hand: the project holds none of them. CONTRIBUTING.md says which files these are.
SHARED = Path(os.environ.get("RISKSCORE_TEST_DATA") or ROOT.parent / "shared" / "data")
QUICK = {"n_estimators": 15, "max_depth": 2, "learning_rate": 0.3}


def needs(name: str) -> pytest.MarkDecorator:
    """A test that reads a published file, skipped in words that say which and how to get it."""
    reason = f"needs {name} in $RISKSCORE_TEST_DATA, see CONTRIBUTING.md, Published data"
    return pytest.mark.skipif(not (SHARED / name).exists(), reason=reason)


def train_small(model: str, data: Path, folder: Path) -> dict[str, Any]:
    """Train a model's own contract with few trees and folds from a file into `folder`; its manifest."""
    toml = (ROOT / "model" / model / "model.toml").read_text()
    toml = re.sub(r"\[search\].*?(?=\n\[validation\])", "", toml, flags=re.DOTALL)
    toml = re.sub(r"\n(folds|repeats) = \d+", r"\n\1 = 2", toml)
    quick = "\n".join(f"{name} = {value}" for name, value in QUICK.items())
    toml = re.sub(r"\[estimator.parameters\].*?(?=\n\[)", f"[estimator.parameters]\n{quick}\n", toml, flags=re.DOTALL)
    (folder / model).mkdir(parents=True)
    (folder / model / "model.toml").write_text(toml)
    done = run("train.py", model, "--data", data, "--models", folder, "--even-so")  # so few rows may show nothing
    assert done.returncode == 0, done.stderr
    manifest: dict[str, Any] = json.loads((folder / model / "manifest.json").read_bytes())
    return manifest


@cache
def deployed(engine: str = "auto", folder: str = "") -> Deployment:
    """The models of a folder, those that the project ships where none is named, behind one of their engines."""
    environ = {"RISKSCORE_ENGINE": engine, **({"RISKSCORE_MODEL_URI": folder} if folder else {})}
    return Deployment(environ, str(ROOT))


def engine_for(model: str, engine: str = "auto", folder: str = "") -> Engine:
    """The engine whose default model it is."""
    deployment = deployed(engine, folder)
    return Engine(deployment.find, model, deployment.look_up)


def events(model: str) -> dict[str, Any]:
    """The model's example events by their files' names."""
    return {path.stem: json.loads(path.read_bytes()) for path in sorted((ROOT / "events" / model).glob("*.json"))}
