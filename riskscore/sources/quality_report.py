"""The data-quality report: a page in markdown, its pictures, and the training set as a table."""

from __future__ import annotations

import csv
import io
from collections import Counter
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from riskscore.atomic import replacing_file
from riskscore.cli import counted
from riskscore.errors import CallerFault
from riskscore.model_toml.labels import label_meaning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from riskscore.model_toml.settings import Settings
    from riskscore.sources.data_quality import Connection, Finding, Quality
    from riskscore.sources.sources import SourceRow

DEBIT, CREDIT, FAINT = "#b5483a", "#1f4e79", "#999999"
COLOURS = {"debit": DEBIT, "credit": CREDIT}
AMOUNTS = "SELECT abs(amount)::double FROM read_transactions WHERE direction = ? AND amount <> 0"
DAYS = """
    SELECT moment::date AS day, count(*) FROM read_transactions
    WHERE direction = ? AND moment BETWEEN '0001-01-01' AND '9999-12-31' GROUP BY day ORDER BY day"""
PER_CUSTOMER = """
    SELECT defaulted, count(*) FROM read_transactions JOIN read_labels USING (customer_id)
    WHERE defaulted IS NOT NULL GROUP BY customer_id, defaulted"""


def page(name: str, quality: Quality, written: int, left: Mapping[str, int], pictures: Mapping[str, str]) -> str:
    """The report. name: of the folder. written, left: of the training set. pictures: file name -> what it shows."""
    overview = quality.overview
    labels, rate = overview["labels"], overview["default_rate"]
    lines = [
        f"# Data quality of {name}",
        "",
        f"{overview['transactions']:,} transactions of {overview['customers']:,} customers, "
        f"{_day(overview['first'])} to {_day(overview['last'])}; {labels:,} labels"
        + (f", {rate:.1%} defaults among those that are 0 or 1." if rate is not None else "."),
    ]
    for table in dict.fromkeys(finding.check.table for finding in quality.findings):
        found = [finding for finding in quality.findings if finding.check.table == table]
        lines += ["", f"## {table}", "", *_table(found)]
    lines += ["", "## Merchants", "", *_merchants(quality)]
    lines += ["", "## Training set", "", *_training_set(written, left), "", "## Pictures", ""]
    lines += [f"![{what}]({file})" for file, what in pictures.items()]
    return "\n".join(lines) + "\n"


def _training_set(written: int, left: Mapping[str, int]) -> list[str]:
    """How many customers the training set has, and why others aren't among them."""
    text_lines = [f"training_set.csv has one row for each of {counted(written, 'customer')} with one label, 0 or 1."]
    if left:
        text_lines += ["", *(f"- left out: {counted(count, 'customer')} {why}" for why, count in sorted(left.items()))]
    return text_lines


def _table(findings: Sequence[Finding]) -> list[str]:
    """What was found first; what wasn't, in a sentence."""
    clean = [finding.check.what for finding in findings if not finding.found]
    lines = [
        "| rows where | rows | share | first | effect |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    lines += [
        f"| {check.what} | {found:,} | {_share(found, rows)} | {first:,} | {check.then} |"
        for check, found, rows, first in findings
        if found
    ]
    if len(clean) == len(findings):
        lines = ["Nothing was found."]
    return [*lines, "", f"No row where: {'; '.join(clean)}."] if clean else lines


def _merchants(quality: Quality) -> list[str]:
    lines = [f"merchant_words.csv knows {quality.known_share:.1%} of the transactions that have a description."]
    if quality.unknown:
        lines += ["The most frequent descriptions, cleaned, that many customers have and no word knows:", ""]
        lines += ["| description | transactions |", "| --- | ---: |"]
        lines += [f"| {words} | {times:,} |" for words, times in quality.unknown]
    return lines


def _share(found: int, rows: int) -> str:
    share = found / rows
    return f"{share:.2%}" if share >= 0.0001 else "< 0.01%"


def _day(moment: Any) -> str:
    return str(moment).split()[0] if moment else "no date that can be read"  # DuckDB gives a far one as text


