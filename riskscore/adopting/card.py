"""MODEL_CARD.md of an adopted model: what is known of it, and above all what is not."""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING, Any

from riskscore.training.card_sections import MORE, summary
from riskscore.training.manifest_sections import referral_notes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CARD = Template("""\
# Model card: $name $version

**Adopted, not trained here.** Only the people who trained it know on which data, when and how well it was validated.
Without that knowledge, don't use it.

$description

${figures}## Origin
* $file, SHA-256 `$sha256`
* a $kind, written with $written
$notes

## What was checked
* Its features agree with the contract in number$names, and its classes are 0 and 1.
* The served model gives the probabilities of the file's own estimator, to 0.000001, on $rows rows.
* $expected
* Engines: $engines.
* Reasons: $reasons

## Data given at adoption
$data

## Limits
* It was not cross-validated here. Base rate, calibration and validity for other people or times are unknown.
* $support
$referral""")


def card_of(manifest: Mapping[str, Any], lacks: str, figures: Mapping[str, Any]) -> str:
    """The card of an adopted model's manifest. lacks: why the twin can't serve it, or "". figures: card.json, or {}."""
    adopted, data = manifest["adopted"], manifest["adopted"]["data"]
    return CARD.substitute(
        name=manifest["model"],
        version=manifest["version"],
        description=manifest["description"] or "No description was given.",
        figures=f"## Summary\n{summary(figures, manifest)}\n\n{MORE}\n\n" if figures else "",
        file=adopted["file"],
        sha256=adopted["sha256"],
        kind=manifest["estimator"]["class"],
        written=", ".join(f"{name} {version}" for name, version in adopted["written_with"].items())
        or "versions unknown",
        notes=_listed(adopted["notes"]),
        names="" if any("names no features" in note for note in adopted["notes"]) else ", name and order",
        rows="the given and on synthetic" if data else "synthetic",
        expected=_expected(adopted["expected"]),
        engines=f"joblib alone; {lacks}" if lacks else "twin and joblib, equal bit for bit",
        reasons=_reasons(manifest),
        data=_data(manifest),
        support=_support(bool(data)),
        referral="".join(f"* {note}.\n" for note in referral_notes(manifest)),
    )


def _listed(notes: Iterable[str]) -> str:
    return "\n".join(f"* {note}" for note in notes)


def _reasons(manifest: Mapping[str, Any]) -> str:
    if not manifest["explains"]:
        return "none; contributions can't be computed for this kind of model, and none are made up."
    return "exact contributions of the features, which add up to the log-odds."


def _expected(held: Mapping[str, Any] | None) -> str:
    if held is None:
        return "**Not shown:** that these are the probabilities that its owner gets; none were given to compare with."
    return (
        f"It gives the owner's own probabilities, column {held['column']}, on {held['rows']:,} rows to"
        f" {held['tolerance']:g}; the largest difference is {held['largest_difference']:g}."
    )


def _support(given: bool) -> str:
    if given:
        return "Its training range is unknown; rows outside the given data are marked `outside_support`."
    return "Its training range is unknown and no data were given: no row is ever marked `outside_support`."


def _data(manifest: Mapping[str, Any]) -> str:
    data = manifest["adopted"]["data"]
    if not data:
        return "None, so nothing is known here about its performance."
    found = [f"{data['rows']:,} rows from {data['origin']}", *data["notes"]]
    if manifest["metrics"]:
        figures = manifest["metrics"]["on_given_data"].items()
        found += [
            f"{data['positives']:,} of them with label 1",
            f"figures {manifest['metrics']['method']}: {', '.join(f'{name} {value:.3f}' for name, value in figures)}",
        ]
    return _listed(found)
