"""A scorecard as one SQL query: points and probability of each row of a table, in standard SQL.

The same points as the function answers. A row that the function would refuse (a value outside the hard limits, a gap or
a category that the contract doesn't allow) has NULL for both: it is scored by nobody's guess.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from riskscore.contract.encoding import Encoding
from riskscore.errors import InvalidFile
from riskscore.twin.scorecard import FORMAT, scorecard_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from riskscore.artefact.artefact import Artefact
    from riskscore.contract.feature import Feature
    from riskscore.twin.scorecard import Attributes

QUERY = """\
-- {name} {version}. Scores alone: what refers a row to manual review is in the model's manifest.
WITH totals AS (
    SELECT {ids} {base}{terms} AS total
    FROM {table} AS t
)
SELECT {ids}
    CASE WHEN total < {minimum} THEN {minimum} WHEN total > {maximum} THEN {maximum} ELSE total END AS points,
    1 / (1 + EXP((CAST(total AS DOUBLE PRECISION) - {offset!r}) / {factor!r})) AS probability
FROM totals
"""


def query(artefact: Artefact, document: Mapping[str, Any], table: str) -> str:
    """The query for a table or view with a column for each id and feature. Raises InvalidFile for another family."""
    if document.get("format") != FORMAT:
        raise InvalidFile(f"{artefact.name} is no scorecard, and only a scorecard is written as SQL")
    card, contract = scorecard_of(dict(document)), artefact.contract
    owners = Encoding(contract).owners()
    terms = [
        f"\n        + {_case(own, contract.features[owner])}" for own, owner in zip(card.columns, owners, strict=True)
    ]
    scale = artefact.manifest["points"]
    return QUERY.format(
        name=artefact.name,
        version=artefact.version,
        base=card.base,
        terms="".join(terms),
        table=".".join(map(_quoted, table.split("."))),
        ids="".join(f"{_quoted(name)}, " for name in artefact.manifest["ids"]).rstrip(),
        minimum=int(scale["minimum"]),
        maximum=int(scale["maximum"]),
        offset=card.offset,
        factor=card.factor,
    )


def _case(own: Attributes, feature: Feature) -> str:
    name = f"t.{_quoted(feature.name)}"
    arms = {"category": _of_category, "boolean": _of_boolean}.get(feature.type, _of_number)(own, feature, name)
    missing = own.missing if feature.nullable else "NULL"
    return " ".join([f"CASE WHEN {name} IS NULL THEN {missing}", *arms, "END"])


def _of_number(own: Attributes, feature: Feature, name: str) -> Iterator[str]:
    if any(type(code) is not str for code in feature.missing):
        codes = ", ".join(f"{code!r}" for code in feature.missing if type(code) is not str)
        yield f"WHEN {name} IN ({codes}) THEN {own.missing if feature.nullable else 'NULL'}"
    parts = f" OR {name} <> FLOOR({name})" if feature.type == "integer" else ""
    yield f"WHEN {name} < {feature.minimum!r} OR {name} > {feature.maximum!r}{parts} THEN NULL"
    for code, points in own.codes.items():
        yield f"WHEN {name} = {code!r} THEN {points}"
    for edge, points in zip(own.edges, own.points, strict=False):
        yield f"WHEN {name} < {edge!r} THEN {points}"
    yield f"ELSE {own.points[-1]}"


def _of_boolean(own: Attributes, _: Feature, name: str) -> Iterator[str]:
    yield f"WHEN {name} THEN {own.of(1.0)}"
    yield f"ELSE {own.of(0.0)}"


def _of_category(own: Attributes, feature: Feature, name: str) -> Iterator[str]:
    for spelling, place in feature.codes.items():
        yield f"WHEN {name} = {_text(spelling)} THEN {own.of(place)}"
    for code in feature.missing:
        yield f"WHEN {name} = {_text(str(code))} THEN {own.missing if feature.nullable else 'NULL'}"
    if feature.unknown in feature.values:
        yield f"ELSE {own.of(float(feature.values.index(feature.unknown)))}"
    else:
        yield f"ELSE {own.missing if feature.unknown == 'missing' else 'NULL'}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
