"""The sections of a card about stability: over time, over folds and seeds, and of the population."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from riskscore.model_card import pictures
from riskscore.model_card.document import METRIC_WORDS, Picture, Section, Table, between, percent, rate

if TYPE_CHECKING:
    from collections.abc import Mapping

    Card = Mapping[str, Any]


def over_time(card: Card, _: Card) -> Section | None:
    found = card.get("over_time")
    if not found:
        return None
    rows = [
        (
            f"{row['begin']} to {row['end']}",
            f"{row['trained']:,} until {row['trained_until']}",
            f"{row['rows']:,}",
            rate(row),
            percent(row["mean"]),
            between(row["auc"]) if row["auc"] else "not computable: one label",
            f"{row['log_loss']:.4f}",
        )
        for row in found["periods"]
    ]
    both = [
        (
            METRIC_WORDS[name],
            between(shuffled),
            between(found["metrics"][name]),
            "yes" if found["agree"][name] else "**no**",
        )
        for name, shuffled in found["shuffled"].items()
        if name in found["metrics"]
    ]
    header = ("period", "trained on", "rows", "observed rate", "mean score", "AUC", "log loss")
    drawn = Picture("AUC of each period", lambda: pictures.periods(found["periods"], found["shuffled"]["auc"]))
    return Section(
        "Over time",
        [
            f"By {found['method']}.",
            Table(("figure", "shuffled folds", "over time", "agree"), both),
            Table(header, rows, 2),
            drawn,
        ],
    )


def stability(card: Card, _: Card) -> Section | None:
    found = card.get("stability")
    if not found:
        return None
    rows = [
        (name, f"{row['lowest']:.3f}", f"{row['highest']:.3f}", f"{row['deviation']:.3f}")
        for name, row in found["auc"].items()
    ]
    seeds = found["seeds"]
    words = (
        f"Fitted again to the same rows with {seeds['fits']} other seeds, a row's score moves by"
        f" {percent(seeds['mean_change'], 2)} on average and by {percent(seeds['largest_change'], 2)} at most, and"
        f" {percent(seeds['decisions'])} of the predictions change."
    )
    return Section(
        "Stability over folds and seeds", [Table(("AUC of", "lowest", "highest", "standard deviation"), rows), words]
    )


def population_stability(card: Card, _: Card) -> Section | None:
    found = card.get("psi")
    if not found:
        return None
    rows = [
        (
            f"`{row['column']}`" if row["column"] != "score" else "**score**",
            *(f"{value:.3f}" for value in row["psi"]),
            f"{row['noise']:.3f}",
        )
        for row in found["table"]
    ]
    header = ("column", *(f"from {period.partition(' ')[0]}" for period in found["periods"]), "noise")
    words = (
        f"Population stability index (PSI) of each period beside the rows before the first, {found['reference']}. Up to"
        " about the noise, in 95 % of cases, it comes from the number of rows alone; by custom 0.1 is worth a look and"
        " 0.25 a shift."
    )
    return Section("Population stability", [words, Table(header, rows)])
