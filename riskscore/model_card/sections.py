"""The sections of a card, the most important first; each is a function of card.json and the manifest.

A section of one's own is one more function in SECTIONS. One that has nothing to say returns None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from riskscore.model_card import cutoffs, pictures
from riskscore.model_card.aggregates import UNSEEN
from riskscore.model_card.document import METRIC_WORDS, Picture, Section, Table, between, listed, percent, rate
from riskscore.model_card.feature_sections import correlation, dependence, features, training_range
from riskscore.model_card.scorecard import scorecard
from riskscore.model_card.stability_sections import over_time, population_stability, stability

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Card = Mapping[str, Any]

UNNAMED = "**not named**"
GOVERNANCE = {"owner": "owner", "reviewer": "reviewer", "review_date": "next review", "materiality": "materiality"}
CUT_OFFS = {"cut-off": "threshold", "best cut-off": "best"}


def sections(card: Card, manifest: Card) -> list[Section]:
    """All that have something to say."""
    found = [build(card, manifest) for build in SECTIONS]
    return [section for section in found if section]


def summary(card: Card, manifest: Card) -> Section:
    """What a committee asks first: what it is, how good, who answers for it, what to beware of."""
    rows = [(words, card["governance"].get(key) or UNNAMED) for key, words in GOVERNANCE.items()]
    said = [
        ("model", f"`{manifest['model']}` {manifest['version']}"),
        ("of", manifest["description"] or "no description was given"),
        *rows,
        ("rows", f"{card['rows']:,}, {card['bads']:,} of label 1: {rate(card)}"),
        *((METRIC_WORDS[name], between(card["performance"][name])) for name in ("gini", "ks", "auc")),
        *([("AUC on later rows", between(card["over_time"]["metrics"]["auc"]))] if card.get("over_time") else []),
        *((name, _said(card, card[key])) for name, key in CUT_OFFS.items() if _lends(card)),
        ("referred", percent(card["referral"]["rate"]) if card.get("referral") else "unknown"),
        *((f"uses `{name}`, protected", why) for name, why in card.get("protected", {}).items()),
    ]
    warnings = [f"**Warning:** {words}." for words in card["warnings"]]
    return Section("Summary", [*warnings, *([card["purpose"]] if card["purpose"] else []), Table(("", ""), said, 2)])


def _said(card: Card, cutoff: float) -> str:
    row = cutoffs.figures_at(card["distribution"], cutoff, card["cost_ratio"])
    return (
        f"{cutoff:g}: approves {percent(row['approval_rate'])}, bad rate among them {percent(row['bad_rate'], 2)},"
        f" profit {row['profit']:.1f} per 100 rows"
    )


def performance(card: Card, _: Card) -> Section:
    rows = [(METRIC_WORDS[name], between(found)) for name, found in card["performance"].items()]
    basis = (
        "Every score is out-of-fold: of a model that was fitted without the row. The tables below count each row once,"
        " by the first repeat."
        if card["basis"] == UNSEEN
        else f"The scores are {card['basis']}."
    )
    return Section("Performance", [basis, Table(("figure", "value (95 % interval)"), rows)])


def _lends(card: Card) -> bool:
    """Whether label 1 is what a lender declines: not of a model that shows no points, as one of clicks."""
    return bool(card["bands"]["by"] == "points")


def cut_offs(card: Card, _: Card) -> Section | None:
    if not _lends(card):
        return None
    held, ratio, marks = card["distribution"], card["cost_ratio"], [card["threshold"], card["best"]]
    table = cutoffs.table(held, ratio, [*marks, *([card["asked"]] if "asked" in card else [])])
    named = [("best", card["best"]), ("of model.toml", card["threshold"]), ("asked for", card.get("asked"))]
    names = {cutoff: name for name, cutoff in named if cutoff is not None}
    rows = [
        (
            f"{row['cutoff']:g}" + (f" ({names[row['cutoff']]})" if row["cutoff"] in names else ""),
            percent(row["approval_rate"]),
            f"{row['approved']:,}",
            percent(row["bad_rate"], 2),
            f"{percent(row['low'], 2)} to {percent(row['high'], 2)}" if row["approved"] else "-",
            f"{row['profit']:.2f}",
        )
        for row in table
    ]
    strong = frozenset(k for k, row in enumerate(table) if row["cutoff"] in names)
    source = "as `card.cost_ratio` says" if card["cost_ratio_given"] else "which is what the threshold implies"
    words = (
        f"A row is approved where its score is below the cut-off. A bad row costs {ratio:.4g} times what a good one"
        f" earns, {source}; profit is per 100 rows, in what one good row earns. The best cut-off is that of the highest"
        " profit on these rows, which is a little more than it will earn on others."
    )
    header = ("cut-off", "approval rate", "approved", "bad rate", "95 % interval", "profit")
    curve = [cutoffs.figures_at(held, value, ratio) for value in (0.0, *held["cutoffs"], 1.0)]
    marked = {names[value]: cutoffs.figures_at(held, value, ratio) for value in names}
    drawn = Picture("Profit and bad rate by approval rate, with the cut-offs", lambda: pictures.cutoffs(curve, marked))
    return Section("Cut-offs", [words, Table(header, rows, 1, strong), drawn])


def bands(card: Card, _: Card) -> Section:
    by, table = card["bands"]["by"], card["bands"]["table"]
    names = [_span(row) for row in table]
    rows = [
        (
            name,
            f"{row['rows']:,}",
            f"{row['bads']:,}",
            rate(row),
            percent(row["mean"]),
            "yes" if row["calibrated"] else "**no**",
        )
        for name, row in zip(names, table, strict=True)
    ]
    off = [name for name, row in zip(names, table, strict=True) if not row["calibrated"]]
    verdict = (
        f"In {listed(off)} the mean score is outside the observed rate's interval."
        if off
        else "In every band the mean score is within the observed rate's interval."
    )
    words = f"Bands of {by}. Intervals are Wilson's, of 95 %. {verdict}"
    header = (by, "rows", "label 1", "observed rate", "mean score", "calibrated")
    drawn = Picture("Observed rate and mean score of each band", lambda: pictures.bands(table, names, by))
    return Section("Score bands and calibration", [words, Table(header, rows, 1), drawn])


def _span(row: Card) -> str:
    begin, end = row["begin"], row["end"]
    if begin is None:
        return "all" if end is None else f"below {end:g}"
    return f"from {begin:g}" if end is None else f"{begin:g} to below {end:g}"


def gains(card: Card, _: Card) -> Section:
    rows = [
        (
            f"{k}",
            f"{row['lowest']:.4f} to {row['highest']:.4f}",
            f"{row['rows']:,}",
            f"{row['bads']:,}",
            rate(row),
            f"{row['lift']:.2f}",
            percent(row["captured"]),
            f"{row['cumulative_lift']:.2f}",
        )
        for k, row in enumerate(card["deciles"], 1)
    ]
    header = ("tenth", "score", "rows", "label 1", "rate", "lift", "gain", "cumulative lift")
    words = (
        "Tenths of the rows, the highest scores first. Gain: of all rows of label 1, those in this tenth or one before."
    )
    drawn = Picture(
        "Share of label 1 by share of rows, the highest scores first", lambda: pictures.gains(card["deciles"])
    )
    return Section("Lift and gains", [words, Table(header, rows), drawn])


def segments(card: Card, _: Card) -> Section | None:
    blocks: list[str | Table | Picture] = []
    for name, table in card["segments"].items():
        rows = [
            (
                row["segment"],
                f"{row['rows']:,}{' (too small)' if row['small'] else ''}",
                rate(row),
                percent(row["mean"]),
                "yes" if row["calibrated"] else "**no**",
                percent(row["flagged"]),
                between(row["auc"]) if row["auc"] else "too few rows",
            )
            for row in table
        ]
        header = (name, "rows", "observed rate", "mean score", "calibrated", "flagged", "AUC")
        drawn = Picture(f"Observed rate and mean score by {name}", lambda table=table: pictures.segments(table))  # type: ignore[misc]
        blocks += [f"By `{name}`:", Table(header, rows), drawn]
    words = (
        "Segments that are too small for figures of their own are merged. An AUC needs 10 rows of each label. Flagged:"
        " the share from the threshold on."
    )
    return Section("Segments", [words, *blocks]) if blocks else None


def referral(card: Card, _: Card) -> Section | None:
    found = card.get("referral")
    if not found:
        return None
    words = (
        f"{percent(found['rate'])} of the rows ({found['rows']:,}) are referred to manual review, whatever their score."
    )
    rows = [(f"`{name}`", f"{count:,}") for name, count in found["by"].items()]
    return Section("Manual review", [words, *([Table(("warning", "rows"), rows)] if rows else [])])


def limits(card: Card, manifest: Card) -> Section:
    given = card["limits"] or ["None were given, which doesn't mean that there are none."]
    data = [*card["data"], *manifest.get("training", {}).get("notes", ())]
    return Section("Known limits and data", [*given, *data])


SECTIONS: tuple[Callable[[Card, Card], Section | None], ...] = (
    *(summary, performance, over_time, cut_offs, bands, gains, segments, referral, limits),
    *(scorecard, stability, population_stability, features, dependence, correlation, training_range),
)
