"""What people decide about a model: model.toml and reasons.toml, read and checked before anything is trained.

Serving never reads these files: training carries over to manifest.json whatever the function needs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from riskscore.contract.assumed import is_assumable
from riskscore.contract.contract import PREDICTED, Contract
from riskscore.contract.feature import CODES
from riskscore.errors import InvalidFile, RiskscoreError
from riskscore.model_toml.card import read_card, read_governance, read_protected
from riskscore.model_toml.changes import read_changes
from riskscore.model_toml.keys import (
    ANSWER,
    AUTO,
    CALIBRATION,
    DIALECTS,
    ESTIMATOR,
    FEATURE,
    MINUTES,
    MODEL,
    PAGE,
    POINTS,
    RESPONSE,
    SEARCH,
    SOURCE,
    VALIDATION,
)
from riskscore.model_toml.over_time import OverTime, read_over_time
from riskscore.model_toml.reasons import read_least_share, read_reasons
from riskscore.model_toml.rules import read_rules
from riskscore.model_toml.schema import REAL, are_texts, checked, require, table_of, text_of
from riskscore.model_toml.search_space import check_search
from riskscore.twin.calibration import METHODS

if TYPE_CHECKING:
    from pathlib import Path

    Table = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """model.toml and reasons.toml of one model, checked."""

    name: str
    description: str
    ids: tuple[str, ...]
    threshold: float
    seed: int
    source: Table
    family: str
    parameters: Table
    contract: Contract
    folds: int
    repeats: int
    group: str
    search: Table
    directions: dict[str, int]
    identities: list[Table]
    limits: list[Table]
    observations: dict[str, str]
    refer: list[str]
    points: Table
    response: Table
    calibration: str
    card: Table
    reasons: dict[str, Table]
    least_share: float
    page: Table = field(default_factory=dict)
    minutes: float = MINUTES
    changes: Table = field(default_factory=dict)
    over_time: OverTime | None = None
    governance: dict[str, str] = field(default_factory=dict)
    protected: dict[str, str] = field(default_factory=dict)

    @property
    def others(self) -> tuple[str, ...]:
        """The columns that training reads beside the features."""
        columns = [*([self.over_time.column] if self.over_time else []), *self.card["segments"]]
        return tuple(name for name in dict.fromkeys(columns) if name not in self.contract)


def read_settings(folder: Path, instead: Path | None = None) -> Settings:
    """Read model/<name>/. Raises InvalidFile with one sentence that names the file and the key.

    instead: a file whose keys and tables stand in the place of model.toml's.
    """
    file = f"{folder.name}/model.toml"
    given = table_of(text_of(folder / "model.toml", file), file)
    if instead:
        given |= table_of(text_of(instead, instead.name), instead.name)
        file = f"{file} with {instead.name}"
    table = checked(file, "", given, MODEL)
    estimator = checked(file, "estimator.", table["estimator"], ESTIMATOR)
    contract = _contract(file, table["features"], table["parse"], estimator["family"])
    validation = checked(file, "validation.", table["validation"], VALIDATION)
    source = _source(file, table["source"])
    _check_ranges(file, table, validation)
    _check_auto(file, estimator, table["search"])
    _check_names(file, table["ids"], source["target"], contract)
    rules = read_rules(file, table, contract)
    return Settings(
        name=folder.name,
        description=table["description"],
        ids=tuple(table["ids"]),
        threshold=float(table["threshold"]),
        seed=table["seed"],
        source=source,
        family=estimator["family"],
        parameters=estimator["parameters"],
        contract=contract,
        folds=validation["folds"],
        repeats=validation["repeats"],
        group=validation["group"] or table["ids"][0],
        search=check_search(file, checked(file, "search.", table["search"], SEARCH)) if table["search"] else {},
        points=_points(file, table["points"]),
        response=_response(file, table["response"], table["ids"]),
        page=_page(file, table["page"], contract) if table["page"] else {},
        calibration=_calibration(file, table["calibration"]),
        card=read_card(file, table["card"], source["target"]),
        reasons=read_reasons(folder, contract, rules["directions"]),
        least_share=read_least_share(file, table["reasons"]),
        minutes=MINUTES if estimator["minutes"] is None else estimator["minutes"],
        over_time=read_over_time(file, validation, source["target"], contract),
        governance=read_governance(file, table["governance"]),
        protected=read_protected(file, table["protected"], contract),
        changes=read_changes(file, table["change"], contract, rules["identities"]),
        **rules,
    )


def _check_ranges(file: str, table: Table, validation: Table) -> None:
    require(0 < table["threshold"] < 1, file, "threshold must lie between 0 and 1")
    require(table["ids"] and are_texts(table["ids"]), file, "ids must be a list of column names")
    require(validation["folds"] >= 2, file, "validation.folds must be at least 2")
    require(validation["repeats"] > 0, file, "validation.repeats must be at least 1")
    require(validation["group"] in ("", *table["ids"]), file, "validation.group must be one of the ids")
    require(0 <= table["seed"] < 2**32, file, "seed must lie between 0 and 4294967295")


def _check_auto(file: str, estimator: Table, search: Table) -> None:
    """Refuse what has no meaning where training chooses the family, and what has none where it doesn't."""
    auto, minutes = estimator["family"] == AUTO, estimator["minutes"]
    require(auto or minutes is None, file, f'estimator.minutes is for the family "{AUTO}" alone')
    require(minutes is None or 0 < minutes < math.inf, file, "estimator.minutes must be above 0")
    chosen = f'the family "{AUTO}" chooses its parameters itself'
    require(not (auto and estimator["parameters"]), file, f"estimator.parameters must go: {chosen}")
    require(not (auto and search), file, f"search must go: {chosen}")


