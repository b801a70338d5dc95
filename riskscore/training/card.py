"""MODEL_CARD.md: enough to refuse a model on, written by training beside the artefact."""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING, Any

from riskscore.training import card_sections, comparison, plots
from riskscore.training.manifest_sections import PAPERS
from riskscore.training.validation import no_better_than_chance

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from riskscore.model_toml.settings import Settings

    Manifest = Mapping[str, Any]

CARD = Template("""\
# Model card: $name $version

**The data first: $about**

$description.

$purpose

## Data
$data

## How well it tells the two apart
${chance}\
By $method. Judge by the cross-validated figures. The in-sample ones, on the very rows that the model was fitted to,
only show how far it has learnt them by heart. The last column is what a $plain reaches on the same
folds (an indicator for what is missing, a column for each category, C $penalty): what a model has to equal.

$metrics

**$comparison.** These are the differences fold by fold, with 95 % intervals; what the folds have in common falls out.

![ROC and precision-recall curves of predictions for rows not seen; a faint line per repeat](curves.png)

$choice$search## Whether its probabilities can be taken at their word
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

![Mean absolute contribution of $driving](drivers.png)

## What it has seen
The range of the training rows, rounded outwards. A value beyond it is scored with a warning; one beyond the hard
limits isn't scored at all.

$support

## When a person has to look
$refer

$warnings

## Known limits
$limits

## How to make it again
$recipe

The same rows, seed and versions give the same `model.json` to the byte. `manifest.json` holds these hashes, and all
else that is checked before the model serves.

$hashes
""")

AS_THEY_ARE = "The function answers these probabilities as they are; model.toml can ask for a calibration."
FAR_OFF = (
    "The function answers these figures as they are, and they are far from the rates observed: they put rows in an"
    " order, and are no\nprobabilities. A table `[calibration]` in model.toml would make them such."
)
SOME_REFER = "Each of these is a warning; those marked `refer` make it the answer's outcome."
NONE_REFERS = (
    "Each of these is a warning. None sends a row to a person: `[refer]` in model.toml can name those that should."
)
CHOICE = Template("""\
## Why this estimator
$words

""")
SEARCH = Template("""\
## How its parameters were found
$words

$note.

$table

""")


def papers(
    settings: Settings,
    manifest: Manifest,
    contents: Mapping[str, bytes],
    labels: NDArray[np.int8],
    out_of_fold: NDArray[np.float64],
) -> dict[str, bytes]:
    """File name -> bytes of the card and its plots. out_of_fold: (repeats, n) predictions of rows not seen."""
    metrics = manifest["metrics"]
    card = CARD.substitute(
        name=manifest["model"],
        version=manifest["version"],
        about=_about(manifest["training"]),
        description=settings.description,
        purpose=settings.card["purpose"].strip(),
        data=_data(manifest["training"]),
        method=metrics["method"],
        chance=_chance(metrics),
        plain=comparison.NAME,
        penalty=comparison.PARAMETERS["C"],
        comparison=comparison.sentence(metrics),
        metrics=card_sections.metrics(metrics),
        choice=CHOICE.substitute(words=settings.card["choice"].strip()) if settings.card["choice"].strip() else "",
        search=_search(manifest["search"]),
        ece=f"{metrics['reliability']['ece']:.3f}",
        calibration=_calibration(manifest),
        reliability=card_sections.reliability(metrics["reliability"]["bins"]),
        threshold=card_sections.at_threshold(settings.threshold, labels, out_of_fold),
        driving="each feature" if len(manifest["features"]) <= plots.MOST_BARS else "the strongest features",
        drivers=card_sections.drivers(settings, metrics["mean_abs_contribution"]),
        support=card_sections.support(manifest["features"]),
        refer=SOME_REFER if settings.refer else NONE_REFERS,
        warnings=card_sections.warnings(settings),
        limits=card_sections.bullets(
            settings.card["limits"] or ["Nobody has named any, which is no proof that there are none."]
        ),
        recipe=_recipe(settings, manifest),
        hashes=card_sections.hashes(manifest["source"], contents),
    )
    drawn = (
        plots.curves(labels, out_of_fold),
        plots.calibration(metrics["reliability"]["bins"]),
        plots.drivers(metrics["mean_abs_contribution"]),
    )
    return dict(zip(PAPERS, (card.encode(), *drawn), strict=True))


def _chance(metrics: Manifest) -> str:
    sentence = no_better_than_chance(metrics)
    return f"**{sentence}. Nobody should be judged by it.**\n\n" if sentence else ""


def _calibration(manifest: Manifest) -> str:
    """What is answered: the probability as the model gives it, or a calibrated one and what that gains."""
    if not manifest["calibration"]:
        far = manifest["metrics"]["reliability"]["ece"] > manifest["training"]["base_rate"] / 2
        return FAR_OFF if far else AS_THEY_ARE
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
        f" kept the one of the best {card_sections.METRIC_WORDS[found['metric']][0]}; of equals, the one tried first."
    )
    rows = [
        (card_sections.parameters(row["parameters"]), f"{row['mean']:.4f}", f"{row['spread']:.4f}")
        for row in found["table"]
    ]
    table = card_sections.table(("parameters", "mean over the folds", "standard deviation"), rows)
    return SEARCH.substitute(words=words, note=found["note"][0].upper() + found["note"][1:], table=table)


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
    return card_sections.bullets(
        [
            f"{count}: a base rate of {training['base_rate']:.1%}",
            *training["notes"],
            *broken,
            f"SHA-256 of the rows in the order they were trained on: `{training['data_sha256']}`",
        ]
    )


def _recipe(settings: Settings, manifest: Manifest) -> str:
    estimator, versions = manifest["estimator"], manifest["training"]["fitted_with"] | manifest["versions"]
    parameters = card_sections.parameters(estimator["parameters"])
    packages = ", ".join(f"{package} {version}" for package, version in versions.items())
    commands = "\n".join(settings.card["reproduce"])
    return f"`{estimator['class']}`: {parameters}; seed {estimator['seed']}. {packages}." + (
        f"\n\n```\n{commands}\n```" if commands else ""
    )
