"""What people decide about a model: model.toml and reasons.toml, read and checked before anything is trained.

Serving never reads these files: training carries over to manifest.json whatever the function needs.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from riskscore.calibration import METHODS
from riskscore.contract import CODES, Contract
from riskscore.errors import InvalidFile, RiskscoreError
from riskscore.trials import check_search

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from riskscore.contract import Feature

    Table = dict[str, Any]

REAL = (int, float)
REQUIRED = object()
TYPE_WORDS = {str: "text", int: "a whole number", REAL: "a number", list: "a list", dict: "a table", bool: "a truth"}

# key: (type, default). REQUIRED where there is no default; every other key is refused by name.
MODEL = {
    "description": (str, ""),
    "ids": (list, REQUIRED),
    "threshold": (REAL, REQUIRED),
    "seed": (int, REQUIRED),
    "source": (dict, REQUIRED),
    "estimator": (dict, REQUIRED),
    "features": (list, REQUIRED),
    "parse": (str, "strict"),
    "validation": (dict, {}),
    "search": (dict, {}),
    "constraints": (dict, {}),
    "identities": (list, []),
    "limits": (list, []),
    "observations": (dict, {}),
    "refer": (dict, {}),
    "points": (dict, {}),
    "response": (dict, {}),
    "calibration": (dict, {}),
    "card": (dict, {}),
}
SOURCE = {
    "target": (str, REQUIRED),
    "sql": (str, ""),
    "labels": (str, ""),
    "dialect": (str, ""),
    "table": (str, ""),
    "training_table": (str, ""),
    "aliases": (dict, {}),
    "positive": (list, []),
    "negative": (list, []),
}
DIALECTS = ("postgresql", "sqlite", "duckdb")
ESTIMATOR = {"family": (str, REQUIRED), "parameters": (dict, {})}
VALIDATION = {"folds": (int, 5), "repeats": (int, 5), "group": (str, "")}
SEARCH = {
    "method": (str, REQUIRED),
    "trials": (int, 20),
    "folds": (int, 5),
    "metric": (str, "auc"),
    "parameters": (dict, REQUIRED),
}
REFER: dict[str, tuple[Any, Any]] = {"warnings": (list, [])}
POINTS = {"base": (int, 600), "odds": (REAL, 30), "pdo": (REAL, 20), "minimum": (int, 300), "maximum": (int, 850)}
CALIBRATION = {"method": (str, REQUIRED)}
RESPONSE = {"fields": (dict, {}), "always_list": (bool, False), "constants": (dict, {}), "columns": (dict, {})}
CARD: dict[str, tuple[Any, Any]] = {"purpose": (str, ""), "limits": (list, []), "reproduce": (list, [])}
IDENTITY = {"name": (str, REQUIRED), "text": (str, REQUIRED), "terms": (list, REQUIRED)}
LIMIT = {"name": (str, REQUIRED), "text": (str, REQUIRED), "feature": (str, REQUIRED), "maximum": (REAL, REQUIRED)}
FEATURE = {
    "name": (str, REQUIRED),
    "type": (str, "number"),
    "nullable": (bool, False),
    "minimum": (REAL, None),
    "maximum": (REAL, None),
    "unit": (str, ""),
    "description": (str, ""),
    "missing": (list, []),
    "values": (list, []),
    "aliases": (dict, {}),
    "unknown": (str, "refuse"),
    "encoding": (str, ""),
    "indicator": (bool, None),
}
REASON = {
    "group": (str, ""),
    "high": (str, REQUIRED),
    "low": (str, REQUIRED),
    "middle": (str, ""),
    "missing": (str, ""),
    "special": (list, []),
}
SPECIAL = {"value": (REAL, REQUIRED), "text": (str, REQUIRED)}

# The fields of an answer, beside the ids, that [response] may give other names.
ANSWER = ("outcome", "probability", "prediction", "points", "reasons", "warnings", "model", "model_version", "engine")
DIRECTIONS = {"up": 1, "down": -1}
BUILT_IN = ("outside_support", "label_ignored")  # the warnings that need no entry in model.toml


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


def read_settings(folder: Path) -> Settings:
    """Read model/<name>/. Raises InvalidFile with one sentence that names the file and the key."""
    file = f"{folder.name}/model.toml"
    table = _checked(file, "", _load(folder / "model.toml", file), MODEL)
    estimator = _checked(file, "estimator.", table["estimator"], ESTIMATOR)
    contract = _contract(file, table["features"], table["parse"], estimator["family"])
    validation = _checked(file, "validation.", table["validation"], VALIDATION)
    identities = [_identity(file, entry, contract) for entry in table["identities"]]
    limits = [_limit(file, entry, contract) for entry in table["limits"]]
    rules = [*BUILT_IN, *(rule["name"] for rule in (*identities, *limits)), *table["observations"]]
    _require(_are_texts(table["observations"].values()), file, "observations must map names to sentences")
    _require(len(set(rules)) == len(rules), file, "identities, limits and observations need names of their own")
    _require(0 < table["threshold"] < 1, file, "threshold must lie between 0 and 1")
    _require(table["ids"] and _are_texts(table["ids"]), file, "ids must be a list of column names")
    _require(min(validation["folds"], 2) == 2, file, "validation.folds must be at least 2")
    _require(validation["group"] in ("", *table["ids"]), file, "validation.group must be one of the ids")
    _require(0 <= table["seed"] < 2**32, file, "seed must lie between 0 and 4294967295")
    _require(validation["repeats"] > 0, file, "validation.repeats must be at least 1")
    return Settings(
        name=folder.name,
        description=table["description"],
        ids=tuple(table["ids"]),
        threshold=float(table["threshold"]),
        seed=table["seed"],
        source=_source(file, table["source"]),
        family=estimator["family"],
        parameters=estimator["parameters"],
        contract=contract,
        folds=validation["folds"],
        repeats=validation["repeats"],
        group=validation["group"] or table["ids"][0],
        search=check_search(file, _checked(file, "search.", table["search"], SEARCH)) if table["search"] else {},
        directions=_directions(file, table["constraints"], contract),
        identities=identities,
        limits=limits,
        observations=table["observations"],
        refer=_refer(file, table["refer"], rules),
        points=_points(file, table["points"]),
        response=_response(file, table["response"], table["ids"]),
        calibration=_calibration(file, table["calibration"]),
        card=_checked(file, "card.", table["card"], CARD),
        reasons=_reasons(folder, contract),
    )


def _load(path: Path, file: str) -> Table:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InvalidFile(f"{file} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidFile(f"{file} is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidFile(f"{file} is not TOML: {error}") from None


def _checked(file: str, path: str, table: object, schema: Mapping[str, tuple[Any, Any]]) -> Table:
    """The table with its defaults, once every key is known and of its type; `path` is its place, for the sentence."""
    if not isinstance(table, dict):
        raise InvalidFile(f"{file}: {path.rstrip('.')} must be a table")
    for key, value in table.items():
        if key not in schema:
            raise InvalidFile(f"{file}: unknown key {path}{key}; known here: {', '.join(schema)}", key)
        kind = schema[key][0]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise InvalidFile(f"{file}: {path}{key} must be {TYPE_WORDS[kind]}", key)
    for key, (_, default) in schema.items():
        if default is REQUIRED and key not in table:
            raise InvalidFile(f"{file}: {path}{key} is missing", key)
    return {key: table.get(key, default) for key, (_, default) in schema.items()}


def _require(truth: object, file: str, sentence: str) -> None:
    if not truth:
        raise InvalidFile(f"{file}: {sentence}")


def _are_texts(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) and value for value in values)


def _contract(file: str, entries: list[Any], parse: str, family: str) -> Contract:
    features = []
    for place, entry in enumerate(entries, 1):
        where = f"features[{place}]."
        feature = _checked(file, where, entry, FEATURE)
        _require(_are_texts(feature["values"]), file, f"{where}values must be texts")
        _require(_are_texts(feature["aliases"].values()), file, f"{where}aliases must map texts to values")
        _require(all(type(code) in CODES for code in feature["missing"]), file, f"{where}missing: texts and numbers")
        if feature["indicator"] is None:  # a linear model takes no gap
            feature["indicator"] = family == "logistic" and (feature["nullable"] or feature["unknown"] == "missing")
        features.append({key: value for key, value in feature.items() if value is not None})
    try:
        return Contract.from_dicts(features, parse)
    except RiskscoreError as error:
        raise InvalidFile(f"{file}: {error.message}", error.field) from None


def _source(file: str, table: Table) -> Table:
    source = _checked(file, "source.", table, SOURCE)
    _require(_are_texts(source["aliases"].values()), file, "source.aliases must map their column names to ours")
    for key in ("positive", "negative"):
        _require(_are_texts(source[key]), file, f"source.{key} must be a list of labels, as texts")
    _require(bool(source["positive"]) == bool(source["negative"]), file, "source.positive and negative need each other")
    if source["sql"]:
        source["dialect"] = source["dialect"] or DIALECTS[0]
        _require(source["dialect"] in DIALECTS, file, f"source.dialect must be one of {', '.join(DIALECTS)}")
    return source


def _identity(file: str, entry: object, contract: Contract) -> Table:
    """An identity: the sum of its terms is 0. A term is [coefficient, feature, ...], the features multiplied."""
    identity = _checked(file, "identities.", entry, IDENTITY)
    for term in identity["terms"]:
        sound = isinstance(term, list) and len(term) > 1 and isinstance(term[0], REAL) and _are_texts(term[1:])
        _require(sound, file, f"identity {identity['name']}: a term is [coefficient, feature, ...]")
        _known(file, f"identity {identity['name']}", term[1:], contract)
    return identity


def _known(file: str, where: str, names: Iterable[str], contract: Contract) -> None:
    for name in names:
        if name not in contract:
            raise InvalidFile(f"{file}: {where}: {contract.unknown(name).message}", name)


def _directions(file: str, table: Table, contract: Contract) -> dict[str, int]:
    """Feature -> +1 where a larger value may never lower the risk, -1 where it may never raise it."""
    _known(file, "constraints", table, contract)
    for name, direction in table.items():
        _require(direction in DIRECTIONS, file, f'constraints.{name} must be "up" or "down"')
        _require(contract.feature(name).type != "category", file, f"constraints.{name}: a category has no direction")
    return {name: DIRECTIONS[direction] for name, direction in table.items()}


def _limit(file: str, entry: object, contract: Contract) -> Table:
    """A cliff that people know of: a value above it is a warning, whatever training happened to see."""
    limit = _checked(file, "limits.", entry, LIMIT)
    _known(file, f"limit {limit['name']}", [limit["feature"]], contract)
    return limit


def _refer(file: str, table: Table, rules: list[str]) -> list[str]:
    warnings: list[str] = _checked(file, "refer.", table, REFER)["warnings"]
    for warning in warnings:
        _require(warning in rules, file, f"refer.warnings: {warning!r} is none of {', '.join(rules)}")
    return warnings


def _points(file: str, table: Table) -> Table:
    points = _checked(file, "points.", table, POINTS)
    _require(points["odds"] > 0 and points["pdo"] > 0, file, "points.odds and points.pdo must be above 0")
    _require(points["minimum"] < points["maximum"], file, "points.minimum must be below points.maximum")
    return points


def _calibration(file: str, table: Table) -> str:
    """The method of calibration, "" for none."""
    if not table:
        return ""
    method: str = _checked(file, "calibration.", table, CALIBRATION)["method"]
    _require(method in METHODS, file, f"calibration.method must be one of {', '.join(METHODS)}")
    return method


def _response(file: str, table: Table, ids: list[str]) -> Table:
    response = _checked(file, "response.", table, RESPONSE) if table else {}
    known = (*ids, *ANSWER)
    for key in ("fields", "columns"):
        for theirs, ours in response.get(key, {}).items():
            _require(ours in known, file, f"response.{key}.{theirs}: {ours!r} is none of {', '.join(known)}")
    for name, value in response.get("constants", {}).items():
        plain = isinstance(value, (str, int, float, bool))
        _require(
            plain and name not in response["fields"], file, f"response.constants.{name} must be a text or a number"
        )
    return {key: value for key, value in response.items() if value}


def _reasons(folder: Path, contract: Contract) -> dict[str, Table]:
    """The texts of reasons.toml by feature, in the contract's order; plain ones for features that it leaves out."""
    file = f"{folder.name}/reasons.toml"
    tables = _load(folder / "reasons.toml", file) if (folder / "reasons.toml").exists() else {}
    _known(file, "reasons", tables, contract)
    return {
        feature.name: _reason(file, feature.name, tables.get(feature.name) or plain_texts(feature))
        for feature in contract.features
    }


def plain_texts(feature: Feature) -> dict[str, str]:
    """What a reason says where nobody wrote a sentence for it."""
    subject = feature.description.rstrip(".") or feature.name
    subject = subject[0].upper() + subject[1:]
    high, low = {"boolean": (f"{subject}: yes", f"{subject}: no")}.get(
        feature.type, (f"{subject}: higher than in most", f"{subject}: lower than in most")
    )
    return {"high": high, "low": low, "missing": f"{subject}: not known"}


def _reason(file: str, name: str, table: object) -> Table:
    reason = _checked(file, f"{name}.", table, REASON)
    reason["group"] = reason["group"] or name
    reason["special"] = [_checked(file, f"{name}.special.", entry, SPECIAL) for entry in reason["special"]]
    texts = [reason["high"], reason["low"], *(entry["text"] for entry in reason["special"])]
    _require(_are_texts(texts), file, f"{name} has an empty text")
    return {key: value for key, value in reason.items() if value}
