"""A model's manifest: JSON of this version's format, with every key that serving reads there and of its kind.

It decides how rows are judged, so a broken one is refused when the function starts, not when a row first
meets the broken part.
"""

from __future__ import annotations

import json
import re
from operator import le, lt

from riskscore.contract.feature import Feature, kind_of
from riskscore.contract.wording import DIRECTIONS, EITHER
from riskscore.errors import ArtefactRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from typing import Any

FORMAT = 1
MANIFEST = "manifest.json"

# How much of a package's version has to agree before a pickle written by it is loaded.
VERSION_PARTS = {"python": 1, "numpy": 1, "joblib": 1, "xgboost": 2, "scikit-learn": 2}

# The files that each engine reads.
ENGINE_FILES = {"joblib": ("model.joblib",), "twin": ("model.json", "contributions.bin")}

# What a feature may say of itself; the others of its slots are made of these, or stand once for all features.
DECLARED = tuple(slot for slot in Feature.__slots__ if slot not in ("_read", "codes", "parse"))

SHA256 = re.compile(r"[0-9a-f]{64}")
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
LARGEST = 1e100  # beyond any feature or margin, and nothing computed from it overflows


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and -LARGEST <= value <= LARGEST


def _is_text(value: Any) -> bool:
    return type(value) is str and value != ""


def _is_term(value: Any) -> bool:
    return type(value) is list and len(value) > 1 and _is_number(value[0]) and all(map(_is_text, value[1:]))


KINDS: dict[str, Callable[[Any], bool]] = {
    (TEXT := "a non-empty string"): _is_text,
    (NUMBER := "a finite number"): _is_number,
    (POSITIVE := "a finite number above 0"): lambda value: _is_number(value) and value > 0,
    (NUMBER_OR_NULL := "a finite number or null"): lambda value: value is None or _is_number(value),
    (COUNT := "a whole number, 0 or more"): lambda value: type(value) is int and 0 <= value <= LARGEST,
    (TRUTH := "true or false"): lambda value: type(value) is bool,
    (CONSTANT := "a string, a number, true or false"): lambda value: type(value) in (str, bool) or _is_number(value),
    (TERM := "a list of a factor and features"): _is_term,
    (CODE := "a string or a finite number"): lambda value: type(value) is str or _is_number(value),
    (LIST := "a list"): lambda value: type(value) is list,
    (OBJECT := "an object"): lambda value: type(value) is dict,
}

