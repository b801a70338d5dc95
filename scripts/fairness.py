"""`riskscore fairness`, from a checkout that isn't installed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from riskscore.__main__ import run_program

if __name__ == "__main__":
    run_program("fairness")
