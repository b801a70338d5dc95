"""How a model that is shipped with simulated files gets from them to rows: programs of ours, as a person calls them."""

from __future__ import annotations

import shlex
import sys
from typing import NamedTuple

WITH_LEDGERS = "riskscore sample-database"  # runs a command with DATABASE_URL naming the sample ledgers


class Files(NamedTuple):
    """sample: whose files `riskscore sample-data` writes; data: the URL of their rows; steps: what prepares them.

    {folder} stands for where the files are.
    """

    sample: str
    data: str
    steps: tuple[str, ...] = ()

    def commands(self, folder: str) -> list[str]:
        """The programs and their arguments, up to the rows."""
        sample = f"riskscore sample-data {self.sample} --out {folder}"
        return [sample, *(step.format(folder=folder) for step in self.steps)]

    def url(self, folder: str) -> str:
        """What --data of `riskscore train` and `riskscore score` is."""
        return self.data.format(folder=folder)


LOAD_OFFERS = (
    "riskscore load-offers --replace --leads {folder}/leads.parquet --offers {folder}/offers.parquet"
    " --clicks {folder}/clicks.parquet --database sqlite:///{folder}/offers.db"
)
OFFERS = Files("offer_click", "sqlite:///{folder}/offers.db", (LOAD_OFFERS,))

FILES = {
    "pay_later": Files("pay_later", "{folder}/dataset.csv"),
    "offer_click": OFFERS,
    "offer_click_balanced": OFFERS,
    "x100": Files("x100", "{folder}/train.csv"),
    "default_90d": Files("default_90d", "duckdb:{folder}"),
}


def process_of(command: str) -> list[str]:
    """The words that run a command of `riskscore`, also in a checkout that isn't installed, in its folder."""
    return [sys.executable, "-m", "riskscore", *shlex.split(command)[1:]]