def _check_names(file: str, ids: list[str], target: str, contract: Contract) -> None:
    """Each column has one part: a label among the features would be learnt, and no event could tell an id from one."""
    require(target not in contract, file, f"source.target {target} is also a feature")
    for name in ids:
        require(name not in (target, *contract.names), file, f"{name} is an id, and so neither target nor feature")


def _contract(file: str, entries: list[Any], parse: str, family: str) -> Contract:
    features = []
    for place, entry in enumerate(entries, 1):
        where = f"features[{place}]."
        feature = checked(file, where, entry, FEATURE)
        require(are_texts(feature["values"]), file, f"{where}values must be texts")
        require(are_texts(feature["aliases"].values()), file, f"{where}aliases must map texts to values")
        require(all(type(code) in CODES for code in feature["missing"]), file, f"{where}missing: texts and numbers")
        if feature["indicator"] is None:  # a linear model takes no gap
            feature["indicator"] = family == "logistic" and (feature["nullable"] or feature["unknown"] == "missing")
        if family == "scorecard" and feature["type"] == "category":  # each value is an attribute, not a column
            feature["encoding"] = feature["encoding"] or "ordinal"
        features.append({key: value for key, value in feature.items() if value is not None})
    try:
        return Contract.from_dicts(features, parse)
    except RiskscoreError as error:
        raise InvalidFile(f"{file}: {error.message}", error.field) from None


def _source(file: str, table: Table) -> Table:
    source = checked(file, "source.", table, SOURCE)
    require(are_texts(source["aliases"].values()), file, "source.aliases must map their column names to ours")
    for key in ("positive", "negative", "unlabelled"):
        require(are_texts(source[key]), file, f"source.{key} must be a list of labels, as texts")
    require(are_texts(source["views"]), file, "source.views must be a list of files")
    require(0 <= source["tolerance"] < 1, file, "source.tolerance must be a share, from 0 to below 1")
    words = [*source["positive"], *source["negative"], *source["unlabelled"]]
    require(len({*words}) == len(words), file, "source.positive, negative and unlabelled must not repeat a label")
    require(
        bool(source["positive"]) == bool(source["negative"]),
        file,
        "source.positive and source.negative must be given together",
    )
    if source["sql"]:
        source["dialect"] = source["dialect"] or DIALECTS[0]
        require(source["dialect"] in DIALECTS, file, f"source.dialect must be one of {', '.join(DIALECTS)}")
        needs_table = source["dialect"] == DIALECTS[0]  # the function narrows it to the customers that an event names
        require(not needs_table or source["table"], file, f"source.table is needed for source.sql in {DIALECTS[0]}")
    require(source["dialect"] == "duckdb" or not source["views"], file, "source.views are for the dialect duckdb")
    return source


def _points(file: str, table: Table) -> Table:
    points = checked(file, "points.", table, POINTS)
    require(points["odds"] > 0 and points["pdo"] > 0, file, "points.odds and points.pdo must be above 0")
    require(points["minimum"] < points["maximum"], file, "points.minimum must be below points.maximum")
    return points


def _page(file: str, table: Table, contract: Contract) -> Table:
    page = checked(file, "page.", table, PAGE)
    for name, value in page["assumed"].items():
        require(name in contract, file, f"page.assumed.{name} is not one of the features")
        sound = is_assumable(value, contract.names)
        require(sound, file, f"page.assumed.{name} must be a number, or one feature over another as in 'a / b'")
    return page


def _calibration(file: str, table: Table) -> str:
    """The method of calibration, "" for none."""
    if not table:
        return ""
    method: str = checked(file, "calibration.", table, CALIBRATION)["method"]
    require(method in METHODS, file, f"calibration.method must be one of {', '.join(METHODS)}")
    return method


def _response(file: str, table: Table, ids: list[str]) -> Table:
    response = checked(file, "response.", table, RESPONSE) if table else {}
    known = (*ids, *ANSWER)
    for key in ("fields", "columns"):
        for theirs, ours in response.get(key, {}).items():
            listed = ", ".join((*known, PREDICTED))
            require(ours in (*known, PREDICTED), file, f"response.{key}.{theirs}: {ours!r} is not one of {listed}")
    taken = response.get("fields") or known  # a constant would stand in the place of what the row was found to be
    for name, value in response.get("constants", {}).items():
        plain = isinstance(value, str) or (isinstance(value, REAL) and math.isfinite(value))
        require(plain, file, f"response.constants.{name} must be a text, a finite number or a boolean")
        require(name not in taken, file, f"response.constants.{name} is a field of the answer already")
    return {key: value for key, value in response.items() if value}
