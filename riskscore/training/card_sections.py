"""What a model card says of each figure in the manifest: tables, lists and a sentence or two, as Markdown."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from riskscore.contract.contract import LABEL_IGNORED
from riskscore.model_card.document import Table
from riskscore.model_card.sections import summary as first_section
from riskscore.model_card.stability_sections import over_time as section_over_time
from riskscore.scoring.outcome import LABEL_TEXT
from riskscore.training.manifest_sections import hidden_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from riskscore.model_toml.settings import Settings

    Manifest = Mapping[str, Any]

METRIC_WORDS = {
    "auc": ("AUC (area under the ROC curve)", "higher; 0.5 is chance"),
    "pr_auc": ("PR AUC (average precision)", "higher; the base rate is chance"),
    "brier": ("Brier score", "lower"),
    "log_loss": ("log loss", "lower"),
}
DIRECTION_WORDS = {1: "a larger value never lowers the risk", -1: "a larger value never raises the risk", 0: ""}

RARE = 0.05  # a base rate below it needs a fourth decimal to tell bins apart

MORE = (
    "Cut-offs, score bands, gains, segments, sensitivity and partial dependence are in [card.html](card.html) and\n"
    "`card.pdf`, their figures in `card.json`."
)
HIDDEN = (
    "Clients don't see this: `[response]` leaves {} out of the answer, so a row that needs manual"
    " review\nlooks like any other. The ledger, and a `.jsonl` of `riskscore score`, show such rows."
)


def bullets(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *(map(_cell, row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """A strange table's names and descriptions may hold what would end the cell."""
    return " ".join(text.split()).replace("|", r"\|")


def summary(figures: Manifest, manifest: Manifest) -> str:
    """The first table of card.html, and its warnings."""
    blocks = first_section(figures, manifest).blocks
    warned = [block for block in blocks if isinstance(block, str) and block.startswith("**")]
    rows = [row for block in blocks if isinstance(block, Table) for row in block.rows]
    return "\n\n".join([*warned, table(("", ""), rows)])


def over_time(figures: Manifest, manifest: Manifest) -> str:
    """The section of card.html without its picture; "" where rows have no time."""
    section = section_over_time(figures, manifest)
    if section is None:
        return ""
    blocks = [table(block.header, block.rows) if isinstance(block, Table) else block for block in section.blocks]
    return "\n\n".join([f"## {section.title}", *(block for block in blocks if isinstance(block, str)), ""])


