"""MODEL_CARD.md: enough to refuse a model on, written by training beside the artefact."""

from __future__ import annotations

import hashlib
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np

from riskscore.manifest_parts import PAPERS
from riskscore.pictures import calibration, curves, drivers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from riskscore.settings import Settings

    Manifest = Mapping[str, Any]

CARD = Template("""\
# Model card: $name $version

**The data first: $about**

$description.

$purpose

## Data
$data

## How well it tells the two apart
By $method. Judge by the cross-validated figures. The in-sample ones, on the very rows that the model was fitted to,
only show how far it has learnt them by heart. The last column is what a plain logistic regression reaches on the same
folds: a model that doesn't beat it has yet to earn its trees.

$metrics

![ROC and precision-recall curves of predictions for rows not seen; a faint line per repeat](curves.png)

$search## Whether its probabilities can be taken at their word
Expected calibration error $ece, over ten bins of equally many predictions for rows not seen; each row counts once
per repeat. $calibration

$reliability

![Mean predicted probability against the observed rate, by bin](calibration.png)

## At the threshold
$threshold

## What drives it
Mean absolute contribution to the log-odds over the training rows (for trees, exact TreeSHAP). It says what the model
uses, and nothing about causes.

$drivers

![Mean absolute contribution of each feature](drivers.png)

## What it has seen
The range of the training rows, rounded outwards. A value beyond it is scored with a warning; one beyond the hard
limits isn't scored at all.

$support

## When a person has to look
Each of these is a warning; those marked `refer` make it the answer's outcome.

$warnings

## Known limits
$limits

## How to make it again
$recipe

The same rows, seed and versions give the same `model.json` to the byte. `manifest.json` holds these hashes, and all
else that is checked before the model serves.

$hashes
""")

SEARCH = Template("""\
## How its parameters were found
$words

$note.

$table

""")

METRIC_WORDS = {
    "auc": ("AUC (area under the ROC curve)", "higher; 0.5 is chance"),
    "pr_auc": ("PR AUC (average precision)", "higher; the base rate is chance"),
    "brier": ("Brier score", "lower"),
    "log_loss": ("log loss", "lower"),
}
DIRECTION_WORDS = {1: "a larger value never lowers the risk", -1: "a larger value never raises the risk", 0: ""}


def papers(
    settings: Settings,
    manifest: Manifest,
    contents: Mapping[str, bytes],
    labels: NDArray[np.int8],
    out_of_fold: NDArray[np.float64],
) -> dict[str, bytes]:
    """File name -> bytes of the card and its pictures. out_of_fold: (repeats, n) predictions of rows not seen."""
    metrics = manifest["metrics"]
    card = CARD.substitute(
        name=manifest["model"],
        version=manifest["version"],
        about=_about(manifest["training"]),
        description=settings.description,
        purpose=settings.card["purpose"].strip(),
        data=_data(manifest["training"]),
        method=metrics["method"],
        metrics=_metrics(metrics),
        search=_search(manifest["search"]),
        ece=f"{metrics['reliability']['ece']:.3f}",
        calibration=_calibration(manifest),
        reliability=_reliability(metrics["reliability"]["bins"]),
        threshold=_threshold(settings.threshold, labels, out_of_fold),
        drivers=_drivers(settings, metrics["mean_abs_contribution"]),
        support=_support(manifest["features"]),
        warnings=_warnings(settings),
        limits=_list(settings.card["limits"] or ["Nobody has named any, which is no proof that there are none."]),
        recipe=_recipe(settings, manifest),
        hashes=_hashes(manifest["source"], contents),
    )
    pictures = (
        curves(labels, out_of_fold),
        calibration(metrics["reliability"]["bins"]),
        drivers(metrics["mean_abs_contribution"]),
    )
    return dict(zip(PAPERS, (card.encode(), *pictures), strict=True))


def _calibration(manifest: Manifest) -> str:
    """What is answered: the probability as the model gives it, or a calibrated one and what that gains."""
    if not manifest["calibration"]:
        return "The function answers these probabilities as they are; model.toml can ask for a calibration."
    found = manifest["metrics"]["calibrated"]
    return (
        f"The function answers them calibrated ({manifest['calibration']['method']}): then, each row by a map that was"
        f" fitted without it, the error is {found['reliability']['ece']:.3f}, the Brier score {found['brier']:.3f} and"
        f" the log loss {found['log_loss']:.3f}."
    )


def _search(found: Manifest) -> str:
    """The search's best trials and what their figures are worth; "" where people chose the parameters."""
    if not found:
        return ""
    words = (
        f"A {found['method']} search tried {found['trials']:,} settings of"
        f" {', '.join(f'`{name}`' for name in found['searched'])}, each by {found['folds']}-fold cross-validation, and"
        f" kept the one of the best {METRIC_WORDS[found['metric']][0]}; of equals, the one tried first."
    )
    rows = [(_parameters(row["parameters"]), f"{row['mean']:.4f}", f"{row['spread']:.4f}") for row in found["table"]]
    table = _table(("parameters", "mean over the folds", "standard deviation"), rows)
    return SEARCH.substitute(words=words, note=found["note"][0].upper() + found["note"][1:], table=table)