# What serving reads: a kind by its name; [shape] is a list of such; "key?" may lack; "*" stands for every key.
FEATURE = {
    "name": TEXT,
    "type?": TEXT,
    "nullable?": TRUTH,
    "optional?": TRUTH,
    "minimum?": NUMBER,
    "maximum?": NUMBER,
    "support?": {
        "minimum": NUMBER,
        "maximum": NUMBER,
        "quantiles": {"0.5": NUMBER},
        "values?": [NUMBER],
        "missing?": NUMBER,
    },
    "missing?": [CODE],
    "values?": [TEXT],
    "aliases?": {"*": TEXT},
    "unknown?": TEXT,
    "encoding?": TEXT,
    "indicator?": TRUTH,
}
REASON = {
    "code?": TEXT,
    "group?": TEXT,
    "direction?": TEXT,
    "high?": TEXT,
    "low?": TEXT,
    "middle?": TEXT,
    "missing?": TEXT,
    "value?": TEXT,
    "special?": [{"value": NUMBER, "text": TEXT, "raises?": TRUTH}],
}
CHANGE = {"direction?": TEXT, "step?": POSITIVE, "minimum?": NUMBER, "maximum?": NUMBER, "follows?": TEXT}
SHAPE = {
    "model": TEXT,
    "version": TEXT,
    "serial?": COUNT,
    "files": {"*": {"sha256": TEXT}},
    "ids": [TEXT],
    "features": [FEATURE],
    "parse?": TEXT,
    "threshold": NUMBER,
    "engines": [TEXT],
    "explains?": TRUTH,
    "estimator": {"family": TEXT, "class": TEXT},
    "versions": {"*": TEXT},
    "source": {
        "sql?": TEXT,
        "sha256?": TEXT,
        "table?": TEXT,
        "target?": TEXT,
        "unlabelled?": [TEXT],
        "dialect?": TEXT,
        "tables?": {"*": TEXT},
        "views?": [TEXT],
        "counts?": TEXT,
        "tolerance?": NUMBER,
    },
    "points": {"base": NUMBER, "odds": POSITIVE, "pdo": POSITIVE, "minimum": NUMBER, "maximum": NUMBER},
    "identities": [{"name": TEXT, "text": TEXT, "terms": [TERM], "rounding?": NUMBER}],
    "limits": [{"name": TEXT, "text": TEXT, "feature": TEXT, "maximum": NUMBER}],
    "observations": {"*": TEXT},
    "refer": [TEXT],
    "reasons": {"*": REASON},
    "least_share?": NUMBER,
    "change?": {"*": CHANGE},
    "response": {"fields?": {"*": TEXT}, "always_list?": TRUTH, "constants?": {"*": CONSTANT}, "columns?": {"*": TEXT}},
    "page?": {"points?": TRUTH, "assumed?": {"*": CODE}},
    "calibration": {
        "method?": TEXT,
        "slope?": POSITIVE,
        "intercept?": NUMBER,
        "margins?": [NUMBER],
        "log_odds?": [NUMBER],
    },
    "golden": [{"vector": [NUMBER_OR_NULL], "margin": NUMBER}],
}
NOT_EMPTY = ("ids", "features", "golden")


def parse_manifest(name: str, document: bytes) -> dict[str, Any]:
    """The manifest of the model of this name; ArtefactRefused with one sentence where it isn't one."""
    file = f"{name}/{MANIFEST}"
    try:
        manifest = json.loads(document)
    except (ValueError, RecursionError):
        raise ArtefactRefused(f"{file} is not JSON") from None
    if type(manifest) is not dict:
        raise ArtefactRefused(f"{file} must be an object, not {kind_of(manifest)}")
    found = manifest.get("format")
    if type(found) is not int or found != FORMAT:
        shown = str(found)[:20] if type(found) is int else kind_of(found)
        raise ArtefactRefused(f"{file} has format {shown}, but this version reads format {FORMAT}")
    for fault in _faults(manifest, SHAPE, ""):
        raise ArtefactRefused(f"{file}: {fault}")
    if manifest["model"] != name:
        raise ArtefactRefused(f"{file} belongs to model {manifest['model']!r}, not to {name!r}")
    for fault in _contradictions(manifest):
        raise ArtefactRefused(f"{file}: {fault}")
    return manifest


def _faults(value: Any, shape: Any, path: str) -> Iterator[str]:
    """Where a value isn't of its shape, each in words."""
    kind = shape if type(shape) is str else LIST if type(shape) is list else OBJECT
    if not KINDS[kind](value):
        yield f"{path} must be {kind}, not {kind_of(value)}"
    elif type(shape) is list:
        for k, entry in enumerate(value):
            yield from _faults(entry, shape[0], f"{path}[{k}]")
    elif type(shape) is dict:
        yield from _key_faults(value, shape, path)


def _key_faults(value: dict[str, Any], shape: dict[str, Any], path: str) -> Iterator[str]:
    for expected, inner in shape.items():
        key = expected.rstrip("?")
        if expected == "*":
            for found, entry in value.items():
                yield from _faults(entry, inner, f"{path}[{found!r}]")
        elif key in value:
            yield from _faults(value[key], inner, f"{path}.{key}".lstrip("."))
        elif key == expected:
            yield f"{path}.{key} is missing".lstrip(".")


