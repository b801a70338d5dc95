"""An audit as a person reads it: lines for a terminal, report.json, and report.html, which stands alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from riskscore.fairness.intervals import METHODS, Estimate
from riskscore.fairness.pictures import over_cutoffs, ratios
from riskscore.model_card.document import Picture, Section, Table, percent
from riskscore.model_card.html import page

if TYPE_CHECKING:
    from collections.abc import Mapping

    Found = Mapping[str, Any]

CAREFUL = (
    "The four-fifths rule (29 CFR 1607.4 D) is a rule of thumb of US employment law for where to look closer. No figure"
    " here is a finding of discrimination, or of its absence, and none of this is legal advice."
)
NOISE = (
    "Intervals are 95 %, each for its figure alone: among twenty groups or cut-offs, one is outside by chance. Groups"
    " below the smallest size have no figures."
)


def document(found: Found) -> str:
    """report.json: every figure, its interval as an object."""
    return json.dumps(_plain(found), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Estimate):
        return {
            name: part if name == "rows" else round(part, 6) for name, part in zip(Estimate._fields, value, strict=True)
        }
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return round(value, 6) if isinstance(value, float) else value


def in_percent(found: Estimate | None) -> str:
    return "-" if found is None else f"{found.value:.1%} ({found.low:.1%} to {found.high:.1%})"


def in_points(found: Estimate | None) -> str:
    """A difference of two rates."""
    if found is None:
        return "-"
    return f"{100 * found.value:+.1f} pp ({100 * found.low:+.1f} to {100 * found.high:+.1f})"


def as_ratio(found: Estimate | None) -> str:
    return "-" if found is None else f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def tables(column: str, found: Found, narrow: bool = False) -> list[tuple[str, Table]]:
    """The tables of one column of groups, each with its title. narrow: for a terminal."""
    groups: dict[str, Any] = found["groups"]
    selection = [
        (name, one["verdict"], f"{one['rows']:,}", in_percent(one["selection"]), as_ratio(one["ratio"]))
        for name, one in groups.items()
    ]
    made = [
        ("Adverse impact", Table((column, "in words", "rows", "approved", "impact ratio"), selection, 2)),
    ]
    chances = {name: one["equal_opportunity"] for name, one in groups.items() if one["equal_opportunity"]}
    if chances:
        rows = [
            (name, f"{one['rate'].rows:,}", in_percent(one["rate"]), in_points(one["difference"]))
            for name, one in chances.items()
        ]
        made.append(("Equal opportunity", Table((column, "turned out well", "approved", "difference"), rows)))
    known = {name: one["calibration"] for name, one in groups.items() if one["calibration"]}
    if known:
        calibrated = [
            (
                name,
                f"{one['observed'].rows:,}",
                percent(one["mean_probability"]),
                in_percent(one["observed"]),
                in_points(one["difference"]),
            )
            for name, one in known.items()
        ]
        made.append(("Calibration", Table((column, "rows", "mean probability", "observed", "difference"), calibrated)))
    return [*made, ("At every cut-off", _all_cutoffs(found, narrow))]


def _all_cutoffs(found: Found, narrow: bool) -> Table:
    others = [name for name in found["groups"] if name != found["reference"]]
    chance = not narrow and any(row["groups"][name]["opportunity"] for row in found["cutoffs"] for name in others)
    rows = [
        (
            f"{row['cutoff']:.4g}",
            percent(row["approval_rate"]),
            *(as_ratio(row["groups"][name]["ratio"]) for name in others),
            *(in_points(row["groups"][name]["opportunity"]) for name in others if chance),
        )
        for row in found["cutoffs"]
    ]
    opportunity = [f"{name}: opportunity" for name in others] if chance else []
    return Table(("cut-off", "approved", *(f"{name}: ratio" for name in others), *opportunity), rows, 0)


def in_lines(found: Found) -> str:
    """The whole audit for a terminal."""
    lines = [*_head(found)]
    for column, one in found["columns"].items():
        lines += ["", f"{column}: compared with {one['reference']}", *_omitted(one)]
        for title, table in tables(column, one, narrow=True):
            lines += ["", f"{title} ({column})", *_aligned(table)]
    return "\n".join([*lines, "", *found["notes"], NOISE, CAREFUL])


def _head(found: Found) -> list[str]:
    side = "below" if found["approve"] == "below" else "at or above"
    people = f"{found['rows']} rows of {found['scores']} with their groups in {found['groups']}"
    return [f"{people}; approved is a probability {side} {found['cutoff']:.6g}"]


def _omitted(one: Found) -> list[str]:
    small = ", ".join(one["too_small"])
    said = [f"too small to be shown: {small}"] if small else []
    rows = one["too_small_or_unknown"]
    return [*said, *([f"in no group, or in one that is too small: {rows} rows"] if rows != "0" else [])]


def _aligned(table: Table) -> list[str]:
    rows = [table.header, *table.rows]
    widths = [max(len(row[k]) for row in rows) for k in range(len(table.header))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def html(found: Found) -> bytes:
    """report.html."""
    methods = [f"{figure}: {method}" for figure, method in METHODS.items()]
    sections = [
        Section("Summary", [*_head(found), _summary(found), *found["notes"], CAREFUL]),
        *(_section(column, one) for column, one in found["columns"].items()),
        Section("How it was computed", [NOISE, f"Intervals: {'; '.join(methods)}.", *MEANINGS]),
    ]
    return page("Fairness audit", sections)


MEANINGS = """\
**Impact ratio**: the approval rate of a group over that of the reference group.
**Equal opportunity**: of those who turned out well, the share that is approved, less the reference group's. People \
who were declined in the past have no outcome, so this speaks of those who have one.
**Calibration**: the mean probability of a group against the rate that was observed. A difference above 0 means that \
the score is too low for the group.""".splitlines()


def _summary(found: Found) -> Table:
    rows = [
        (column, name, entry["verdict"], as_ratio(entry["ratio"]))
        for column, one in found["columns"].items()
        for name, entry in one["groups"].items()
    ]
    return Table(("groups", "group", "in words", "impact ratio"), rows, 3)


def _section(column: str, one: Found) -> Section:
    blocks: list[str | Table | Picture] = [f"Compared with **{one['reference']}**.", *_omitted(one)]
    for title, table in tables(column, one):
        blocks += [f"**{title}**"]
        if title == "Adverse impact":
            blocks.append(Picture(f"Impact ratios of {column} with their intervals", lambda: ratios(one)))
        if title == "At every cut-off":
            blocks.append(Picture(f"Impact ratios of {column} by approval rate", lambda: over_cutoffs(one)))
        blocks.append(table)
    return Section(f"By {column}", blocks)
