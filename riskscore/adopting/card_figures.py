"""The figures of an adopted model's card: of the rows that were given, which the model may have learnt from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from riskscore.model_card.aggregates import Evidence, aggregates
from riskscore.model_card.discrimination import auc_interval
from riskscore.training.card_figures import answers, performance
from riskscore.training.validation import scores_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from riskscore.adopting.reference_rows import ReferenceRows
    from riskscore.model_toml.settings import Settings

BASIS = (
    "those of the model itself on the rows given at adoption: in-sample where it was trained on them, out-of-sample"
    " where it wasn't, which only its owner knows"
)
WARNING = "the figures may be those of the rows that the model was trained on; none is cross-validated"


def adopted_figures(
    settings: Settings,
    manifest: Mapping[str, Any],
    given: ReferenceRows | None,
    served: NDArray[np.float64],
    estimator: Any,
) -> dict[str, Any]:
    """card.json of an adopted model; {} without rows of both labels. served: their probabilities as answered."""
    if not manifest["metrics"] or given is None or given.labels is None:
        return {}
    answer = answers(settings, estimator, manifest["calibration"])
    card = aggregates(settings, Evidence(given.matrix, given.labels, served, given.others, answer, BASIS))
    alone: dict[str, Any] = {
        name: {"mean": value, "low": None, "high": None}
        for name, value in scores_of(given.labels, served).items()
        if name != "auc"
    }
    return card | {
        "version": manifest["version"],
        "performance": performance({"auc": auc_interval(given.labels, served), **alone}, card["ks"]),
        "warnings": [WARNING],
        "data": [f"{len(given.labels):,} rows from {given.origin}.", *given.notes],
    }
