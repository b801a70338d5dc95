"""MODEL_CARD.md: enough to refuse a model on, written by training beside the artefact."""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING, Any

from riskscore.artefact.versions import PAPERS
from riskscore.model_card.writing import written
from riskscore.training import card_sections, comparison, plots
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

$summary

$more

## Data
$data

## Performance
${chance}\
By $method. Use the cross-validated figures. The in-sample figures are those of the training rows themselves,
and show how far the model overfits. The last column is a $plain on the same
folds (an indicator for missing values, one column per category, C $penalty): the model should be at least as good.

$metrics

**$comparison.** The differences are computed fold by fold, with 95 % intervals.

![ROC and precision-recall curves of out-of-fold predictions; a faint line per repeat](curves.png)

$over_time$choice$search## Calibration
Expected calibration error $ece, over ten bins with equally many out-of-fold predictions; each row counts once
per repeat. $calibration

$reliability

![Mean predicted probability against the observed rate, by bin](calibration.png)

## At the threshold
$threshold

## Feature importance
Mean absolute contribution to the log-odds over the training rows (for trees, exact TreeSHAP). It shows what the model
uses, not what causes the outcome.

$drivers

![Mean absolute contribution of $driving](drivers.png)

## Training range
The range of the training rows, rounded outwards. A value outside it is scored with a warning; a value beyond the hard
limits isn't scored.

$support

## Manual review
$refer

$warnings

$protected## Limits
$limits

## Reproduce
$recipe

The same rows, seed and versions give the same `model.json`, byte for byte. `manifest.json` has these hashes and
everything else that is checked before the model is served.

$hashes
""")

AS_THEY_ARE = "The function returns these probabilities unchanged; model.toml can add a calibration."
FAR_OFF = (
    "The function returns these values unchanged, and they are far from the observed rates: they rank rows and are"
    " not\nprobabilities. A table `[calibration]` in model.toml would make them probabilities."
)
SOME_REFER = "Each of these gives a warning; those marked `refer` also set the outcome to `refer`, for manual review."
NONE_REFERS = (
    "Each of these gives a warning. None refers a row to manual review: `[refer]` in model.toml can name those that"
    " should."
)
CHOICE = Template("""\
## Why this estimator
$words

""")
PROTECTED = Template("""\
## Protected characteristics
These features tell of a characteristic that law protects, or are proxies for one. They are used for these reasons:

$reasons

`riskscore fairness` audits the scores by group.

""")
SEARCH = Template("""\
## $heading
$words

$note.

$table

""")


def documents(
    settings: Settings,
    manifest: Manifest,
    contents: Mapping[str, bytes],
    labels: NDArray[np.int8],
    out_of_fold: NDArray[np.float64],
    figures: Manifest,
) -> dict[str, bytes]:
    """File name -> bytes of the card and its plots. out_of_fold: (repeats, n) predictions of rows not seen.

    figures: card.json."""
    metrics = manifest["metrics"]
    card = CARD.substitute(
        name=manifest["model"],
        version=manifest["version"],
        about=_about(manifest["training"]),
        description=settings.description,
        purpose=settings.card["purpose"].strip(),
        summary=card_sections.summary(figures, manifest),
        more=card_sections.MORE,
        data=_data(manifest["training"]),
        method=metrics["method"],
        chance=_chance(metrics),
        plain=comparison.NAME,
        penalty=comparison.PARAMETERS["C"],
        comparison=comparison.sentence(metrics),
        metrics=card_sections.metrics(metrics),
        choice=CHOICE.substitute(words=settings.card["choice"].strip()) if settings.card["choice"].strip() else "",
        search=_search(manifest["search"]),
        over_time=card_sections.over_time(figures, manifest),
        ece=f"{metrics['reliability']['ece']:.3f}",
        calibration=_calibration(manifest),
        reliability=card_sections.reliability(metrics["reliability"]["bins"]),
        threshold=card_sections.at_threshold(settings.threshold, labels, out_of_fold),
        driving="each feature" if len(manifest["features"]) <= plots.MOST_BARS else "the strongest features",
        drivers=card_sections.drivers(settings, metrics["mean_abs_contribution"]),
        support=card_sections.support(manifest["features"]),
        refer=SOME_REFER if settings.refer else NONE_REFERS,
        warnings=card_sections.warnings(settings),
        protected=_protected(settings),
        limits=card_sections.bullets(
            settings.card["limits"] or ["None were given, which doesn't mean that there are none."]
        ),
        recipe=_recipe(settings, manifest),
        hashes=card_sections.hashes(manifest["source"], contents),
    )
    drawn = (
        plots.curves(labels, out_of_fold),
        plots.calibration(metrics["reliability"]["bins"]),
        plots.drivers(metrics["mean_abs_contribution"]),
    )
    return dict(zip(PAPERS, (card.encode(), *drawn), strict=False)) | written(figures, manifest)


def _protected(settings: Settings) -> str:
    """The section of kept protected features; nothing where there are none."""
    reasons = [f"`{name}`: {reason}" for name, reason in settings.protected.items()]
    return PROTECTED.substitute(reasons=card_sections.bullets(reasons)) if reasons else ""


def _chance(metrics: Manifest) -> str:
    sentence = no_better_than_chance(metrics)
    return f"**{sentence}. Don't use it for decisions.**\n\n" if sentence else ""


def _calibration(manifest: Manifest) -> str:
    """What is answered: the probability as the model gives it, or a calibrated one and what that gains."""
    if not manifest["calibration"]:
        far = manifest["metrics"]["reliability"]["ece"] > manifest["training"]["base_rate"] / 2
        return FAR_OFF if far else AS_THEY_ARE
    found = manifest["metrics"]["calibrated"]
    return (
        f"The function returns calibrated probabilities ({manifest['calibration']['method']}): with each row calibrated"
        f" by a map that was fitted without it, the error is {found['reliability']['ece']:.3f}, the Brier score"
        f" {found['brier']:.3f} and the log loss {found['log_loss']:.3f}."
    )


def _search(found: Manifest) -> str:
    """The search's best trials and what their figures are worth; "" where people chose the parameters."""
    if not found:
        return ""
    say = card_sections.choice if found["method"] == "auto" else card_sections.search
    heading, words, table = say(found)
    return SEARCH.substitute(
        heading=heading, words=words, note=found["note"][0].upper() + found["note"][1:], table=table
    )


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
