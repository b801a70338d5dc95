"""Proof that this installation scores: every model, on each of its engines, as the image's build demands it.

`python -m riskscore.selfcheck` ends with status 1 and a sentence where it does not.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path

from riskscore.artefact.artefact import list_models, open_artefact
from riskscore.errors import OurFault, RiskscoreError
from riskscore.serving.deployment import engine_from

ROOT = Path(__file__).resolve().parent.parent
SCORED = ("scored", "refer")
# What an image must not carry: GPU libraries of 400 MB, and what only training, building and testing need.
UNWANTED = ("nvidia-", "scikit-learn", "pytest", "aws-sam-cli", "matplotlib")


class SelfcheckFailed(OurFault):
    type = "selfcheck_failed"


def check(root: Path) -> list[str]:
    """One line per model. Raises SelfcheckFailed, or whatever a model is refused with."""
    from lambda_function import lambda_handler

    lines = []
    for model in list_models(str(root / "model")):
        events = _events(root, model)
        answers = {engine: _answers(root, model, engine, events) for engine in _engines(root, model)}
        first, *others = [[_score(answer) for answer in found] for found in answers.values()]
        if any(other != first for other in others):
            raise SelfcheckFailed(f"the engines of {model} disagree: {', '.join(answers)}")
        engine = engine_from({"RISKSCORE_MODEL": model}, str(root))
        if any(lambda_handler({**event, "model": model}, None) != engine.answer(event) for event in events):
            raise SelfcheckFailed(f"the function's answer differs from that of {model} does")
        lines.append(f"{model}: {len(events)} events score the same on {' and '.join(answers)}")
    if not lines:
        raise SelfcheckFailed(f"no model in {root / 'model'}")
    return lines


def unwanted(installed: list[str]) -> list[str]:
    """The packages that an image must not carry."""
    return sorted(name for name in installed if name.lower().startswith(UNWANTED))


def _events(root: Path, model: str) -> list[dict[str, object]]:
    files = sorted((root / "events" / model).glob("*.json"))
    if not files:
        raise SelfcheckFailed(f"events/{model} holds no example events to score")
    return [json.loads(file.read_bytes()) for file in files]


def _engines(root: Path, model: str) -> list[str]:
    engines: list[str] = open_artefact(str(root / "model" / model)).manifest["engines"]
    return engines


def _answers(root: Path, model: str, engine: str, events: list[dict[str, object]]) -> list[dict[str, object]]:
    """The answers of one engine, each a score and computed by it."""
    engine_of = engine_from({"RISKSCORE_MODEL": model, "RISKSCORE_ENGINE": engine}, str(root))
    answers = engine_of.score(events)  # in our fields, whatever a model's clients get
    for answer in answers:
        if answer.get("outcome") not in SCORED or answer.get("engine") != engine:
            raise SelfcheckFailed(f"{model} on {engine} gave no score: {answer.get('error') or answer.get('outcome')}")
    return answers


def _score(answer: dict[str, object]) -> object:
    return answer.get("probability")


def main() -> int:
    """Check this installation, and that it carries nothing that an image should not."""
    try:
        print("\n".join(check(ROOT)))
    except RiskscoreError as error:
        print(f"selfcheck: {error.message}", file=sys.stderr)
        return 1
    surplus = unwanted([distribution.name for distribution in importlib.metadata.distributions()])
    if surplus:
        print(f"selfcheck: not to be shipped: {', '.join(surplus)}", file=sys.stderr)
    return 1 if surplus else 0


if __name__ == "__main__":
    sys.exit(main())
