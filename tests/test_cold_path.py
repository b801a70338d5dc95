"""The way to a first answer: the standard library alone, and of it nothing that takes long to import."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.scoring_examples import EVENT, IDS, ROOT, engine, event

# Neither installed packages (-S) nor the environment (-I): what isn't in the standard library can't be imported at all.
FIRST_ANSWER = """
import sys
before = set(sys.modules)
sys.path.insert(0, sys.argv[1])
from lambda_function import lambda_handler
import json
answer = lambda_handler(json.loads(sys.argv[2]), None)
print(json.dumps({"answer": answer, "modules": sorted(set(sys.modules) - before)}))
"""

OURS = {
    "lambda_function",
    "riskscore",
    *(
        f"riskscore.{name}"
        for name in (
            "artefact",
            "artefact.artefact",
            "artefact.manifest",
            "contract",
            "contract.contract",
            "contract.encoding",
            "contract.fast_path",
            "contract.feature",
            "contract.identities",
            "contract.wording",
            "errors",
            "scoring",
            "scoring.engine",
            "scoring.events",
            "scoring.gc_pause",
            "scoring.model",
            "scoring.outcome",
            "scoring.pipeline",
            "scoring.reasons",
            "serving",
            "serving.deployment",
            "twin",
            "twin.base_score",
            "twin.calibration",
            "twin.contributions",
            "twin.trees",
            "twin.treeshap",
        )
    ),
}
SLOW = {
    "argparse",
    "ast",
    "asyncio",
    "concurrent",
    "csv",
    "ctypes",
    "dataclasses",
    "datetime",
    "decimal",
    "difflib",
    "fractions",
    "importlib",
    "inspect",
    "logging",
    "numbers",
    "pathlib",
    "pickle",
    "random",
    "shutil",
    "socket",
    "statistics",
    "subprocess",
    "tempfile",
    "threading",
    "tomllib",
    "typing",
    "urllib",
    "uuid",
}


def first_answer(given: Any) -> dict[str, Any]:
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", FIRST_ANSWER, str(ROOT), json.dumps(given)],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


@pytest.mark.parametrize(
    "given",
    [
        EVENT,
        EVENT | {"reasons": 13},
        [EVENT] * 5,
        event(late_fee_count_90d=None),
        event(debit_credit_ratio_90d=1e10),
        IDS | {"snapshot_date": "2025-02-29"},
        [],
    ],
    ids=["one row", "every reason", "a few rows", "invalid", "refer", "no date", "no rows"],
)
def test_a_first_answer_needs_the_quick_half_of_the_standard_library(given: Any) -> None:
    found = first_answer(given)
    assert found["answer"] == engine("twin").answer(given)
    modules = set(found["modules"])
    ours = {name for name in modules if name.partition(".")[0] in ("riskscore", "lambda_function")}
    assert ours <= OURS
    tops = {name.partition(".")[0] for name in modules - ours}
    assert tops <= sys.stdlib_module_names
    assert tops & SLOW == set()


def test_looking_for_the_nearest_name_costs_only_the_event_that_misspelt_it() -> None:
    assert "difflib" in first_answer({"customerid": "S0001"})["modules"]
