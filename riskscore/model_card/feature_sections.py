"""The sections of a card about its features: strength, direction, sensitivity, correlation and training range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from riskscore.model_card import pictures
from riskscore.model_card.document import Picture, Section, Table, percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    Card = Mapping[str, Any]

DRAWN = 12  # features whose dependence is drawn, by their swing
BARS = 20
DIRECTIONS = {1: "rises", -1: "falls", 0: "rises and falls"}
CONSTRAINED = {1: "never falls", -1: "never rises", 0: ""}


def features(card: Card, _: Card) -> Section:
    table = sorted(card["features"], key=lambda row: -row["swing"])
    rows = [
        (
            f"`{row['feature']}`",
            f"{row['information_value']:.3f}",
            percent(row["swing"], 2),
            percent(row["decisions"]),
            _direction(row),
            CONSTRAINED[row["constrained"]],
        )
        for row in table
    ]
    words = (
        "Information value: how far the feature alone tells the labels apart, over its deciles. Swing: how far the mean"
        " score moves where the feature moves over its range and the others stay. Decisions: the share of rows whose"
        " `prediction` changes between the feature's 10th and 90th percentile (of a category, between any two values)."
        " Direction: of the score as the feature rises. Constraint: the direction that model.toml demands, which was"
        " checked."
    )
    header = ("feature", "information value", "swing", "decisions", "direction", "constraint")
    strongest = sorted(card["features"], key=lambda row: -row["information_value"])[:BARS]
    values = {row["feature"]: row["information_value"] for row in strongest}
    drawn = Picture(
        "Information value of the strongest features", lambda: pictures.strengths(values, "information value")
    )
    return Section("Features and sensitivity", [words, Table(header, rows), drawn])


def _direction(row: Card) -> str:
    if not row["swing"]:
        return "none"
    return "by category" if row["words"] else DIRECTIONS[row["direction"]]


def dependence(card: Card, _: Card) -> Section | None:
    table = [row for row in card["features"] if row["values"]]
    drawn = sorted(table, key=lambda row: -row["swing"])[:DRAWN]
    if not drawn:
        return None
    words = (
        f"The mean score by the value of a feature, {'of' if len(drawn) == len(table) else 'for'} "
        f"{'all features' if len(drawn) == len(table) else f'the {DRAWN} features of the largest swing'}."
        " A thick line never falls or never rises, as model.toml demands; a dotted one is the"
        " score where the value is missing."
    )
    return Section(
        "Partial dependence", [words, Picture("The mean score by feature", lambda: pictures.dependences(drawn))]
    )


def correlation(card: Card, _: Card) -> Section:
    found = card["correlations"]
    rows = [(f"`{a}`", f"`{b}`", f"{row['correlation']:+.2f}") for row in found["table"] for a, b in [row["features"]]]
    most = "".join(
        f" The largest is {row['correlation']:+.2f}, of `{row['features'][0]}` and `{row['features'][1]}`."
        for row in found["largest"]
    )
    more = f" The {len(rows)} strongest are shown." if len(rows) < found["strong"] else ""
    words = (
        f"Spearman's rank correlation: {found['strong']:,} of {found['pairs']:,} pairs reach 0.5 in size.{most}{more}"
    )
    return Section(
        "Correlation of features", [words, *([Table(("feature", "and", "correlation"), rows, 2)] if rows else [])]
    )


def training_range(_: Card, manifest: Card) -> Section | None:
    rows = [
        (
            f"`{feature['name']}`",
            feature.get("description", ""),
            *_range(feature),
            percent(feature["support"].get("missing", 0)),
        )
        for feature in manifest["features"]
        if feature.get("support")
    ]
    header = ("feature", "meaning", "from", "median", "to", "missing")
    return Section("Range of the rows", [Table(header, rows, 2)]) if rows else None


def _range(feature: Card) -> tuple[str, str, str]:
    support = feature["support"]
    if "values" in feature:
        seen = sum(place >= 0 for place in support.get("values", ()))
        return f"{seen} of {len(feature['values'])} values", "", ""
    return f"{support['minimum']:,.6g}", f"{support['quantiles']['0.5']:,.6g}", f"{support['maximum']:,.6g}"
