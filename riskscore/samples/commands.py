"""How a model that is shipped with simulated files gets from them to rows: programs of ours, as a person calls them."""

from __future__ import annotations

from typing import NamedTuple

PYTHON = ".venv/bin/python"
WITH_LEDGERS = f"{PYTHON} scripts/sample_database.py"  # runs a command with DATABASE_URL naming the sample ledgers


class Files(NamedTuple):
    """sample: whose files sample_data.py writes; data: the URL of their rows; steps: programs that prepare them.

    {folder} stands for where the files are.
    """

    sample: str
    data: str
    steps: tuple[str, ...] = ()

    def commands(self, folder: str) -> list[str]:
        """The programs and their arguments, up to the rows."""
        sample = f"scripts/sample_data.py {self.sample} --out {folder}"
        return [sample, *(step.format(folder=folder) for step in self.steps)]

    def url(self, folder: str) -> str:
        """What --data of train.py and score.py is."""
        return self.data.format(folder=folder)


LOAD_OFFERS = (
    "scripts/load_offers.py --replace --leads {folder}/leads.parquet --offers {folder}/offers.parquet"
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