def _contradictions(manifest: dict[str, Any]) -> Iterator[str]:
    """What is of its kind and yet can't be served."""
    names = [feature["name"] for feature in manifest["features"]]
    yield from (f"{key} is empty" for key in NOT_EMPTY if not manifest[key])
    for feature in manifest["features"]:
        yield from _unknown(f"feature {feature['name']!r}", feature, DECLARED)
    yield from _unknown("engines", manifest["engines"], ENGINE_FILES)
    yield from _unknown("versions", manifest["versions"], VERSION_PARTS)
    yield from (
        f"files names {file!r}, which isn't a file name" for file in manifest["files"] if not FILE_NAME.fullmatch(file)
    )
    needed = {file for engine in ("joblib", *manifest["engines"]) for file in ENGINE_FILES[engine]}
    yield from (f"files lacks {file}" for file in sorted(needed.difference(manifest["files"])))
    yield from _assumed_faults(manifest.get("page", {}).get("assumed", {}), names)
    yield from _source_faults(manifest["source"])
    yield from (f"reasons has no texts for {name!r}" for name in names if name not in manifest["reasons"])
    for name, reason in manifest["reasons"].items():
        yield from _unknown(f"reasons[{name!r}].direction", [reason.get("direction", EITHER)], DIRECTIONS)
    limited = [limit["feature"] for limit in manifest["limits"] if limit["feature"] not in manifest["observations"]]
    yield from _unknown("limits", limited, names)
    for identity in manifest["identities"]:
        if not identity["terms"]:
            yield f"identities: {identity['name']} has no terms"
        yield from _unknown("identities", (name for _, *term in identity["terms"] for name in term), names)
    yield from _unknown("change", manifest.get("change", ()), names)
    ties = [identity["name"] for identity in manifest["identities"]]
    for name, entry in manifest.get("change", {}).items():
        yield from _unknown(f"change[{name!r}].follows", [entry[key] for key in entry if key == "follows"], ties)
    yield from _calibration_faults(manifest["calibration"])
    for k, row in enumerate(manifest["golden"]):
        if len(row["vector"]) != len(names):
            yield f"golden[{k}].vector has {len(row['vector'])} values for {len(names)} features"


def _assumed_faults(assumed: dict[str, Any], names: Collection[str]) -> Iterator[str]:
    yield from _unknown("page.assumed", assumed, names)
    for name, rule in assumed.items():
        if type(rule) is str and not (rule.count(" / ") == 1 and all(part in names for part in rule.split(" / "))):
            yield f"page.assumed[{name!r}] must be a number, or one feature over another as in 'a / b'"


def _source_faults(source: dict[str, str]) -> Iterator[str]:
    """A query that nothing vouches for, or that no table can be put under."""
    if "sql" in source and not SHA256.fullmatch(source.get("sha256", "")):
        yield "source.sha256 must be the 64 hexadecimal digits of the query in source.sql; train again"
    if "sql" in source and "dialect" not in source and "table" not in source:
        yield "source.table is missing, which the query in source.sql reads; train again"


def _calibration_faults(entry: dict[str, Any]) -> Iterator[str]:
    """A map that isn't complete, or doesn't rise."""
    needed = {"platt": {"slope", "intercept"}, "isotonic": {"margins", "log_odds"}}
    if entry and {*entry} - {"method"} != needed.get(entry.get("method", "")):
        yield f"calibration is not one of {', '.join(needed)}, complete"
    elif entry.get("method") == "isotonic":
        margins, log_odds = entry["margins"], entry["log_odds"]
        rises = all(map(lt, margins, margins[1:])) and all(map(le, log_odds, log_odds[1:]))
        if not (rises and 0 < len(margins) == len(log_odds)):
            yield "calibration must have as many log_odds as margins, and both must rise"


def _unknown(where: str, found: Iterable[str], known: Collection[str]) -> Iterator[str]:
    yield from (
        f"{where} names {name!r}, which is not one of {', '.join(map(repr, known))}"
        for name in found
        if name not in known
    )