def _parameters(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}` {value}" for name, value in parameters.items())


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float) -> str:
    return f"{value:,.6g}"


def _about(training: Manifest) -> str:
    """What the table's own comment says; a file says nothing, and the card says that."""
    unknown = (
        f"nothing is recorded of where the rows of {training['origin']} come from; who trained the model has to say."
    )
    return str(training["about"] or unknown)


def _data(training: Manifest) -> str:
    count = f"{training['rows']:,} rows from {training['origin']}, {training['positives']:,} of them with label 1"
    broken = [
        f"{rows:,} rows break the identity `{name}`" for name, rows in training["broken_identities"].items() if rows
    ]
    return _list(
        [
            f"{count}: a base rate of {training['base_rate']:.1%}",
            *training["notes"],
            *broken,
            f"SHA-256 of the rows in the order they were trained on: `{training['data_sha256']}`",
        ]
    )


def _metrics(metrics: Manifest) -> str:
    plain = metrics.get("logistic_regression", {})
    rows = [
        [
            *METRIC_WORDS[name],
            _interval(found),
            f"{metrics['in_sample'][name]:.3f}",
            _interval(plain[name]) if plain else "it is one itself",
        ]
        for name, found in metrics["cross_validated"].items()
    ]
    header = ("metric", "better is", "cross-validated (95 % interval)", "in-sample", "plain logistic regression")
    return _table(header, rows)


def _interval(found: Mapping[str, float]) -> str:
    return f"{found['mean']:.3f} ({found['low']:.3f} to {found['high']:.3f})"


def _reliability(bins: Sequence[Mapping[str, float]]) -> str:
    rows = [
        [
            f"{row['lowest']:.3f} to {row['highest']:.3f}",
            f"{row['predictions']:,}",
            f"{row['mean']:.3f}",
            f"{row['observed']:.3f}",
        ]
        for row in bins
    ]
    return _table(("predicted", "predictions", "mean predicted", "observed rate"), rows)


def _threshold(threshold: float, labels: NDArray[np.int8], out_of_fold: NDArray[np.float64]) -> str:
    flagged, bad = out_of_fold >= threshold, np.broadcast_to(labels == 1, out_of_fold.shape)
    share = f"{bad[flagged].mean():.1%} of those flagged have label 1" if flagged.any() else "so no precision is known"
    return (
        f"`prediction` is 1 from a probability of {threshold:g} on. Of rows not seen that flags {flagged.mean():.1%}:\n"
        f"{flagged[bad].mean():.1%} of those with label 1 and {flagged[~bad].mean():.1%} of the others; {share}."
    )


def _drivers(settings: Settings, strength: Mapping[str, float]) -> str:
    ordered = sorted(strength.items(), key=lambda item: -item[1])
    rows = [(f"`{name}`", f"{value:.3f}", DIRECTION_WORDS[settings.directions.get(name, 0)]) for name, value in ordered]
    return _table(("feature", "mean contribution", "constrained"), rows)


def _support(features: Sequence[Manifest]) -> str:
    rows = [
        [f"`{feature['name']}`", feature.get("description", ""), *_span(feature), f"{support.get('missing', 0):.1%}"]
        for feature in features
        if (support := feature["support"])
    ]
    return _table(("feature", "meaning", "from", "median", "to", "hard minimum", "hard maximum", "missing"), rows)


def _span(feature: Manifest) -> list[str]:
    """From, median, to and the hard limits; of a category how many of its values were seen."""
    support = feature["support"]
    if "values" in feature:
        seen = sum(place >= 0 for place in support["values"])
        return [f"{seen} of {len(feature['values'])} values", "", "", "", ""]
    limits = (_number(feature[limit]) if limit in feature else "none" for limit in ("minimum", "maximum"))
    return [*map(_number, (support["minimum"], support["quantiles"]["0.5"], support["maximum"])), *limits]


def _warnings(settings: Settings) -> str:
    texts = {
        "outside_support": "a value lies outside what training saw",
        **{rule["name"]: rule["text"] for rule in (*settings.identities, *settings.limits)},
        **settings.observations,
    }
    return _list(f"`{name}`{' (`refer`)' * (name in settings.refer)}: {text}" for name, text in texts.items())


def _recipe(settings: Settings, manifest: Manifest) -> str:
    estimator, versions = manifest["estimator"], manifest["training"]["fitted_with"] | manifest["versions"]
    parameters = _parameters(estimator["parameters"])
    packages = ", ".join(f"{package} {version}" for package, version in versions.items())
    commands = "\n".join(settings.card["reproduce"])
    return f"`{estimator['class']}`: {parameters}; seed {estimator['seed']}. {packages}." + (
        f"\n\n```\n{commands}\n```" if commands else ""
    )


def _hashes(source: Mapping[str, str], contents: Mapping[str, bytes]) -> str:
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    if "sql" in source:
        digests[source["sql"]] = source["sha256"]
    return _table(("file", "SHA-256"), [(f"`{name}`", f"`{digest}`") for name, digest in digests.items()])