def amounts(connection: Connection) -> bytes:
    """How large debits and credits are."""
    figure, axes = _drawing("Amounts, by type", "amount, whatever its sign (logarithmic)", "transactions")
    drawn = {kind: [row[0] for row in connection.execute(AMOUNTS, [kind]).fetchall()] for kind in COLOURS}
    every = np.array([value for values in drawn.values() for value in values] or [1.0])
    bins = np.geomspace(every.min(), every.max() * 1.01, 60)
    for kind, values in drawn.items():
        axes.hist(values, bins=list(bins), color=COLOURS[kind], alpha=0.65, label=f"{kind} ({len(values):,})")
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=1)
    axes.legend(frameon=False, loc="upper right")
    return _png(figure)


def days(connection: Connection) -> bytes:
    """How many transactions there are a day: gaps, and where the files begin and end."""
    figure, axes = _drawing("Transactions a day", "", "transactions")
    for kind, colour in COLOURS.items():
        found = connection.execute(DAYS, [kind]).fetchall()
        axes.plot([day for day, _ in found], [count for _, count in found], color=colour, marker=".", label=kind)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, loc="upper right")
    axes.tick_params(axis="x", rotation=30)
    return _png(figure)


def per_customer(connection: Connection) -> bytes:
    """How many transactions a customer has, of those who defaulted and of the others."""
    figure, axes = _drawing("Transactions a customer", "transactions", "share of the customers")
    found = connection.execute(PER_CUSTOMER).fetchall()
    bins = np.linspace(0, max([count for _, count in found], default=1) + 1, 31)
    for defaulted, colour, name in ((False, CREDIT, "no default"), (True, DEBIT, "default")):
        values = [count for label, count in found if label == defaulted]
        weights = [1 / max(len(values), 1)] * len(values)
        axes.hist(values, bins=list(bins), weights=weights, color=colour, alpha=0.65, label=f"{name} ({len(values):,})")
    axes.legend(frameon=False, loc="upper right")
    return _png(figure)


# file name -> what it shows, and how it is drawn
PICTURES: dict[str, tuple[str, Callable[[Connection], bytes]]] = {
    "amounts.png": ("How large debits and credits are", amounts),
    "days.png": ("How many transactions there are a day", days),
    "per_customer.png": ("How many transactions a customer has", per_customer),
}


def _drawing(title: str, below: str, beside: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title)
    axes.set_xlabel(below)
    axes.set_ylabel(beside)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=100, metadata={"Software": None})  # the same bytes every time
    return stream.getvalue()


def write_training_set(
    path: Path, settings: Settings, rows: Iterable[tuple[str, SourceRow | CallerFault]]
) -> tuple[int, dict[str, int]]:
    """A CSV of ids, features and target, one row for each customer who has one label, 0 or 1.

    rows: each with its place, those of a customer one after the other. Returns how many were written, and how many
    customers were left out, by the reason.
    """
    target, names = settings.source["target"], settings.contract.names
    meaning, expected = label_meaning(settings.source)
    written, left = 0, Counter[str]()
    with replacing_file(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*settings.ids, *names, target])
        for _, group in groupby(rows, itemgetter(0)):
            (_, row), *others = group
            label = None if isinstance(row, CallerFault) or row.label is None else meaning(row.label)
            why = _lacking(row, label, not others, expected)
            if why or isinstance(row, CallerFault):
                left[why] += 1
            else:
                ids = [row.ids.get(name, "") for name in settings.ids]
                writer.writerow([*ids, *(row.features.get(name) for name in names), label])
                written += 1
    return written, dict(left)


def _lacking(row: SourceRow | CallerFault, label: int | None, alone: bool, expected: str) -> str:
    """Why a customer is left out of the training set, or "".

    label: what the row's label means. alone: the customer has no other row. expected: what a label has to be.
    """
    if not alone:
        return "with several rows in labels"
    if isinstance(row, CallerFault):
        return "whose transactions can't be read"
    if row.label is None:
        return "without a label"
    return "" if label is not None else f"whose label isn't {expected}"
