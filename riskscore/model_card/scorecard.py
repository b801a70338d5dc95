"""A scorecard's own table: each attribute's rows, bad rate, weight of evidence and points."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from riskscore.contract.encoding import Encoding
from riskscore.model_card.discrimination import rate_of
from riskscore.model_card.document import Section, Table, percent
from riskscore.scoring.scorecard_fit import weights_of_evidence
from riskscore.twin.scorecard import Scorecard, places_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from riskscore.contract.feature import Feature
    from riskscore.model_toml.settings import Settings
    from riskscore.twin.scorecard import Attributes

    Floats = NDArray[np.float64]
    Card = Mapping[str, Any]

HEADER = ("feature", "attribute", "rows", "share", "bad rate", "weight of evidence", "points")
MISSING = "missing"


def scorecard_figures(settings: Settings, estimator: Any, matrix: Floats, labels: NDArray[np.int8]) -> dict[str, Any]:
    """card.json's `scorecard`, {} for another family. matrix, labels: the training rows, as features."""
    if not isinstance(estimator, Scorecard):
        return {}
    encoding, features = Encoding(settings.contract), settings.contract.features
    columns = zip(estimator.columns, encoding.names, encoding.owners(), encoding.matrix(matrix).T, strict=True)
    table = [_column(own, name, features[owner], values, labels) for own, name, owner, values in columns]
    return {"scorecard": {"base": estimator.base, "columns": table}}


def _column(own: Attributes, name: str, feature: Feature, values: Floats, labels: NDArray[np.int8]) -> dict[str, Any]:
    words, points = _words(own, feature), [*own.points, *own.codes.values(), own.missing]
    places = places_of(own.edges, [*own.codes], values)
    counts = np.array([[int((labels[places == k] == label).sum()) for label in (0, 1)] for k in range(len(words))])
    evidence, information = weights_of_evidence(counts)
    rows = [
        {"attribute": word, **rate_of(bads, goods + bads), "evidence": weight, "points": whole}
        for word, (goods, bads), weight, whole in zip(words, counts.tolist(), evidence, points, strict=True)
        if goods + bads or word != MISSING or feature.nullable or feature.optional
    ]
    return {"feature": name, "information_value": information, "attributes": rows}


def _words(own: Attributes, feature: Feature) -> list[str]:
    """Each attribute in words, in the order of its places."""
    if feature.type == "category":
        listed = feature.values[: len(own.points)]
        inner = [*listed[:-1], " or ".join(feature.values[len(listed) - 1 :])]
    else:
        edges = [f"{edge:.6g}" for edge in own.edges]
        between = [f"{low} to below {high}" for low, high in pairwise(edges)]
        inner = [f"below {edges[0]}", *between, f"{edges[-1]} or more"] if edges else ["any value"]
    return [*inner, *(f"exactly {code:g}" for code in own.codes), MISSING]


def scorecard(card: Card, _: Card) -> Section | None:
    """The classic table, the features of the highest information value first."""
    if "scorecard" not in card:
        return None
    table = sorted(card["scorecard"]["columns"], key=lambda column: -column["information_value"])
    words = (
        f"The points of a row are {card['scorecard']['base']} and those of its attribute of each feature; within the"
        " limits of [points] they are the answer's points. More points are a lower risk. Weight of evidence: the"
        " log-odds of label 1 among the attribute's rows less those among all, with half a row of each label added. A"
        " feature all of whose attributes have 0 points told nothing beyond the others, or against its own evidence."
    )
    rows = [
        (
            f"`{column['feature']}` (information value {column['information_value']:.3f})" if not k else "",
            row["attribute"],
            f"{row['rows']:,}",
            percent(row["rows"] / card["rows"]),
            percent(row["rate"]),
            f"{row['evidence']:+.3f}",
            f"{row['points']:+d}",
        )
        for column in table
        for k, row in enumerate(column["attributes"])
    ]
    return Section("Scorecard", [words, Table(HEADER, rows, 2)])