def parameters(values: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}` {value}" for name, value in values.items())


def metrics(found: Manifest) -> str:
    rows = [
        [
            *METRIC_WORDS[name],
            _interval(figures),
            f"{found['in_sample'][name]:.3f}",
            _interval(found["logistic_regression"][name]),
        ]
        for name, figures in found["cross_validated"].items()
    ]
    header = ("metric", "better is", "cross-validated (95 % interval)", "in-sample", "logistic regression")
    return table(header, rows)


def search(found: Manifest) -> tuple[str, str, str]:
    """Heading, words and table of a search for parameters."""
    words = (
        f"A {found['method']} search tried {found['trials']:,} settings of"
        f" {', '.join(f'`{name}`' for name in found['searched'])}, each by {found['folds']}-fold cross-validation, and"
        f" kept the one of the best {METRIC_WORDS[found['metric']][0]}; of equals, the one tried first."
    )
    rows = [(parameters(row["parameters"]), f"{row['mean']:.4f}", f"{row['spread']:.4f}") for row in found["table"]]
    header = ("parameters", "mean over the folds", "standard deviation")
    return "Parameter search", words, table(header, rows)


def choice(found: Manifest) -> tuple[str, str, str]:
    """Heading, words and table of a choice among families, the simplest first."""
    late = (
        f" There was no time left, after {found['minutes']:g} minutes, for {', '.join(found['left_out'])}."
        if found["left_out"]
        else ""
    )
    words = (
        f"Training chose **{found['chosen']}**: of the candidates below, the simplest first, it is the first whose log"
        " loss lies within one standard error of the lowest one's, folds paired. All were measured on the same folds as"
        f" the figures above.{late}"
    )
    rows = [
        (
            row["name"],
            _interval(row["metrics"]["auc"]),
            f"{row['metrics']['log_loss']['mean']:.4f}",
            f"{row['behind']['mean']:.4f} ({row['behind']['error']:.4f})",
            f"{row['chosen_in_folds']}",
        )
        for row in found["candidates"]
    ]
    header = ("candidate", "AUC", "log loss", "above the lowest (standard error)", "outer folds that chose it")
    return "Choice of the estimator", words, table(header, rows)


def _interval(figures: Mapping[str, float]) -> str:
    return f"{figures['mean']:.3f} ({figures['low']:.3f} to {figures['high']:.3f})"


def reliability(bins: Sequence[Mapping[str, float]]) -> str:
    rare = float(np.mean([row["observed"] for row in bins])) < RARE
    digits = 4 if rare else 3
    rows = [
        [
            f"{row['lowest']:.{digits}f} to {row['highest']:.{digits}f}",
            f"{row['predictions']:,}",
            f"{row['mean']:.{digits}f}",
            f"{row['observed']:.{digits}f}",
        ]
        for row in bins
    ]
    return table(("predicted", "predictions", "mean predicted", "observed rate"), rows)


def at_threshold(threshold: float, labels: NDArray[np.int8], out_of_fold: NDArray[np.float64]) -> str:
    flagged, bad = out_of_fold >= threshold, np.broadcast_to(labels == 1, out_of_fold.shape)
    precision = f"{bad[flagged].mean():.1%} of the flagged rows have label 1" if flagged.any() else "none is flagged"
    return (
        f"`prediction` is 1 from a probability of {threshold:g} on. Of the out-of-fold rows it flags"
        f" {flagged.mean():.1%}:\n{flagged[bad].mean():.1%} of those with label 1 and {flagged[~bad].mean():.1%} of the"
        f" others; {precision}."
    )


def drivers(settings: Settings, strength: Mapping[str, float]) -> str:
    ordered = sorted(strength.items(), key=lambda item: -item[1])
    rows = [(f"`{name}`", f"{value:.3f}", DIRECTION_WORDS[settings.directions.get(name, 0)]) for name, value in ordered]
    return table(("feature", "mean contribution", "constrained"), rows)


def support(features: Sequence[Manifest]) -> str:
    rows = [
        [f"`{feature['name']}`", feature.get("description", ""), *_span(feature), f"{support.get('missing', 0):.1%}"]
        for feature in features
        if (support := feature["support"])
    ]
    return table(("feature", "meaning", "from", "median", "to", "hard minimum", "hard maximum", "missing"), rows)


def _span(feature: Manifest) -> list[str]:
    """From, median, to and the hard limits; of a category how many of its values were seen."""
    support = feature["support"]
    if "values" in feature:
        seen = sum(place >= 0 for place in support.get("values", ()))
        return [f"{seen} of {len(feature['values'])} values", "", "", "", ""]
    limits = (_number(feature[limit]) if limit in feature else "none" for limit in ("minimum", "maximum"))
    return [*map(_number, (support["minimum"], support["quantiles"]["0.5"], support["maximum"])), *limits]


def _number(value: float) -> str:
    return f"{value:,.6g}"


def warnings(settings: Settings) -> str:
    limited = [limit["feature"] for limit in settings.limits]
    texts = {
        "outside_support": "a value is outside the training range",
        LABEL_IGNORED: LABEL_TEXT,
        **{rule["name"]: rule["text"] for rule in (*settings.identities, *settings.limits)},
        **{name: text for name, text in settings.observations.items() if name not in limited},
    }
    listed = bullets(f"`{name}`{' (`refer`)' * (name in settings.refer)}: {text}" for name, text in texts.items())
    hidden = hidden_of(settings.response)
    return f"{listed}\n\n{HIDDEN.format(' and '.join(f'`{name}`' for name in hidden))}" if hidden else listed


def hashes(source: Mapping[str, str], contents: Mapping[str, bytes]) -> str:
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    if "sql" in source:
        digests[source["sql"]] = source["sha256"]
    return table(("file", "SHA-256"), [(f"`{name}`", f"`{digest}`") for name, digest in digests.items()])
